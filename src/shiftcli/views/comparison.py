"""Comparisons with measured shifts as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shiftcli.nmr.assignment import ALTERNATIVE_LIMIT, Fit, Row
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Predictor
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.csv_table import harmless
from shiftcli.views.results import conversion, provenance

#: Columns of CSV; the names are Soprano's where it has one.
COLUMNS = (
    "file",
    "name",
    "labels",
    "species",
    "multiplicity",
    "MS_shielding/ppm",
    "MS_shift/ppm",
    "MS_shift_uncertainty/ppm",
    "measured/ppm",
    "measured_uncertainty/ppm",
    "difference/ppm",
    "sigma/ppm",
    "flag",
    "assignment",
)

_IN_PPM = (
    "shielding", "shift", "uncertainty", "measured", "measured_uncertainty", "difference",
    "sigma", "offset", "offset_error", "rmse", "mae",
)  # fmt: skip

#: What the numbers of a row mean, for JSON.
_MODEL = (
    "sigma is the standard deviation that the difference should have: prediction against GIPAW, "
    "GIPAW against experiment (theory_errors) and measurement, Gaussian and independent, less "
    "what the fitted offset takes away"
)


@dataclass(frozen=True)
class Comparisons:
    """What one run compared.

    Attributes
    ----------
    predictor : Predictor
        The networks that were used.
    experiment : Experiment
        The measured shifts.
    structures : sequence of StructureComparison
        In the order of the input.
    failures : sequence of Failure
        What could not be compared, and why.
    references : References
        Fixed references, if any.
    theory_errors : mapping of str to float
        Errors of GIPAW against experiment in ppm by element.
    precision : int
        Decimals of every number in ppm.
    """

    predictor: Predictor
    experiment: Experiment
    structures: Sequence[StructureComparison]
    failures: Sequence[Failure]
    references: References
    theory_errors: Mapping[str, float]
    precision: int = 2

    def rounded(self, value: float | None) -> float | None:
        """A number with so many decimals; None where it is not finite."""
        # Adding 0.0 turns −0.0 into 0.0; JSON knows no NaN.
        if value is None or not math.isfinite(value):
            return None
        return round(value, self.precision) + 0.0


def render_comparisons(comparisons: Comparisons, form: str) -> str:
    """Write comparisons in one of the machine formats.

    Parameters
    ----------
    comparisons : Comparisons
        What was compared.
    form : {"json", "csv"}
        The format; CSV has the rows alone.

    Returns
    -------
    str
        The text of the file.
    """
    return _csv(comparisons) if form == "csv" else _json(comparisons)


def _csv(comparisons: Comparisons) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for structure in comparisons.structures:
        crystal = structure.prediction.crystal
        for row in structure.comparison.rows:
            values = (crystal.source, crystal.name, *_entry(comparisons, row).values())
            writer.writerow([harmless(value) for value in values])
    return stream.getvalue()


def _entry(comparisons: Comparisons, row: Row) -> dict[str, Any]:
    rounded = comparisons.rounded
    return {
        "labels": row.site,
        "species": row.species,
        "multiplicity": row.multiplicity,
        "shielding": rounded(row.shielding),
        "shift": rounded(row.predicted),
        "uncertainty": rounded(row.uncertainty),
        "measured": rounded(row.measured),
        "measured_uncertainty": rounded(row.measured_uncertainty),
        "difference": rounded(row.difference),
        "sigma": rounded(row.sigma),
        "flag": " ".join(filter(None, (row.flag, *row.flags))),
        "assignment": "found" if row.assigned else "stated",
    }


def _json(comparisons: Comparisons) -> str:
    document = {
        **provenance(comparisons.predictor),
        "experiment": comparisons.experiment.source,
        "units": dict.fromkeys(_IN_PPM, "ppm"),
        "comparison_model": {
            "text": _MODEL,
            "theory_errors": {SPECIES[e]: v for e, v in comparisons.theory_errors.items()},
            "alternative_limit": ALTERNATIVE_LIMIT,
        },
        **conversion(comparisons.references),
        "comparisons": [_structure(comparisons, s) for s in comparisons.structures],
        "failures": [{"file": f.file, "error": str(f.error)} for f in comparisons.failures],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _structure(comparisons: Comparisons, structure: StructureComparison) -> dict[str, Any]:
    crystal, found = structure.prediction.crystal, structure.comparison
    return {
        "file": crystal.source,
        "name": crystal.name,
        "formula": crystal.formula,
        "warnings": list(crystal.warnings),
        "notes": list(found.notes),
        "sites": [_entry(comparisons, row) for row in found.rows],
        "fits": {fit.species: _fit(comparisons, fit) for fit in found.fits},
        "chi2": comparisons.rounded(found.chi2),
        "deviance": comparisons.rounded(found.deviance),
        "alternatives": [
            {
                "rows": list(other.rows),
                "labels": list(other.sites),
                "increase": round(other.increase, 3),
            }
            for other in found.alternatives
        ],
        "unmatched": list(found.unmatched),
    }


def _fit(comparisons: Comparisons, fit: Fit) -> dict[str, Any]:
    rounded = comparisons.rounded
    return {
        "n": fit.n,
        "offset": rounded(fit.offset),
        "offset_error": rounded(fit.offset_error),
        "slope": fit.slope,
        "rmse": rounded(fit.rmse),
        "mae": rounded(fit.mae),
        "r2": None if fit.r2 is None else round(fit.r2, 4),
        "chi2": rounded(fit.chi2),
    }
