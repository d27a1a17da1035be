"""The table of out-of-fold predictions, written and read."""

import numpy as np
import pytest

from shiftcli.errors import TrainingError
from shiftcli.network.calibration import Evidence
from shiftcli.training.atoms import collect_atoms
from shiftcli.training.committee import Judged
from shiftcli.training.out_of_fold import read_table, table_rows, write_table
from shiftcli.training.sources import load_levels


@pytest.fixture(scope="module")
def labelled(labelled_file):
    return load_levels([labelled_file])


@pytest.fixture(scope="module")
def judged(labelled):
    """All carbons, each predicted as its reference plus its place."""
    atoms = collect_atoms(labelled.main, "C", families=labelled.families)
    n = len(atoms)
    evidence = Evidence(np.full(n, "quaternary", object), np.ones(n, int), np.full(n, np.inf))
    shielding = atoms.reference + np.arange(n)
    return Judged(atoms, shielding, np.zeros(n), np.ones(n), evidence)


def test_rows_in_any_order_come_back(judged, labelled, tmp_path):
    rows = table_rows(judged, 2)
    assert {row["fold"] for row in rows} == {3}
    write_table(tmp_path / "table.csv", rows[::-1])
    found = read_table(tmp_path / "table.csv", labelled)
    assert list(found) == ["C"]
    assert found["C"].shielding == pytest.approx(judged.shielding)
    assert np.isnan(found["C"].half68).all()


def test_an_atom_that_is_missing(judged, labelled, tmp_path):
    write_table(tmp_path / "table.csv", table_rows(judged, 0)[:-1])
    with pytest.raises(TrainingError, match="of other crystals than the data"):
        read_table(tmp_path / "table.csv", labelled)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("species\n1H\n", "not a table of out-of-fold predictions"),
        ("species,crystal,atom,reference,shielding\n1H,0,x,1,1\n", "not a table of out-of-fold"),
        ("species,crystal,atom,reference,shielding\n1H,99,0,1,1\n", "no out-of-fold predictions"),
    ],
)
def test_no_table_of_these_data(text, said, labelled, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_table(tmp_path / "table.csv", labelled)
    with pytest.raises(TrainingError, match="not a table"):
        read_table(tmp_path / "nothing.csv", labelled)
