"""Small inputs that were once predicted in silence, each a kind of fault."""

from pathlib import Path

import numpy as np
import pytest

from shiftcli.errors import StructureError
from shiftcli.prediction.predictor import prepare
from shiftcli.readers import read
from shiftcli.structure.hydrogens import measure_bonds

CASES = Path(__file__).parents[3] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")


def prepared(name, **options):
    (crystal,) = read(CASES / name)
    return prepare(crystal, **options)


@pytest.mark.parametrize(
    "name",
    [
        "missing-hydrogens/acetic_united_atom.pdb",
        "missing-hydrogens/uracil_CH_only_noformula.cif",
        "missing-hydrogens/m4_methanol_without_methyl_H.xyz", "free-atoms/orphan.xyz",
        "free-atoms/m12559.cif",
    ],
)  # fmt: skip
def test_missing_and_free_atoms_are_refused(name):
    with pytest.raises(StructureError, match=r"missing|no atom is bonded") as caught:
        prepared(name)
    assert caught.value.hint.startswith("add the atoms that are missing first; --allow hydrogens")


@pytest.mark.parametrize(
    "name", ["missing-hydrogens/acetic_full.pdb", "missing-hydrogens/uracil_full.cif"]
)
def test_whole_ones_are_not(name):
    assert "H" in prepared(name).elements


def test_noise_parts_no_sites_unnoticed():
    right = [s.multiplicity for s in prepared("noisy-symmetry/a_5decimals.cif").sites]
    little = prepared("noisy-symmetry/b_noise0.005.cif")
    assert [s.multiplicity for s in little.sites] == right
    assert "12 distinct sites" in little.warnings[-1]
    more = "noisy-symmetry/b_noise0.02.cif"
    assert "12 distinct sites instead of 48" in prepared(more).warnings[-1]
    assert [s.multiplicity for s in prepared(more, symmetry_tolerance=0.2).sites] == right


def test_hydroxyls_of_x_ray_length_beside_relaxed_methyls():
    relaxed = prepared("xh-lengths/a_relaxed.cif")
    assert relaxed.moved is None
    moved = prepared("xh-lengths/b_CH_neutron_OH_xray.cif")
    assert set(moved.elements[np.flatnonzero(moved.moved)]) == {"H"}
    assert "O–H from 0.820" in moved.warnings[-1]
    bonds = measure_bonds(moved)
    assert bonds.length[bonds.carrier == "O"] == pytest.approx(1.019, abs=0.01)
