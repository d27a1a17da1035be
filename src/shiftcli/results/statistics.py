"""Figures of errors whose atoms come in crystals, and how sure they are.

Atoms of one crystal err alike, so a sample of atoms is not one of independent errors. The
intervals therefore come from drawing whole crystals with replacement (the bootstrap; of
clusters: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8).
They are bias-corrected and accelerated (Efron, J. Am. Stat. Assoc. 82, 171 (1987)), for errors
have long tails, and plain percentiles of a root mean square then stand too low.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

#: Samples of crystals that an interval rests on, and the seed of their drawing.
RESAMPLES, _SEED = 2000, 20180101

#: Name of the figures of all data together.
ALL = "all"

#: Lower and upper end of an interval.
Interval = tuple[float, float]


@dataclass(frozen=True)
class Versus:
    """Errors of another prediction of the same atoms, beside ours.

    Attributes
    ----------
    rmse, mae : float
        Of the other prediction, in ppm.
    rmse_interval : tuple of float or None
        95 % interval of its RMSE.
    difference : float
        RMSE of ours − RMSE of the other in ppm: negative where ours is better.
    difference_interval : tuple of float or None
        95 % interval of the difference, both errors measured on the same drawn crystals.
    """

    rmse: float
    mae: float
    rmse_interval: Interval | None
    difference: float
    difference_interval: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self, dict_factory=_plain)


@dataclass(frozen=True)
class Errors:
    """Errors on some atoms, every atom of the cell counted.

    Attributes
    ----------
    n, distinct, crystals : int
        Atoms, symmetry-distinct ones among them, crystals that they are in.
    rmse, mae, bias : float
        Root mean square, mean absolute and mean error in ppm (predicted − reference).
    rmse_interval, mae_interval : tuple of float or None
        95 % intervals in ppm by the bootstrap over crystals; None where there is one crystal.
    p95 : float
        95 % of the atoms have an error of at most this size, in ppm.
    r2 : float or None
        Coefficient of determination; None where all references are the same.
    baseline : Versus or None
        The second prediction that the data carry, on the same atoms.
    coverage68, coverage95 : float or None
        Fraction of the atoms inside their 68 % and 95 % intervals; None where the networks
        give none. On crystals that the intervals were calibrated on it flatters; the
        network's file holds what cross-validation over them says.
    classes : dict of str to Errors
        By the kind of environment, see `shiftcli.structure.kinds`; empty for a class.
    """

    n: int
    distinct: int
    crystals: int
    rmse: float
    rmse_interval: Interval | None
    mae: float
    mae_interval: Interval | None
    bias: float
    p95: float
    r2: float | None
    baseline: Versus | None = None
    coverage68: float | None = None
    coverage95: float | None = None
    classes: dict[str, Errors] = field(default_factory=dict)

    @property
    def baseline_rmse(self) -> float | None:
        """RMSE in ppm of the second prediction that the data carry, None without one."""
        return None if self.baseline is None else self.baseline.rmse

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = asdict(self, dict_factory=_plain)
        inside = {level: values.pop(f"coverage{level}") for level in ("68", "95")}
        values["coverage"] = None if self.coverage68 is None else inside
        del values["classes"]
        if self.classes:
            values["classes"] = {name: e.to_dict() for name, e in self.classes.items()}
        return values


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Values as JSON gives them back."""
    return {name: list(x) if isinstance(x, tuple) else x for name, x in items}


def rmse(error: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Root mean square of errors (n,) by weight (n,)."""
    return float(np.average(error**2, weights=weights)) ** 0.5


def mae(error: np.ndarray, weights: np.ndarray) -> float:
    """Mean absolute value of errors (n,) by weight (n,)."""
    return float(np.average(np.abs(error), weights=weights))


def percentile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """Smallest of the values (n,) that `level` of the weight (n,) does not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    # A hair less than the level, which the sums of weights miss by rounding.
    row = np.searchsorted(reached, level * reached[-1] * (1 - 1e-12))
    return float(values[order[row]])


def bootstrap(
    columns: np.ndarray,
    crystals: np.ndarray,
    figure: Callable[[np.ndarray], np.ndarray],
) -> Interval | None:
    """95 % interval of a figure that follows from sums over atoms; None of fewer than two crystals.

    `columns` is what is summed, one row an atom, shape (n, k); `crystals` the number of the crystal
    of each atom, or of its family of like crystals, shape (n,), which are drawn whole, the same
    ones every time; `figure` makes of sums, shape (..., k), the figure of each, shape (...).
    """
    from scipy import stats

    numbers, own = np.unique(crystals, return_inverse=True)
    if len(numbers) < 2:
        return None
    sums = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(sums, own, columns)
    alone = figure(sums.sum(axis=0) - sums)
    if np.allclose(alone, alone[0], rtol=1e-12, atol=0.0):  # no crystal matters: no acceleration
        value = float(figure(sums.sum(axis=0)))
        return value, value
    found = stats.bootstrap(
        (np.arange(len(numbers)),),
        lambda rows, axis: figure(sums[rows].sum(axis=-2)),
        n_resamples=RESAMPLES, batch=500, vectorized=True, method="BCa",
        rng=np.random.default_rng(_SEED),
    )  # fmt: skip
    low, high = found.confidence_interval
    return float(low), float(high)


def _root_ratio(sums: np.ndarray, column: int = 0) -> np.ndarray:
    """Root of a sum by the sum of the weights, which is the last column."""
    return np.sqrt(sums[..., column] / sums[..., -1])


def compare_errors(
    error: np.ndarray, other: np.ndarray, weights: np.ndarray, crystals: np.ndarray
) -> Versus:
    """Set our errors beside those of another prediction of the same n atoms, in ppm."""
    columns = np.stack([weights * error**2, weights * other**2, weights], axis=1)
    return Versus(
        rmse=rmse(other, weights),
        mae=mae(other, weights),
        rmse_interval=bootstrap(columns, crystals, lambda sums: _root_ratio(sums, 1)),
        difference=rmse(error, weights) - rmse(other, weights),
        difference_interval=bootstrap(
            columns, crystals, lambda sums: _root_ratio(sums, 0) - _root_ratio(sums, 1)
        ),
    )


def summarise(
    predicted: np.ndarray,
    reference: np.ndarray,
    weights: np.ndarray,
    crystals: np.ndarray,
    families: np.ndarray | None = None,
) -> Errors:
    """Figures of a prediction of n ≥ 1 shieldings in ppm without baseline, coverage and classes.

    `weights` says how often each atom counts (its multiplicity), `crystals` the number of the
    crystal of each, `families` that of its family of like crystals, drawn as one, without it each
    is its own; all of shape (n,).
    """
    drawn = crystals if families is None else families
    error = predicted - reference
    spread = np.average((reference - np.average(reference, weights=weights)) ** 2, weights=weights)
    root = rmse(error, weights)
    squares = np.stack([weights * error**2, weights], axis=1)
    sizes = np.stack([weights * np.abs(error), weights], axis=1)
    return Errors(
        n=int(weights.sum()),
        distinct=len(error),
        crystals=len(np.unique(crystals)),
        rmse=root,
        rmse_interval=bootstrap(squares, drawn, _root_ratio),
        mae=mae(error, weights),
        mae_interval=bootstrap(sizes, drawn, lambda sums: sums[..., 0] / sums[..., 1]),
        bias=float(np.average(error, weights=weights)),
        p95=percentile(np.abs(error), weights, 0.95),
        r2=float(1.0 - root**2 / spread) if spread > 0 else None,
    )
