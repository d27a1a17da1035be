"""Rankings of candidates as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from shiftcli.nmr.ranking import CREDIBLE, RMSE_BANDS, Candidate, Ranking
from shiftcli.prediction.predictor import Predictor
from shiftcli.views.csv_table import harmless
from shiftcli.views.results import provenance

#: Significant digits of a probability.
_DIGITS = 4


def render_ranking(ranking: Ranking, predictor: Predictor, form: str, precision: int = 3) -> str:
    """Write a ranking in one of the machine formats.

    Parameters
    ----------
    ranking : Ranking
        From `shiftcli.rank`.
    predictor : Predictor
        The networks that were used.
    form : {"json", "csv"}
        The format.
    precision : int
        Decimals of every number in ppm.

    Returns
    -------
    str
        The text of the file; candidates best first.
    """
    if form == "csv":
        return _csv(ranking, precision)
    return _json(ranking, predictor, precision)


def _json(ranking: Ranking, predictor: Predictor, precision: int) -> str:
    document = {
        **provenance(predictor),
        "experiment": ranking.experiment.source,
        "units": dict.fromkeys(("rmse", "expected_rmse", "offset"), "ppm"),
        "probability_model": {
            "text": ranking.model,
            "theory_errors": {s: ranking.theory_errors.get(e, 0.0) for s, e in _elements(ranking)},
            "credible": CREDIBLE,
        },
        "rmse_bands": {
            species: {"mean": band[0], "deviation": band[1], "source": "Salager 2010"}
            for species, band in RMSE_BANDS.items()
            if species in ranking.species
        },
        "candidates": [_entry(c, precision) for c in ranking.candidates],
        "failures": [{"file": f.file, "error": str(f.error)} for f in ranking.failures],
        "notes": list(ranking.notes),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _elements(ranking: Ranking) -> list[tuple[str, str]]:
    return list(dict.fromkeys((p.species, p.element) for p in ranking.experiment.peaks))


def _entry(candidate: Candidate, precision: int) -> dict[str, Any]:
    def rounded(values: dict[str, float]) -> dict[str, float | None]:
        # Adding 0.0 turns −0.0 into 0.0; JSON knows no NaN.
        return {
            k: round(v, precision) + 0.0 if math.isfinite(v) else None for k, v in values.items()
        }

    return {
        "file": candidate.file,
        "name": candidate.name,
        "formula": candidate.formula,
        "rmse": rounded(candidate.rmse),
        "expected_rmse": rounded(candidate.expected_rmse),
        "offset": rounded(candidate.offset),
        "family": candidate.family,
        "probability": float(f"{candidate.probability:.{_DIGITS}g}"),
        "family_probability": float(f"{candidate.family_probability:.{_DIGITS}g}"),
        "indistinguishable": candidate.indistinguishable,
        "n": candidate.n,
        "peaks": candidate.peaks,
        "log_likelihood": round(candidate.log_likelihood, precision),
        "log_likelihood_error": round(candidate.log_likelihood_error, precision),
        "warnings": list(candidate.warnings),
    }


def _csv(ranking: Ranking, precision: int) -> str:
    columns = ["rank", "file", "name", "formula", "family", "probability"]
    columns += ["family_probability", "indistinguishable", "n"]
    for species in ranking.species:
        columns += [f"{species} RMSE/ppm", f"{species} expected RMSE/ppm", f"{species} offset/ppm"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for place, candidate in enumerate(ranking.candidates, 1):
        entry = _entry(candidate, precision)
        row = [place, *(harmless(entry[name]) for name in columns[1:9])]
        for species in ranking.species:
            row += [entry[name][species] for name in ("rmse", "expected_rmse", "offset")]
        writer.writerow(row)
    return stream.getvalue()
