"""What one run predicted, as rows and as arrays over atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shiftcli import __version__
from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Prediction, Predictor, SitePrediction
from shiftcli.structure.crystal import SPECIES

#: Columns of the table and of CSV; the names are Soprano's where it has one.
COLUMNS = (
    "file",
    "name",
    "labels",
    "species",
    "multiplicity",
    "MS_shielding/ppm",
    "MS_shielding_uncertainty/ppm",
    "MS_shielding_uncertainty95/ppm",
    "MS_shift/ppm",
    "flags",
)

#: Those of them that are numbers of an atom.
NUMERIC = tuple(column for column in COLUMNS if column.endswith("/ppm"))


@dataclass(frozen=True)
class Results:
    """What one run predicted.

    Attributes
    ----------
    predictor : Predictor
        The networks that were used.
    predictions : sequence of Prediction
        In the order of the input.
    failures : sequence of Failure
        What could not be predicted, and why.
    references : References
        How shieldings become shifts.
    precision : int
        Decimals of every number in ppm.
    """

    predictor: Predictor
    predictions: Sequence[Prediction]
    failures: Sequence[Failure] = ()
    references: References = field(default_factory=References)
    precision: int = 2

    def row(self, prediction: Prediction, site: SitePrediction) -> dict[str, Any]:
        """One site as a mapping from `COLUMNS` to values."""
        shift = self.references.shift(site.site.element, site.shielding)
        values = (
            prediction.crystal.source,
            prediction.crystal.name,
            site.site.label,
            site.site.species,
            site.site.multiplicity,
            self._rounded(site.shielding),
            self._rounded(site.uncertainty),
            self._rounded(site.uncertainty95),
            None if shift is None else self._rounded(shift),
            " ".join(site.flags),
        )
        return dict(zip(COLUMNS, values, strict=True))

    def _rounded(self, value: float) -> float | None:
        # Adding 0.0 turns −0.0 into 0.0; JSON knows no NaN.
        return round(value, self.precision) + 0.0 if np.isfinite(value) else None


def provenance(predictor: Predictor) -> dict[str, Any]:
    """Program, version, model and hashes of the networks, as every JSON document begins.

    Parameters
    ----------
    predictor : Predictor
        The networks in use.

    Returns
    -------
    dict
    """
    return {
        "program": "shiftcli",
        "version": __version__,
        "model": predictor.model,
        "weights": {f.path.name: f.sha256 for f in predictor.files},
    }


def conversion(references: References) -> dict[str, dict[str, float]]:
    """σ_ref in ppm and slopes by nuclide, for documents; empty where none were given.

    Parameters
    ----------
    references : References
        How shieldings become shifts.

    Returns
    -------
    dict
    """
    elements = dict.fromkeys((*references.references, *references.gradients))
    return {
        "references": {SPECIES[e]: value for e, value in references.references.items()},
        "gradients": {SPECIES[e]: references.gradient(e) for e in elements},
    }


def per_atom(results: Results, prediction: Prediction) -> dict[str, np.ndarray]:
    """Numbers of one prediction as arrays over the atoms of the cell.

    Parameters
    ----------
    results : Results
        Says how numbers are rounded and turned into shifts.
    prediction : Prediction
        One of its predictions, of a crystal of n atoms.

    Returns
    -------
    dict of str to numpy.ndarray
        The columns in `NUMERIC` in ppm, shape (n,), NaN where an atom was not predicted. A
        column without a number is left out, unless it is that of the shieldings.
    """
    n = len(prediction.crystal)
    arrays = {name: np.full(n, np.nan) for name in NUMERIC}
    for site in prediction.sites:
        row = results.row(prediction, site)
        for name, values in arrays.items():
            values[site.site.atoms] = np.nan if row[name] is None else row[name]
    return {k: v for k, v in arrays.items() if not np.isnan(v).all() or k == NUMERIC[0]}


def only_prediction(results: Results, form: str) -> Prediction | None:
    """The prediction for a format that holds one structure, None where all failed.

    Parameters
    ----------
    results : Results
        What was predicted.
    form : str
        Name of the format, for the message.

    Returns
    -------
    Prediction or None

    Raises
    ------
    UsageError
        If there are several.
    """
    if len(results.predictions) > 1:
        raise UsageError(
            f"a {form} file holds one structure, not {len(results.predictions)}",
            hint="--output FOLDER takes one file a structure; cif, xyz and json hold several",
        )
    return results.predictions[0] if results.predictions else None
