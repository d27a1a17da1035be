"""Spectra: areas are multiplicities, axes are right, copies are one."""

import itertools
import math
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from shiftcli.errors import ExperimentError, StructureError, UsageError
from shiftcli.nmr.shifts import References, parse_references
from shiftcli.nmr.spectrum import (
    DEFAULT_WIDTHS,
    SHAPES,
    Axis,
    Lines,
    Measured,
    Settings,
    correlate_nuclei,
    find_peaks,
    larmor_frequency,
    line_shape,
    parse_field,
    parse_ranges,
    parse_widths,
    read_measured,
    short_names,
    simulate_spectra,
    spread,
)
from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.results.spectra import cross_peak_document, measured_notes, point_document
from shiftcli.structure.crystal import Crystal
from shiftcli.views.spreadsheets import write_csv

SHIELDINGS = {"C1": 5.5, "O1": 37.0, "N1": 139.0, "H1": 23.25, "H2": 24.5}
REFERENCES = parse_references("C:168.64,H:30.96")


def predicted(crystal, shieldings):
    rows = (SitePrediction(s, shieldings[s.label], 0.5, 1.1) for s in crystal.sites)
    return Prediction(crystal, tuple(rows))


@pytest.fixture
def prediction(urea):
    return predicted(urea, SHIELDINGS)


@pytest.fixture(scope="module")
def toluene():
    """An isolated molecule with a methyl group, every atom a site of its own."""
    from ase.build import molecule

    atoms = molecule("C6H6")
    methane = molecule("CH4")
    elements = np.array(atoms.get_chemical_symbols() + methane.get_chemical_symbols()[:-1])
    positions = np.vstack([atoms.positions, methane.positions[:-1] + np.array([0, 0, 5.0])])
    counts = {e: np.cumsum(elements == e) for e in "HC"}
    labels = tuple(f"{e}{counts[e][k]}" for k, e in enumerate(elements.tolist()))
    return Crystal(elements, positions, None, labels)


def area(spectrum):
    return np.trapezoid(spectrum.intensity, spectrum.positions)


@pytest.mark.parametrize("shape", SHAPES)
def test_lines_have_area_one_and_the_width_asked_for(shape):
    x = np.linspace(-4000, 4000, 800_001)
    line = line_shape(x, 0.7, shape)
    assert np.trapezoid(line, x) == pytest.approx(1.0, abs=2e-4)
    half = line_shape(np.array([0.35, -0.35]), 0.7, shape) / line_shape(np.array(0.0), 0.7, shape)
    assert half == pytest.approx(0.5)


def test_voigt_lies_between_its_parts():
    x = np.linspace(-3, 3, 7)
    gaussian, lorentzian = line_shape(x, 1.0, "gaussian"), line_shape(x, 1.0, "lorentzian")
    assert line_shape(x, 1.0, "voigt", 0.3) == pytest.approx(0.3 * lorentzian + 0.7 * gaussian)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.0,), "positive"), ((math.nan,), "positive"), ((math.inf,), "positive"),
        ((1.0, "square"), "none of gaussian"), ((1.0, "voigt", 1.5), "between 0 and 1"),
    ],
)  # fmt: skip
def test_lines_that_cannot_be(arguments, words):
    with pytest.raises(UsageError, match=words):
        line_shape(np.zeros(1), *arguments)


def test_areas_are_multiplicities(prediction):
    spectra = simulate_spectra([prediction])
    assert [s.axis.species for s in spectra] == ["1H", "13C", "15N", "17O"]
    for spectrum in spectra:
        element = spectrum.axis.element
        counts = sum(r.site.multiplicity for r in prediction.sites if r.site.element == element)
        assert area(spectrum) == pytest.approx(counts, rel=1e-6)
    protons = spectra[0]
    middle = (SHIELDINGS["H1"] + SHIELDINGS["H2"]) / 2
    low = protons.positions < middle
    part = np.trapezoid(protons.intensity[low], protons.positions[low])
    assert part == pytest.approx(4, abs=0.01)  # one of the two lines


def test_laid_over_each_other_each_has_area_one(urea, prediction):
    doubled = np.vstack([urea.positions, urea.positions + urea.cell[2]])
    cell = urea.cell * [[1], [1], [2]]
    larger = Crystal(np.tile(urea.elements, 2), doubled, cell, urea.labels * 2, name="larger")
    other = predicted(larger, SHIELDINGS)
    assert sum(r.site.multiplicity for r in other.sites) == 32
    here, there = simulate_spectra([prediction, other], "C")
    assert area(here) == pytest.approx(1)
    assert here.intensity == pytest.approx(there.intensity)
    same = simulate_spectra([prediction, other], "C", Settings(area="cell"))
    assert [area(s) for s in same] == pytest.approx([2, 4])


def test_axis_of_shifts(prediction):
    (spectrum,) = simulate_spectra([prediction], "C", Settings(REFERENCES))
    assert spectrum.axis.column == "MS_shift/ppm"
    assert spectrum.axis.falls
    highest = spectrum.positions[np.argmax(spectrum.intensity)]
    assert highest == pytest.approx((168.64 - 5.5) / (1 - 168.64e-6), abs=0.05)
    assert not Axis("N").falls
    assert Axis("N").title == "15N shielding/ppm"


def test_axis_in_hertz(prediction):
    settings = Settings(REFERENCES, field=parse_field("400MHz"))
    (spectrum,) = simulate_spectra([prediction], "C", settings)
    assert spectrum.axis.column == "frequency/Hz"
    shift = REFERENCES.shift("C", 5.5)
    assert spectrum.peaks[0].position == pytest.approx(shift * 100.58008, rel=1e-6)
    assert area(spectrum) == pytest.approx(2, rel=1e-6)
    # The line is as wide in Hz as the default is in ppm.
    half = spectrum.positions[spectrum.intensity > spectrum.intensity.max() / 2]
    assert np.ptp(half) == pytest.approx(DEFAULT_WIDTHS["C"] * 100.58, rel=0.1)
    with pytest.raises(UsageError, match=r"15N count from its reference.*--references N"):
        simulate_spectra([prediction], "N", settings)


def test_frequencies_of_spectrometers():
    """Those that Bruker lists for its 9.4 T magnet, whose 1H is at 400.13 MHz."""
    tesla = parse_field("400.13 MHz")
    assert tesla == pytest.approx(9.39798, abs=1e-3)
    found = [larmor_frequency(element, tesla) for element in "HCNO"]
    assert found == pytest.approx([400.130, 100.613, 40.560, 54.243], abs=1e-3)
    assert parse_field("9.4T") == 9.4
    assert parse_field("1.2GHz") == pytest.approx(parse_field("1200mhz"))


@pytest.mark.parametrize("text", ["400", "", "T", "9.4 G", "1e", "-9.4T", "0T", "500T", "nanT"])
def test_fields_that_are_none(text):
    with pytest.raises(UsageError):
        parse_field(text)


def test_widths():
    field = parse_field("500MHz")
    assert parse_widths("", "HC", None) == {"H": 0.3, "C": 1.0}
    assert parse_widths("0.5", "HC", None) == {"H": 0.5, "C": 0.5}
    found = parse_widths("C:100Hz, H:0.2ppm", "HCN", field)
    assert found == pytest.approx({"H": 0.2, "C": 100 / larmor_frequency("C", field), "N": 2.0})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wide", "wide is none of H"), ("0", "cannot read"), ("-1", "cannot read"),
        ("H:x", "cannot read"), ("100Hz", "needs --field"), ("N:1", "N is none of H"),
        ("H:1,H:2", "cannot read"), ("1,2", "cannot read"), ("nan", "nan is none of"),
    ],
)  # fmt: skip
def test_widths_that_cannot_be(text, words):
    with pytest.raises(UsageError, match=words):
        parse_widths(text, "H", None)


def test_ranges():
    assert parse_ranges("", "HC") == {}
    assert parse_ranges("12:-1.5", "HC") == {"H": (-1.5, 12), "C": (-1.5, 12)}
    assert parse_ranges("C:0:200", "HC") == {"C": (0, 200)}
    for wrong in ("5", "1:1", "H:1", "1:2:3", "0:inf", "F:0:1"):
        with pytest.raises(UsageError, match="--range"):
            parse_ranges(wrong, "HC")


def test_range_leaves_peaks_out_and_says_so(prediction):
    (spectrum,) = simulate_spectra([prediction], "H", Settings(ranges={"H": (20, 24)}))
    assert [peak.label for peak in spectrum.peaks] == ["H1"]
    assert spectrum.left_out == 1
    assert (spectrum.positions[0], spectrum.positions[-1]) == (20, 24)
    (empty,) = simulate_spectra([prediction], "H", Settings(ranges={"H": (0, 1)}))
    assert (empty.peaks, empty.left_out) == ((), 2)


def test_lines_too_narrow_for_the_axis(prediction):
    with pytest.raises(UsageError, match="too narrow"):
        simulate_spectra([prediction], "H", Settings(lines=Lines(widths={"H": 1e-7})))


def test_exchanging_protons_are_one_line(toluene):
    shieldings = {f"H{k + 1}": 24.0 + k for k in range(9)} | {f"C{k + 1}": 50.0 for k in range(7)}
    prediction = predicted(toluene, shieldings)
    peaks = find_peaks(prediction, Axis("H"))
    (group,) = (peak for peak in peaks if "," in peak.label)
    assert group.label == "H7,H8,H9"
    assert (group.multiplicity, group.position) == (3, pytest.approx(31.0))
    assert len(find_peaks(prediction, Axis("H"), ())) == 9
    (cross,) = (
        q for q in correlate_nuclei([prediction], ("C", "H"))[0].peaks if q.first.label == "C7"
    )
    assert (cross.second.label, cross.multiplicity) == ("H7,H8,H9", 3)


def test_nuclei_that_are_not_there(prediction):
    carbon = replace(prediction, sites=prediction.sites[:1])
    assert [s.axis.element for s in simulate_spectra([carbon])] == ["C"]
    with pytest.raises(StructureError, match=r"no 1H in .*urea"):
        simulate_spectra([carbon], "H")
    # Of several crystals those without are left out.
    assert len(simulate_spectra([carbon, prediction], "H")) == 1


def test_shieldings_that_are_no_numbers_give_no_peak(prediction):
    broken = replace(prediction.sites[0], shielding=math.nan)
    with pytest.raises(StructureError, match="no 13C"):
        simulate_spectra([replace(prediction, sites=(broken,))], "C")


def test_correlation_of_bonded_pairs(prediction):
    settings = Settings(References({"N": 186.0, "H": 31.0}))
    (spectrum,) = correlate_nuclei([prediction], ("N", "H"), settings)
    found = {(q.first.label, q.second.label): q.multiplicity for q in spectrum.peaks}
    assert found == {("N1", "H1"): 4, ("N1", "H2"): 4}  # 16 atoms, but two cross peaks
    intensity = spectrum.intensity()
    assert intensity.shape == tuple(len(points) for points in spectrum.points)
    volume = np.trapezoid(np.trapezoid(intensity, spectrum.points[1]), spectrum.points[0])
    assert volume == pytest.approx(8, rel=1e-6)
    x, y = np.unravel_index(np.argmax(intensity), intensity.shape)
    assert spectrum.points[0][x] == pytest.approx(settings.references.shift("N", 139), abs=0.2)
    assert min(abs(spectrum.points[1][y] - q.second.position) for q in spectrum.peaks) < 0.05


def test_correlations_that_are_none(prediction):
    with pytest.raises(StructureError, match="no 13C is bonded to a 1H"):
        correlate_nuclei([prediction], ("C", "H"))  # urea has N-H alone
    with pytest.raises(StructureError, match=r"no 1H is bonded to a 1H .*--within"):
        correlate_nuclei([prediction], ("H", "H"))
    with pytest.raises(StructureError, match=r"no 13C is within 1\.9 Å of a 1H"):
        correlate_nuclei([prediction], ("C", "H"), within=1.9)
    with pytest.raises(UsageError, match="of one nucleus, not of N and H"):
        correlate_nuclei([prediction], ("N", "H"), double_quantum=True)
    settings = Settings(ranges={"H": (0.0, 24.0)})
    (spectrum,) = correlate_nuclei([prediction], ("N", "H"), settings)
    assert (len(spectrum.peaks), spectrum.left_out) == (1, 1)


def test_correlation_of_near_pairs(prediction, urea):
    (spectrum,) = correlate_nuclei([prediction], ("H", "H"), within=2.5)
    found = {(q.first.label, q.second.label): q.multiplicity for q in spectrum.peaks}
    # Every pair from both sides, as all distances between the hydrogens of 27 cells have it.
    hydrogens = np.flatnonzero(urea.elements == "H")
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ urea.cell
    ends = (urea.positions[hydrogens][:, None] + steps).reshape(-1, 3)
    apart = np.linalg.norm(urea.positions[hydrogens][:, None] - ends, axis=2)
    near = np.argwhere((apart > 1e-6) & (apart <= 2.5))
    label = [s.label for k in hydrogens for s in urea.sites if k in s.atoms]
    expected = Counter((label[k], label[m // len(steps)]) for k, m in near.tolist())
    assert found == dict(expected)
    assert found["H1", "H2"] == found["H2", "H1"] > 0
    assert spectrum.axes[1].title == "1H shielding/ppm"


def test_double_quantum_stands_at_the_sum(prediction):
    settings = Settings(References({"H": 31.0}), ranges={"H": (0.0, 12.0)})
    (spectrum,) = correlate_nuclei(
        [prediction], ("H", "H"), settings, within=2.5, double_quantum=True
    )
    shifts = {row.site.label: 31.0 - row.shielding for row in prediction.sites}
    for peak in spectrum.peaks:
        own = shifts[peak.first.label]
        assert peak.first.position == pytest.approx(own, abs=0.01)
        expected = own + shifts[peak.second.label]
        assert peak.second.position == pytest.approx(expected, abs=0.01)
    assert spectrum.axes[1].title == "1H double-quantum shift/ppm"
    assert spectrum.points[1][[0, -1]].tolist() == [0.0, 24.0]
    (table,) = cross_peak_document([spectrum]).tables()
    heads = [column.key for column in table.columns]
    assert heads[0] == "1H_labels"
    assert heads[3:5] == ["1H2_labels", "1H2_double_quantum_MS_shift/ppm"]


def test_names_in_legends(urea):
    named = [replace(urea, source=f"a/{s}.cif", name=n) for s, n in (("x", "one"), ("y", "two"))]
    assert short_names(named) == ["one", "two"]
    assert short_names([replace(c, name="same") for c in named]) == ["x", "y"]
    frames = [replace(urea, source=f"{s}/x.cif", name="same") for s in "ab"]
    assert short_names(frames) == ["a/x.cif: same", "b/x.cif: same"]
    assert short_names([named[0], named[0]]) == ["x 1", "x 2"]
    assert short_names([replace(urea, source="", name="")] * 2) == ["structure 1", "structure 2"]


def test_labels_are_moved_apart_and_stay_inside():
    assert spread([1.0, 5.0], 1.0, 0, 10) == [1.0, 5.0]
    assert spread([5.0, 5.0], 1.0, 0, 10) == [4.5, 5.5]
    assert spread([0.0, 0.0, 9.9], 2.0, 0, 10) == [0.0, 2.0, 9.9]
    assert spread([9.9, 10.0], 2.0, 0, 10) == [8.0, 10.0]
    assert spread([3.0] * 5, 100.0, 0, 10) == [0.0, 2.5, 5.0, 7.5, 10.0]
    assert spread([], 1.0, 0, 10) == []


def test_csv_of_points(prediction, urea):
    import csv

    strange = replace(prediction, crystal=replace(urea, name="=1+1"))
    spectra = simulate_spectra([strange], "HC", Settings(REFERENCES))
    rows = list(csv.DictReader("".join(write_csv(point_document(spectra))).splitlines()))
    assert tuple(rows[0])[:6] == ("file", "name", "species", "axis", "position", "intensity")
    assert {row["axis"] for row in rows} == {"MS_shift/ppm"}
    assert rows[0]["name"] == "'=1+1"
    for spectrum in spectra:
        own = [row for row in rows if row["species"] == spectrum.axis.species]
        x = np.array([float(row["position"]) for row in own])
        y = np.array([float(row["intensity"]) for row in own])
        assert np.trapezoid(y, x) == pytest.approx(area(spectrum), rel=1e-4)


def test_csv_of_cross_peaks(prediction):
    import csv

    settings = Settings(References({"H": 30.96}))
    text = "".join(
        write_csv(cross_peak_document(correlate_nuclei([prediction], ("N", "H"), settings)))
    )
    rows = list(csv.DictReader(text.splitlines()))
    assert [(r["15N_labels"], r["1H_labels"], r["multiplicity"]) for r in rows] == [
        ("N1", "H2", "4"),
        ("N1", "H1", "4"),
    ]
    assert float(rows[0]["15N_MS_shielding/ppm"]) == 139
    assert float(rows[1]["1H_MS_shift/ppm"]) == pytest.approx(7.71, abs=0.01)
    assert float(rows[0]["1H_MS_shielding_uncertainty/ppm"]) == 0.5


TRACE = "ppm,intensity\n" + "".join(f"{0.5 * k},{100 * (k % 7)}\n" for k in range(40))


def test_a_measured_trace(tmp_path):
    """With and without a header, comma, spaces or a spreadsheet's decimal commas."""
    for text in (
        TRACE,
        TRACE.partition("\n")[2],
        TRACE.replace(",", " "),
        "# note\n" + TRACE.replace(",", ";").replace(".", ","),
    ):
        (tmp_path / "t.csv").write_text(text)
        (found,) = read_measured(str(tmp_path / "t.csv"), ("C",))
        assert (found.element, found.intensity.max()) == ("C", 1.0)
        np.testing.assert_allclose(found.shifts, 0.5 * np.arange(40))
    positions, heights = found.on(Axis("C", REFERENCES), 1.0, 2.5)
    np.testing.assert_allclose(positions, [1.0, 1.5, 2.0, 2.5])
    np.testing.assert_allclose(heights, np.array([2, 3, 4, 5]) / 5)
    with pytest.raises(ExperimentError, match="does not say its nucleus"):
        read_measured(str(tmp_path / "t.csv"), ("C", "H"))
    flat = TRACE.partition("\n")[0] + "\n" + "1,0\n" * 20
    (tmp_path / "t.csv").write_text(flat)
    with pytest.raises(ExperimentError, match="without intensity"):
        read_measured(str(tmp_path / "t.csv"), ("C",))
    with pytest.raises(ExperimentError):
        read_measured(str(tmp_path / "none.csv"))


def test_measured_peaks(tmp_path):
    (tmp_path / "p.txt").write_text("13C\n170.2 55\n1H\n7.1\n")
    carbon, proton = read_measured(str(tmp_path / "p.txt"))
    assert (carbon.element, carbon.shifts.tolist(), carbon.intensity) == ("C", [170.2, 55], None)
    assert proton.shifts.tolist() == [7.1]
    field = Axis("H", REFERENCES, 9.4)
    positions, heights = proton.on(field, 0.0, 1e5)
    assert positions[0] == pytest.approx(7.1 * larmor_frequency("H", 9.4))
    assert heights.tolist() == [1.0]


JCAMP = """##TITLE= made
##JCAMP-DX= 5.00
##DATA TYPE= NMR SPECTRUM
##.OBSERVE FREQUENCY= 100.0
##.OBSERVE NUCLEUS= ^13C
##XUNITS= HZ
##YUNITS= ARBITRARY UNITS
##FIRSTX= 17000.0
##LASTX= 15000.0
##XFACTOR= 1.0
##YFACTOR= 1.0
##NPOINTS= 21
##FIRSTY= 0
##XYDATA= (X++(Y..Y))
17000 0 0 0 0 0 0 0 0 0 0 5
15900 0 0 0 0 0 0 0 0 0 0
##END=
"""


def test_jcamp_through_nmrglue(tmp_path, monkeypatch):
    path = tmp_path / "c.jdx"
    path.write_text(JCAMP)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "nmrglue", None)
        with pytest.raises(UsageError, match="JCAMP-DX needs nmrglue"):
            read_measured(str(path))
    pytest.importorskip("nmrglue")
    (found,) = read_measured(str(path))
    assert found.element == "C"
    assert found.shifts[found.intensity.argmax()] == pytest.approx(160.0)
    path.write_text(JCAMP.replace("##FIRSTX= 17000.0\n", ""))
    with pytest.raises(ExperimentError, match="not readable as JCAMP-DX: no FIRSTX"):
        read_measured(str(path))


@pytest.mark.parametrize(
    ("lines", "top"),
    [
        ("##.SHIFT REFERENCE= INTERNAL, adamantane, 11, 29.5", 29.5),
        ("##.SHIFT REFERENCE= (EXTERNAL, TMS, 1, 0.5)\n##$OFFSET= 99.0", -9.5),
        ("##$OFFSET= 200.0", 190.0),  # Bruker's: of the first point
        ("##.SHIFT REFERENCE= INTERNAL, , ,", 160.0),
        ("##$OFFSET= 200.0\n##XUNITS= PPM", 16000.0),  # the axis is that of shifts already
    ],
)
def test_the_zero_of_a_jcamp_axis(tmp_path, lines, top):
    pytest.importorskip("nmrglue")
    path = tmp_path / "c.jdx"
    text = JCAMP.replace("##XUNITS= HZ\n", "" if "XUNITS" in lines else "##XUNITS= HZ\n")
    path.write_text(text.replace("##FIRSTX", f"{lines}\n##FIRSTX"))
    (found,) = read_measured(str(path))
    assert found.shifts[found.intensity.argmax()] == pytest.approx(top)
    path.write_text(JCAMP.replace("##FIRSTX", "##.SHIFT REFERENCE= INTERNAL, TMS, 99, 0\n##FIRSTX"))
    with pytest.raises(ExperimentError, match="the shift reference is point 99 of 21"):
        read_measured(str(path))


def test_what_of_a_measurement_is_not_seen_is_said(urea):
    spectra = simulate_spectra([predicted(urea, SHIELDINGS)], ("C",), Settings(REFERENCES))
    inside = 168.64 - 5.5
    measured = [Measured("C", np.array([inside, 500.0])), Measured("H", np.array([7.0]))]
    assert measured_notes(spectra, measured) == [
        "1 measured peaks of 13C are out of range", "1H was measured, but is not drawn",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="the axis of 15N of shieldings"):
        Settings(REFERENCES).refuse_shieldings(["C", "N"])
