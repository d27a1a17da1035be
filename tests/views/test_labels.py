"""Labels of any kind, through every format and back."""

import csv
import io
import json

import pytest
from ase.io import read as read_ase
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftcli.readers import read_text
from shiftcli.readers.sources import safe_text
from shiftcli.views import render
from shiftcli.views.labels import BLANKS, UNUSUAL, as_words

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
#: As readers leave them.
READ = ANY.map(lambda text: safe_text(text, 20)).filter(lambda t: t not in ("", "?", "."))
STRANGE = ["H 1", "H_1", "H\"1'", "<H1>", "[atoms]", "H=1", "#H1", "H;1", "_H", "data_H", "loop_"]
few = settings(max_examples=60, deadline=None)


@few
@given(st.lists(ANY, min_size=1, max_size=8))
def test_words_tell_labels_apart(labels):
    for unwanted in (BLANKS, UNUSUAL):
        words = as_words(labels, unwanted)
        assert len(set(words)) == len(set(labels))
        assert all(word and not unwanted.search(word) for word in words)
        for label, word in zip(labels, words, strict=True):
            assert (label == word) or unwanted.search(label)


@pytest.mark.parametrize("labels", [STRANGE, ["H1"] * 5])
def test_strange_labels(predicted, labelled, labels):
    check_all(predicted(labelled(labels)), labels)


@few
@given(st.lists(READ, min_size=1, max_size=6))
def test_round_trip(predicted, labelled, labels):
    check_all(predicted(labelled(labels)), labels)


def check_all(results, labels):
    sites = json.loads(render(results, "json"))["structures"][0]["sites"]
    # Two sites are never called by one label.
    named = [row.site.label for row in results.predictions[0].sites]
    assert len(set(named)) == len(named)
    assert named == labels or len(set(labels)) < len(labels)
    assert [site["labels"] for site in sites] == named
    document = json.loads(render(results, "chemiscope"))
    assert document["properties"]["labels"]["values"] == named
    rows = csv.DictReader(io.StringIO(render(results, "csv"), newline=""))
    for row, label in zip(rows, named, strict=True):
        is_formula = label[0] in "=+-@" and label != "-"  # alone it is the name of stdin
        assert row["labels"] == (f"'{label}" if is_formula else label)
    xyz = read_ase(io.StringIO(render(results, "xyz")), format="extxyz")
    assert xyz.arrays["labels"].tolist() == as_words(labels, BLANKS)
    magres = read_ase(io.StringIO(render(results, "magres")), format="magres")
    assert magres.arrays["labels"].tolist() == as_words(labels, UNUSUAL)
    shieldings = [round(site.shielding, 2) for site in results.predictions[0].sites]
    assert (magres.arrays["ms"][:, 0, 0]).tolist() == pytest.approx(shieldings)
    (crystal,) = read_text(render(results, "cif"), "cif", "again.cif")
    if len(set(labels)) == len(labels):
        assert list(crystal.labels) == labels
    assert crystal.shieldings.tolist() == pytest.approx(shieldings)
