"""Tables of comparisons with measured shifts, and of fitted references."""

from __future__ import annotations

import math

from rich.table import Table
from rich.text import Text

from shiftcli.nmr.assignment import Alternative, Comparison, Row
from shiftcli.nmr.calibration import ReferenceCalibration
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.views.comparison import Comparisons
from shiftcli.views.terminal.common import note

#: Alternatives shown at most; JSON has all.
_MOST_ALTERNATIVES = 10


def comparison_tables(comparisons: Comparisons) -> list[Table]:
    """For each structure its sites, the fits, and the alternatives."""
    tables = []
    for structure in comparisons.structures:
        tables.append(_sites(structure, comparisons.precision))
        tables.append(_fits(structure.comparison, comparisons.precision))
        if structure.comparison.alternatives:
            tables.append(_alternatives(structure.comparison, comparisons.precision))
    return tables


def _sites(structure: StructureComparison, precision: int) -> Table:
    crystal = structure.prediction.crystal
    table = Table(title=Text(f"{crystal.where}  {crystal.formula}"), title_justify="left")
    for column in ("site", "species"):
        table.add_column(column, overflow="fold")
    for column in ("multiplicity", "predicted/ppm", "measured/ppm", "difference/ppm", "σ/ppm"):
        table.add_column(column, justify="right")
    table.add_column("flag")
    rows = structure.comparison.rows
    for row in rows:
        mark = "*" if row.assigned else ""
        table.add_row(
            Text(row.site + mark), row.species, str(row.multiplicity),
            _with_error(row.predicted, row.uncertainty, precision),
            _with_error(row.measured, row.measured_uncertainty, precision),
            f"{round(row.difference, precision) + 0.0:+.{precision}f}",
            f"{row.sigma:.{precision}f}", " ".join(filter(None, (row.flag, *row.flags))),
        )  # fmt: skip
    if any(row.assigned for row in rows):
        table.caption, table.caption_justify = "* found here, not stated by the experiment", "left"
    return table


def _with_error(value: float, error: float | None, precision: int) -> str:
    shown = f"{value:.{precision}f}"
    return shown if error is None else f"{shown} ± {error:.{precision}f}"


def _fits(comparison: Comparison, precision: int) -> Table:
    table = Table("species", title="predicted against measured", title_justify="left")
    for column in ("n", "offset/ppm", "slope", "RMSE/ppm", "MAE/ppm", "R²"):
        table.add_column(column, justify="right")
    for fit in comparison.fits:
        offset = _with_error(fit.offset, fit.offset_error, precision)
        table.add_row(
            fit.species, str(fit.n), offset if fit.offset_error is not None else f"{offset} fixed",
            f"{fit.slope:.4f}", f"{fit.rmse:.{precision}f}", f"{fit.mae:.{precision}f}",
            "" if fit.r2 is None else f"{fit.r2:.4f}",
        )  # fmt: skip
    if comparison.unmatched:
        table.caption = Text(f"without a measured shift: {' '.join(comparison.unmatched)}")
        table.caption_justify = "left"
    return table


def _alternatives(comparison: Comparison, precision: int) -> Table:
    table = Table("instead", title="assignments as good", title_justify="left")
    table.add_column("likelihood, of the best", justify="right")
    shown = comparison.alternatives[:_MOST_ALTERNATIVES]
    for other in shown:
        text = _instead(comparison.rows, other, precision)
        table.add_row(Text(text), f"{math.exp(-other.increase / 2):.2f}")
    more = len(comparison.alternatives) - len(shown)
    if more:
        table.caption, table.caption_justify = f"and {more} more: --format json has all", "left"
    return table


def _instead(rows: tuple[Row, ...], other: Alternative, precision: int) -> str:
    pairs = zip(other.rows, other.sites, strict=True)
    return ", ".join(f"{rows[k].measured:.{precision}f} ppm is {site}" for k, site in pairs)


def show_notes(comparisons: Comparisons) -> None:
    """What limits the comparisons, warnings of the structures, and the failures, on stderr."""
    for structure in comparisons.structures:
        crystal = structure.prediction.crystal
        for text in (*crystal.warnings, *structure.comparison.notes):
            note(f"note: {crystal.where}: {text}")
    for failure in comparisons.failures:
        note(f"failed: {failure.error}")
    if comparisons.failures:
        done = len(comparisons.structures)
        note(f"{done} structures compared, {len(comparisons.failures)} failed")


def calibration_table(calibration: ReferenceCalibration, precision: int) -> Table:
    """Fitted references of each nucleus."""
    table = Table("species", title="references", title_justify="left")
    columns = ("σ_ref/ppm", "gradient", "n", "structures", "RMSE/ppm", "MAE/ppm", "R²")
    for column in columns:
        table.add_column(column, justify="right")
    for fit in calibration.fits:
        gradient = f"{fit.gradient:.4f}"
        if fit.gradient_error is not None:
            gradient += f" ± {fit.gradient_error:.4f}"
        table.add_row(
            fit.species, _with_error(fit.reference, fit.reference_error, precision), gradient,
            str(fit.n), str(fit.structures), f"{fit.rmse:.{precision}f}",
            f"{fit.mae:.{precision}f}", "" if fit.r2 is None else f"{fit.r2:.4f}",
        )  # fmt: skip
    table.caption, table.caption_justify = "± one standard error", "left"
    return table
