"""Folds, seeds and learning curves: their runs, their table, and going on with them."""

import csv
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import TrainingError, UsageError
from shiftcli.network.checkpoint import load
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.training.config import Configuration, make_configuration
from shiftcli.training.data import split_crystals
from shiftcli.training.folder import Task
from shiftcli.training.run import Watcher, train
from shiftcli.training.studies import Variation, study, without_augmentation

pytestmark = pytest.mark.usefixtures("narrow")

QUICK = Configuration(epochs=1, batch_size=4, optimizer="adamw", seed=3)


def alone(numbers):
    """Crystals of these numbers, each its own family."""
    return {k: k for k in numbers.tolist()}


def task(data, configuration=QUICK):
    return Task((str(data),), ("C",), configuration)


def names(variation, configuration=QUICK):
    return [name for name, _ in variation.runs(configuration)]


# Splits


def test_every_crystal_validates_once_over_the_folds():
    numbers = np.array([0, 2, 3, 5, 8, 9, 10, 11, 14, 20])
    validated = []
    for fold in range(4):
        training, validation = split_crystals(alone(numbers), Configuration(folds=4, fold=fold))
        assert sorted([*training, *validation]) == numbers.tolist()
        validated += validation.tolist()
    assert sorted(validated) == numbers.tolist()


def test_subsets_are_nested_and_never_validate():
    numbers = np.arange(0, 300, 3)
    whole, watched = split_crystals(alone(numbers), Configuration())
    smaller = set()
    for count in (1, 2, 10, 50, len(whole)):
        for seed in (0, 7):
            configuration = Configuration(crystals=count, seed=seed)
            training, validation = split_crystals(alone(numbers), configuration)
            assert len(training) == count
            assert np.array_equal(validation, watched)
            assert not {*training} & {*validation}
            assert smaller <= {*training}
            assert (np.diff(training) > 0).all()
        smaller = {*training}
    assert np.array_equal(
        split_crystals(alone(numbers), Configuration(crystals=len(whole)))[0], whole
    )
    with pytest.raises(TrainingError, match=f"{len(whole) + 1} training crystals are wanted, the"):
        split_crystals(alone(numbers), Configuration(crystals=len(whole) + 1))


# What varies


def test_runs_of_a_study():
    assert names(Variation(folds=3)) == ["fold-1", "fold-2", "fold-3"]
    assert names(Variation(seeds=2)) == ["seed-3", "seed-4"]
    assert names(Variation(folds=2, seeds=2)) == [
        "fold-1-seed-3", "fold-1-seed-4", "fold-2-seed-3", "fold-2-seed-4",
    ]  # fmt: skip
    assert names(Variation(crystals=(4, 8, 4))) == [
        "crystals-4", "crystals-4-plain", "crystals-8", "crystals-8-plain",
    ]  # fmt: skip
    runs = dict(Variation(folds=2, crystals=(4,)).runs(QUICK))
    assert (runs["crystals-4-fold-2"].fold, runs["crystals-4-fold-2"].folds) == (1, 2)
    assert runs["crystals-4-fold-1-plain"].augmentation == 1
    assert Variation().is_one_run


def test_seeds_of_committees_do_not_overlap():
    committee = replace(QUICK, members=3)
    seeds = [c.seed for _, c in Variation(seeds=3).runs(committee)]
    assert seeds == [3, 6, 9]


def test_what_a_study_varies_wins_over_single_nuclei():
    own = replace(QUICK, nucleus={"C": {"seed": 9, "folds": 2, "crystals": 1, "epochs": 4}})
    for _, configuration in Variation(seeds=2, crystals=(5,)).runs(own):
        resolved = configuration.for_element("C")
        assert (resolved.crystals, resolved.folds) == (5, 0)
        assert resolved.seed == configuration.seed


def test_plain_runs_see_as_many_batches():
    paper = make_configuration("paper")
    plain = without_augmentation(paper)
    for element, epochs in {"H": 12, "C": 15, "N": 24, "O": 24}.items():
        own = plain.for_element(element)
        assert (own.augmentation, own.epochs) == (1, 8 * epochs)
        assert own.decay == paper.for_element(element).decay / 8
    # Orientations that are new in each epoch take no more of them.
    fresh = without_augmentation(Configuration())
    for element in ELEMENTS:
        assert fresh.for_element(element).epochs == Configuration().for_element(element).epochs
        assert fresh.for_element(element).augmentation == 1
    single = without_augmentation(replace(paper, nucleus={"C": {"augmentation": 2, "epochs": 5}}))
    assert single.for_element("C").augmentation == 1
    assert single.for_element("C").epochs == 10


@pytest.mark.parametrize("values", [{"folds": 1}, {"folds": -2}, {"seeds": 0}, {"crystals": (0,)}])
def test_variations_that_make_no_sense(values):
    with pytest.raises(UsageError):
        Variation(**values)


# Studies


def figures(folder):
    """Validation errors of a run's network: one view, all views."""
    _, metadata = load(folder / "compact-C.safetensors")
    return metadata.validation["rmse_one_view"], metadata.validation["rmse"]


@pytest.fixture(scope="module")
def cross_validation(narrow, few_molecules, tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "folds"
    rows = study(task(few_molecules), folder, Variation(folds=2, seeds=2), device="cpu")
    return folder, rows


def test_cross_validation(cross_validation):
    folder, rows = cross_validation
    runs = ["fold-1-seed-3", "fold-1-seed-4", "fold-2-seed-3", "fold-2-seed-4"]
    assert sorted(p.name for p in folder.iterdir()) == [*runs, "study.toml", "summary.csv"]
    values = np.array([figures(folder / run) for run in runs])
    assert len({*values[:, 0]}) == 4
    assert [(r.nucleus, r.crystals, r.augmentation, r.runs) for r in rows] == [
        ("C", 0, "training", 4), ("C", 0, "training and testing", 4),
    ]  # fmt: skip
    assert [r.rmse for r in rows] == pytest.approx(values.mean(axis=0))
    assert [r.deviation for r in rows] == pytest.approx(values.std(axis=0, ddof=1))
    with open(folder / "summary.csv", newline="") as handle:
        written = list(csv.DictReader(handle))
    assert [r["species"] for r in written] == ["13C", "13C"]
    assert [float(r["rmse"]) for r in written] == [r.rmse for r in rows]
    for run in runs:
        _, metadata = load(folder / run / "compact-C.safetensors")
        assert metadata.validation["crystals"] == 8
        assert metadata.training["crystals"] == 8


def test_every_run_of_a_study_is_a_run(cross_validation, few_molecules, tmp_path):
    folder, _ = cross_validation
    own = replace(QUICK, folds=2, fold=1, seed=4)
    (path,) = train([few_molecules], tmp_path / "run", nuclei=["C"], configuration=own,
                    device="cpu")  # fmt: skip
    assert path.read_bytes() == (folder / "fold-2-seed-4" / path.name).read_bytes()


@pytest.fixture(scope="module")
def curve(narrow, few_molecules, tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies") / "curve"
    eightfold = replace(QUICK, orientation="euler", augmentation=8)
    return folder, study(task(few_molecules, eightfold), folder, Variation(crystals=(4, 8)),
                         device="cpu")  # fmt: skip


def test_learning_curve(curve):
    folder, rows = curve
    assert [(r.crystals, r.augmentation, r.runs) for r in rows] == [
        (4, "training", 1), (4, "training and testing", 1), (4, "none", 1),
        (8, "training", 1), (8, "training and testing", 1), (8, "none", 1),
    ]  # fmt: skip
    assert all(np.isnan(r.deviation) for r in rows)
    assert rows[0].rmse == figures(folder / "crystals-4")[0]
    assert rows[1].rmse == figures(folder / "crystals-4")[1]
    assert rows[2].rmse == figures(folder / "crystals-4-plain")[0]
    batches = {}
    for run in ("crystals-4", "crystals-4-plain", "crystals-8", "crystals-8-plain"):
        _, metadata = load(folder / run / "compact-C.safetensors")
        own = metadata.training["configuration"]
        assert metadata.training["crystals"] == own["crystals"] == int(run[9])
        assert metadata.validation["crystals"] == 2
        samples = metadata.training["samples"] * max(own["augmentation"], 1)
        batches[run] = own["epochs"] * samples
    assert batches["crystals-4"] == batches["crystals-4-plain"]
    assert batches["crystals-8"] == batches["crystals-8-plain"]


@pytest.mark.parametrize("stopped_in", ["fold-1-seed-4", "fold-2-seed-3"])
def test_a_study_that_was_stopped_goes_on(cross_validation, few_molecules, tmp_path, stopped_in):
    whole, rows = cross_validation
    folder = tmp_path / "study"
    now = []

    def stop(report):
        if now[-1] == f"run {stopped_in}":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(task(few_molecules), folder, Variation(folds=2, seeds=2), device="cpu",
              on_epoch=stop, on_note=now.append)  # fmt: skip
    assert not (folder / "summary.csv").exists()
    (folder / ".summary.csv.1.tmp").write_text("half")
    (folder / stopped_in / ".compact-C.state.1.tmp").write_text("half")
    first = (folder / "fold-1-seed-3" / "compact-C.safetensors").stat().st_mtime_ns
    assert study(None, folder, None, resume=True, device="cpu") == rows
    assert (folder / "fold-1-seed-3" / "compact-C.safetensors").stat().st_mtime_ns == first
    for run in whole.glob("fold-*"):
        ours = folder / run.name
        assert sorted(p.name for p in ours.iterdir()) == sorted(p.name for p in run.iterdir())
        name = "compact-C.safetensors"
        assert (ours / name).read_bytes() == (run / name).read_bytes()
    assert (folder / "summary.csv").read_text() == (whole / "summary.csv").read_text()
    assert not list(folder.glob(".*"))


def test_what_cannot_be_asked_later_is_refused_first(few_molecules, tmp_path):
    for variation, message in (
        (Variation(crystals=(4, 15)), "15 training crystals are wanted, the data have 14"),
        (Variation(folds=17), "run fold-17 would have 16 training and 0 validation crystals"),
    ):
        with pytest.raises(TrainingError, match=message):
            study(task(few_molecules), tmp_path / "study", variation, device="cpu")
        assert not (tmp_path / "study").exists()


def test_directories_that_are_taken(cross_validation, few_molecules, tmp_path):
    folder, _ = cross_validation
    with pytest.raises(TrainingError, match="this directory holds a run or networks"):
        study(task(few_molecules), folder, Variation(seeds=2), device="cpu")
    with pytest.raises(TrainingError, match="this directory holds a run or networks"):
        study(task(few_molecules), folder / "fold-1-seed-3", Variation(seeds=2), device="cpu")
    with pytest.raises(TrainingError, match="this directory holds a run or networks"):
        train([few_molecules], folder, configuration=QUICK, device="cpu")
    with pytest.raises(TrainingError, match="no run to resume"):
        study(None, tmp_path, None, resume=True, device="cpu")


def test_study_file_says_what_varies(cross_validation):
    folder, _ = cross_validation
    record = tomllib.loads((folder / "study.toml").read_text())
    assert record["run"]["study"] == {
        "folds": 2, "seeds": 2, "crystals": [], "refit": False, "fold_members": 1,
    }  # fmt: skip
    broken = folder.parent / "broken"
    broken.mkdir()
    text = (folder / "study.toml").read_text().replace("seeds = 2", 'seeds = "two"')
    (broken / "study.toml").write_text(text)
    with pytest.raises(UsageError, match="does not say what its study varies"):
        study(None, broken, None, resume=True, device="cpu")
    (broken / "study.toml").write_text("epochs = 3")
    with pytest.raises(TrainingError, match="not a study that can be resumed"):
        study(None, broken, None, resume=True, device="cpu")


def test_rare_nucleus_without_validation_atoms_is_not_compared(few_molecules, tmp_path):
    """The two validation crystals have no label, the others have."""
    lines = few_molecules.read_text().splitlines()
    for k in (0, 8):
        lines[6 * k + 2] = " ".join([*lines[6 * k + 2].split()[:4], "nan"])
    (tmp_path / "data.xyz").write_text("\n".join(lines))
    notes = []
    asked = task(tmp_path / "data.xyz")
    rows = study(asked, tmp_path / "study", Variation(seeds=2), device="cpu", on_note=notes.append)
    assert rows == []
    assert "compact-C: no validation atoms, not compared" in notes


def test_only_the_writer_tells(monkeypatch):
    from shiftcli.training.processes import Processes

    told = []
    for rank, expected in ((0, 1), (1, 0)):
        watcher = Watcher.of(Processes(rank, 2, None), told.append, told.append)
        watcher.note("a note")
        assert len(told) == expected
        told.clear()
