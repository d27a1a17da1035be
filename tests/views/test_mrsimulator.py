"""Spin systems as mrsimulator's ``SpinSystem.parse_dict_with_units`` takes them."""

import json

import pytest

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import parse_references
from shiftcli.views import check_references, render


def test_one_system_for_each_site_with_a_reference(results):
    systems = json.loads(render(results, "mrsimulator"))
    assert [(s["name"], s["sites"][0]["isotope"], s["abundance"]) for s in systems] == [
        ("C1", "13C", "100 %"), ("H1", "1H", "50 %"), ("H2", "1H", "50 %"),
    ]  # fmt: skip
    shifts = [r["shift"] for r in results.sites(results.predictions[0]).records() if r["shift"]]
    assert [s["sites"][0]["isotropic_chemical_shift"] for s in systems] == [
        f"{shift} ppm" for shift in shifts
    ]
    assert "model compact" in systems[0]["description"]


def test_refusals(predicted, molecule):
    with pytest.raises(UsageError, match="spin system of mrsimulator"):
        check_references("mrsimulator", parse_references())
    with pytest.raises(UsageError, match="no predicted atom has a reference"):
        render(predicted(molecule, references="N:186"), "mrsimulator")
    assert render(predicted(), "mrsimulator") == ""
