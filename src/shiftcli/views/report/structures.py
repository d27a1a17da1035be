"""One section of the page for each structure, and what its script has to know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shiftcli.errors import visible
from shiftcli.nmr.assignment import Comparison, Row
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.shifts import References, from_line
from shiftcli.nmr.spectrum import Settings, elements_of, simulate_spectra
from shiftcli.prediction.predictor import Prediction
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.views.report.geometry import draw_data
from shiftcli.views.report.svg import spectrum_svg
from shiftcli.views.report.tables import Cell, number, plain, table


def shift_references(references: References, compared: StructureComparison | None) -> References:
    """References of one structure: for measured nuclei those of the comparison.

    Parameters
    ----------
    references : References
        As they were given.
    compared : StructureComparison or None
        The structure's comparison.

    Returns
    -------
    References
    """
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
    """What the script draws.

    Parameters
    ----------
    prediction : Prediction
        The structure.
    precision : int
        Decimals of shieldings.

    Returns
    -------
    dict
        For JSON: geometry, elements and labels of the atoms, and the rows of the table.
    """
    crystal = prediction.crystal
    rows = []
    for row in prediction.sites:
        known = math.isfinite(row.shielding)
        shown = number(row.shielding, precision).text or "?"
        spread = number(row.uncertainty, precision).text
        rows.append(
            {
                "atoms": row.site.atoms.tolist(),
                "element": row.site.element,
                "species": row.site.species,
                "shielding": round(row.shielding, 4) if known else None,
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
    prediction: Prediction,
    references: References,
    precision: int,
    compared: StructureComparison | None = None,
) -> str:
    """One structure: picture, tables, spectra, warnings.

    Parameters
    ----------
    place : int
        Its number on the page, from 0.
    prediction : Prediction
        The structure.
    references : References
        How its shieldings become shifts, see `shift_references`.
    precision : int
        Decimals of numbers in ppm.
    compared : StructureComparison, optional
        Its comparison with an experiment.

    Returns
    -------
    str
        A ``section`` element.
    """
    crystal = prediction.crystal
    notes = [*crystal.warnings, *(compared.comparison.notes if compared else ())]
    warnings = "".join(f"<li>{plain(text)}</li>" for text in notes)
    listed = f'<ul class="warnings">{warnings}</ul>' if warnings else ""
    if compared is None:
        tables = [_site_table(prediction, references, precision)]
    else:
        tables = list(_comparison_tables(prediction, compared, references, precision))
    spectra = "".join(_spectra(prediction, references, compared))
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


def _site_table(prediction: Prediction, references: References, precision: int) -> str:
    shifts = [references.shift(r.site.element, r.shielding) for r in prediction.sites]
    has_shift = any(shift is not None for shift in shifts)
    has_flags = any(row.flags for row in prediction.sites)
    columns = ["labels", "species", "multiplicity", "shielding/ppm", "± 68 %", "± 95 %"]
    columns += ["shift/ppm"] * has_shift + ["flags"] * has_flags
    rows = []
    for row, shift in zip(prediction.sites, shifts, strict=True):
        site = row.site
        cells = [
            Cell(site.label),
            Cell(site.species),
            Cell(str(site.multiplicity), site.multiplicity),
            number(row.shielding, precision),
            number(row.uncertainty, precision),
            number(row.uncertainty95, precision),
        ]
        cells += [number(shift, precision)] * has_shift
        cells += [Cell(" ".join(row.flags))] * has_flags
        rows.append((site.atoms.tolist(), cells))
    return table("Predicted shieldings", columns, rows, "sites")


def _atoms(compared: StructureComparison, row: Row) -> list[int]:
    """Atoms that a row of a comparison is about."""
    return sorted(a for k in row.groups for a in compared.groups[k].site.atoms.tolist())


def _comparison_tables(
    prediction: Prediction, compared: StructureComparison, references: References, precision: int
) -> Iterator[str]:
    comparison = compared.comparison
    columns = (
        "site", "species", "measured", "predicted", "± 68 %", "difference", "flag", "assigned",
    )  # fmt: skip
    rows = [
        (
            _atoms(compared, row),
            (
                Cell(row.site),
                Cell(row.species),
                number(row.measured, precision),
                number(row.predicted, precision),
                number(row.uncertainty, precision),
                number(row.difference, precision, signed=True),
                Cell(row.flag),
                Cell("found" if row.assigned else "stated"),
            ),
        )
        for row in comparison.rows
    ]
    yield table("Comparison with experiment, shifts in ppm", columns, rows, "comparison")
    yield _fit_table(comparison, precision)
    yield _site_table(prediction, references, precision)
    if comparison.alternatives:
        yield _alternative_table(comparison)
    if comparison.unmatched:
        yield f"<p>Without a measured shift: {plain('; '.join(comparison.unmatched))}</p>"


def _fit_table(comparison: Comparison, precision: int) -> str:
    columns = ("species", "peaks", "RMSE/ppm", "MAE/ppm", "R²", "offset/ppm", "±", "slope")
    fits = [
        (
            (),
            (
                Cell(fit.species),
                Cell(str(fit.n), fit.n),
                number(fit.rmse, precision),
                number(fit.mae, precision),
                number(fit.r2, 4),
                number(fit.offset, precision),
                Cell("given") if fit.offset_error is None else number(fit.offset_error, precision),
                number(fit.slope, 4),
            ),
        )
        for fit in comparison.fits
    ]
    return table("Agreement by nucleus: shift = offset + slope · shielding", columns, fits)


def _alternative_table(comparison: Comparison) -> str:
    columns = ("measured peaks", "assigned here to", "as well to", "increase of −2 ln L")
    rows = [
        (
            (),
            (
                Cell(", ".join(f"{comparison.rows[k].measured:g}" for k in other.rows)),
                Cell(", ".join(comparison.rows[k].site for k in other.rows)),
                Cell(", ".join(other.sites)),
                number(other.increase, 2),
            ),
        )
        for other in comparison.alternatives
    ]
    return table("Assignments statistically as good", columns, rows)


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
