"""Joules from the counters of processors, where there are any."""

import pytest

from shiftcli.benchmark.energy import EnergyMeter


def counter(folder, name, value, largest=1_000_000):
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{value}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{largest}\n")


def test_all_packages_count_and_their_cores_do_not_count_twice(tmp_path):
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        counter(tmp_path, name, 100)
    meter = EnergyMeter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 500_100)
    counter(tmp_path, "intel-rapl:1", 250_100)
    counter(tmp_path, "intel-rapl:0:0", 400_000)
    assert meter.joules() == pytest.approx(0.75)


def test_a_counter_that_started_anew(tmp_path):
    counter(tmp_path, "intel-rapl:0", 900_000)
    meter = EnergyMeter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 100_000)
    assert meter.joules() == pytest.approx(0.2)


def test_machines_that_do_not_tell(tmp_path):
    assert EnergyMeter(tmp_path).joules() is None
    assert EnergyMeter(tmp_path / "none").joules() is None
    (tmp_path / "intel-rapl:0" / "energy_uj").mkdir(parents=True)
    assert EnergyMeter(tmp_path).joules() is None
