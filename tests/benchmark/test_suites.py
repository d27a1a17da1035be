"""Suites: what they measure, what they refuse, and their document."""

import pytest

from shiftcli.benchmark.suites import check_suite, run_benchmark
from shiftcli.errors import UsageError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("accuracy", ()), "--suite accuracy needs --data"),
        (("speed", ("a.xyz",)), "takes no --data"),
        (("accuracy", ("a.xyz",), "all", (4,)), "--crystals is for"),
        (("baseline", ("a.xyz",), "all"), "--split validation"),
        (("everything", ()), "is none of accuracy, baseline, speed, all"),
    ],
)
def test_what_contradicts_itself(arguments, message):
    with pytest.raises(UsageError, match=message):
        check_suite(*arguments)


def test_what_a_suite_is_without_a_word():
    assert check_suite(None, ()) == ("speed",)
    assert check_suite(None, ("a.xyz",)) == ("accuracy",)


def test_a_document_of_errors(predictor, labelled_file):
    found = run_benchmark(predictor, data=[labelled_file])
    document = found.to_dict()
    assert document["accuracy"]["13C"]["n"] == 4
    assert document["crystals"] == 2
    assert {*found.machine.to_dict(), *found.made_by} <= set(document)
    assert found.baseline is None
    assert found.speed is None
    (table,) = found.tables()
    assert [row[0] for row in table.rows] == ["1H", "13C", "15N", "17O"]
    assert len(found.tables(classes=True)) == 5
