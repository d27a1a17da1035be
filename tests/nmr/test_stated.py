"""Shieldings that the files hold in place of predicted ones."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.errors import StructureError
from shiftcli.nmr.stated import StatedShieldings, stated_beside, with_stated

CRYSTAL = crystal_of(*amino_alcohol())


def test_means_over_copies_of_what_is_known():
    values = np.arange(len(CRYSTAL), dtype=float)
    values[CRYSTAL.sites[1].atoms[0]] = np.nan
    values[CRYSTAL.sites[2].atoms] = np.nan
    stated = replace(CRYSTAL, shieldings=values)
    rows = {row.site.label: row for row in StatedShieldings(["H", "C"]).predict(stated).sites}
    first, second = CRYSTAL.sites[:2]
    assert rows[first.label].shielding == pytest.approx(values[first.atoms].mean())
    assert rows[second.label].shielding == values[second.atoms[1]]
    assert CRYSTAL.sites[2].label not in rows
    assert {row.site.element for row in rows.values()} == {"H", "C"}
    assert all(row.uncertainty == 0.0 for row in rows.values())


def test_a_file_without_shieldings_is_refused():
    with pytest.raises(StructureError, match="no shieldings are in the file"):
        StatedShieldings().predict(CRYSTAL)
    only_carbon = replace(CRYSTAL, shieldings=np.where(CRYSTAL.elements == "C", 100.0, np.nan))
    with pytest.raises(StructureError, match="no shieldings"):
        StatedShieldings(["H"]).predict(only_carbon)


def test_shieldings_that_shiftcli_predicted_are_not_taken_for_calculated_ones():
    made = replace(CRYSTAL, shieldings=np.ones(len(CRYSTAL)), info={"predicted_by": "shiftcli"})
    with pytest.raises(StructureError, match="predicted by shiftcli, not calculated"):
        StatedShieldings().predict(made)


def test_beside_a_prediction():
    values = np.where(CRYSTAL.elements == "C", 100.0, np.nan)
    plain = predicted(CRYSTAL, np.arange(len(CRYSTAL)))
    assert stated_beside(plain) is None
    assert list(with_stated([plain])) == [plain]
    stated = replace(plain, crystal=replace(CRYSTAL, shieldings=values))
    beside = stated_beside(stated)
    assert {row.site.element for row in beside.sites} == {"C"}
    assert {(row.shielding, row.uncertainty) for row in beside.sites} == {(100.0, 0.0)}
    first, second = with_stated([stated])
    assert (first.crystal.name, second.crystal.name) == ("made", "made (file)")
