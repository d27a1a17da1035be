"""Other structures of a crystal's molecules."""

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of

from shiftcli.benchmark import packing
from shiftcli.benchmark.packing import KINDS, Packer, turnable
from shiftcli.errors import StructureError
from shiftcli.nmr.families import TOLERANCE, difference, fingerprint
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.checks import check
from shiftcli.structure.molecules import molecules
from shiftcli.structure.neighbours import find_neighbours
from shiftcli.structure.symmetry import search_symmetry


@pytest.fixture(scope="module")
def crystal():
    """1-Amino-2-propanol and its inverse, two of each, in P -1."""
    labels, places = amino_alcohol()
    return crystal_of(labels, places, places @ np.diag([-1, -1, 1.0]))


@pytest.fixture(scope="module")
def packer(crystal):
    return Packer(crystal)


@pytest.fixture(scope="module")
def made(packer):
    """One candidate of each kind, made in fewer moves than usual, for time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_MOVES", 300)
        patch.setattr(packing, "_STARTS", 1)
        return {kind: packer.make(kind, (1, k)) for k, kind in enumerate(KINDS)}


def inside(crystal):
    """Distances within each molecule."""
    return [np.linalg.norm(m.positions[:, None] - m.positions, axis=2) for m in molecules(crystal)]


def test_the_crystal_itself(crystal, packer):
    same = packer.crystal_of(packer.start, "same")
    apart = (same.positions - crystal.positions) @ np.linalg.inv(crystal.cell)
    assert np.abs(apart - np.round(apart)).max() < 1e-9
    assert same.sites[0].label == crystal.sites[0].label


@pytest.mark.parametrize("kind", KINDS)
def test_candidates_are_sound(crystal, made, kind):
    found = made[kind]
    assert found.name == f"made, {kind}"
    assert found.formula == crystal.formula
    check(found)
    # Copies under the symmetry stay copies, though they may have found more of it.
    copies = search_symmetry(found.cell, found.elements, found.positions, 0.01).first_copies
    assert all(len(set(copies[site.atoms].tolist())) == 1 for site in found.sites)
    assert fingerprint(found).keys() == fingerprint(crystal).keys()
    volume = abs(np.linalg.det(found.cell) / np.linalg.det(crystal.cell))
    assert volume == pytest.approx(1, abs=0.05) if kind == "near copy" else volume < 1


def test_what_is_rigid_stays_so(crystal, made):
    for kind in ("moved", "packing"):
        for own, other in zip(inside(crystal), inside(made[kind]), strict=True):
            np.testing.assert_allclose(own, other, atol=1e-6)
    for kind in ("conformer", "conformer, packing"):
        changes = [
            np.abs(own - other).max()
            for own, other in zip(inside(crystal), inside(made[kind]), strict=True)
        ]
        # One of the two distinct molecules, and its copy.
        assert sorted(change > 0.3 for change in changes) == [False, False, True, True]


def test_molecules_do_not_overlap(made):
    for kind in KINDS[1:]:
        found = made[kind]
        near = find_neighbours(found.cell, found.positions, 2.0)
        bonds = find_bonds(found)
        alike = bonds.molecules[near.first] == bonds.molecules[near.second]
        pairs = {
            "".join(sorted(found.elements[[i, j]]))
            for i, j in zip(near.first[~alike], near.second[~alike], strict=True)
        }
        assert pairs <= {"HN", "HO"}


def test_only_near_copies_are_of_the_family(crystal, made):
    own = fingerprint(crystal)
    near = {kind: difference(own, fingerprint(found)) < TOLERANCE for kind, found in made.items()}
    assert near == {kind: kind == "near copy" for kind in KINDS}


def test_a_seed_gives_one_structure(packer, made):
    again = packer.make("moved", (1, KINDS.index("moved")))
    np.testing.assert_array_equal(again.positions, made["moved"].positions)
    other = packer.make("moved", (2, 0))
    assert not np.allclose(other.cell, again.cell)


def test_bonds_that_turn(crystal, packer):
    found = turnable(packer.bonds, crystal, packer.copies[0][0])
    # Of C2-C1(O1)-C3-N1 only C1-C3 has other heavy atoms at both ends.
    (((first, second), part),) = found
    assert {crystal.labels[first], crystal.labels[second]} == {"C1A", "C3A"}
    assert {crystal.labels[k] for k in part} == {"C3A", "H4aA", "H4bA", "N1A", "H5aA", "H5bA"}


def test_molecules_on_symmetry_elements_are_refused(urea):
    with pytest.raises(StructureError, match="lie on symmetry elements"):
        Packer(urea)
