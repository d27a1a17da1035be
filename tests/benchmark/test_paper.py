"""The paper's tables and figures: their numbers, their files, and what a command shows."""

import csv

import numpy as np
import pytest

from shiftcli.benchmark import packing
from shiftcli.benchmark.paper import REPRODUCTIONS, Result, Setting, learning, tables
from shiftcli.benchmark.paper.components import classify
from shiftcli.density.environments import FAR, Environments
from shiftcli.errors import UsageError


@pytest.fixture
def setting(labelled_file, tmp_path):
    return Setting([str(labelled_file)], tmp_path, quick=True, device="cpu")


def environment(*atoms):
    """One environment of (channel, x, y, z) rows, with a padding atom at the end."""
    positions = np.array([[a[1:] for a in atoms] + [[FAR] * 3]], dtype=np.float32)
    channels = np.array([[a[0] for a in atoms] + [-1]], dtype=np.int8)
    return Environments(positions, channels)


def test_every_table_and_figure_has_a_command():
    from shiftcli.cli.reproduce import reproduce

    names = str(reproduce.__annotations__["what"])
    assert all(f"'{name}'" in names for name in REPRODUCTIONS)


def test_table1_counts_atoms(setting):
    result = REPRODUCTIONS["table1"](setting)
    rows = {row[0]: row for row in result.rows}
    # Sixteen cells of urea: fourteen to learn from, two to test on; eight H, two C a cell.
    assert rows["1H"][1:4] == (14 * 8, 14 * 8 * 8, 76_174)
    assert rows["13C"][4:7] == (2 * 2, 2 * 2 * 8, 26_607)


def test_table2_by_hand(setting, predictor):
    result = REPRODUCTIONS["table2"](setting)
    _, tested = setting.samples("C")
    predicted, *_ = predictor.predict_environments("C", tested.environments)
    error = np.array(predicted) - tested.targets
    (row,) = (row for row in result.rows if row[0] == "13C")
    assert row[1] == pytest.approx(np.sqrt(np.mean(error**2)), rel=2e-2)  # bfloat16 there
    assert row[2] is None  # these data have no second prediction
    assert row[4] == 3.3


def test_table4_is_the_paper_protocol(setting):
    result = REPRODUCTIONS["table4"](Setting([], setting.folder))
    assert all((row[1], row[2]) == (row[4], row[5]) for row in result.rows)


def test_table3_trains_each_part(setting, monkeypatch):
    monkeypatch.setattr(tables, "_QUICK_TABLE3", {"N": 1})
    monkeypatch.setattr(tables, "_QUICK_BATCH", 14)
    result = REPRODUCTIONS["table3"](setting)
    ((nucleus, grid, *errors, _, arch, inputs, full),) = result.rows
    assert (nucleus, grid, arch, inputs, full) == ("15N", 8.0, 10.2, 10.3, 10.2)
    assert len(set(errors)) == 3  # three networks that differ
    assert all(np.isfinite(errors))


def test_figure1_is_the_density(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("skimage")
    result = REPRODUCTIONS["figure1"](Setting([], tmp_path))
    paths = result.save(tmp_path)
    assert {p.name for p in paths} == {
        "figure1.csv", "figure1-density.csv", "figure1.png", "figure1.svg",
    }  # fmt: skip
    with open(tmp_path / "figure1-density.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert {row["grid/Å"] for row in rows} == {"4.0", "10.0"}
    # The carbon next to that of alanine lies within the small grid, close to a voxel's centre.
    largest = {
        g: max(float(r["density"]) for r in rows if r["grid/Å"] == g) for g in ("4.0", "10.0")
    }
    assert 0.9 < largest["4.0"] <= 1.0
    assert 0.5 < largest["10.0"] <= 1.0


def test_figure3_shares_its_runs(setting, monkeypatch):
    monkeypatch.setattr(learning, "_QUICK_SIZES", (4, 8))
    monkeypatch.setattr(learning, "_QUICK_BATCH", 8)
    setting.nuclei = ("C",)
    errors = REPRODUCTIONS["figure3a"](setting)
    assert [(row[0], row[1]) for row in errors.rows] == [
        (n, kind) for n in (4, 8) for kind in ("training", "training and testing", "none")
    ]
    runs = sorted(p.name for p in (setting.folder / "runs" / "figure3-C").iterdir() if p.is_dir())
    assert len(runs) == 4
    before = {p: p.stat().st_mtime_ns for p in setting.folder.glob("runs/*/*/*.safetensors")}
    times = REPRODUCTIONS["figure3b"](setting)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    # Two distinct carbons a crystal, eight rotations, whole batches of eight.
    assert [row[:2] for row in times.rows] == [(4, 64), (8, 128)]


def test_figure4_counts_every_atom(setting):
    result = REPRODUCTIONS["figure4"](setting)
    assert {row[0] for row in result.rows} == {"1H", "13C", "15N", "17O"}
    columns, rows = result.series["histogram"]
    inside = {row[0]: row[4] for row in result.rows}
    atoms = sum(row[3] for row in rows if row[0] == "1H")
    assert columns[3] == "shiftcli"
    assert atoms == pytest.approx(16 * inside["1H"])


def test_figure5_explains_the_variance(setting):
    result = REPRODUCTIONS["figure5"](setting)
    explained = [row[1] for row in result.rows]
    assert explained == sorted(explained, reverse=True)
    assert result.rows[-1][2] == pytest.approx(sum(explained))
    _, clusters = result.series["clusters"]
    # Both N–H of urea point at oxygens of its neighbours.
    assert clusters[0][:3] == ("N–H", 16, 16)


def test_ranking_predicts_its_candidates_once(setting, monkeypatch):
    """Ureas that have lost their symmetry: two molecules each, packed anew."""
    monkeypatch.setattr(packing, "_MOVES", 50)
    monkeypatch.setattr(packing, "_STARTS", 1)
    result = REPRODUCTIONS["ranking"](setting)
    assert [row[:3] for row in result.rows] == [
        (nuclei, labels, 2)
        for nuclei in ("1H", "13C", "1H+13C")
        for labels in ("all", "half", "none")
    ]
    assert any(text.startswith("of near copies 2 of 2") for text in result.differs)
    assert any("constants of today: 1H ln P" in text for text in result.differs)
    assert any(text.startswith("10 candidates of 16 atoms") for text in result.differs)
    lines = (setting.folder / "candidates" / "manifest.jsonl").read_bytes()
    assert lines.count(b"\n") == 1 + 2 * 3
    again = REPRODUCTIONS["ranking"](setting)
    assert again.rows == result.rows
    assert (setting.folder / "candidates" / "manifest.jsonl").read_bytes().startswith(lines)


@pytest.mark.parametrize(
    ("atoms", "bond", "donor"),
    [
        ([(1, 1.09, 0, 0), (3, -1.9, 0, 0)], "C–H", False),
        ([(2, 1.03, 0, 0), (3, -1.9, 0, 0)], "N–H", True),
        ([(2, 1.03, 0, 0), (3, 0, 1.9, 0)], "N–H", False),  # 90°
        ([(3, 1.0, 0, 0), (3, -3.0, 0, 0)], "O–H", False),  # too far
        ([(3, 1.0, 0, 0), (1, -1.9, 0, 0)], "O–H", False),  # no acceptor
        ([(0, 1.5, 0, 0)], "other", False),
    ],
)
def test_hydrogen_bonds_by_hand(atoms, bond, donor):
    bonds, donors = classify(environment(*atoms))
    assert (bonds[0], donors[0]) == (bond, donor)


def test_without_matplotlib(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = Result("figure0", "", ("a",), ((1,),), draw=lambda figure: None)
    with pytest.raises(UsageError, match="need matplotlib"):
        result.save(tmp_path)


def test_data_are_needed(tmp_path):
    with pytest.raises(UsageError, match="--data"):
        REPRODUCTIONS["table2"](Setting([], tmp_path))
