"""The report: one page, nothing loaded, text of users shown literally; and in a real browser."""

import html
import json
import os
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shiftcli import __version__
from shiftcli.errors import ShiftcliError, StructureError, UsageError
from shiftcli.nmr.assignment import compare
from shiftcli.nmr.averaging import average
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.shifts import parse_references
from shiftcli.prediction.predictor import Failure, Prediction, SitePrediction
from shiftcli.results.citations import Citation, Citations
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


def rendered(results, comparisons=()):
    return render_report(results, comparisons, CITATIONS)


@pytest.fixture(scope="module")
def compared(urea):
    prediction = predicted(urea)
    groups = average(prediction)
    peaks = (Peak(("H1",), "1H", 7.9, 0.1, 2), Peak(("H2",), "1H", 6.2, 0.1, 3))
    carbon = (Peak((), "13C", 163.0, None, 4),)
    experiment = Experiment(peaks + carbon, "exp.csv")
    return StructureComparison(prediction, groups, compare(groups, experiment))


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
    write_report(path, as_results(predicted(urea)), citations=CITATIONS)
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
    for wanted in ("urea.cif: urea", __version__, "0abc" * 16, "compact", "10.1/x", "N1", "C2 H8"):
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
    assert [row["shielding"] for row in structure["rows"]] == [
        SHIELDINGS[s.label] for s in urea.sites
    ]
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
    assert structure["rows"][0]["shielding"] is None
    other = predicted(urea).sites[1]
    page = rendered(as_results(Prediction(urea, (nothing, other))))
    assert "NaN" not in page.partition("</style>")[2].partition("<script>")[0]


def test_comparison(urea, compared):
    results = as_results(predicted(urea))
    page = rendered(results, [compared])
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
    assert rendered(results) != page


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
        write_report(tmp_path / "a.html", as_results(), citations=CITATIONS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ShiftcliError, match="501 structures are too many"):
        rendered(as_results(*[predicted(urea)] * 501))
    with pytest.raises(ValueError, match="shorter"):
        rendered(as_results(predicted(urea), predicted(urea)), [None])


# In a browser


def find_browser():
    named = os.environ.get("SHIFTCLI_BROWSER")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs shiftcli[browser]")
    path = find_browser()
    if path is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report_path(urea, compared, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    labels = tuple(NASTY if label == "C1" else label for label in urea.labels)
    crystal = replace(urea, labels=labels, name="<script>alert(2)</script>")
    rows = [SitePrediction(s, SHIELDINGS.get(s.label, 5.5), 0.5, 1.1) for s in crystal.sites]
    second = Prediction(replace(crystal, warnings=(NASTY,)), tuple(rows))
    results = as_results(predicted(urea), second)
    write_report(path, results, [compared, None], CITATIONS)
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
    page.wait_for_timeout(100)
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
    assert page.title() == "NMR shieldings of 2 structures"
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

    head("shielding/ppm").click()
    assert column(4) == ["5.50", "23.25", "24.50", "37.00", "139.00"]
    assert column(1) == ["C1", "H1", "H2", "O1", "N1"]
    head("shielding/ppm").click()
    assert column(4) == ["139.00", "37.00", "24.50", "23.25", "5.50"]
    sorted_head = page.locator('section:visible table.sites th[aria-sort="descending"]')
    assert sorted_head.inner_text().startswith("shielding")
    for _ in range(2):  # empty cells last, up and down
        head("shift/ppm").click()
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
    page.locator("section:visible .colour").select_option("N")
    assert pixels(page)[0] != by_element


def test_browser_dark_and_print(page):
    before, _ = pixels(page)
    page.emulate_media(color_scheme="dark")
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
