"""Labels beside each other, as near to what they name as they can stand."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart, by as little as can be.

    Parameters
    ----------
    wanted : sequence of float
        Where each should be, rising.
    gap : float
        Smallest distance between neighbours; less where that many do not fit.
    low, high : float
        None is outside.

    Returns
    -------
    list of float
        The places with that distance whose squared distances from `wanted` have the least
        sum, in the same order: isotonic regression by pooling adjacent violators.
    """
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    last = high - gap * (len(wanted) - 1)
    pools: list[tuple[float, int]] = []
    for k, place in enumerate(wanted):
        mean, count = place - k * gap, 1
        while pools and pools[-1][0] > mean:
            before, members = pools.pop()
            mean = (before * members + mean * count) / (members + count)
            count += members
        pools.append((mean, count))
    means = [min(max(mean, low), last) for mean, count in pools for _ in range(count)]
    return [mean + k * gap for k, mean in enumerate(means)]
