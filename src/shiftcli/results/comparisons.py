"""What one run compared with measured shifts: sites, fits and other assignments as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shiftcli.nmr.assignment import ALTERNATIVE_LIMIT, Comparison, Row
from shiftcli.nmr.calibration import ReferenceCalibration
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Predictor
from shiftcli.results.predictions import about, describe
from shiftcli.results.provenance import conversion, provenance
from shiftcli.results.tables import Column, Document, Entry, Table
from shiftcli.structure.crystal import SPECIES

_IN_PPM = (
    "shielding", "shift", "uncertainty", "measured", "measured_uncertainty", "difference",
    "sigma", "offset", "offset_error", "rmse", "mae", "file_shielding", "file_shift",
    "file_difference",
)  # fmt: skip

#: Columns that people do not see where the shieldings of the file stand beside the others.
_LESS = ("multiplicity", "sigma", "assignment")

#: What the numbers of a row mean, for JSON.
_MODEL = (
    "sigma is the standard deviation that the difference should have: prediction against GIPAW, "
    "GIPAW against experiment (theory_errors) and measurement, Gaussian and independent, less "
    "what the fitted offset takes away"
)


def comparison_columns(precision: int, *, beside: bool = False) -> tuple[Column, ...]:
    """Columns of the sites that were compared, `beside` them of the shieldings in the files."""
    ppm = ("ppm", precision)
    columns = (
        Column("labels"),
        Column("species"),
        Column("multiplicity", "mult."),
        Column("shielding", None, *ppm, name="MS_shielding/ppm"),
        Column("shift", "δ/ppm", *ppm, name="MS_shift/ppm", spread="uncertainty"),
        Column("uncertainty", "±", *ppm, name="MS_shift_uncertainty/ppm"),
        Column("measured", "measured", *ppm, spread="measured_uncertainty"),
        Column("measured_uncertainty", "±", *ppm),
        Column("difference", "Δ/ppm", *ppm, signed=True),
        Column("sigma", "σ(Δ)/ppm", *ppm),
        Column("flag"),
        Column("assignment", "by"),
    )
    if not beside:
        return columns
    # What everybody knows makes room on a terminal.
    return (
        *(replace(c, title=None) if c.key in _LESS else c for c in columns),
        Column("file_shielding", None, *ppm, name="MS_shielding_file/ppm"),
        Column("file_shift", "δ file", *ppm, name="MS_shift_file/ppm"),
        Column("file_difference", "Δ file", *ppm, signed=True),
        Column("file_flag", "flag file"),
    )


#: Columns of CSV.
COLUMNS = ("file", "name", *(column.label for column in comparison_columns(2)), "notes")


@dataclass(frozen=True)
class Comparisons:
    """What one run compared."""

    predictor: Predictor  #: The networks that were used.
    experiment: Experiment  #: The measured shifts.
    structures: Sequence[StructureComparison]  #: In the order of the input.
    failures: Sequence[Failure]  #: What could not be compared, and why.
    references: References  #: Fixed references, if any.
    theory_errors: Mapping[str, float]  #: Errors of GIPAW against experiment in ppm by element.
    precision: int = 2  #: Decimals of every number in ppm.

    def document(self) -> Document:
        """All of it, as the views take it."""
        head = {
            **provenance(self.predictor),
            "experiment": self.experiment.source,
            "units": dict.fromkeys(_IN_PPM, "ppm"),
            "comparison_model": {
                "text": _MODEL,
                "theory_errors": {SPECIES[e]: v for e, v in self.theory_errors.items()},
                "alternative_limit": ALTERNATIVE_LIMIT,
            },
            **conversion(self.references),
        }
        entries = [self._entry(structure) for structure in self.structures]
        return Document(head, entries, "comparisons", self.failures)

    def _entry(self, structure: StructureComparison) -> Entry:
        crystal, found = structure.prediction.crystal, structure.comparison
        number = Column("", decimals=self.precision)
        notes = (*found.notes, structure.why) if structure.why else found.notes
        tables = comparison_tables(structure, self.precision, self.predictor.model)
        return Entry(
            {**about(crystal), "notes": notes},
            tables,
            {
                "chi2": number.rounded(found.chi2),
                "deviance": number.rounded(found.deviance),
                "unmatched": found.unmatched,
            },
        )


def comparison_tables(
    structure: StructureComparison, precision: int, model: str
) -> tuple[Table, ...]:
    """Sites, fits and alternatives of one structure, and fits of the shieldings in its file.

    `model` is the name of the networks.
    """
    found, crystal = structure.comparison, structure.prediction.crystal
    rows: list[tuple[Any, ...]] = [
        (
            row.site, row.species, row.multiplicity, row.shielding, row.predicted, row.uncertainty,
            row.measured, row.measured_uncertainty, row.difference, row.sigma,
            " ".join(filter(None, (row.flag, *row.flags))),
            "found" if row.assigned else "stated",
        )
        for row in found.rows
    ]  # fmt: skip
    atoms = [
        sorted(a for k in row.groups for a in structure.groups[k].site.atoms.tolist())
        for row in found.rows
    ]
    detail = f"{describe(crystal)}, model {model}"
    columns = comparison_columns(precision, beside=bool(structure.beside))
    if structure.beside:
        pairs = zip(found.rows, structure.beside, strict=True)
        rows = [(*row, *_of_file(*pair)) for row, pair in zip(rows, pairs, strict=True)]
    sites = Table("sites", columns, rows, crystal.where, detail, atoms=atoms)
    tables = sites, _fits(found, precision), _alternatives(found, precision)
    if structure.stated is None:
        return tables
    return (*tables, _fits(structure.stated, precision, "file"))


def _of_file(row: Row, other: Row | None) -> tuple[float | str | None, ...]:
    """What the file says of a peak; its site, too, where that is another."""
    if other is None:
        return None, None, None, ""
    site = "" if other.site == row.site else f"is {other.site}"
    flags = " ".join(filter(None, (other.flag, site)))
    return other.shielding, other.predicted, other.difference, flags


def _fits(found: Comparison, precision: int, of: str = "") -> Table:
    ppm = ("ppm", precision)
    columns = (
        Column("species"),
        Column("n"),
        Column("offset", "offset/ppm", *ppm, spread="offset_error"),
        Column("offset_error", "±", *ppm),
        Column("slope", show=lambda value: f"{value:.4f}"),
        Column("rmse", "RMSE/ppm", *ppm),
        Column("mae", "MAE/ppm", *ppm),
        Column("r2", "R²", decimals=4),
        Column("chi2", None, decimals=precision),
        Column("offset_is", "offset is"),
    )
    rows = [
        (
            fit.species, fit.n, fit.offset, fit.offset_error, fit.slope, fit.rmse, fit.mae, fit.r2,
            fit.chi2, "given" if fit.offset_error is None else "fitted",
        )
        for fit in found.fits
    ]  # fmt: skip
    unmatched = f"without a measured shift: {'; '.join(found.unmatched)}"
    title = f"{of or 'predicted'} against measured: δ = offset + slope·σ"
    notes = (unmatched,) if found.unmatched else ()
    return Table(
        "_".join(filter(None, (of, "fits"))), columns, rows, title, notes=notes, index="species"
    )


def _alternatives(found: Comparison, precision: int) -> Table:
    columns = (
        Column("rows", None),
        Column("labels", None),
        Column("increase", None, decimals=3),
        Column("instead"),
        Column("likelihood", "likelihood, of the best", decimals=2),
    )
    rows = []
    for other in found.alternatives:
        pairs = zip(other.rows, other.sites, strict=True)
        instead = ", ".join(f"{found.rows[k].measured:.{precision}f} ppm is {s}" for k, s in pairs)
        likelihood = math.exp(-other.increase / 2)
        rows.append((other.rows, other.sites, other.increase, instead, likelihood))
    return Table("alternatives", columns, rows, "assignments as good")


def calibration_table(
    calibration: ReferenceCalibration, precision: int, of: str = "references"
) -> Table:
    """Fitted references of each nucleus."""
    ppm = ("ppm", precision)
    columns = (
        Column("species"),
        Column("reference", "σ_ref/ppm", *ppm, spread="reference_error"),
        Column("reference_error", "±", *ppm),
        Column("gradient", decimals=4, spread="gradient_error"),
        Column("gradient_error", "±", decimals=4),
        Column("n"),
        Column("structures"),
        Column("rmse", "RMSE/ppm", *ppm),
        Column("mae", "MAE/ppm", *ppm),
        Column("r2", "R²", decimals=4),
    )
    rows = [tuple(getattr(fit, column.key) for column in columns) for fit in calibration.fits]
    return Table("references", columns, rows, of, notes=("± one standard error",))
