"""Labels beside each other, as near to what they name as they can stand."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move rising places apart to a distance of `gap`, by as little as can be.

    All stay within `low` and `high`; the distance is less where that many do not fit. Squared
    distances from `wanted` have the least sum: isotonic regression by pooling adjacent violators.
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
