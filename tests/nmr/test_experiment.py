"""Measured shifts from CSV, and every way that such a file goes wrong."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shiftcli.errors import ExperimentError
from shiftcli.nmr.experiment import Experiment, Peak, read_experiment
from shiftcli.structure.crystal import Crystal

HEADER = "site,species,shift,uncertainty\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="shifts.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_rows(write):
    path = write(HEADER + "H11+H12+H13,1H,1.23,0.1\n,13C,170,\n")
    experiment = read_experiment(path)
    assert experiment.peaks == (
        Peak(("H11", "H12", "H13"), "1H", 1.23, 0.1, 2),
        Peak((), "13C", 170.0, None, 3),
    )
    assert (experiment.source, experiment.notes) == (str(path), ())
    assert experiment.elements == ("H", "C")
    assert experiment.only(["C"]).peaks == experiment.peaks[1:]


@pytest.mark.parametrize("site", ['"H1,H2"', "H1+H2", " H1 + H2 ", '"H1, H2"', '"H1;H2"'])
def test_labels_of_a_site(write, site):
    (peak,) = read_experiment(write(f"site,species,shift\n{site},H,5\n")).peaks
    assert peak.labels == ("H1", "H2")


@pytest.mark.parametrize(
    ("species", "known"), [("H", "1H"), ("1h", "1H"), ("C", "13C"), ("15N", "15N"), ("17O", "17O")]
)
def test_species(write, species, known):
    assert read_experiment(write(f"{HEADER},{species},5,\n")).peaks[0].species == known


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffsite,species,shift\r\nH1,1H,-1.5\r\n",
        "site;species;shift\nH1;1H;-1.5\n",
        "Site\tSpecies\tshift/ppm\nH1\t1H\t-1.5\n",
        "# from a book, 1999\n\nsite,species,shift (ppm)\n\n# the acid\nH1,1H,−1.5\n,,\n",
        "shift,species,site\n-1.5,1H,H1\n",
        "site,species,shift,uncertainty\nH1,1H,-1.5\n",
    ],
)
def test_harmless_variants(write, text):
    (peak,) = read_experiment(write(text)).peaks
    assert (peak.labels, peak.species, peak.shift, peak.uncertainty) == (("H1",), "1H", -1.5, None)


def test_gzip(tmp_path):
    path = tmp_path / "shifts.csv.gz"
    path.write_bytes(gzip.compress(b"site,species,shift\nH1,1H,5\n"))
    assert read_experiment(path).peaks[0].shift == 5.0


def test_columns_that_are_not_used_are_named(write):
    experiment = read_experiment(write("site,species,shift,error\nH1,1H,5,0.2\n"))
    assert experiment.notes == ("columns not used: error",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n\n", "empty"),
        ("# nothing\n", "no column site"),
        (HEADER, "no measured shifts"),
        ("species,shift\nH,5\n", "line 1: no column site in the header 'species,shift'"),
        ("H1,1H,5\n", "line 1: no column site and no column species"),
        ("site,species,shift,shift/ppm\n,H,5,6\n", "two columns are called shift"),
        (HEADER + "H1,1H,5,\nH2,1H,\n", "line 3: no shift"),
        (HEADER + "H1,1H,abc,\n", "line 2: shift 'abc' is no number in ppm"),
        (HEADER + "H1,1H,nan,\n", "'nan' is no number"),
        (HEADER + "H1,1H,1_0,\n", "'1_0' is no number"),
        (HEADER + "H1,1H,inf,\n", "'inf' is no number"),
        (HEADER + "H1,1H,1e9,\n", "'1e9' is no number in ppm"),
        (HEADER + 'H1,1H,"7,26",\n', "has a decimal comma (write 7.26)"),
        ("site;species;shift\nH1;1H;7,26\n", "line 2: shift '7,26' has a decimal comma"),
        ("site,species,shift\nH1,1H,7,26\n", "4 fields under a header of 3 (a decimal comma?)"),
        (HEADER + "H1,1H,7,26\n", "an uncertainty of 26 ppm for 1H (is the shift written with"),
        (HEADER + "H1,1H,7.1,-0.1\n", "an uncertainty of -0.1 ppm"),
        (HEADER + "H1,1H,7.1,x\n", "uncertainty 'x' is no number"),
        (HEADER + "H1,1H,12.3 ppm,\n", "shift '12.3 ppm' has a unit (the number alone, in ppm)"),
        (HEADER + "H1,1H,4500Hz,\n", "shift '4500Hz' has a unit"),
        (HEADER + "F1,19F,5,\n", "line 2: unknown species '19F' (one of 1H, 13C, 15N, 17O)"),
        (HEADER + "H1,,5,\n", "unknown species ''"),
        (HEADER + "H1,1H,5,\nH2,1H,6,\nH1,1H,7,\n", "line 4: H1 is named twice, first in line 2"),
        (HEADER + "H1+H1,1H,5,\n", "line 2: H1 is named twice"),
        (HEADER + 'H1,1H,"5\n', "line 2"),
    ],
)  # fmt: skip
def test_mistakes(write, text, words):
    path = write(text)
    with pytest.raises(ExperimentError) as caught:
        read_experiment(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path, write):
    with pytest.raises(ExperimentError, match="No such file"):
        read_experiment(tmp_path / "nowhere.csv")
    with pytest.raises(ExperimentError, match="not UTF-8"):
        read_experiment(write("site,species,shift\nH\xe4,1H,5\n", encoding="latin-1"))
    with pytest.raises(ExperimentError, match="binary"):
        read_experiment(write("site\0"))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=80), st.text('sitepchf,;\t\n"#+-.1H0 ', max_size=80).map(str.encode)
    )
)
def test_any_bytes_are_read_or_refused(tmp_path, rest):
    path = tmp_path / "any.csv"
    for head in (b"", b"site,species,shift\n"):
        path.write_bytes(head + rest)
        message = ""
        try:
            assert read_experiment(path).peaks
        except ExperimentError as error:
            message = str(error)
        assert "\n" not in message


def test_shifts_of_several_structures(write):
    text = "structure,site,species,shift\nurea,H1,1H,5\na.cif,H1,1H,6\n,H2,1H,7\n"
    experiment = read_experiment(write(text))

    def crystal(name, source):
        return Crystal(np.array(["H"]), np.zeros((1, 3)), None, ("H1",), name=name, source=source)

    def shifts(name, source):
        return [peak.shift for peak in experiment.of(crystal(name, source)).peaks]

    assert shifts("urea", "x.cif") == [5.0, 7.0]
    assert shifts("", "folder/a.cif") == [6.0, 7.0]
    assert shifts("", "folder/urea.cif.gz") == [5.0, 7.0]
    assert shifts("b", "b.cif") == [7.0]
    alone = Experiment(experiment.peaks[:1], "e.csv")
    with pytest.raises(ExperimentError, match=r"no row is for b\.cif: b"):
        alone.of(crystal("b", "b.cif"))
