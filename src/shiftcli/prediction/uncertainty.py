"""How wide the intervals about predictions must be, learned from known errors.

The errors of a committee grow with the variance between its members and with the variance
between the orientations of one environment, and have a floor that neither sees:

    s² = floor² + between · V_members + within · V_views,   half width = q · s

The weights of the three terms are those of the greatest likelihood (Musil et al., J. Chem.
Theory Comput. 15, 906 (2019), for committees and NMR shieldings), under Student's t, which
outliers do not drag along (Lange, Little and Taylor, J. Am. Stat. Assoc. 84, 881 (1989)).
The factors q are quantiles of |error|/s, so coverage rests on no law of the errors: locally
weighted conformal intervals (Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)) with weighted
quantiles (Tibshirani et al., NeurIPS 2019, arXiv 1904.06019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftcli.errors import TrainingError
from shiftcli.network.calibration import Calibration

#: Probabilities of the two intervals.
LEVELS = (0.68, 0.95)

#: Degrees of freedom of Student's t: few, so that outliers weigh little.
_FREEDOM = 4.0

#: Least floor, as a fraction of the median error: members that agree still share the errors
#: of their data.
_LEAST_FLOOR = 0.1

#: Fewer crystals than this cannot say what the two variances weigh; the floor is fitted alone.
_LEAST_CRYSTALS = 8

#: Least median error (ppm) and score, so that a set without any error still has a width;
#: least mean variance, in squares of the median error, that can say something.
_TINY = 1e-6

#: Parts that the crystals are split into for the coverage, and the seed of the split.
_FOLDS, _SEED = 10, 20190530


@dataclass(frozen=True)
class _Errors:
    """Errors, both variances, weights and crystals of some atoms, each of shape (n,)."""

    error: np.ndarray
    between: np.ndarray
    within: np.ndarray
    weights: np.ndarray
    crystals: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> _Errors:
        return _Errors(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def fit(
    error: Sequence[float] | np.ndarray,
    between_variance: Sequence[float] | np.ndarray,
    within_variance: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray,
    crystals: Sequence[int] | np.ndarray,
    *,
    members: int,
) -> Calibration:
    """Calibrate the intervals of a committee on atoms whose shieldings are known.

    Parameters
    ----------
    error : array_like
        Prediction − reference in ppm, shape (n,).
    between_variance : array_like
        Variance between members in ppm², shape (n,); 0 with one member.
    within_variance : array_like
        Variance between orientations in ppm², shape (n,).
    weights : array_like
        How often each atom counts (its multiplicity), shape (n,).
    crystals : array_like
        Number of the crystal of each atom, shape (n,). Errors within one crystal are alike,
        so the coverage is counted on crystals that were left out whole, a tenth at a time.
    members : int
        Networks in the committee.

    Returns
    -------
    Calibration

    Raises
    ------
    TrainingError
        If there are no atoms, or their values are not finite.
    """
    columns = (error, between_variance, within_variance, weights)
    e, between, within, weight = (np.asarray(c, dtype=float) for c in columns)
    atoms = _Errors(e, between, within, weight, np.asarray(crystals))
    if not len(atoms.error):
        raise TrainingError("no atoms to calibrate the uncertainty on")
    if not all(np.isfinite(c).all() for c in (atoms.error, atoms.between, atoms.within)):
        raise TrainingError("predictions that are not finite: nothing to calibrate")
    made = _fit_once(atoms, members)
    inside = _cross_validate(atoms, members)
    return replace(made, coverage68=inside[0], coverage95=inside[1])


def covered(error: np.ndarray, half_width: np.ndarray, weights: np.ndarray) -> float:
    """Fraction of the atoms, by weight, whose error lies inside their interval.

    Parameters
    ----------
    error, half_width, weights : numpy.ndarray
        Errors and half widths in ppm, and how often each atom counts, shape (n,).

    Returns
    -------
    float
    """
    return float(np.average(np.abs(error) <= half_width, weights=weights))


def _fit_once(atoms: _Errors, members: int) -> Calibration:
    """Scale by likelihood, factors by quantiles; says nothing of the coverage."""
    crystals = len(np.unique(atoms.crystals))
    floor, between, within = _likeliest_scale(atoms, with_spread=crystals >= _LEAST_CRYSTALS)
    made = Calibration(members, floor, between, within, 1, 1, len(atoms.error), crystals)
    score = np.abs(atoms.error) / made.scale(atoms.between, atoms.within)
    q68, q95 = (_quantile(score, atoms.weights, level) for level in LEVELS)
    return replace(made, q68=q68, q95=max(q68, q95))


def _likeliest_scale(atoms: _Errors, *, with_spread: bool) -> tuple[float, float, float]:
    """Floor in ppm and the weights of both variances under which the errors are likeliest."""
    from scipy.optimize import minimize

    share = atoms.weights / atoms.weights.sum()
    # All terms in units of the median error squared, so that the unknowns are about 1.
    square = _quantile(np.abs(atoms.error), atoms.weights, 0.5) ** 2
    typical = [float(share @ v) if with_spread else 0.0 for v in (atoms.between, atoms.within)]
    used = [k for k in (0, 1) if typical[k] > _TINY * square]  # less is rounding
    variances = (atoms.between, atoms.within)
    terms = np.stack([np.ones_like(share), *(variances[k] / typical[k] for k in used)], axis=1)

    def loss(parts: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the mean log-likelihood of Student's t and its gradient."""
        scale = terms @ parts
        ratio = atoms.error**2 / (square * _FREEDOM * scale)
        value = 0.5 * np.log(scale) + 0.5 * (_FREEDOM + 1) * np.log1p(ratio)
        slope = (0.5 - 0.5 * (_FREEDOM + 1) * ratio / (1 + ratio)) / scale
        return float(share @ value), (share * slope) @ terms

    count = terms.shape[1]
    bounds = [(_LEAST_FLOOR**2, None), *[(0.0, None)] * (count - 1)]
    starts = [np.full(count, 1 / count), *(0.1 + 0.8 * np.eye(count))]
    runs = [minimize(loss, s, jac=True, method="L-BFGS-B", bounds=bounds) for s in starts]
    best = square * min(runs, key=lambda run: run.fun).x
    weights = [0.0, 0.0]
    for k, value in zip(used, best[1:], strict=True):
        weights[k] = float(value) / typical[k]
    return math.sqrt(best[0]), weights[0], weights[1]


def _quantile(score: np.ndarray, weights: np.ndarray, level: float) -> float:
    """Weighted conformal quantile of scores, here |error|/s.

    The atom to come stands at infinity, with the weight that an atom drawn by weight has
    on average. Where that leaves too few atoms for the level, it is the largest score or
    the quantile of Student's t, whichever is wider.
    """
    from scipy.stats import t

    order = np.argsort(score)
    total = weights.sum() + (weights**2).sum() / weights.sum()
    reached = np.cumsum(weights[order]) / total >= level
    if reached.any():
        quantile = score[order[np.argmax(reached)]]
    else:
        quantile = max(score.max(), t.ppf(0.5 * (1 + level), _FREEDOM))
    return max(float(quantile), _TINY)


def _cross_validate(atoms: _Errors, members: int) -> tuple[float | None, float | None]:
    """Coverage on crystals that the calibration has not seen, a tenth of them at a time."""
    numbers, own = np.unique(atoms.crystals, return_inverse=True)
    folds = min(_FOLDS, len(numbers))
    if folds < 2:
        return None, None
    fold = np.random.default_rng(_SEED).permutation(len(numbers))[own] % folds
    half_widths = np.empty((2, len(fold)))
    for k in range(folds):
        rest = _fit_once(atoms[fold != k], members)
        here = atoms[fold == k]
        half_widths[:, fold == k] = rest.half_widths(here.between, here.within)
    inside = [covered(atoms.error, width, atoms.weights) for width in half_widths]
    return inside[0], inside[1]
