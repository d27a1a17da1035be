"""One section of the page for each structure, and what its script has to know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shiftcli.errors import visible
from shiftcli.nmr.assignment import Row
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.shifts import References, from_line
from shiftcli.nmr.spectrum import Settings, elements_of, simulate_spectra
from shiftcli.prediction.predictor import Prediction
from shiftcli.results.comparisons import comparison_tables
from shiftcli.results.predictions import Results, site_columns
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.views.documents import html_table, plain
from shiftcli.views.report.geometry import draw_data
from shiftcli.views.report.svg import spectrum_svg


def shift_references(references: References, compared: StructureComparison | None) -> References:
    """References of one structure: for measured nuclei those of the comparison."""
    if compared is None:
        return references
    element = {species: e for e, species in SPECIES.items()}
    lines = {
        element[fit.species]: from_line(fit.offset, fit.slope) for fit in compared.comparison.fits
    }
    return References(
        {**references.references, **{e: line[0] for e, line in lines.items()}},
        {**references.gradients, **{e: line[1] for e, line in lines.items()}},
        references.sources,
    )


def structure_data(prediction: Prediction, precision: int) -> dict[str, Any]:
    """What the script draws: geometry, elements and labels of the atoms, and rows of the table."""
    crystal = prediction.crystal
    shielding, uncertainty = (
        column for column in site_columns(precision) if column.key in ("shielding", "uncertainty")
    )
    rows = []
    for row in prediction.sites:
        spread = uncertainty.text(row.uncertainty)
        shown = shielding.text(row.shielding) or "?"
        rows.append(
            {
                "atoms": row.site.atoms.tolist(),
                "element": row.site.element,
                "species": row.site.species,
                "shielding": round(row.shielding, 4) if math.isfinite(row.shielding) else None,
                "text": f"{row.site.species} {shown}{f' ± {spread}' if spread else ''} ppm",
            }
        )
    return {
        **draw_data(crystal),
        "elements": crystal.elements.tolist(),
        "labels": [visible(label) for label in crystal.labels],
        "rows": rows,
    }


def structure_section(
    place: int,
    results: Results,
    prediction: Prediction,
    compared: StructureComparison | None = None,
) -> str:
    """A ``section`` of one structure: picture, tables, spectra, warnings.

    `place` is its number on the page, from 0; `results` and the comparison say how its shieldings
    become shifts, see `shift_references`.
    """
    crystal = prediction.crystal
    notes = [*crystal.warnings, *(compared.comparison.notes if compared else ())]
    warnings = "".join(f"<li>{plain(text)}</li>" for text in notes)
    listed = f'<ul class="warnings">{warnings}</ul>' if warnings else ""
    tables = _tables(results, prediction, compared)
    spectra = "".join(_spectra(prediction, results.references, compared))
    return (
        f'<section aria-labelledby="name-{place}">'
        f'<h2 id="name-{place}">{plain(shown_name(crystal))}</h2>'
        f'<p class="summary">{plain(_summary(prediction))}</p>{listed}<div class="halves"><div>'
        f"{_picture(prediction)}</div><div>{''.join(tables)}</div></div>{spectra}</section>"
    )


def shown_name(crystal: Crystal) -> str:
    """File and name of a structure, without the folders, which are nobody else's business."""
    names = (Path(crystal.source).name, crystal.name)
    return ": ".join(name for name in names if name) or "structure"


def _summary(prediction: Prediction) -> str:
    crystal = prediction.crystal
    kind = "isolated molecule" if crystal.cell is None else "atoms of the unit cell"
    return f"{crystal.formula}, {kind}; {len(prediction.sites)} distinct sites predicted"


def _picture(prediction: Prediction) -> str:
    elements = elements_of([prediction])
    choices = [("all", "shielding, each nucleus in its range")]
    choices += [(e, f"shielding of {SPECIES[e]}") for e in elements] if len(elements) > 1 else []
    choices.append(("elements", "element"))
    options = "".join(f'<option value="{v}">{plain(text)}</option>' for v, text in choices)
    views = [("reset", "Reset")]
    if prediction.crystal.cell is not None:
        views = [(axis, f"Along {axis}") for axis in "abc"] + views
    buttons = "".join(f'<button type="button" value="{v}">{text}</button>' for v, text in views)
    return (
        '<div class="picture"><canvas tabindex="0" role="img" aria-label="Structure in three '
        "dimensions, atoms coloured by shielding. Drag or arrow keys turn it, the wheel or plus "
        'and minus zoom, a click chooses an atom, Escape none."></canvas>'
        '<div class="tip" hidden></div></div>'
        f'<div class="controls"><label>Colour by <select class="colour">{options}</select></label>'
        f'<label><input type="checkbox" class="labels"> Labels</label><span>{buttons}</span></div>'
        '<div class="legend" aria-label="Colours of shieldings"></div>'
        '<p class="status" aria-live="polite"></p>'
    )


def _atoms(compared: StructureComparison, row: Row) -> list[int]:
    """Atoms that a row of a comparison is about."""
    return sorted(a for k in row.groups for a in compared.groups[k].site.atoms.tolist())


def _tables(
    results: Results, prediction: Prediction, compared: StructureComparison | None
) -> Iterator[str]:
    sites = replace(results.table(prediction), title="Predicted shieldings")
    if compared is None:
        yield html_table(sites, "sites")
        return
    rows, fits, others = comparison_tables(compared, results.precision, results.predictor.model)
    yield html_table(replace(rows, title="Comparison with experiment"), "comparison")
    yield html_table(fits)
    yield html_table(sites, "sites")
    if others.rows:
        yield html_table(others)


def _spectra(
    prediction: Prediction, references: References, compared: StructureComparison | None
) -> Iterator[str]:
    elements = elements_of([prediction])
    if not elements:
        return
    exchange: tuple[str, ...] = DEFAULT_EXCHANGE
    if compared is not None:
        exchange = tuple(sorted({group.kind for group in compared.groups if group.kind}))
    yield '<h3>Spectra</h3><div class="spectra">'
    for element in elements:
        measured = []
        if compared is not None:
            measured = [
                (row.measured, row.predicted, " ".join(map(str, _atoms(compared, row))))
                for row in compared.comparison.rows
                if row.species == SPECIES[element]
            ]
        settings = Settings(references, exchange=exchange)
        yield _spectrum(prediction, element, settings, measured)
    below = " Below the axis: measured shifts, tied to their predictions." if compared else ""
    averaged = f" Sites that exchange ({', '.join(exchange)}) are one." if exchange else ""
    yield (f'</div><p class="note">Areas are numbers of nuclei in the cell.{averaged}{below}</p>')


def _spectrum(
    prediction: Prediction,
    element: str,
    settings: Settings,
    measured: Sequence[tuple[float, float, str]],
) -> str:
    (spectrum,) = simulate_spectra([prediction], [element], settings)
    if measured:
        room = settings.lines.width(spectrum.axis)
        places = [shift for shift, *_ in measured]
        low = min(float(spectrum.positions[0]), min(places) - room)
        high = max(float(spectrum.positions[-1]), max(places) + room)
        wider = replace(settings, ranges={element: (low, high)})
        (spectrum,) = simulate_spectra([prediction], [element], wider)
    return spectrum_svg(spectrum, measured)
