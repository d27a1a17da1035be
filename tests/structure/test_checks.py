"""What is refused, and how it is marked where the user allows it."""

import numpy as np
import pytest

from shiftcli.errors import StructureError
from shiftcli.structure.checks import OVERRIDES, check
from shiftcli.structure.crystal import Crystal

WATER = np.array([[1.0, 1, 1], [1.96, 1, 1], [0.76, 1.93, 1]])


def make(elements="O H H", positions=WATER, cell=6.0, **options):
    elements = np.array(elements.split())
    labels = options.pop("labels", tuple(f"{e}{k}" for k, e in enumerate(elements.tolist())))
    matrix = None if cell is None else np.eye(3) * cell
    return Crystal(elements, np.array(positions, dtype=float), matrix, labels, **options)


def refused(crystal, match, allow=()):
    with pytest.raises(StructureError, match=match) as caught:
        check(crystal, allow)
    return caught.value


def test_a_good_crystal_passes_untouched():
    crystal = make()
    assert check(crystal) is crystal


@pytest.mark.parametrize(
    ("crystal", "match"),
    [
        (make("", np.zeros((0, 3))), "no atoms"),
        (make(positions=[[0, 0, 0], [0, 0, np.nan], [1, 1, 1]]), "atom H1 has no finite coord"),
        (make(cell=np.nan), "not finite"),
        (make(cell=0.0), "the unit cell has no volume"),
        (make(cell=1.2), "for 3 atoms"),
        (make("Na Cl", [[0, 0, 0], [2.8, 0, 0]]), "no H, C, N or O atoms"),
    ],
)
def test_geometry_without_an_override(crystal, match):
    assert "--allow" not in str(refused(crystal, match, allow=tuple(OVERRIDES)))


#: The angle of water with sides that heavy atoms can have.
BENT = 1 + 1.4 * (WATER - 1)
FORMALDEHYDE = [[0, 0, 0], [0, 0.93, -0.58], [0, -0.93, -0.58], [0, 0, 1.21]]
SHORT = [*FORMALDEHYDE[:3], [0, 0, 0.98]]
CROWDED = [[1, 1, 1], [1.9, 1, 1], [0.4, 1.7, 1], [0.4, 0.5, 1.6], [1, 1, 0.1]]


@pytest.mark.parametrize(
    ("crystal", "match", "key", "flagged"),
    [
        (
            make("O H Cl", [*WATER[:2], BENT[2]]),
            r"contains Cl \(first at atom Cl2\)",
            "elements",
            2,
        ),
        (make("O C N", BENT), "no hydrogen atoms", "hydrogens", 3),
        (make(expected={"O": 1, "H": 3}), "2 hydrogen atoms .* says 3", "hydrogens", 3),
        (
            make("O H H O", [*WATER, [4, 4, 4]]),
            "no atom is bonded to O3: its hydrogen atoms are missing",
            "hydrogens",
            4,
        ),
        (make("O H H H", [*WATER, [1.96, 1.4, 1]]), "H1 and H3 are closer than 0.6", "overlaps", 3),
        (make("C H H O", SHORT), r"C0, O3 closer .* 1\.08 Å: .*symbols", "overlaps", 3),
        (make("O H H H H", CROWDED), "atom O0 has 4 bonds", "valence", 1),
        (make("H O O", WATER), "atom H0 has 2 bonds", "valence", 1),
    ],
)
def test_refusals_name_their_override_which_marks_the_rows(crystal, match, key, flagged):
    error = refused(crystal, match)
    assert f"--allow {key} " in error.hint
    assert (key == "hydrogens") == error.hint.startswith("add the atoms that are missing first; ")
    allowed = check(crystal, [key])
    known = [k for k, site in enumerate(allowed.sites) if site.element in "HCNO"]
    assert sum(OVERRIDES[key] in allowed.flags.get(k, ()) for k in known) == flagged
    assert allowed.warnings[0].endswith(": allowed")


def test_one_bond_that_is_too_short_among_many_is_told():
    """As in a solvent that was not refined well."""
    molecules = np.array([FORMALDEHYDE] * 11 + [SHORT]) + 4.0 * np.arange(12)[:, None, None]
    crystal = make("C H H O " * 12, molecules.reshape(-1, 3), cell=None)
    (note,) = check(crystal).warnings
    assert note == "C44, O47 closer to another heavy atom than 1.08 Å: no bond is as short"


def test_other_elements_stay_and_mark_the_rest():
    positions = [*WATER, [4, 4, 4], [4, 5.4, 4]]
    crystal = make("O H H P O", positions)
    kept = check(crystal, ["elements"])
    assert kept.elements.tolist() == crystal.elements.tolist()
    assert all("other-elements-ignored" in kept.flags[k] for k in (0, 1, 2, 4))
    assert any("1 of 4 atoms are nearer than 3.4" in text for text in kept.warnings)


@pytest.mark.parametrize(("distance", "refuses"), [(3.0, True), (3.5, False)])
def test_most_atoms_far_from_other_elements_are_enough(distance, refuses):
    positions = np.array([*WATER, [1, 1, 1 + distance]])
    crystal = make("O H H Cl", positions, cell=None)
    if refuses:
        refused(crystal, "contains Cl")
    else:
        kept = check(crystal)
        assert len(kept) == 4
        assert any(text.startswith("contains Cl (first at atom Cl3)") for text in kept.warnings)


def ethane(left, right):
    """A staggered molecule of two carbons with three neighbours each."""
    lengths = {"H": 1.09, "F": 1.35, "Cl": 1.79}
    turns = np.radians([0, 120, 240])
    side = np.sqrt(8) / 3
    rest = np.stack([np.full(3, 1 / 3), side * np.cos(turns), side * np.sin(turns)], axis=1)
    bonds = np.array([lengths[e] for e in left + right])[:, None] * np.concatenate([-rest, rest])
    carbons = np.array([[0, 0, 0], [1.52, 0, 0]])
    positions = np.concatenate([carbons, bonds + np.repeat(carbons, 3, axis=0)])
    return make(" ".join(["C", "C", *left, *right]), positions, cell=None)


@pytest.mark.parametrize(
    ("left", "right", "element"), [("H H H", "H H Cl", "Cl"), ("F F F", "H H H", "F")]
)
def test_neighbours_of_other_elements_are_no_bonds_too_many(left, right, element):
    crystal = ethane(left.split(), right.split())
    refused(crystal, f"contains {element}")
    kept = check(crystal, ["elements"])
    assert set(kept.flags.values()) == {("other-elements-ignored",)}


def test_more_hydrogens_than_the_formula_are_no_reason_to_refuse():
    check(make(expected={"O": 1, "H": 1}))
    check(make(expected={"O": 2, "H": 4}))
