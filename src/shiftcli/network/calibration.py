"""How a committee's spread becomes intervals: the record that stands in its networks' files.

`shiftcli.prediction.uncertainty` fits it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Calibration:
    """How a committee's spread becomes intervals.

    Attributes
    ----------
    members : int
        Networks in the committee.
    floor : float
        Part of the scale that no spread shows, in ppm.
    between, within : float
        Weights of the variance between members and between orientations.
    q68, q95 : float
        Half widths of the two intervals in units of the scale.
    n, crystals : int
        Distinct atoms and crystals that it was fitted to.
    coverage68, coverage95 : float or None
        Fraction of the atoms inside, every atom judged by a calibration that never saw its
        crystal; None where there was but one crystal.
    """

    members: int
    floor: float
    between: float
    within: float
    q68: float
    q95: float
    n: int
    crystals: int
    coverage68: float | None = None
    coverage95: float | None = None

    def scale(self, between_variance: np.ndarray, within_variance: np.ndarray) -> np.ndarray:
        """Scale s of the error of each atom in ppm.

        Parameters
        ----------
        between_variance, within_variance : numpy.ndarray
            Variance between members, and between orientations, in ppm², shape (n,).

        Returns
        -------
        numpy.ndarray
            Shape (n,).
        """
        spread = self.between * np.asarray(between_variance, dtype=float)
        return np.sqrt(self.floor**2 + spread + self.within * np.asarray(within_variance))

    def half_widths(
        self, between_variance: np.ndarray, within_variance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Half widths of the 68 % and the 95 % interval of each atom in ppm.

        Parameters
        ----------
        between_variance, within_variance : numpy.ndarray
            As for `scale`.

        Returns
        -------
        tuple of numpy.ndarray
            Two of shape (n,).
        """
        scale = self.scale(between_variance, within_variance)
        return self.q68 * scale, self.q95 * scale

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """Rebuild from `to_dict`; raises ValueError on values that make no sense."""
        if not isinstance(values, dict) or set(values) != set(cls.__dataclass_fields__):
            raise ValueError("a calibration with other fields than this program knows")
        counts = [values[k] for k in ("members", "n", "crystals")]
        if not all(type(v) is int and v >= 1 for v in counts):
            raise ValueError("a calibration whose counts are not whole and positive")
        names = ("floor", "q68", "q95", "between", "within")
        positive, weights = [values[k] for k in names[:3]], [values[k] for k in names[3:]]
        fractions = [f for k in ("coverage68", "coverage95") if (f := values[k]) is not None]
        numbers = (*positive, *weights, *fractions)
        if not all(type(v) in (int, float) and math.isfinite(v) for v in numbers):
            raise ValueError("a calibration with values that are not finite numbers")
        if min(positive) <= 0 or min(weights) < 0 or values["q68"] > values["q95"]:
            raise ValueError("a calibration with impossible values")
        if any(not 0 <= f <= 1 for f in fractions):
            raise ValueError("a calibration with an impossible coverage")
        return cls(**values)
