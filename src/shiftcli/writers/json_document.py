"""Predictions as JSON."""

from __future__ import annotations

import json
from typing import Any

from shiftcli.crystal import SPECIES
from shiftcli.predictor import Predictor
from shiftcli.writers.results import Results, provenance


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
    structures = []
    for prediction in results.predictions:
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
        structures.append(
            {
                "file": crystal.source,
                "name": crystal.name,
                "formula": crystal.formula,
                "warnings": list(crystal.warnings),
                "sites": sites,
            }
        )
    document = {
        **provenance(results.predictor),
        "units": dict.fromkeys(("shielding", "uncertainty", "uncertainty95", "shift"), "ppm"),
        "intervals": _intervals(results.predictor),
        "structures": structures,
        "failures": [{"file": f.file, "error": str(f.error)} for f in results.failures],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


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
