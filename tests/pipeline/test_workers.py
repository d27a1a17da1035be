"""Several processes give what one gives, in the same order, and leave nothing behind."""

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

from shiftcli.errors import UsageError, WeightsError
from shiftcli.pipeline.workers import predict_in_processes, predict_many
from shiftcli.prediction.predictor import Failure, Predictor


@pytest.fixture(scope="module")
def oxygen():
    return Predictor(device="cpu", nuclei=["O"])


@pytest.fixture
def files(tmp_path, population):
    population(str(tmp_path), 14, seed=5)
    (tmp_path / "many.xyz").write_text("3\n\nO 0 0 0\nH 0 .76 .59\nH 0 -.76 .59\n" * 3)
    found = [os.path.join(place, name) for place, _, names in os.walk(tmp_path) for name in names]
    return sorted(found)


def told(outcomes):
    """What came out, to be compared."""
    return [
        (o.file, str(o.error))
        if isinstance(o, Failure)
        else (o.crystal.where, [row.shielding for row in o.sites])
        for o in outcomes
    ]


def test_as_one_process(oxygen, files):
    expected = told(predict_many(oxygen, files))
    assert len(expected) > len(files)
    made = predict_in_processes(oxygen, files, jobs=2)
    found = [(file, told(outcomes)) for file, outcomes in made]
    assert [file for file, _ in found] == files
    assert [outcome for _, outcomes in found for outcome in outcomes] == expected
    assert not multiprocessing.active_children()


def test_a_process_that_dies(oxygen, files):
    """Its file has failed; another process takes its place, and all other files are predicted."""
    made = predict_many(oxygen, files, jobs=2)
    first = next(made)
    for child in multiprocessing.active_children():
        os.kill(child.pid, signal.SIGKILL)
    rest = list(made)
    died = [o for o in rest if isinstance(o, Failure) and "status -9" in str(o.error)]
    assert 1 <= len(died) <= 3
    expected = {name: values for name, values in told(predict_many(oxygen, files))}  # noqa: C416
    lost = {o.file for o in died}
    found = told([first, *(o for o in rest if o not in died)])
    assert {name for name, _ in found} >= {n for n in expected if n.split(":")[0] not in lost}
    assert all(expected[name] == values for name, values in found)
    assert not multiprocessing.active_children()


def test_what_cannot_be(oxygen, files, monkeypatch):
    with pytest.raises(UsageError, match="0 jobs"):
        next(predict_many(oxygen, files, jobs=0))
    with pytest.raises(UsageError, match="standard input"):
        next(predict_many(oxygen, ["-", *files], jobs=2))
    changed = [replace(file, sha256="0" * 64) for file in oxygen.files]
    monkeypatch.setattr(oxygen, "files", changed)
    with pytest.raises(WeightsError, match="have changed"):
        next(predict_many(oxygen, files, jobs=2))
    assert not multiprocessing.active_children()


def test_what_finishes_a_prediction_may_fail(oxygen, urea_path):
    def finish(prediction):
        raise UsageError("not this one")

    (outcome,) = predict_many(oxygen, [str(urea_path)], finish=finish)
    assert isinstance(outcome, Failure)
    assert "not this one" in str(outcome.error)
