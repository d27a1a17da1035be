"""Two benchmarks beside each other."""

import json

import pytest

from shiftcli.benchmark.compare import compare, load_benchmark
from shiftcli.errors import UsageError

OLD = {
    "version": "0.1.0",
    "data": "csd-400.xyz",
    "machine": {"cores": 2, "cpu": "A"},
    "accuracy": {
        "1H": {"n": 10, "rmse": 0.5, "rmse_interval": [0.4, 0.6], "r2": None, "baseline": None},
        "17O": {"rmse": 20.0},
    },
    "speed": {"device": "cpu", "predictions": 100.0},
}
NEW = {
    "version": "0.2.0",
    "data": "csd-400.xyz",
    "machine": {"cores": 4, "cpu": "A"},
    "accuracy": {
        "1H": {"n": 10, "rmse": 0.4, "rmse_interval": (0.3, 0.6), "r2": 0.9, "baseline": None},
        "13C": {"rmse": 4.0},
    },
    "speed": {"device": "cpu", "predictions": 150.0},
}


def test_every_number_that_both_have():
    found = {change.name: change for change in compare(OLD, NEW).changes}
    assert list(found) == [
        ("accuracy", "1H", "n"),
        ("accuracy", "1H", "rmse"),
        ("accuracy", "1H", "rmse_interval", "low"),
        ("accuracy", "1H", "rmse_interval", "high"),
        ("speed", "predictions"),
    ]
    rmse = found["accuracy", "1H", "rmse"]
    assert (rmse.old, rmse.new) == (0.5, 0.4)
    assert rmse.change == pytest.approx(-0.1)
    assert rmse.relative == pytest.approx(-0.2)
    assert found["speed", "predictions"].relative == pytest.approx(0.5)


def test_what_differs_is_said():
    assert compare(OLD, NEW).differences == ("machine cores: 2 then, 4 now",)
    assert compare(OLD, OLD).differences == ()


def test_change_from_nothing_has_no_ratio():
    (change,) = compare({"speed": {"x": 0}}, {"speed": {"x": 2}}).changes
    assert change.relative is None
    assert compare({"speed": {"x": 0}}, {"accuracy": {}}).changes == ()


def test_dictionary_is_json():
    values = compare(OLD, NEW, "old.json").to_dict()["comparison"]
    assert json.loads(json.dumps(values)) == values
    assert values["changes"][1]["name"] == ["accuracy", "1H", "rmse"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"structures": []}', "[" * 100_000])
def test_other_files_are_refused(text, tmp_path):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"old\.json"):
        load_benchmark(path)


def test_missing_file(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_benchmark(tmp_path / "none.json")
