"""Whole crystals are timed: cold, warm, in a batch, and larger and larger."""

import copy
import time

import numpy as np
import pytest

from shiftcli.benchmark import endtoend
from shiftcli.benchmark.endtoend import measure_end_to_end
from shiftcli.errors import ShiftcliError


@pytest.fixture
def oxygen(predictor):
    """The networks that ship, those of oxygen alone."""
    only = copy.copy(predictor)
    only.networks = {"O": predictor.networks["O"]}
    return only


def test_every_time_is_of_its_own_work(oxygen, monkeypatch):
    """Counted by a clock that each prediction moves on by its number of atoms."""
    clock = [0.0]
    monkeypatch.setattr(endtoend, "_cold_start", lambda path, arguments: 100.0)
    monkeypatch.setattr(endtoend, "measure_steps", lambda path, settings: {"load": (0.1, None)})
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(time, "process_time", lambda: 2 * clock[0])
    predict = oxygen.predict

    def slow(crystal):
        clock[0] += 0.01 * len(crystal)
        return predict(crystal)

    monkeypatch.setattr(oxygen, "predict", slow, raising=False)
    monkeypatch.setattr(endtoend.copy, "copy", lambda predictor: predictor)
    times = measure_end_to_end(oxygen, largest=1024, repeats=3)
    assert times.crystal == "urea.cif"
    assert times.distinct == 1
    assert times.warm == pytest.approx(0.16)
    assert times.batch == pytest.approx(1 / 0.16)
    assert times.atoms == (128, 1024)
    assert times.sites == (16, 128)
    assert times.seconds == pytest.approx((1.28, 10.24))
    assert times.exponent == pytest.approx(1.0)
    assert times.peak_memory > 0.1
    assert times.core_hours == pytest.approx(1000 * 0.32 / 3600)
    assert times.steps == {"load": (0.1, None)}
    assert times.to_dict()["end_to_end"]["cold"] == 100.0


def test_one_cell_has_no_exponent(oxygen, monkeypatch):
    monkeypatch.setattr(endtoend, "_cold_start", lambda path, arguments: 1.0)
    monkeypatch.setattr(endtoend, "measure_steps", lambda path, settings: {})
    times = measure_end_to_end(oxygen, largest=128, repeats=1)
    assert times.atoms == (128,)
    assert times.exponent is None


def test_supercell_is_a_crystal_of_distinct_neighbours(urea):
    cell = endtoend._supercell(urea, (2, 1, 1))
    assert len(cell) == len(cell.sites) == 32
    assert np.allclose(cell.cell[0], 2 * urea.cell[0])
    assert not np.allclose(cell.positions[16:] - cell.positions[:16], urea.cell[0], atol=1e-3)


def test_cold_start_that_fails_says_why(tmp_path):
    with pytest.raises(ShiftcliError, match="nowhere"):
        endtoend._cold_start(tmp_path / "nowhere.cif", ["--device", "cpu"])
