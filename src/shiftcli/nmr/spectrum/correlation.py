"""Two-dimensional correlation of nuclei that are bonded, or near each other."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftcli.errors import StructureError, UsageError, counted, shortened
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE
from shiftcli.nmr.spectrum.axes import Axis
from shiftcli.nmr.spectrum.simulate import Lines, Peak, Settings, find_peaks
from shiftcli.notebook import Result
from shiftcli.prediction.predictor import Prediction
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import find_neighbours

#: Points of a two-dimensional spectrum at most.
_MOST_POINTS = 20_000_000


@dataclass(frozen=True)
class CrossPeak:
    """Two sites that are bonded or near each other."""

    #: The sites on the two axes; on one of two quanta the second stands at the sum of both.
    first: Peak
    second: Peak
    multiplicity: int  #: Pairs of their atoms in the unit cell; symmetry copies are one cross peak.


@dataclass(frozen=True, eq=False, repr=False)
class Correlation(Result):
    """Correlation of two nuclei of one crystal.

    Attributes
    ----------
    crystal : Crystal
        Whose spectrum it is.
    axes : tuple of Axis
        First (horizontal) and second (vertical) axis.
    peaks : tuple of CrossPeak
        From the lowest position on the first axis to the highest; those out of range are
        left out.
    points : tuple of numpy.ndarray
        Points of both axes, rising, shapes (n,) and (m,).
    lines : Lines
        Shape and width of the lines.
    left_out : int
        Cross peaks out of range.
    """

    crystal: Crystal
    axes: tuple[Axis, Axis]
    peaks: tuple[CrossPeak, ...]
    points: tuple[np.ndarray, np.ndarray]
    lines: Lines
    left_out: int = 0

    def __repr__(self) -> str:
        peaks = counted(len(self.peaks), "cross peak")
        species = " and ".join(axis.species for axis in self.axes)
        return f"<Correlation of {species} in {shortened(self.crystal.where)}: {peaks}>"

    def to_dict(self) -> dict[str, list[Any]]:
        """Its cross peaks: sites, places on both axes in their units, pairs in the cell."""
        return {
            "first": [q.first.label for q in self.peaks],
            "second": [q.second.label for q in self.peaks],
            "first_position": [q.first.position for q in self.peaks],
            "second_position": [q.second.position for q in self.peaks],
            "multiplicity": [q.multiplicity for q in self.peaks],
        }

    def intensity(self) -> np.ndarray:
        """The spectrum over both axes, shape (n, m), its integral the number of pairs in the cell.

        Products of the two line shapes, summed over the cross peaks in range; `UsageError` if the
        lines are too narrow for such long axes.
        """
        if len(self.points[0]) * len(self.points[1]) > _MOST_POINTS:
            raise UsageError(
                "lines are too narrow for a picture of such long axes", hint="--width or --range"
            )
        counts = np.array([peak.multiplicity for peak in self.peaks], dtype=float)
        along = self.lines.at(self.points[0], [p.first for p in self.peaks], self.axes[0])
        across = self.lines.at(self.points[1], [p.second for p in self.peaks], self.axes[1])
        return along.T @ (counts[:, None] * across)


def correlate_nuclei(
    predictions: Sequence[Prediction],
    elements: tuple[str, str],
    settings: Settings | None = None,
    *,
    within: float | None = None,
    double_quantum: bool = False,
) -> list[Correlation]:
    """Cross peaks of two elements, or of one with itself, of several crystals on the same axes.

    Parameters
    ----------
    predictions : sequence of Prediction
        Predicted crystals; those without such pairs give no spectrum.
    elements : (str, str)
        Elements of the first and the second axis. Pairs of one element stand on both sides of
        the diagonal.
    settings : Settings, optional
        How; its `area` is not used, its range of an element doubled for two quanta.
    within : float, optional
        Pairs up to this distance in Å, across molecules too, in place of bonded ones.
    double_quantum : bool
        Whether the second axis is the sum of both shifts.

    Returns
    -------
    list of Correlation
        In the order of `predictions`.

    Raises
    ------
    StructureError
        If there is no such pair.
    UsageError
        If a double-quantum spectrum is asked for of two elements, or there is a field but no
        reference.
    """
    if double_quantum and elements[0] != elements[1]:
        raise UsageError(
            f"a double-quantum spectrum is of one nucleus, not of {elements[0]} and {elements[1]}"
        )
    settings = settings or Settings()
    first, second = (settings.axis(element) for element in elements)
    second = dataclasses.replace(second, quanta=2 if double_quantum else 1)
    found = [
        (p.crystal, find_cross_peaks(p, first, second, settings.exchange, within))
        for p in predictions
    ]
    found = [(crystal, peaks) for crystal, peaks in found if peaks]
    if not found and within is None:
        raise StructureError(
            f"no {first.species} is bonded to a {second.species}",
            hint="--within 3 takes all pairs up to 3 Å from each other",
        )
    if not found:
        raise StructureError(f"no {first.species} is within {within:g} Å of a {second.species}")
    everything = [q for _, peaks in found for q in peaks]
    along = settings.points([q.first for q in everything], first)
    across = settings.points([q.second for q in everything], second)
    spectra = []
    for crystal, peaks in found:
        seen = tuple(
            q
            for q in peaks
            if along[0] <= q.first.position <= along[-1]
            and across[0] <= q.second.position <= across[-1]
        )
        left_out = len(peaks) - len(seen)
        axes, points = (first, second), (along, across)
        spectra.append(Correlation(crystal, axes, seen, points, settings.lines, left_out))
    return spectra


def find_cross_peaks(
    prediction: Prediction,
    first: Axis,
    second: Axis,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    within: float | None = None,
) -> tuple[CrossPeak, ...]:
    """Pairs of sites that are bonded or near each other, by rising position on the first axis.

    What exchanges is averaged, see `shiftcli.nmr.averaging.average`; `within` takes pairs up to
    this distance in Å in place of bonded ones.
    """
    peaks = (find_peaks(prediction, first, exchange), find_peaks(prediction, second, exchange))
    owners = [
        {int(atom): k for k, peak in enumerate(own) for atom in peak.row.site.atoms}
        for own in peaks
    ]
    counts = Counter(
        (owners[0][atom], owners[1][partner])
        for atom, partner in _pairs(prediction.crystal, within)
        if atom in owners[0] and partner in owners[1]
    )
    found = []
    for (k, m), number in sorted(counts.items()):
        one, other = peaks[0][k], peaks[1][m]
        if second.quanta == 2:
            other = dataclasses.replace(other, position=one.position + other.position)
        found.append(CrossPeak(one, other, number))
    return tuple(found)


def _pairs(crystal: Crystal, within: float | None) -> Iterator[tuple[int, int]]:
    """Atoms that are bonded, or up to a distance from each other, from both sides."""
    if within is None:
        for atom, partners in enumerate(find_bonds(crystal).neighbours):
            yield from ((atom, partner) for partner in partners.tolist())
    else:
        near = find_neighbours(crystal.cell, crystal.positions, within, crystal.where)
        yield from zip(near.first.tolist(), near.second.tolist(), strict=True)
