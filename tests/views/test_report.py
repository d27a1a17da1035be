"""The report: one page, nothing loaded, text of users shown literally; and in a real browser."""

import csv
import html
import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import sync_playwright

from shiftcli import __version__
from shiftcli.errors import ShiftcliError, StructureError, UsageError
from shiftcli.nmr.assignment import compare
from shiftcli.nmr.averaging import average
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.next_measurement import Measurement
from shiftcli.nmr.ranking import rank
from shiftcli.nmr.shifts import parse_references
from shiftcli.nmr.spectrum import Settings, correlate_nuclei, simulate_spectra
from shiftcli.prediction.predictor import Failure, Prediction, SitePrediction
from shiftcli.results.citations import Citation, Citations
from shiftcli.results.comparisons import Comparisons
from shiftcli.results.pages import (
    comparison_page,
    prediction_page,
    ranking_page,
    spectrum_page,
)
from shiftcli.results.rankings import deciding_table
from shiftcli.structure.crystal import Crystal
from shiftcli.views import Results
from shiftcli.views.report import check_report, render_report, write_report
from shiftcli.views.report.geometry import draw_data
from shiftcli.views.report.svg import nice_step

SHIELDINGS = {"C1": 5.5, "O1": 37.0, "N1": 139.0, "H1": 23.25, "H2": 24.5}
NASTY = "</script><script>alert(1)</script><!--{{data}}&amp;\"'"
WORK = Citation("l", "The network", ("Liu, S.",), "MR", "JPCL", "10", "4558", 2019, "10.1/x")
CITATIONS = Citations("compact", (WORK,), (), True)


def predicted(crystal, **changes):
    rows = [SitePrediction(s, SHIELDINGS[s.label], 0.5, 1.1) for s in crystal.sites]
    return Prediction(replace(crystal, **changes), tuple(rows))


def as_results(*predictions, failures=()):
    files = [SimpleNamespace(path=Path("/networks/compact-H-1.safetensors"), sha256="0abc" * 16)]
    networks = SimpleNamespace(
        model="compact", files=files, calibrations=dict.fromkeys("HCNO", None)
    )
    return Results(networks, predictions, failures, parse_references("C:168.64,H:30.96"))


def rendered(results):
    return render_report(prediction_page(results, CITATIONS))


def as_comparisons(*structures):
    results = as_results()
    return Comparisons(results.predictor, EXPERIMENT, structures, (), results.references, {})


def rendered_comparison(*structures):
    return render_report(comparison_page(as_comparisons(*structures), CITATIONS))


def compare_with(prediction, experiment):
    groups = average(prediction)
    return StructureComparison(prediction, groups, compare(groups, experiment))


EXPERIMENT = Experiment(
    (
        Peak(("H1",), "1H", 7.9, 0.1, 2), Peak(("H2",), "1H", 6.2, 0.1, 3),
        Peak((), "13C", 163.0, None, 4),
    ),
    "exp.csv",
)  # fmt: skip


@pytest.fixture(scope="module")
def compared(urea):
    return compare_with(predicted(urea), EXPERIMENT)


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


class Reader(HTMLParser):
    """Tags in order, those that are open, and text by tag."""

    VOID = frozenset({"meta", "link", "input"})

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))


def test_page_is_whole_and_loads_nothing(urea, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, prediction_page(as_results(predicted(urea)), CITATIONS))
    page = path.read_text(encoding="utf-8")
    reader = Reader(page)
    assert reader.open == []
    tags = [tag for tag, _ in reader.tags]
    assert (tags.count("script"), tags.count("style"), tags.count("svg")) == (2, 1, 4)
    assert dict(reader.tags)["html"] == {"lang": "en"}
    loading = [(t, a) for t, a in reader.tags if {"src", "href", "srcset", "action"} & a.keys()]
    assert loading == [("link", {"rel": "icon", "href": "data:,"})]
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|\bimport\b", page)
    assert "default-src 'none'" in page
    formula = "C H4 N2 O, Z = 2"
    for wanted in ("urea.cif: urea", __version__, "0abc" * 16, "compact", "10.1/x", "N1", formula):
        assert wanted in page
    assert str(urea.source).rpartition("/")[0] not in page  # folders are nobody else's business


def test_rows_name_their_atoms(urea):
    page = rendered(as_results(predicted(urea)))
    rows = [a for tag, a in Reader(page).tags if tag == "tr" and "data-atoms" in a]
    assert [r["data-atoms"] for r in rows] == [
        " ".join(map(str, site.atoms.tolist())) for site in urea.sites
    ]
    assert all(r["tabindex"] == "0" for r in rows)
    (structure,) = data_of(page)
    assert structure["labels"] == list(urea.labels)
    assert structure["values"]["shielding"] == [SHIELDINGS[s.label] for s in urea.sites]
    assert structure["sites"] == urea.site_numbers.tolist()
    assert ">7.71</td>" in page
    assert ">163.17</td>" in page


def test_text_of_users_is_literal(urea):
    labels = tuple(NASTY if label == "C1" else label for label in urea.labels)
    crystal = replace(urea, labels=labels, name=NASTY, source=f"a/{NASTY}.cif")
    rows = [SitePrediction(s, 5.0, 0.5, 1.1, (NASTY,)) for s in crystal.sites]
    prediction = Prediction(replace(crystal, warnings=(NASTY,)), tuple(rows))
    failure = Failure(f"b/{NASTY}", StructureError(NASTY, where=NASTY))
    page = rendered(as_results(prediction, prediction, failures=[failure]))
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags].count("script") == 2
    assert reader.open == []
    assert data_of(page)[0]["labels"][0] == NASTY
    shown = {text for tag, text in reader.texts if tag in ("td", "li", "option", "h2")}
    assert NASTY in shown
    assert html.escape(NASTY) in page
    everything = "".join(text for _, text in reader.texts)
    assert "alert(1)</script><!--{{data}}" in everything  # no place of the template filled twice


def test_controls_and_turned_text_are_shown(urea):
    page = rendered(as_results(predicted(urea, name="a\u202eb\x1b[1m\x00\udce9")))
    assert "a\\u202eb\\x1b[1m\\x00" in page
    assert "\u202e" not in page
    page.encode("utf-8", errors="backslashreplace")


def test_numbers_that_are_none(urea):
    nothing = SitePrediction(urea.sites[0], float("nan"), float("nan"), float("inf"))
    structure = data_of(rendered(as_results(Prediction(urea, (nothing,)))))[0]
    assert "shielding" not in structure["values"]
    assert structure["marks"][0] == 2
    other = predicted(urea).sites[1]
    page = rendered(as_results(Prediction(urea, (nothing, other))))
    assert "NaN" not in page.partition("</style>")[2].partition("<script>")[0]


def test_comparison(urea, compared):
    page = rendered_comparison(compared)
    assert "Comparison with experiment" in page
    assert "found" in page
    assert "given" not in page  # every offset was fitted
    rows = [a for tag, a in Reader(page).tags if tag == "tr" and "data-atoms" in a]
    hydrogens = [s.atoms.tolist() for s in urea.sites if s.element == "H"]
    assert [list(map(int, r["data-atoms"].split())) for r in rows[:2]] == hydrogens
    assert page.count('class="measured"') == 3
    # Shifts are on the scale that was fitted, not the one of the references.
    fit = compared.comparison.fits[0]
    assert f">{fit.offset + fit.slope * SHIELDINGS['H1']:.2f}</td>" in page


def test_molecules_are_whole(urea):
    fractional = (urea.positions @ np.linalg.inv(urea.cell) + 0.4) % 1.0
    cut = replace(urea, positions=fractional @ urea.cell)
    drawn = draw_data(cut)
    placed = np.array(drawn["positions"])
    moved = (placed - cut.positions) @ np.linalg.inv(cut.cell)
    assert np.allclose(moved, moved.round(), atol=1e-4)
    assert not np.allclose(moved, 0, atol=1e-4)
    assert len(drawn["bonds"]) == 14  # two molecules, eight atoms, seven bonds
    assert drawn["stubs"] == []
    for i, j in drawn["bonds"]:
        assert np.linalg.norm(placed[i] - placed[j]) < 1.6


def test_chains_without_end_have_stubs():
    places = np.array([[0.0, 0, 0], [1.2, 0, 0]])
    chain = Crystal(np.array(["C", "C"]), places, np.diag([2.6, 9.0, 9.0]), ("C1", "C2"))
    drawn = draw_data(chain)
    assert drawn["bonds"] == [[0, 1]]
    assert sorted(drawn["stubs"]) == [[0, -0.7, 0, 0], [1, 0.7, 0, 0]]


def test_isolated_molecule_has_no_cell():
    from ase.build import molecule

    atoms = molecule("CH3OH")
    elements = np.array(atoms.get_chemical_symbols())
    made = Crystal(elements, atoms.positions, None, tuple(elements))
    rows = tuple(SitePrediction(s, 25.0, 0.5, 1.1) for s in made.sites)
    page = rendered(as_results(Prediction(made, rows)))
    assert data_of(page)[0]["cell"] is None
    assert "Along a" not in page
    assert "isolated molecule" in page


@pytest.mark.parametrize(
    ("span", "step"), [(10, 1), (12, 2), (0.9, 0.1), (43, 5), (250, 50), (99, 10), (1000, 100)]
)
def test_numbers_of_axes(span, step):
    assert nice_step(span) == pytest.approx(step)


def test_reports_that_cannot_be(urea, tmp_path):
    with pytest.raises(UsageError, match=r"should end in \.html or \.htm"):
        check_report(tmp_path / "report.pdf")
    with pytest.raises(UsageError, match="cannot write"):
        check_report(Path("/dev/null/report.html"))
    with pytest.raises(ShiftcliError, match="no structure was predicted"):
        rendered(as_results())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ShiftcliError, match="501 structures are too many"):
        rendered(as_results(*[predicted(urea)] * 501))


def test_rows_that_are_odd_are_marked(urea):
    sites = urea.sites
    crystal = urea.with_flag(sites[3].atoms[:1], "ion-or-radical")
    values = [(5.0, 0.5), (30.0, 99.0), (math.nan, math.nan), (25.0, 0.5), (24.0, 0.5)]
    flags = [(), (), (), ("ion-or-radical",), ("hydrogen-normalised",)]
    rows = tuple(
        SitePrediction(site, *value, 1.1, own)
        for site, value, own in zip(sites, values, flags, strict=True)
    )
    page = rendered(as_results(Prediction(crystal, rows)))
    (structure,) = data_of(page)
    assert structure["marks"] == [0, 2, 2, 1, 0]
    assert structure["reasons"][1] == "uncertainty of 99 ppm"
    classes = [a.get("class", "") for tag, a in Reader(page).tags if tag == "tr" and len(a) > 1]
    assert classes == ["", "bad", "bad", "doubtful", ""]


def test_difference_beyond_three_sigma_is_bad(urea):
    far = Experiment(tuple(replace(p, shift=p.shift + 40 * (p.labels == ("H1",)))
                           for p in EXPERIMENT.peaks[:2]), "exp.csv")  # fmt: skip
    page = rendered_comparison(compare_with(predicted(urea), far))
    (structure,) = data_of(page)
    place = [site.label for site in urea.sites].index("H1")
    assert structure["marks"][place] == 2
    assert "> 3σ" in structure["reasons"][place]
    assert 'class="point bad"' in page
    assert abs(structure["values"]["difference"][place]) > 10


def test_points_of_a_comparison(urea, compared):
    page = rendered_comparison(compared)
    points = [a for tag, a in Reader(page).tags if tag == "g" and a["class"].startswith("point")]
    # The one carbon tells nothing: its offset was fitted to it.
    assert [a["data-atoms"] for a in points] == [
        " ".join(map(str, s.atoms.tolist())) for s in urea.sites if s.element == "H"
    ]
    assert "H1: measured 7.90, predicted" in page


def test_hydrogen_bonds_lead_to_the_acceptor(urea):
    drawn = draw_data(urea)
    assert len(drawn["contacts"]) == 8  # every hydrogen of urea gives one
    for hydrogen, acceptor, *cell in drawn["contacts"]:
        assert (urea.elements[hydrogen], urea.elements[acceptor]) == ("H", "O")
        end = np.array(drawn["positions"][acceptor]) + np.array(cell) @ urea.cell
        assert 1.8 < np.linalg.norm(end - drawn["positions"][hydrogen]) < 2.4
    assert sorted(set(drawn["molecules"])) == [0, 1]


def test_ranking_shows_candidates_and_what_decides(urea):
    near = predicted(urea)
    far = Prediction(
        replace(urea, name=NASTY, positions=urea.positions * 1.1, cell=urea.cell * 1.1),
        tuple(replace(row, shielding=row.shielding + 3.0 * k) for k, row in enumerate(near.sites)),
    )
    failure = Failure("b.cif", StructureError("no atoms", where="b.cif"))
    made = [failure, far, near]
    ranking = rank(made, EXPERIMENT)
    assert [c.place for c in ranking.candidates] == [2, 1]
    page = render_report(ranking_page(ranking, as_results(), CITATIONS))
    reader = Reader(page)
    opens = [a["data-opens"] for tag, a in reader.tags if tag == "tr" and "data-opens" in a]
    assert opens == ["0", "1"]
    assert len(data_of(page)) == 2
    heads = [text for tag, text in reader.texts if tag == "h2"]
    assert heads[0] == "Candidates by exp.csv"
    assert heads[1:] == ["1. urea", f"2. {NASTY}"]
    assert "Peaks that decide between urea and " in page
    assert str(Path(urea.source).parent) not in page
    assert page.count('class="measured through"') == 3
    weights = deciding_table(ranking, 2).values("weight")
    assert weights == sorted(weights, key=abs, reverse=True)
    assert deciding_table(rank([near], EXPERIMENT), 2) is None


def test_ranking_shows_the_files_shieldings_and_what_to_measure_next(urea):
    near = predicted(urea)
    far = replace(
        near, sites=tuple(replace(row, shielding=row.shielding + 1) for row in near.sites)
    )
    ranking = rank([near, replace(far, crystal=replace(urea, name="far"))], EXPERIMENT)
    stated = replace(ranking, candidates=ranking.candidates[:1])
    following = (Measurement("13C", ("C1",), 0.42, 1.0),)
    ranking = replace(ranking, stated=stated, next=following)
    page = render_report(ranking_page(ranking, as_results(), CITATIONS))
    assert "What to measure next" in page
    assert "0.42" in page
    assert "prob. file" in page
    assert page.count("file against measured") == 1  # of the first candidate
    assert "the shieldings of its file are not ranked" in page


def test_spectra_of_structures_and_pairs(urea):
    results = as_results(predicted(urea), predicted(urea, name="other"))
    settings = Settings(results.references)
    spectra = simulate_spectra(results.predictions, ["H"], settings)
    page = render_report(spectrum_page(results, settings, spectra, CITATIONS))
    assert page.count("<title>Spectra of 1H</title>") == 1
    assert page.count("<title>Spectrum of 1H</title>") == 2
    pairs = correlate_nuclei(results.predictions, ("N", "H"), settings)
    page = render_report(spectrum_page(results, settings, pairs, CITATIONS))
    assert page.count("<title>15N–1H correlation</title>") == 2
    assert "N1–H2: " in page


# In a browser


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except BrowserError as error:  # one that is half installed, or a stub of snap's
            pytest.skip(f"{path} does not start: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report_path(urea, compared, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    labels = tuple(NASTY if label == "C1" else label for label in urea.labels)
    crystal = replace(urea, labels=labels, name="<script>alert(2)</script>")
    rows = [SitePrediction(s, SHIELDINGS.get(s.label, 5.5), 0.5, 1.1) for s in crystal.sites]
    second = Prediction(replace(crystal, warnings=(NASTY,)), tuple(rows))
    comparisons = as_comparisons(compared, compare_with(second, EXPERIMENT))
    write_report(path, comparison_page(comparisons, CITATIONS))
    return path


@pytest.fixture(scope="module")
def tab(browser):
    """A tab, and what it said and asked for; a new one for each test would take seconds."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: messages.append(dialog.message))
    page.on("request", lambda request: requests.append(request.url))
    yield page, messages, requests
    page.close()


@pytest.fixture
def page(tab, report_path):
    """The page, and at its end no message on the console and no request but for the file."""
    page, messages, requests = tab
    del messages[:], requests[:]
    page.emulate_media(media="screen", color_scheme="light")
    page.goto(report_path.as_uri())
    yield page
    page.wait_for_timeout(50)
    assert messages == []
    assert requests == [report_path.as_uri()]


def chosen(page):
    return page.locator("section:visible canvas").get_attribute("data-chosen")


def pixels(page):
    """A hash of what is on the canvas, once it has been drawn."""
    return page.evaluate(
        """() => new Promise((tell) => requestAnimationFrame(() => requestAnimationFrame(() => {
            const canvas = document.querySelector("section:not([hidden]) canvas");
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height);
            const pen = copy.getContext("2d", { willReadFrequently: true });
            pen.drawImage(canvas, 0, 0);
            const { data } = pen.getImageData(0, 0, width, height);
            let hash = 0, seen = 0;
            for (let k = 0; k < data.length; k += 1) {
                hash = (hash * 31 + data[k]) | 0;
                seen += k % 4 === 3 && data[k] > 0;
            }
            tell([hash, seen]);
        })))"""
    )


def sites(page):
    return page.locator("section:visible table.sites tbody tr")


def test_browser_draws_the_structure(page):
    before, seen = pixels(page)
    assert seen > 5000
    assert page.title() == "Measured shifts against 2 structures"
    assert page.locator("section:visible").count() == 1
    assert page.locator("section:visible .legend .bar").count() == 4
    box = page.locator("section:visible canvas").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 230, steps=3)
    page.mouse.up()
    turned, _ = pixels(page)
    assert turned != before
    assert chosen(page) is None  # dragging chooses nothing
    page.mouse.wheel(0, -300)
    zoomed, larger = pixels(page)
    assert zoomed != turned
    assert larger != seen
    page.get_by_role("button", name="Reset").click()
    assert pixels(page)[0] == before


def test_browser_row_chooses_its_atoms(page, urea):
    before, _ = pixels(page)
    place = [site.label for site in urea.sites].index("N1")
    sites(page).nth(place).click()
    assert chosen(page) == " ".join(map(str, urea.sites[place].atoms.tolist()))
    assert pixels(page)[0] != before
    assert sites(page).nth(place).get_attribute("aria-selected") == "true"
    assert "N1: 15N 139.00 ± 0.50 ppm" in page.locator("section:visible .status").inner_text()
    assert page.locator("section:visible g.peak.chosen").count() == 1
    sites(page).nth(place).click()  # once more
    assert chosen(page) == ""
    assert pixels(page)[0] == before


def test_browser_atom_chooses_its_row(page, urea):
    for atom in (0, 5, len(urea) - 1):
        place = page.evaluate(f"shiftcliReport.get(0).picture.place({atom})")
        box = page.locator("section:visible canvas").bounding_box()
        page.mouse.move(box["x"] + place["x"], box["y"] + place["y"])
        tip = page.locator("section:visible .tip").inner_text()
        page.mouse.click(box["x"] + place["x"], box["y"] + place["y"])
        atoms = [int(k) for k in chosen(page).split()]
        # What is in front of the atom may have been hit; whichever it is, tip and row agree.
        (site,) = (s for s in urea.sites if s.atoms.tolist() == atoms)
        assert tip.startswith(f"{site.label}: {site.species}")
        selected = page.locator("section:visible table.sites tr.chosen td:first-child")
        assert selected.all_inner_texts() == [site.label]


def test_browser_peak_and_comparison_choose_too(page, urea):
    page.locator("section:visible table.comparison tbody tr").nth(1).click()
    hydrogen = next(s for s in urea.sites if s.label == "H2")
    assert chosen(page) == " ".join(map(str, hydrogen.atoms.tolist()))
    page.locator("section:visible g.measured").nth(0).dispatch_event("click")
    assert chosen(page) != ""


def test_browser_sorts(page):
    def column(number):
        return page.locator(
            f"section:visible table.sites tbody td:nth-child({number})"
        ).all_inner_texts()

    def head(name):
        return page.locator("section:visible table.sites").get_by_role("button", name=name)

    head("σ/ppm").click()
    assert column(4) == ["5.50", "23.25", "24.50", "37.00", "139.00"]
    assert column(1) == ["C1", "H1", "H2", "O1", "N1"]
    head("σ/ppm").click()
    assert column(4) == ["139.00", "37.00", "24.50", "23.25", "5.50"]
    sorted_head = page.locator('section:visible table.sites th[aria-sort="descending"]')
    assert sorted_head.inner_text().startswith("σ")
    for _ in range(2):  # empty cells last, up and down
        head("δ/ppm").click()
        assert column(7)[-2:] == ["", ""]
    head("labels").click()
    assert column(1) == ["C1", "H1", "H2", "N1", "O1"]
    sites(page).nth(0).click()
    assert "13C" in page.locator("section:visible .status").inner_text()


def test_browser_keyboard(page, urea):
    sites(page).nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert chosen(page) == " ".join(map(str, urea.sites[1].atoms.tolist()))
    page.keyboard.press("Escape")
    assert chosen(page) == ""
    before, _ = pixels(page)
    page.locator("section:visible canvas").focus()
    page.keyboard.press("ArrowLeft")
    assert pixels(page)[0] != before
    # One stop for each table of sites and comparison.
    stops = page.locator('section:visible tr[tabindex="0"]')
    assert stops.count() == page.locator("section:visible table:has(tr[data-atoms])").count()


def test_browser_other_structure_and_literal_labels(page):
    page.select_option("#structure", "1")
    assert page.locator("section:visible h2").inner_text().endswith("<script>alert(2)</script>")
    first = sites(page).nth(0)
    assert first.locator("td").nth(0).inner_text() == NASTY
    first.click()
    assert NASTY in page.locator("section:visible .status").inner_text()
    page.locator("section:visible .labels").check()
    page.locator("section:visible .colour").select_option("elements")
    by_element, _ = pixels(page)
    page.locator("section:visible .colour").select_option("shielding")
    every, _ = pixels(page)
    page.locator("section:visible .nucleus").select_option("N")
    assert pixels(page)[0] != every
    assert pixels(page)[0] != by_element


def test_browser_dark_and_print(page):
    before, _ = pixels(page)
    page.emulate_media(color_scheme="dark")
    for _ in range(100):  # the browser tells the page when it can
        if pixels(page)[0] != before:
            break
        page.wait_for_timeout(100)
    assert pixels(page)[0] != before
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    assert not page.locator("section:visible .controls, .selector").first.is_visible()


def test_browser_without_scripts(browser, report_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report_path.as_uri())
    assert page.locator("section").count() == page.locator("section:visible").count() == 2
    assert page.locator("svg.spectrum").first.is_visible()
    context.close()


def test_browser_colours_by_what_there_is(page):
    options = page.locator("section:visible .colour option")
    values = [option.get_attribute("value") for option in options.all()]
    assert values == ["shielding", "shift", "difference", "uncertainty", "elements"]
    seen = set()
    for value in values:
        page.locator("section:visible .colour").select_option(value)
        seen.add(pixels(page)[0])
    assert len(seen) == len(values)
    assert page.locator("section:visible .legend .bar").count() == 0  # those of elements need none


def test_browser_filters_rows_and_atoms(page):
    before, _ = pixels(page)
    field = page.locator("section:visible .filter input")
    field.fill("13c c1")
    assert sites(page).locator("visible=true").count() == 1
    assert page.locator("section:visible .found").inner_text() == "2 of 8 rows"
    assert pixels(page)[0] != before
    assert page.locator("section:visible g.peak.faded").count() == 4
    field.fill("")
    assert sites(page).locator("visible=true").count() == 5
    assert pixels(page)[0] == before


def test_browser_saves_tables_and_drawings(page):
    with page.expect_download() as waiting:
        page.locator("section:visible table.comparison .save").click()
    assert waiting.value.suggested_filename.endswith("Comparison-with-experiment.csv")
    lines = list(csv.reader(Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()))
    assert lines[0][:5] == [
        "labels", "species", "multiplicity", "MS_shift/ppm", "MS_shift_uncertainty/ppm",
    ]  # fmt: skip
    assert len(lines) == 4
    float(lines[1][3]), float(lines[1][lines[0].index("difference/ppm")])
    with page.expect_download() as waiting:
        page.locator("section:visible .spectra .save").first.click()
    drawing = ElementTree.parse(waiting.value.path()).getroot()
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    text = "".join(drawing.itertext())
    assert "var(--" not in text
    assert ".curve" in text


def test_browser_measures_between_two_clicks(page, urea):
    canvas = page.locator("section:visible canvas")
    canvas.evaluate("() => shiftcliReport.get(0).picture.pick(0)")
    canvas.evaluate("() => shiftcliReport.get(0).picture.pick(1)")
    places = np.array(draw_data(urea)["positions"])
    expected = np.linalg.norm(places[0] - places[1])
    said = page.locator("section:visible .status").inner_text()
    assert said.startswith(f"{urea.labels[0]} to {urea.labels[1]}: {expected:.3f} Å")
    page.locator("section:visible canvas").press("Escape")
    assert "Å" not in page.locator("section:visible .status").inner_text()


def test_browser_packs_and_shows_hydrogen_bonds(page, urea):
    def drawn():
        return page.evaluate("shiftcliReport.get(0).picture.drawn.atoms.length")

    with_bonds, _ = pixels(page)
    page.locator("section:visible .contacts").uncheck()
    assert pixels(page)[0] != with_bonds
    assert drawn() == len(urea)
    page.locator("section:visible .packing").select_option("2")
    assert drawn() == 8 * len(urea)
    page.locator("section:visible .packing").select_option("0")
    assert drawn() == len(urea) // 2


def test_browser_fits_a_telephone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1300, "height": 900})


def test_browser_points_say_what_they_are(page):
    point = page.locator("section:visible svg.diagram .point").first
    point.locator("circle").hover()
    assert page.locator("#tip").inner_text().startswith("H1: measured 7.90, predicted")
    point.locator("circle").click()
    assert chosen(page) != ""
