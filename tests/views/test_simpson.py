"""Spin systems, against the rules by which SIMPSON reads its ``spinsys`` section."""

import re
from dataclasses import replace

import pytest

from shiftcli.errors import UsageError
from shiftcli.views import render


def parse(text):
    """The section as SIMPSON's own Tcl takes it: a word and its arguments a line."""
    assert text.count("{") == text.count("}") == 1  # Tcl counts braces, also in comments
    before, body = text.rstrip().removesuffix("}").split("spinsys {\n")
    assert all(line.startswith("#") and not line.endswith("\\") for line in before.splitlines())
    found = {"shift": []}
    for line in body.splitlines():
        name, *arguments = line.split()
        if name == "shift":
            number, isotropic, *rest = arguments
            assert rest == ["0"] * 5  # anisotropy, asymmetry, three Euler angles
            match = re.fullmatch(r"([-+]?[0-9]+(?:\.[0-9]+)?)p", isotropic)
            found[name].append((int(number), float(match[1])))
        else:
            assert name in ("channels", "nuclei")
            found[name] = arguments
    return found


def test_one_spin_for_each_site_with_a_reference(results):
    text = render(results, "simpson")
    found = parse(text)
    rows = results.table(results.predictions[0]).records()
    spins = [row for row in rows if row["shift"] is not None]
    assert found["channels"] == ["1H", "13C"]
    assert found["nuclei"] == ["13C", "1H", "1H"]
    assert found["shift"] == [(k, row["shift"]) for k, row in enumerate(spins, 1)]
    assert "# Without a reference and left out: 15N 17O\n" in text
    assert "# 3 H2 4\n" in text


def test_negative_and_tiny_shifts(results):
    prediction = results.predictions[0]
    values = (181.123456, 0, 0, 30.96, 30.9599999)
    sites = tuple(replace(s, shielding=v) for s, v in zip(prediction.sites, values, strict=True))
    changed = replace(results, predictions=[replace(prediction, sites=sites)], precision=6)
    assert [shift for _, shift in parse(render(changed, "simpson"))["shift"]] == pytest.approx(
        [-12.485562, 0.0, 0.0], abs=1e-6
    )


def test_strange_labels_stay_in_their_comment(predicted, labelled):
    text = render(predicted(labelled(["H{1", "H1}", "H\\", "H 1\n"])), "simpson")
    assert len(parse(text)["shift"]) == 4


def test_quadrupolar_nucleus(predicted, urea):
    text = render(predicted(urea, references="O:205"), "simpson")
    assert parse(text)["nuclei"] == ["17O"]
    assert "# 17O is quadrupolar" in text


def test_refusals(predicted, urea, molecule):
    with pytest.raises(UsageError, match="one structure, not 2"):
        render(predicted(urea, molecule), "simpson")
    with pytest.raises(UsageError, match="no predicted atom has a reference"):
        render(predicted(molecule, references="N:186"), "simpson")
    assert render(predicted(), "simpson") == ""


def test_tcl_itself_takes_it(predicted, labelled):
    tkinter = pytest.importorskip("tkinter")
    tcl = tkinter.Tcl()
    tcl.eval("proc spinsys {data} {global section; set section $data}")
    tcl.eval(render(predicted(labelled(["H{1", "H[exit]", "H$x", "H\\"])), "simpson"))
    lines = tcl.getvar("section").split("\n")
    assert [tcl.eval(f"lindex {{{line}}} 0") for line in lines if line] == [
        "channels", "nuclei", *["shift"] * 4,
    ]  # fmt: skip
