"""Valences tell missing atoms, ions and radicals from molecules of every kind."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import StructureError
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.checks import check
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import molecules
from shiftcli.structure.valences import incomplete_carbons, net_charge, possible_charges

#: Molecules of the G2 set that are no closed shells: charge, and carbons that lack a neighbour.
OPEN_SHELLS = {
    "H2COH": (-1, 1), "C3H9C": (-1, 1), "CH3CO": (-1, 1), "HCO": (-1, 1), "C2H3": (-1, 1),
    "NH2": (-1, 0), "CH": (-3, 1), "OH": (-1, 0), "CH2_s1A1d": (-2, 1), "CH2_s3B1d": (-2, 1),
    "CH3O": (-1, 0), "CH3CH2O": (-1, 0), "C3H7": (-1, 1), "CH3": (-1, 1), "C2H5": (-1, 1),
    "NH": (-2, 0), "CCH": (-1, 1),
}  # fmt: skip


def isolated(elements, positions):
    names = np.array(list(elements))
    return Crystal(names, np.array(positions, dtype=float), None, tuple(names.tolist()))


def row(elements, steps):
    """Atoms on a straight line, with the distances between them."""
    places = np.cumsum([0.0, *steps])
    return isolated(elements, np.pad(places[:, None], ((0, 0), (0, 2))))


def charges(crystal):
    bonds = find_bonds(crystal)
    (molecule,) = molecules(crystal)
    return possible_charges(molecule, bonds)


def test_closed_shells_of_the_g2_set_are_whole_and_neutral():
    from ase.collections import g2

    found = {}
    for name in g2.names:
        atoms = g2[name]
        symbols = atoms.get_chemical_symbols()
        if len(symbols) < 2 or "H" not in symbols or not set(symbols) <= set("HCNO"):
            continue
        crystal = isolated(symbols, atoms.positions)
        bonds = find_bonds(crystal)
        found[name] = net_charge(crystal, bonds), len(incomplete_carbons(bonds))
    assert len(found) > 60
    assert {name: odd for name, odd in found.items() if odd != (0, 0)} == OPEN_SHELLS


@pytest.mark.parametrize(
    ("crystal", "expected"),
    [
        (row("HNC", [1.0, 1.17]), 0),  # an isocyanide
        (row("OCO", [1.16, 1.16]), 0),
        (row("NNO", [1.13, 1.19]), 0),
        (row("HCCH", [1.06, 1.2, 1.06]), 0),
        (row("NNN", [1.18, 1.18]), -1),  # the azide ion
        (row("CN", [1.17]), -1),
        (isolated("HNNN", [[-0.4, 0.92, 0], [0, 0, 0], [1.24, 0, 0], [2.37, 0, 0]]), 0),
        (isolated("CNNHH", [[0, 0, 0], [1.3, 0, 0], [2.44, 0, 0], [-0.5, 0.95, 0],
                            [-0.5, -0.95, 0]]), 0),
        (isolated("NHHHH", [[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6],
                            [0.6, -0.6, -0.6]]), 1),
        (isolated("NOOO", [[0, 0, 0], [1.25, 0, 0], [-0.63, 1.08, 0], [-0.63, -1.08, 0]]), -1),
    ],
)  # fmt: skip
def test_ions_and_charges_within_molecules(crystal, expected):
    assert net_charge(crystal, find_bonds(crystal)) == expected
    assert expected in charges(crystal)


def nitroxide():
    """Dimethyl nitroxide: the hydrogen on the nitrogen of dimethylamine is an oxygen."""
    from ase.build import molecule

    atoms = molecule("C2H6NH")
    nitrogen = int(np.argmax(atoms.numbers == 7))
    proton = int(
        np.argmin(np.where(atoms.numbers == 1, atoms.get_distances(nitrogen, range(10)), 9))
    )
    atoms.numbers[proton] = 8
    atoms.set_distance(nitrogen, proton, 1.28, fix=0)
    return isolated(atoms.get_chemical_symbols(), atoms.positions)


def test_a_nitroxide_has_an_odd_electron_and_is_no_anion():
    crystal = nitroxide()
    assert 0 not in charges(crystal)
    assert net_charge(crystal, find_bonds(crystal)) == 0


def test_nothing_is_said_of_other_elements_and_shared_hydrogens():
    assert charges(row("OHO", [1.2, 1.2])) == ()
    assert charges(row("SCS", [1.55, 1.55])) == ()
    assert net_charge(*(c := row("SCS", [1.55, 1.55]), find_bonds(c))) == 0


@pytest.mark.parametrize("atom", range(16))
def test_whatever_atom_is_taken_from_urea_it_is_missed(urea, atom):
    keep = np.arange(16) != atom
    crystal = replace(urea, expected={}).take(keep)
    with pytest.raises(StructureError, match=r"no atom is bonded|too few neigh|charge of -1"):
        check(crystal)


def test_hydrogens_missing_on_every_molecule(urea):
    crystal = replace(urea, expected={}).take(~np.isin(urea.labels, ["H1"]))
    with pytest.raises(StructureError, match=r"charge of -4: hydrogen atoms are missing"):
        check(crystal)
    allowed = check(crystal, ["hydrogens"])
    assert all("hydrogens-missing" in flags for flags in allowed.flags.values())


def test_ions_alone_are_told_not_refused():
    ion = row("CNH", [1.17, 1.0])
    assert check(ion) is ion
    formate = isolated("HCOO", [[0, 0, 0], [1.1, 0, 0], [1.7, 1.08, 0], [1.7, -1.08, 0]])
    assert check(formate).warnings == (
        "a charge of -1 by the valences of the atoms: ions, radicals, or wrong atoms?",
    )


def test_two_ions_make_a_neutral_crystal():
    formate = [[0, 0, 0], [1.1, 0, 0], [1.7, 1.08, 0], [1.7, -1.08, 0]]
    ammonium = [[4.6, 0, 0], [5.2, 0.6, 0.6], [4, -0.6, 0.6], [4, 0.6, -0.6], [5.2, -0.6, -0.6]]
    salt = isolated("HCOONHHHH", [*formate, *ammonium])
    assert check(replace(salt, cell=np.diag([6.5, 4.0, 3.5]))).warnings == ()
    alone = isolated("HCOO", formate)
    with pytest.raises(StructureError, match="charge of -1"):
        check(replace(alone, cell=np.diag([3.6, 4.0, 3.0])))
