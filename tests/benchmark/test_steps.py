"""Each step of a prediction is timed, the first time and again."""

import pytest

from shiftcli.benchmark.steps import STEPS, measure_steps
from shiftcli.errors import ShiftcliError
from shiftcli.prediction.predictor import Predictor


def test_every_step_takes_its_time(urea_path):
    settings = Predictor(device="cpu", nuclei=["O"], allow={"overlaps"}).settings
    times = measure_steps(urea_path, settings)
    assert tuple(times) == STEPS
    assert all(cold > 0 for cold, _ in times.values())
    assert [name for name, (_, warm) in times.items() if warm is None] == ["import", "load"]
    assert times["import"][0] > times["read"][1]


def test_a_process_that_fails_says_why(tmp_path):
    settings = Predictor(device="cpu", nuclei=["O"]).settings
    with pytest.raises(ShiftcliError, match="nowhere"):
        measure_steps(tmp_path / "nowhere.cif", settings)
