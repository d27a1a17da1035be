"""The verdict on each of the 26 real CIFs, as a crystallographer would give it."""

from pathlib import Path

import pytest

from shiftcli.errors import ShiftcliError
from shiftcli.prediction.predictor import prepare
from shiftcli.readers import iter_structures

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "structures"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the shared data are not here")

MOVED = "hydrogens moved"

#: File to what is predicted: formula of the cell, number of sites, words of the warnings.
PREDICTED = {
    "1000001.cif": ("C428 H568 N56 O104", 289, ["O201, C202 closer", MOVED]),
    "1004001-disorder.cif": (
        "C288 H648 P24 S32 W24", 127,
        ["repeated labels", "61 minor sites left out", "61 partly occupied",
         "448 of 936 atoms are nearer than 3.4 Å to it and are not predicted", MOVED],
    ),
    "2000380-example-of-R3-H.cif": ("C234 H234 O9", 53, ["Hall symbol R 3", MOVED]),
    "2007300.cif": ("C11 H12 N2 O5", 30, [MOVED]),
    "2010359.cif": ("C44 H68 N12 O16", 35, [MOVED]),
    "2014244.cif": (
        "C24 H34 N2 O10", 35,
        ["5 minor sites left out: C21, C31, H21, H31A, H31B", "5 partly occupied", MOVED],
    ),
    "2100348-benzene.cif": ("C24 H24", 6, [MOVED]),
    "2202108.cif": ("C44 H32 N4 O4", 21, [MOVED]),
    "2208311-zero-occupancies.cif": ("C48 H40 O8", 24, ["zero occupancy left out: CG1", MOVED]),
    "2222274.cif": (
        "C120 H112 N16 O16", 33,
        ["5 minor sites left out: H3, C15A", "5 partly occupied", MOVED],
    ),
    "2300214-r274507.cif": ("C52 H72 O8", 33, [MOVED]),
    "4022310-enum.cif": ("C108 H160 O32", 75, [MOVED]),
    "4101585-truncated-page-last.cif": ("C46 H40 O8", 47, [MOVED]),
    "7105573-no-Z.cif": ("C32 H36 N4 O8", 20, []),
    "caffeine-obabel-gen3D.cif": ("C8 H10 N4 O2", 24, ["isolated molecule"]),
}  # fmt: skip

#: File to the words of its refusal.
REFUSED = {
    "1crn.cif": "1CRN: an mmCIF file of a macromolecule",
    "2000000-no-symmetry.cif": "no symmetry operations, and 88 atom sites are not the whole cell",
    # Three full hydrogens on a hydroxyl oxygen: disorder whose occupancies are not given.
    "2001826-no-spacegroup.cif": "2001826: atom O has 4 bonds: disorder that is not marked?",
    # A cyclodextrin whose water molecules have no hydrogens.
    "2003003.cif": "no atom is bonded to OW1, OW2, OW3, OW4, OW5, OW6 and 6 more",
    "2004325-cell-questionmark.cif": "no usable unit cell: _cell_angle_beta is ?",
    "2009397-syntax-error.cif": "broken or cut-off CIF: syntax error at line 34",
    "4063260-wrong-formula-sum.cif": "contains B, F (first at atom B1)",
    "blank.cif": "the file is empty",
    "hydrogen-isotopes.cif": "no usable unit cell: _cell_length_a is missing",
    "jo026649z_s2_1-duplicate-tags.cif": "_chemical_formula_weight is given 2 times",
}


def verdicts(name):
    """Crystals and errors of a file, ready for prediction."""
    for item in iter_structures(FOLDER / name):
        if isinstance(item, ShiftcliError):
            yield item
            continue
        try:
            yield prepare(item)
        except ShiftcliError as error:
            yield error


def test_every_file_has_a_verdict():
    names = {path.name for path in FOLDER.glob("*")}
    assert names == {*PREDICTED, *REFUSED, "2205051_mol.cif"}
    assert len(names) == 26


@pytest.mark.parametrize("name", PREDICTED)
def test_predicted(name):
    formula, sites, words = PREDICTED[name]
    (crystal,) = verdicts(name)
    assert crystal.formula == formula
    assert len(crystal.sites) == sites
    assert sum(site.multiplicity for site in crystal.sites) == len(crystal)
    assert len(crystal.warnings) == len(words)
    assert all(word in text for word, text in zip(words, crystal.warnings, strict=True))
    if crystal.expected:
        assert sum(crystal.expected.values()) == len(crystal)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    (error,) = verdicts(name)
    assert isinstance(error, ShiftcliError)
    assert REFUSED[name] in str(error)
    assert name in str(error)
    assert "\n" not in str(error)


def test_molecules_of_one_file():
    """A copper complex, an acetate and two waters, each alone in the crystal's cell."""
    first, *others = verdicts("2205051_mol.cif")
    assert "contains Cu (first at atom Cu1)" in " ".join(first.warnings)
    assert [crystal.formula for crystal in others] == ["C2 H3 O2", "H2 O", "H2 O"]
    assert all("Å³ for each atom" in crystal.warnings[0] for crystal in others)
