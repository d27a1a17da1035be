"""Shielding to shift."""

import pytest

from shiftcli.errors import UsageError
from shiftcli.shifts import parse_references


def test_soprano_formula():
    made = parse_references("C:168.64,H:30.96", "C:-0.97")
    assert made.shift("H", 5.0) == pytest.approx((30.96 - 5.0) / (1 - 30.96e-6), rel=1e-12)
    assert made.shift("C", 100.0) == pytest.approx((168.64 - 97.0) / (1 - 168.64e-6), rel=1e-12)


def test_nothing_is_applied_silently():
    assert parse_references("H:30.96").shift("N", 100.0) is None
    assert parse_references().shift("H", 5.0) is None


def test_blanks_are_harmless():
    assert parse_references(" C : 168.64 , H:30.96 ").references == {"C": 168.64, "H": 30.96}


@pytest.mark.parametrize(
    "text", ["C", "C:", "C:x", "Si:300", "C=1", "C:1,C:2", "C:nan", "C:inf", "C:1e6"]
)
def test_malformed_references(text):
    with pytest.raises(UsageError, match="cannot read"):
        parse_references(text)


def test_gradient_without_reference():
    with pytest.raises(UsageError, match="names N, --references does not"):
        parse_references("C:168.64", "N:-1")
