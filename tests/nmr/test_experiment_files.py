"""Measured shifts from CSV, and every way that such a file goes wrong."""

import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shiftcli.errors import ExperimentError
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.experiment_files import read_experiment
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
        ("# nothing\n", "no column species"),
        (HEADER, "no measured shifts"),
        ("site,species\nH1,H\n", "line 1: no column shift in the header 'site,species'"),
        ("H1,1H,5\n", "line 1: no column species and no column shift"),
        ("site,species,shift,shift/ppm\n,H,5,6\n", "two columns are called shift"),
        (HEADER + "H1,1H,5,\nH2,1H,\n", "line 3: no shift"),
        (HEADER + "H1,1H,abc,\n", "line 2: shift 'abc' is no number in ppm"),
        (HEADER + "H1,1H,nan,\n", "'nan' is no number"),
        (HEADER + "H1,1H,1_0,\n", "'1_0' is no number"),
        (HEADER + "H1,1H,inf,\n", "'inf' is no number"),
        (HEADER + "H1,1H,1e9,\n", "'1e9' is no number in ppm"),
        (HEADER + 'H1,1H,"7,26",\n', "has a decimal comma (write 7.26)"),
        ("site;species;shift\nH1;1H;7,26\nH2;1H;7.3\n", "shift '7,26' has a decimal comma"),
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


SPREADSHEETS = [
    "site;species;shift;uncertainty\nH1;1H;7,26;0,1\n",
    "site\tspecies\tshift\tuncertainty\nH1\t1H\t7,26\t0,1\n",
    "\ufeffsep=;\r\nsite;species;shift;uncertainty\r\nH1;1H;7,26;0,1\r\n",
]


@pytest.mark.parametrize("text", SPREADSHEETS)
def test_decimal_commas_where_no_comma_separates(write, text):
    (peak,) = read_experiment(write(text)).peaks
    assert (peak.labels, peak.shift, peak.uncertainty) == (("H1",), 7.26, 0.1)


@pytest.mark.parametrize(
    ("text", "element", "peaks"),
    [
        ("7.26\n1.2\n", "H", [("1H", 7.26), ("1H", 1.2)]),
        ("13C: 170.5, 21,3 55\n1H\n7,26; 1.2\n", "",
         [("13C", 170.5), ("13C", 21.3), ("13C", 55.0), ("1H", 7.26), ("1H", 1.2)]),
        ("# from a book\n1H 7.2\n", "", [("1H", 7.2)]),
        ("shift\n7.2\n", "H", [("1H", 7.2)]),
    ],
)  # fmt: skip
def test_plain_lists(write, text, element, peaks):
    found = read_experiment(write(text, "shifts.txt"), element)
    assert [(peak.species, peak.shift) for peak in found.peaks] == peaks
    assert all(peak.labels == () for peak in found.peaks)


def test_a_list_of_no_nucleus_is_refused(write):
    with pytest.raises(ExperimentError, match=r"line 1: which nucleus is 7\.2 ppm of"):
        read_experiment(write("7.2\n1.3\n"))


def test_predictions_serve_as_experiment(write):
    text = "file,name,labels,species,multiplicity,MS_shielding/ppm,MS_shift/ppm\n"
    found = read_experiment(write(text + 'a.cif,x,"H1,H2",1H,4,28,2.5\n'))
    (peak,) = found.peaks
    assert (peak.labels, peak.shift, peak.structure) == (("H1", "H2"), 2.5, "")
    several = read_experiment(write(text + "a.cif,x,H1,1H,4,28,2.5\nb.cif,,H1,1H,4,28,2.6\n"))
    assert [peak.structure for peak in several.peaks] == ["a.cif", "b.cif"]
    with pytest.raises(ExperimentError, match="shieldings and no shifts"):
        read_experiment(write("labels,species,MS_shielding/ppm\nH1,1H,28\n"))


def test_kinds_and_protons(write):
    text = "species,shift,protons,kind\n1H,1.2,3,\n1H,7,2,aromatic\n1H,2,6,CH3\n13C,40,,ch/CH2\n"
    found = read_experiment(write(text)).peaks
    assert [(p.shift, p.protons, p.kinds) for p in found] == [
        (1.2, 3, ()), (7, 1, ("aromatic",)), (7, 1, ("aromatic",)),
        (2, 3, ("CH3",)), (2, 3, ("CH3",)), (40, 0, ("CH", "CH2")),
    ]  # fmt: skip


def test_cross_peaks(write):
    text = (
        "species,shift,kind\n13C,55.2,\n1H,3.4,\n13C-1H,55.2/3.4,\n13C-1H,55.2/3.1,\n"
        "1H-13C,3.4 170,near\n"
    )
    found = read_experiment(write(text))
    assert [(p.species, p.shift) for p in found.peaks] == [
        ("13C", 55.2), ("1H", 3.4), ("1H", 3.1), ("13C", 170.0),
    ]  # fmt: skip
    assert (found.bonded, found.near) == (((0, 1), (0, 2)), ((1, 3),))
    assert found.only(["C"]).bonded == ()
    assert found.keep([1, 0]).bonded == ((1, 0),)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("13C,40,4,", "protons '4' of 13C"),
        ("1H,4,5,", "protons '5' of 1H (1, 2, 3 or 6"),
        ("1H,4,2,CH3", "kind and protons contradict"),
        ("1H,4,3,CH2", "kind and protons contradict"),
        ("1H,4,,C4", "unknown kind 'C4' (one of CH3"),
        ("13C-19F,4/5,,", "unknown species '19F'"),
        ("13C-13C,4/5,,", "cross peak of 13C with itself"),
        ("13C-1H,40,,", "is no cross peak (two species and two shifts"),
        ("13C-1H,40/x,,", "shift 'x' is no number"),
        ("13C-1H,40/3,,CH", "kind of a cross peak is bonded or near"),
    ],
)
def test_columns_that_make_no_sense(write, row, words):
    with pytest.raises(ExperimentError) as caught:
        read_experiment(write(f"species,shift,protons,kind\n{row}\n"))
    assert words in str(caught.value)
    assert "line 2" in str(caught.value)


def test_unlikely_shifts_are_noted(write):
    (note,) = read_experiment(write("species,shift\n1H,145\n1H,7\n")).notes
    assert note.startswith("1H at 145 ppm is unusual")
