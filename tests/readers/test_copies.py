"""Atoms that a file lists more than once."""

from pathlib import Path

import numpy as np
import pytest

from shiftcli.readers import read, read_text

CASES = Path(__file__).parents[3] / "shared" / "cases" / "atoms-listed-twice"
EXAMPLE = Path(__file__).parents[2] / "examples" / "urea.cif"


def environments(crystal):
    """Distances (Å) from each kind of site to its twelve nearest, sorted, with their elements."""
    from ase import Atoms
    from ase.neighborlist import neighbor_list

    atoms = Atoms(crystal.elements.tolist(), crystal.positions, cell=crystal.cell, pbc=True)
    i, _, d = neighbor_list("ijd", atoms, 4.0)
    found = set()
    for site in crystal.sites:
        near = i == site.atoms[0]
        order = np.argsort(d[near])[:12]
        found.add((site.element, site.multiplicity, *np.round(d[near][order], 2)))
    return sorted(found, key=str)


def test_border_atoms_of_a_poscar_count_once():
    text = "x\n1\n5 0 0\n0 6 0\n0 0 7\nC H\n4 1\nDirect\n0 .2 .3\n1 .2 .3\n0 1.2 .3\n.5 .5 .5\n"
    (crystal,) = read_text(text + "0.2 0.2 0.3\n", "poscar")
    assert crystal.formula == "C2 H"
    assert (
        "2 of 5 atom sites are copies of others, counted once: no. 2, no. 3"
        in (crystal.warnings[0])
    )


def test_another_element_in_the_same_place_is_no_copy():
    text = "x\n1\n5 0 0\n0 6 0\n0 0 7\nC H\n1 1\nDirect\n0 .2 .3\n1 .2 .3\n"
    assert len(next(read_text(text, "poscar"))) == 2


def test_a_molecule_listed_whole_on_its_centre():
    more = "N2 N -0.1459 0.3541 0.1766\nH3 H -0.2575 0.2425 0.2827\n"
    (crystal,) = read_text(f"{EXAMPLE.read_text().rstrip()}\n{more}", "cif")
    (plain,) = read(EXAMPLE)
    np.testing.assert_array_equal(crystal.positions, plain.positions)
    assert "2 of 7 atom sites are copies" in crystal.warnings[0]
    assert not any("formula" in warning for warning in crystal.warnings)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("b_complete_molecule.cif", CASES / "a_asym.cif"),
        ("e_whole_cell_and_ops.cif", CASES / "a_asym.cif"),
        ("urea.vasp", EXAMPLE),
        ("urea_p1.cif", EXAMPLE),
    ],
)
def test_cases(name, like):
    (crystal,), (other,) = read(CASES / name), read(like)
    assert len(crystal) == len(other)
    assert environments(crystal) == environments(other)
    assert "counted once" in " ".join(crystal.warnings)
