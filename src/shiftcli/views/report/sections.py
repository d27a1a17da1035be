"""One section of the page for each structure, and what its script has to know."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from shiftcli.errors import visible
from shiftcli.results.sections import Section
from shiftcli.results.tables import Table
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.views.documents import html_table, plain
from shiftcli.views.report.geometry import draw_data
from shiftcli.views.report.svg import diagram_svg, spectra_svg

#: Columns that atoms can be coloured by, and what they are called there.
QUANTITIES = {
    "shielding": "shielding",
    "shift": "shift",
    "difference": "difference from measured",
    "uncertainty": "uncertainty",
}

#: Half widths of 68 % intervals (ppm), some five times the networks' errors, from which on a
#: number says next to nothing.
USELESS = {"1H": 2.0, "13C": 16.0, "15N": 50.0, "17O": 75.0}

#: Flags that are the rule, and no reason to doubt one atom more than others.
_USUAL = ("hydrogen-normalised",)

#: Classes of rows by how odd they are.
_CLASSES = ("", "doubtful", "bad")


def row_marks(table: Table) -> list[tuple[int, str]]:
    """How odd each row of a table about atoms is, from 0 to 2, and why.

    Rows without a number, with an uncertainty that makes it worthless, or further from the
    measurement than three standard deviations are 2; those beyond two, or with a flag, 1.
    """
    found = []
    for record in table.records():
        flags = " ".join(filter(None, (*_words(record.get("flag")), *_words(record.get("flags")))))
        uncertainty = record.get("uncertainty")
        limit = USELESS.get(str(record.get("species")), math.inf)
        if "shielding" in record and record["shielding"] is None:
            found.append((2, f"no number: {flags}" if flags else "no number"))
        elif uncertainty is not None and uncertainty > limit:
            found.append((2, f"uncertainty of {uncertainty:g} ppm"))
        elif ">3σ" in flags:
            found.append((2, "difference from measured > 3σ"))
        else:
            unusual = [flag for flag in flags.split() if flag not in _USUAL]
            found.append((1 if unusual else 0, " ".join(unusual)))
    return found


def _words(flags: Any) -> tuple[str, ...]:
    return tuple(flags) if isinstance(flags, tuple | list) else (flags or "",)


def structure_data(section: Section) -> dict[str, Any]:
    """What the script draws of a structure and the tables of its atoms, for JSON.

    Geometry, elements and labels of the atoms, the number of the distinct site of each, and of each
    site what is said of it, how odd it is, and its quantities.
    """
    crystal = section.crystal
    assert crystal is not None
    about = [t for t in section.tables if t.key in ("sites", "comparison")]
    texts: list[str | None] = [None] * len(crystal.sites)
    marks: list[tuple[int, str]] = [(0, "")] * len(crystal.sites)
    values: dict[str, list[float | None]] = {}
    # The sites themselves stand last, and say more of an atom than what stands above them.
    for table in reversed(about):
        keys = [column.key for column in table.columns]
        taken = [key for key in QUANTITIES if key in keys and key not in values]
        values |= {key: [None] * len(crystal.sites) for key in taken}
        said = zip(table.atoms, table.records(), row_marks(table), _texts(table), strict=True)
        for atoms, record, mark, text in said:
            for site in {int(crystal.site_numbers[atom]) for atom in atoms}:
                texts[site] = f"{texts[site]}, {text}" if texts[site] else text
                marks[site] = max(marks[site], mark)
                for key in taken:
                    values[key][site] = record[key]
    doubtful = [site for site, (mark, _) in enumerate(marks) if mark == 1]
    if 2 * len(doubtful) > len(marks):  # what most have makes none of them odd
        marks = [(0, why) if mark == 1 else (mark, why) for mark, why in marks]
    return {
        **draw_data(crystal),
        "elements": crystal.elements.tolist(),
        "labels": [visible(label) for label in crystal.labels],
        "sites": crystal.site_numbers.tolist(),
        "species": {site.element: site.species for site in crystal.sites},
        "texts": texts,
        "marks": [mark for mark, _ in marks],
        "reasons": [visible(why) for _, why in marks],
        "values": {key: own for key, own in values.items() if any(v is not None for v in own)},
    }


def _texts(table: Table) -> Iterator[str]:
    """What is said of the atoms of each row."""
    columns = {column.key: (k, column) for k, column in enumerate(table.columns)}

    def text(row: tuple[Any, ...], key: str) -> str:
        if key not in columns:
            return ""
        place, column = columns[key]
        return column.text(row[place])

    for row in table.rows:
        if "difference" in columns:
            yield f"measured {text(row, 'measured')} ppm, Δ {text(row, 'difference')} ppm"
            continue
        spread, shift = text(row, "uncertainty"), text(row, "shift")
        said = f"{text(row, 'species')} {text(row, 'shielding') or '?'}"
        said += f" ± {spread} ppm" if spread else " ppm"
        yield said + (f", δ {shift} ppm" if shift else "")


def structure_section(place: int, section: Section) -> str:
    """One structure, by its number on the page from 0: picture, tables, diagrams, spectra,
    warnings.
    """
    assert section.crystal is not None
    head = (
        '<label class="filter">Filter <input type="search" placeholder="label, nucleus, flag …" '
        'autocomplete="off"></label><span class="found" aria-live="polite"></span>'
    )
    tables = "".join(_table(table) for table in section.tables)
    return (
        f'<section class="structure" aria-labelledby="name-{place}">'
        f'<h2 id="name-{place}">{plain(section.title)}</h2>{_intro(section)}'
        f'<div class="halves"><div>{_picture(section.crystal)}</div>'
        f'<div><div class="controls">{head}</div>{tables}</div></div>{_drawn(section)}</section>'
    )


def overview_section(section: Section, count: int) -> str:
    """What stands above all structures, the rows of its first table opening the first `count`."""
    tables = [html_table(t, t.key, opens=0 if k else count) for k, t in enumerate(section.tables)]
    return (
        f'<section class="overview"><h2>{plain(section.title)}</h2>{_intro(section)}'
        f"{''.join(tables)}{_drawn(section)}</section>"
    )


def _intro(section: Section) -> str:
    warnings = "".join(f"<li>{plain(text)}</li>" for text in section.notes)
    listed = f'<ul class="warnings">{warnings}</ul>' if warnings else ""
    return f'<p class="summary">{plain(section.summary)}</p>{listed}'


def _table(table: Table) -> str:
    marks = [_CLASSES[mark] for mark, _ in row_marks(table)] if table.atoms else ()
    return html_table(table, table.key if table.atoms else "", marks)


def _drawn(section: Section) -> str:
    parts = []
    if section.diagrams:
        drawn = "".join(map(diagram_svg, section.diagrams))
        head = "Predicted against measured" if section.diagrams[0].diagonal else "Correlations"
        parts.append(f'<h3>{head}</h3><div class="diagrams">{drawn}</div>')
    if section.spectra:
        drawn = "".join(map(spectra_svg, section.spectra))
        parts.append(f'<h3>Spectra</h3><div class="spectra">{drawn}</div>')
        parts.append(f'<p class="note">{plain(section.note)}</p>' if section.note else "")
    return "".join(parts)


def _picture(crystal: Crystal) -> str:
    views = [("reset", "Reset")]
    shown = ""
    if crystal.cell is not None:
        views = [(axis, f"Along {axis}") for axis in "abc"] + views
        shown = (
            '<label>Show <select class="packing"><option value="0">distinct molecules</option>'
            '<option value="1" selected>unit cell</option><option value="2">2 × 2 × 2 cells'
            "</option></select></label>"
        )
    buttons = "".join(f'<button type="button" value="{v}">{text}</button>' for v, text in views)
    own = set(crystal.elements.tolist())
    nuclei = "".join(
        f'<option value="{e}">{plain(species)}</option>' for e, species in SPECIES.items()
        if e in own
    )  # fmt: skip
    quantities = "".join(f'<option value="{k}">{text}</option>' for k, text in QUANTITIES.items())
    return (
        '<div class="picture"><canvas tabindex="0" role="img" aria-label="Structure in three '
        "dimensions, atoms coloured by what was predicted. Drag or arrow keys turn it, the wheel "
        "or plus and minus zoom, a click chooses an atom, a click on a second one measures the "
        'distance, Escape chooses none."></canvas><div class="tip" hidden></div></div>'
        f'<div class="controls"><label>Colour by <select class="colour">{quantities}'
        '<option value="elements">element</option></select></label>'
        f'<label>of <select class="nucleus"><option value="">all nuclei</option>{nuclei}</select>'
        f'</label>{shown}<label><input type="checkbox" class="labels"> Labels</label>'
        '<label><input type="checkbox" class="contacts" checked> Hydrogen bonds</label>'
        f'<span class="views">{buttons}</span></div>'
        '<div class="legend" aria-label="Colours"></div>'
        '<p class="status" aria-live="polite"></p>'
    )
