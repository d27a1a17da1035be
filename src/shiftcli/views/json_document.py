"""Predictions as JSON."""

from __future__ import annotations

import json
from typing import Any

from shiftcli.prediction.predictor import Prediction, Predictor
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.results import Results, conversion, provenance


def write_json(results: Results) -> str:
    """Write predictions and failures as one JSON document, with where they come from.

    Parameters
    ----------
    results : Results
        What was predicted.

    Returns
    -------
    str
    """
    # As text at once, structure by structure: as objects, thousands of them take gigabytes.
    structures = [
        _text(_structure(results, prediction)).replace("\n", "\n  ")
        for prediction in results.predictions
    ]
    document = {
        **provenance(results.predictor),
        "units": dict.fromkeys(("shielding", "uncertainty", "uncertainty95", "shift"), "ppm"),
        **conversion(results.references),
        "intervals": _intervals(results.predictor),
        "structures": [],
        "failures": [{"file": f.file, "error": str(f.error)} for f in results.failures],
    }
    text = _text(document) + "\n"
    if not structures:
        return text
    head, empty, tail = text.partition('"structures": [')
    return "".join([head, empty, "\n  ", ",\n  ".join(structures), "\n ", tail])


def _text(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False)


def _structure(results: Results, prediction: Prediction) -> dict[str, Any]:
    """One structure of the document."""
    crystal = prediction.crystal
    sites = []
    for site in prediction.sites:
        row = results.row(prediction, site)
        sites.append(
            {
                "labels": row["labels"],
                "species": row["species"],
                "multiplicity": row["multiplicity"],
                "shielding": row["MS_shielding/ppm"],
                "uncertainty": row["MS_shielding_uncertainty/ppm"],
                "uncertainty95": row["MS_shielding_uncertainty95/ppm"],
                "shift": row["MS_shift/ppm"],
                "flags": list(site.flags),
            }
        )
    return {
        "file": crystal.source,
        "name": crystal.name,
        "formula": crystal.formula,
        "warnings": list(crystal.warnings),
        "sites": sites,
    }


def _intervals(predictor: Predictor) -> dict[str, Any]:
    """What the uncertainties mean, and what they rest on for each nucleus."""
    text = "half width of the interval that holds the GIPAW shielding with {} % probability"
    return {
        "uncertainty": text.format(68),
        "uncertainty95": text.format(95),
        "calibration": {
            SPECIES[nucleus]: "validation RMSE, times 1.96 for 95 %" if c is None else c.to_dict()
            for nucleus, c in predictor.calibrations.items()
        },
    }
