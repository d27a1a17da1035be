"""Which measured shift is which site: the most likely assignment, offset included.

Peak i at site g differs from the prediction by c − d_ig, where c is the offset of one nucleus
and d_ig what it would have to be for no difference. With the variance v_ig of the difference,
twice the negative log likelihood is, but for a constant, the sum over the peaks of

    (c − d_ig)² / v_ig + ln v_ig

Without the logarithm, peaks would go to the vaguest predictions. For a given c the least sum
is a linear assignment problem, which scipy solves; c is found by branch and bound.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

#: The offset found is the best to this difference of −2 ln L, which says nothing.
TOLERANCE = 0.01

#: Of −2 ln L, so that sites that are not allowed are taken only where there is no other way.
_FORBIDDEN = 1e6

#: Offsets that the search begins with, and intervals of offsets that it halves at most.
_STARTS, _MOST_STEPS = 9, 1000


@dataclass(frozen=True, eq=False)
class Matching:
    """Peaks of one nucleus, and the sites that they may belong to."""

    #: d in ppm and v in ppm², shape (peaks, sites).
    offsets: np.ndarray
    variances: np.ndarray
    #: Site of each peak whose assignment is known; no other peak takes it.
    stated: Mapping[int, int] = field(default_factory=dict)
    offset: float | None = None  #: c in ppm where it is not to be fitted.
    #: Which sites a peak may have, shape (peaks, sites); None for all.
    allowed: np.ndarray | None = None

    @cached_property
    def loose(self) -> np.ndarray:
        """Peaks that are to be assigned, shape (m,)."""
        peaks = range(len(self.offsets))
        return np.array([i for i in peaks if i not in self.stated], dtype=int)

    @cached_property
    def free(self) -> np.ndarray:
        """Sites that those may take, shape (at least m,)."""
        taken = set(self.stated.values())
        return np.array([g for g in range(self.offsets.shape[1]) if g not in taken], dtype=int)

    @cached_property
    def _logs(self) -> np.ndarray:
        logs = np.log(self.variances)
        return logs if self.allowed is None else logs + np.where(self.allowed, 0.0, _FORBIDDEN)

    def is_allowed(self, sites: np.ndarray) -> bool:
        """Whether every peak of an assignment may have its site."""
        return self.allowed is None or bool(self.allowed[np.arange(len(sites)), sites].all())

    def deviance(self, sites: np.ndarray, offset: float) -> float:
        """−2 ln L without the constant of an assignment, shape (peaks,), with an offset."""
        peaks = np.arange(len(sites))
        squares = (offset - self.offsets[peaks, sites]) ** 2 / self.variances[peaks, sites]
        return float((squares + self._logs[peaks, sites]).sum())

    def best_offset(self, sites: np.ndarray) -> float:
        """The most likely offset of an assignment: the mean weighted by 1/v, if it is free."""
        if self.offset is not None:
            return self.offset
        peaks = np.arange(len(sites))
        weights = 1.0 / self.variances[peaks, sites]
        return float(weights @ self.offsets[peaks, sites] / weights.sum())

    def profile(self, sites: np.ndarray) -> float:
        """−2 ln L of an assignment with its most likely offset."""
        return self.deviance(sites, self.best_offset(sites))

    def solve(self) -> np.ndarray:
        """The most likely assignment: site of each peak, shape (peaks,).

        Intervals of offsets in which no assignment can be better than what is known, to
        `TOLERANCE`, are dropped; the others are halved.
        """
        low, high = float(self.offsets.min()), float(self.offsets.max())
        if self.offset is not None or not len(self.loose):
            return self._assign(self._costs(low if self.offset is None else self.offset))[0]
        found = [self._descend(start) for start in np.linspace(low, high, _STARTS)]
        best, sites = min(found, key=lambda pair: pair[0])
        queue = [(-math.inf, low, high)]
        for _ in range(_MOST_STEPS):
            if not queue or queue[0][0] >= best - TOLERANCE:
                break
            _, low, high = heapq.heappop(queue)
            middle = 0.5 * (low + high)
            value, other = self._descend(middle)
            if value < best:
                best, sites = value, other
            for a, b in ((low, middle), (middle, high)):
                bound = self._bound(a, b, best - TOLERANCE)
                if bound < best - TOLERANCE:
                    heapq.heappush(queue, (bound, a, b))
        return sites

    def _bound(self, low: float, high: float, enough: float) -> float:
        """What −2 ln L of no assignment is below, for offsets in an interval.

        Wide intervals: the sum of the least costs that each pair has anywhere in it. Narrow
        ones: a cost is a parabola, above its chord less h²/v with h half the width; the least
        sum of chords is concave, so its least value is at an end. The second is computed where
        the first is below `enough`.
        """
        bound = self._assign(self._costs(np.clip(self.offsets, low, high)))[1]
        if bound >= enough:
            return bound
        sagitta = (0.5 * (high - low)) ** 2 / self.variances
        ends = [self._assign(self._costs(end) - sagitta)[1] for end in (low, high)]
        return max(bound, min(ends))

    def _costs(self, offset: float | np.ndarray) -> np.ndarray:
        """Contribution to −2 ln L of each pair, shape (peaks, sites)."""
        return (offset - self.offsets) ** 2 / self.variances + self._logs

    def _assign(self, costs: np.ndarray) -> tuple[np.ndarray, float]:
        """Assignment of the least sum of costs, and that sum."""
        from scipy.optimize import linear_sum_assignment

        sites = np.empty(len(costs), dtype=int)
        sites[list(self.stated)] = list(self.stated.values())
        if len(self.loose):
            rows, columns = linear_sum_assignment(costs[self.loose[:, None], self.free[None, :]])
            sites[self.loose[rows]] = self.free[columns]
        return sites, float(costs[np.arange(len(costs)), sites].sum())

    def _descend(self, offset: float) -> tuple[float, np.ndarray]:
        """Assignment and offset in turn, until nothing changes."""
        sites, _ = self._assign(self._costs(offset))
        while True:
            better, _ = self._assign(self._costs(self.best_offset(sites)))
            if self.profile(better) >= self.profile(sites):
                return self.profile(sites), sites
            sites = better

    def alternatives(
        self, sites: np.ndarray, limit: float
    ) -> list[tuple[tuple[int, ...], tuple[int, ...], float]]:
        """Changes of an assignment that cost little: two peaks swapped, or one moved.

        Peaks, the sites they would have, and the increase of −2 ln L with the offset fitted anew,
        at most `limit`, least first.
        """
        loose, unused = self.loose, np.setdiff1d(self.free, sites)
        weights = 1.0 / self.variances
        # Counted from the best offset, so that nothing cancels.
        needed = self.offsets - self.best_offset(sites)
        terms = np.stack([weights, weights * needed, weights * needed**2 + self._logs])
        own = terms[:, loose, sites[loose]]
        swapped = terms[:, loose][:, :, sites[loose]]
        swapped = swapped + swapped.swapaxes(1, 2) - own[:, :, None] - own[:, None, :]
        moved = terms[:, loose][:, :, unused] - own[:, :, None]
        total = terms[:, np.arange(len(sites)), sites].sum(axis=1)
        by_swap, by_move = self._increase(total, swapped), self._increase(total, moved)
        found: list[tuple[tuple[int, ...], tuple[int, ...], float]] = []
        for k, j in np.argwhere(np.triu(by_swap <= limit, 1)):
            peaks = (int(loose[k]), int(loose[j]))
            if not self._are_alike(*peaks):
                others = (int(sites[peaks[1]]), int(sites[peaks[0]]))
                found.append((peaks, others, float(by_swap[k, j])))
        for k, g in np.argwhere(by_move <= limit):
            found.append(((int(loose[k]),), (int(unused[g]),), float(by_move[k, g])))
        return sorted(found, key=lambda change: change[2])

    def _increase(self, total: np.ndarray, changes: np.ndarray) -> np.ndarray:
        """Increase of −2 ln L where Σ1/v, Σd/v and Σ(d²/v + ln v) change, offset fitted anew."""
        increase = changes[2]
        if self.offset is None:
            increase = increase - (total[1] + changes[1]) ** 2 / (total[0] + changes[0])
        return np.maximum(0.0, increase)

    def _are_alike(self, one: int, other: int) -> bool:
        """Whether two peaks have the same shift and uncertainty: swapped, nothing changes."""
        return np.array_equal(self.offsets[one], self.offsets[other]) and np.array_equal(
            self.variances[one], self.variances[other]
        )
