"""Which further measurement would tell most between the families of candidates that are left.

Before it, the candidates have the probabilities P of the ranking. After it they have others,
whatever is measured; the gain is what is expected of that, the mutual information of candidate and
measurement in bits,

    I = Σ_k P_k ⟨log₂ p(x|k) / Σ_j P_j p(x|j)⟩,  x drawn from candidate k,

with normal errors of prediction, GIPAW and measurement. The offset of a nucleus that was measured
is that of the candidate's fit; one that was not has any. Peaks are taken for assigned, and
differences between candidates for what is believed of them (`shiftcli.nmr.question.level`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.errors import ShiftcliError
from shiftcli.nmr.assignment import LEAST, mean_row
from shiftcli.nmr.averaging import average, known_rows
from shiftcli.nmr.kinds import describe, row_of_atom
from shiftcli.nmr.labels import CarriedLabels, find_places
from shiftcli.nmr.question import RESOLVED, drawn
from shiftcli.nmr.shifts import References
from shiftcli.structure.crystal import SPECIES
from shiftcli.structure.nuclei import ELEMENTS

if TYPE_CHECKING:
    from shiftcli.nmr.experiment import Experiment
    from shiftcli.nmr.gathering import Candidate
    from shiftcli.prediction.predictor import Prediction

#: Families that are told apart at most, the likeliest; draws of each; least gain that is said.
_FAMILIES, _DRAWS, _LEAST_GAIN = 10, 2000, 0.01


@dataclass(frozen=True)
class Measurement:
    """What could be measured next."""

    species: str  #: Nuclide.
    sites: tuple[str, ...]  #: Labels in the best candidate.
    gain: float  #: Expected, in bits.
    open: float  #: Entropy of the families in bits: no measurement can tell more.


def next_measurements(
    ranked: Sequence[Candidate],
    predictions: Mapping[int, Prediction],
    experiment: Experiment,
    *,
    exchange: Collection[str],
    references: References,
    theory_errors: Mapping[str, float],
    factors: Mapping[str, float],
) -> tuple[Measurement, ...]:
    """Further peaks of measured nuclei, and whole other nuclei that were predicted; best first.

    `predictions` are those of candidates by `Candidate.place`. Empty where fewer than two families
    are left, or their molecules cannot be laid on each other.
    """
    families = {c.family: c for c in reversed(ranked) if c.indistinguishable}
    left = [families[k] for k in sorted(families)][:_FAMILIES]
    if len(left) < 2 or not all(c.place in predictions for c in left):
        return ()
    try:
        tables = _Tables(left, predictions, exchange, factors)
    except ShiftcliError:
        return ()
    weights = np.array([c.family_probability for c in left])
    weights = weights / weights.sum()
    entropy = float(-(weights * np.log2(np.maximum(weights, 1e-300))).sum())
    found = []
    for element in ELEMENTS:
        own = [k for k in tables.open if tables.rows[k].site.element == element]
        noise = [p.uncertainty or 0.0 for p in experiment.peaks if p.element == element]
        extra = theory_errors.get(element, 0.0) ** 2 + (median(noise) if noise else 0.0) ** 2
        is_measured = element in experiment.elements
        lines = [_line(c, element, references) for c in left]
        choices = [[k] for k in own] if is_measured else [own] if len(own) > 1 else []
        for sites in choices:
            shielding, widths = tables.values[:, sites, 0], tables.values[:, sites, 1]
            if widths.any():
                apart = shielding - shielding.mean(axis=0)
                shielding = shielding - apart + drawn(apart, RESOLVED.get(element, 0.0))
            means = np.array([[a] for a, _, _ in lines]) + shielding * [[b] for _, b, _ in lines]
            errors = np.array([[e] for *_, e in lines])
            variances = widths**2 + extra + errors**2 + LEAST**2
            is_free = not is_measured and element not in references.references
            gain = min(_information(weights, means, variances, is_free), entropy)
            names = tuple(tables.rows[k].site.label for k in sites)
            found.append(Measurement(SPECIES[element], names, gain, entropy))
    found = [one for one in found if one.gain >= _LEAST_GAIN]
    return tuple(sorted(found, key=lambda one: -one.gain))


class _Tables:
    """Shieldings of the best candidate's sites in all of some candidates."""

    def __init__(
        self,
        left: Sequence[Candidate],
        predictions: Mapping[int, Prediction],
        exchange: Collection[str],
        factors: Mapping[str, float],
    ) -> None:
        first = predictions[left[0].place]
        self.rows = known_rows(average(first, exchange))
        atoms = [frozenset(row.site.atoms.tolist()) for row in self.rows]
        carried = CarriedLabels(first.crystal, atoms)
        places = find_places(first.crystal, row_of_atom(self.rows), len(self.rows))
        seen = {places[k] for row in left[0].comparison.rows for k in row.groups}
        #: Rows whose place in the molecule was not measured, each place once.
        self.open = [k for k, p in enumerate(places) if p == k and p not in seen]
        #: Shielding and uncertainty in ppm, shape (candidates, rows, 2).
        self.values = np.zeros((len(left), len(self.rows), 2))
        for number, candidate in enumerate(left):
            prediction = predictions[candidate.place]
            rows = known_rows(average(prediction, exchange))
            around = describe(prediction.crystal, rows, near=False, factors=factors)
            columns = carried.carry(prediction.crystal, row_of_atom(rows)).columns[0]
            self.open = [k for k in self.open if columns[k]]
            for k in self.open:
                self.values[number, k] = mean_row(rows, columns[k], around)


def _line(candidate: Candidate, element: str, references: References) -> tuple[float, float, float]:
    """Offset, slope and error of the offset."""
    for fit in candidate.comparison.fits:
        if fit.species == SPECIES[element]:
            return fit.offset, fit.slope, fit.offset_error or 0.0
    if element in references.references:
        return *references.line(element), 0.0
    return 0.0, references.gradient(element), 0.0


def _information(
    weights: np.ndarray, means: np.ndarray, variances: np.ndarray, is_free: bool
) -> float:
    """Mutual information in bits; `means` and `variances` have the shape (candidates, sites).

    Where the offset is free, shifts count up to a common constant.
    """
    rng = np.random.default_rng(0)
    total = 0.0
    for k, weight in enumerate(weights):
        noise = rng.standard_normal((_DRAWS, means.shape[1]))
        drawn = means[k] + np.sqrt(variances[k]) * noise
        apart = drawn[:, None, :] - means
        inverse = 1.0 / variances
        logs = 0.5 * np.log(inverse).sum(axis=1) - 0.5 * (inverse * apart**2).sum(axis=2)
        if is_free:
            ones, cross = inverse.sum(axis=1), (inverse * apart).sum(axis=2)
            logs = logs - 0.5 * np.log(ones) + 0.5 * cross**2 / ones
        logs = logs + np.log(np.maximum(weights, 1e-300))
        top = logs.max(axis=1)
        evidence = top + np.log(np.exp(logs - top[:, None]).sum(axis=1))
        own = logs[:, k] - np.log(max(weight, 1e-300))
        total += weight * float((own - evidence).mean()) / np.log(2.0)
    return max(0.0, total)
