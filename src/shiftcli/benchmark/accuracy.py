"""How right the networks are: errors per nucleus on crystals with known shieldings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shiftcli.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.environments import Environments, surroundings
from shiftcli.errors import TrainingError, UsageError
from shiftcli.predictor import Predictor
from shiftcli.training import is_validation, load_labelled
from shiftcli.uncertainty import covered

#: Parts of a data set.
SPLITS = ("validation", "train", "all")


@dataclass(frozen=True)
class Errors:
    """Errors on one nucleus, every atom of the cell counted.

    Attributes
    ----------
    n : int
        Atoms.
    rmse, mae, bias : float
        Root mean square, mean absolute and mean error in ppm (predicted − reference).
    r2 : float or None
        Coefficient of determination; None where all references are the same.
    baseline_rmse : float or None
        RMSE in ppm of the second prediction that the data carry, on the same atoms.
    coverage68, coverage95 : float or None
        Fraction of the atoms inside their 68 % and 95 % intervals; None where the networks
        give none. On crystals that the intervals were calibrated on it flatters; the
        network's file holds what cross-validation over them says.
    """

    n: int
    rmse: float
    mae: float
    bias: float
    r2: float | None
    baseline_rmse: float | None
    coverage68: float | None
    coverage95: float | None


@dataclass(frozen=True)
class Accuracy:
    """Errors of a set of networks on a part of a data set.

    Attributes
    ----------
    source : str
        The data.
    split : str
        One of `SPLITS`.
    crystals : int
        Crystals in it.
    nuclei : dict of str to Errors
        By species, such as ``13C``.
    """

    source: str
    split: str
    crystals: int
    nuclei: dict[str, Errors]

    def to_dict(self) -> dict:
        """Plain values under the key ``accuracy``, for JSON."""
        figures = {
            species: {
                "n": e.n,
                "rmse": e.rmse,
                "mae": e.mae,
                "r2": e.r2,
                "bias": e.bias,
                "baseline": None if e.baseline_rmse is None else {"rmse": e.baseline_rmse},
                "coverage": (
                    None if e.coverage68 is None else {"68": e.coverage68, "95": e.coverage95}
                ),
            }
            for species, e in self.nuclei.items()
        }
        return {
            "data": self.source,
            "split": self.split,
            "crystals": self.crystals,
            "accuracy": figures,
        }


def measure_accuracy(
    predictor: Predictor,
    data: Sequence[str | Path],
    split: str = "validation",
    *,
    on_note: Callable[[str], None] = lambda text: None,
) -> Accuracy:
    """Predict crystals with known shieldings and measure the errors.

    Parameters
    ----------
    predictor : Predictor
        The networks.
    data : sequence of str or pathlib.Path
        Files or directories of structures with shieldings.
    split : {"validation", "train", "all"}
        Every eighth crystal from the first on validates, the others train.
    on_note : callable
        Told of structures that are left out.

    Returns
    -------
    Accuracy
        Distinct atoms are predicted once and counted with their multiplicity.

    Raises
    ------
    UsageError
        If the split is none of `SPLITS`.
    TrainingError
        If the data, or this part of them, carry no shieldings.
    """
    if split not in SPLITS:
        raise UsageError(f"split '{split}' is none of {', '.join(SPLITS)}")
    wanted = {"validation": (True,), "train": (False,), "all": (True, False)}[split]
    labelled = load_labelled(data, on_note)
    crystals = [c for k, c in labelled.items() if is_validation(k) in wanted]
    if not crystals:
        raise TrainingError(f"no crystals in the part '{split}' of the data")
    figures = {}
    for element in ELEMENTS:
        if element in predictor.networks:
            errors = _measure(predictor, crystals, element)
            if errors is not None:
                figures[SPECIES[element]] = errors
    return Accuracy(", ".join(map(str, data)), split, len(crystals), figures)


def _measure(predictor: Predictor, crystals: Sequence[Crystal], element: str) -> Errors | None:
    parts, reference, baseline, weights = [], [], [], []
    for crystal in crystals:
        sites = [s for s in crystal.sites if s.element == element]
        if not sites or crystal.shieldings is None:
            continue
        parts.append(surroundings(crystal, sites))
        reference += [crystal.shieldings[s.atoms].mean() for s in sites]
        other = crystal.baseline
        baseline += [np.nan if other is None else other[s.atoms].mean() for s in sites]
        weights += [s.multiplicity for s in sites]
    known = np.isfinite(reference)
    if not known.any():
        return None
    predicted, *half_widths = predictor.predict_environments(
        element, Environments.concatenate(parts)
    )
    truth, weight = np.array(reference)[known], np.array(weights)[known]
    error = np.array(predicted)[known] - truth
    second = np.array(baseline)[known]
    spread = np.average((truth - np.average(truth, weights=weight)) ** 2, weights=weight)
    mean_square = float(np.average(error**2, weights=weight))
    has_baseline = bool(np.isfinite(second).all())
    widths = [np.array(w)[known] for w in half_widths]
    inside = [covered(error, w, weight) if np.isfinite(w).all() else None for w in widths]
    return Errors(
        n=int(weight.sum()),
        rmse=mean_square**0.5,
        mae=float(np.average(np.abs(error), weights=weight)),
        bias=float(np.average(error, weights=weight)),
        r2=float(1.0 - mean_square / spread) if spread > 0 else None,
        baseline_rmse=(
            float(np.average((second - truth) ** 2, weights=weight)) ** 0.5
            if has_baseline
            else None
        ),
        coverage68=inside[0],
        coverage95=inside[1],
    )
