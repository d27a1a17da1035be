"""CIF, read back by gemmi and by shiftcli."""

from dataclasses import replace

import gemmi
import numpy as np
import pytest

from shiftcli.errors import ShiftcliError, UsageError
from shiftcli.prediction.predictor import prepare
from shiftcli.readers import read, read_text
from shiftcli.structure.checks import OVERRIDES
from shiftcli.views import render


def again(results):
    return list(read_text(render(results, "cif"), "cif", "again.cif"))


def assert_same(crystal, other):
    assert other.labels == crystal.labels
    assert other.elements.tolist() == crystal.elements.tolist()
    offsets = (other.positions - crystal.positions) @ np.linalg.inv(crystal.cell)
    assert np.abs((offsets - np.round(offsets)) @ crystal.cell).max() < 1e-4
    assert np.abs(other.cell - crystal.cell).max() < 1e-4
    assert [s.atoms.tolist() for s in other.sites] == [s.atoms.tolist() for s in crystal.sites]


def assert_has_shieldings(crystal, results, number=0):
    for row in results.predictions[number].sites:
        assert crystal.shieldings[row.site.atoms] == pytest.approx(round(row.shielding, 2))


def test_the_crystal_comes_back_with_its_shieldings(results, urea):
    (crystal,) = again(results)
    assert_same(urea, crystal)
    assert_has_shieldings(crystal, results)
    assert crystal.operations == urea.operations
    assert crystal.name == "urea"
    assert crystal.expected == urea.expected
    assert crystal.warnings == ()


def test_gemmi_reads_it(results):
    block = gemmi.cif.read_string(render(results, "cif")).sole_block()
    structure = gemmi.make_small_structure_from_block(block)
    assert structure.spacegroup.xhm() == "P -4 21 m"
    assert [site.label for site in structure.sites] == ["C1", "O1", "N1", "H1", "H2"]
    assert len(structure.get_all_unit_cell_sites()) == 16
    names = ("iso", "iso_uncertainty", "iso_uncertainty95")
    columns = ["label", *(f"nmr_shielding_{name}" for name in names), "nmr_shift_iso"]
    table = block.find("_atom_site_", columns)
    assert list(table[1]) == ["O1", "11.37", "0.41", "1.11", "?"]
    assert table[3][4] == f"{(30.96 - 14.11) / (1 - 30.96e-6):.2f}"
    assert list(block.find_values("_atom_site_site_symmetry_multiplicity")) == list("22444")
    assert "predicted by shiftcli" in block.find_value("_audit_creation_method")


def test_notes_are_kept(predicted, urea):
    noted = urea.with_warning("8 hydrogens moved").with_warning('it\'s "odd"; really')
    block = gemmi.cif.read_string(render(predicted(noted), "cif")).sole_block()
    text = gemmi.cif.as_string(block.find_value("_audit_creation_method"))
    assert text.splitlines()[1:] == ["8 hydrogens moved", 'it\'s "odd"; really']


@pytest.mark.parametrize("operations", [(), ("x,y,z", "-x,-y,-z")])
def test_all_atoms_in_p1_without_the_right_symmetry(predicted, urea, operations):
    results = predicted(replace(urea, operations=operations))
    (crystal,) = again(results)
    assert len(crystal) == 16
    assert np.allclose(crystal.positions, urea.positions, atol=1e-4)
    assert crystal.labels[:4] == ("C1", "C1_2", "O1", "O1_2")
    assert [s.atoms.tolist() for s in crystal.sites] == [s.atoms.tolist() for s in urea.sites]
    assert_has_shieldings(crystal, results)


def test_symmetry_that_disorder_has_lowered_is_not_claimed(predicted, urea):
    keep = np.arange(1, 16)
    site_ids = np.array([0, 1, 1, *[2] * 4, *[3] * 4, *[4] * 4])
    lowered = replace(
        urea, elements=urea.elements[keep], positions=urea.positions[keep],
        labels=urea.labels[1:], site_ids=site_ids,
    )  # fmt: skip
    (crystal,) = again(predicted(lowered))
    assert crystal.operations == ()
    assert len(crystal) == 15


def test_left_handed_cell_keeps_the_hand_of_its_molecules(predicted, labelled):
    rng = np.random.default_rng(5)
    cell = np.array([[0, 6.0, 0.5], [7.0, 0, 0.3], [0.2, 0.4, 8.0]])
    assert np.linalg.det(cell) < 0
    row = labelled([f"H{k}" for k in range(5)])
    crystal = replace(row, cell=cell, positions=rng.random((5, 3)) @ cell)
    (other,) = again(predicted(crystal))

    def hand(c):
        # Atoms may be moved by lattice vectors: the shortest ones between them.
        f = (c.positions - c.positions[0]) @ np.linalg.inv(c.cell)
        v = (f - np.round(f)) @ c.cell
        return v @ v.T, np.linalg.det(v[1:4])

    for mine, yours in zip(hand(crystal), hand(other), strict=True):
        np.testing.assert_allclose(mine, yours, atol=1e-4)


def test_several_structures_of_the_same_or_no_name(predicted, urea):
    crystals = again(predicted(urea, urea, replace(urea, name=""), replace(urea, name="#4 x")))
    assert [crystal.name for crystal in crystals] == ["urea", "urea_2", "structure", "4_x"]
    assert all(np.isfinite(crystal.shieldings).all() for crystal in crystals)


def test_sites_that_were_not_predicted(results):
    prediction = results.predictions[0]
    part = replace(results, predictions=[replace(prediction, sites=prediction.sites[3:])])
    (crystal,) = again(part)
    assert len(crystal) == 16
    assert np.isnan(crystal.shieldings[:8]).all()
    assert np.isfinite(crystal.shieldings[8:]).all()


def test_molecule_without_a_cell(predicted, urea, molecule):
    with pytest.raises(UsageError, match=r"formaldehyde.xyz: .*no unit cell .*--format xyz"):
        render(predicted(urea, molecule), "cif")


def test_more_than_999_atoms(predicted, large):
    results = predicted(large)
    (crystal,) = again(results)
    assert crystal.labels == large.labels
    assert crystal.shieldings == pytest.approx([round(10.0 + 1.37 * k, 2) for k in range(1200)])


def test_failures_alone(predicted):
    assert render(predicted(), "cif").strip() == ""


def test_real_crystals_come_back(predicted, shared_structures):
    """Cells, settings, special positions and disorder as they are in the database."""
    compared = 0
    for path in shared_structures:
        try:
            crystals = [prepare(c, allow=OVERRIDES) for c in read(path)]
        except ShiftcliError:
            continue  # how it fails is tested elsewhere
        for crystal in crystals:
            if crystal.cell is None or len(crystal) > 2000:
                continue
            (other,) = again(predicted(crystal))
            assert len(other) == len(crystal), path
            assert len(other.sites) <= len(crystal.sites), path
            if other.operations:
                assert_same(crystal, other)
                compared += 1
    assert compared > 8
