"""What the likelihood of a candidate depends on, from its rows and an experiment."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.errors import ExperimentError
from shiftcli.nmr.assignment import LEAST, Comparison, compare, mean_row
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.kinds import Surrounding
from shiftcli.nmr.likelihood import COMMON, Nucleus, Question, Total, sum_over_assignments
from shiftcli.nmr.naming import match, permitted
from shiftcli.nmr.shifts import References

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import SitePrediction

#: For each peak the groups that it is of; empty where it names none.
Columns = Sequence[tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Posed:
    """A candidate and measured shifts, before assignments are summed over."""

    question: Question  #: What the likelihood depends on.
    #: With the first way to carry the labels over, peaks without labels assigned one by one.
    comparison: Comparison
    hold: Callable[[Columns], Comparison]  #: The comparison with other columns.
    first: Columns  #: Columns of the first way.
    linked: Collection[int]  #: Peaks whose sites the others decide.


def pose(
    groups: Sequence[SitePrediction],
    surroundings: Sequence[Surrounding],
    experiment: Experiment,
    ways: Sequence[Columns],
    *,
    places: Sequence[int],
    references: References,
    theory_errors: Mapping[str, float],
) -> Posed:
    """What the likelihood of a candidate depends on.

    There is at least one of `ways` to carry the experiment's labels over; `places` are those in the
    molecule of each group, from `shiftcli.nmr.labels.find_places`; references and errors of theory
    are as for `shiftcli.nmr.assignment.compare`. `ExperimentError` if the peaks cannot belong to
    this structure.
    """

    def hold(columns: Columns) -> Comparison:
        return compare(
            groups, experiment, references=references, theory_errors=theory_errors,
            surroundings=surroundings, columns=columns,
        )  # fmt: skip

    comparison = hold(ways[0])
    question = _pose(
        groups, surroundings, experiment, ways, places, references, theory_errors, comparison
    )
    linked = {k for pair in (*experiment.bonded, *experiment.near) for k in pair}
    if len(set(places)) < len(groups):
        # The likeliest one peak by peak would choose the best of several copies for each.
        linked = set(range(len(experiment.peaks)))
    return Posed(question, comparison, hold, ways[0], linked)


def hold_against(posed: Posed, source: str) -> tuple[Comparison, Total]:
    """Hold a candidate against measured shifts, in the likeliest way of carrying labels over.

    The comparison has the likeliest assignment of the other peaks, the likelihood is summed over
    all. `ExperimentError` if no assignment is possible.
    """
    question, linked = posed.question, posed.linked
    total = sum_over_assignments(question)
    if not math.isfinite(total.log_likelihood):
        raise ExperimentError("no assignment has all cross peaks between neighbours", where=source)
    if len(question.ways) == 1 and not linked:
        return posed.comparison, total
    best = []
    for place, column in enumerate(total.best):
        is_known = bool(posed.first[place]) or place in linked
        nucleus = next(n for n in question.nuclei if place in n.places)
        best.append(nucleus.columns[column] if is_known else ())
    return posed.hold(best), total


def compare_described(
    groups: Sequence[SitePrediction],
    surroundings: Sequence[Surrounding],
    experiment: Experiment,
    *,
    references: References | None = None,
    theory_errors: Mapping[str, float],
) -> Comparison:
    """`shiftcli.nmr.assignment.compare`, with cross peaks between neighbours.

    Arguments as of `pose`; labels are those of the structure.
    """
    if not (experiment.bonded or experiment.near):
        return compare(
            groups, experiment, references=references, theory_errors=theory_errors,
            surroundings=surroundings,
        )  # fmt: skip
    own = [match(groups, peak, experiment.source) for peak in experiment.peaks]
    posed = pose(
        groups, surroundings, experiment, [own], places=range(len(groups)),
        references=references or References(), theory_errors=theory_errors,
    )  # fmt: skip
    return hold_against(posed, experiment.source)[0]


def _pose(
    groups: Sequence[SitePrediction],
    surroundings: Sequence[Surrounding],
    experiment: Experiment,
    ways: Sequence[Columns],
    slots: Sequence[int],
    references: References,
    theory_errors: Mapping[str, float],
    comparison: Comparison,
) -> Question:
    environments = sorted({around.environment for around in surroundings})
    number = {environment: k for k, environment in enumerate(environments)}
    nuclei, fits = [], {fit.species: fit for fit in comparison.fits}
    taken = np.full((len(ways), len(experiment.peaks)), -1)
    for element in experiment.elements:
        places = tuple(k for k, p in enumerate(experiment.peaks) if p.element == element)
        columns: dict[tuple[int, ...], None] = {
            (k,): None for k, g in enumerate(groups) if g.site.element == element
        }
        columns.update({way[k]: None for way in ways for k in places if way[k]})
        order = {own: k for k, own in enumerate(columns)}
        for w, way in enumerate(ways):
            taken[w, list(places)] = [order.get(way[k], -1) for k in places]
        means = np.array([mean_row(groups, own, surroundings) for own in columns])
        peaks = [experiment.peaks[k] for k in places]
        measured = np.array([peak.uncertainty or 0.0 for peak in peaks])
        fixed = element in references.references
        offset, slope = references.line(element) if fixed else (None, references.gradient(element))
        fit = fits[peaks[0].species]
        widths, kinds = (
            abs(slope) * means[:, 1],
            np.array([number[surroundings[own[0]].environment] for own in columns]),
        )
        shared = math.sqrt(COMMON[element] / len(set(kinds.tolist()))) * float(widths.mean())
        nuclei.append(
            Nucleus(
                places,
                np.array([peak.shift for peak in peaks]),
                measured**2 + theory_errors.get(element, 0.0) ** 2 + LEAST**2,
                tuple(columns),
                slope * means[:, 0],
                widths,
                kinds,
                _slots(places, columns, slots),
                COMMON[element],
                offset=offset,
                guess=fit.offset,
                spread=max(fit.offset_error or 0.0, shared),
            )
        )
    return Question(
        tuple(nuclei),
        np.unique(taken, axis=0),
        _allowed(groups, surroundings, experiment, nuclei, ways[0]),
        (*experiment.bonded, *experiment.near),
        _neighbours(surroundings, experiment, nuclei),
    )


def _slots(
    places: Sequence[int], columns: Collection[tuple[int, ...]], slots: Sequence[int]
) -> np.ndarray:
    """Place of each column; its own where there are more peaks than places."""
    own = np.array([slots[column[0]] for column in columns])
    return own if len(places) <= len(np.unique(own)) else np.arange(len(own))


def _allowed(
    groups: Sequence[SitePrediction],
    surroundings: Sequence[Surrounding],
    experiment: Experiment,
    nuclei: Sequence[Nucleus],
    way: Columns,
) -> dict[int, np.ndarray]:
    """Columns that each peak without labels may have."""
    found = {}
    for nucleus in nuclei:
        for place in nucleus.places:
            if not way[place]:
                may = permitted(groups, experiment.peaks[place], surroundings, experiment.source)
                found[place] = np.array([len(c) == 1 and may[c[0]] for c in nucleus.columns])
    return found


def _neighbours(
    surroundings: Sequence[Surrounding], experiment: Experiment, nuclei: Sequence[Nucleus]
) -> dict[tuple[int, int], np.ndarray]:
    """For each cross peak, by its two peaks both ways, which columns are neighbours."""
    home = {place: nucleus for nucleus in nuclei for place in nucleus.places}
    found = {}
    for links, name in ((experiment.bonded, "bonded"), (experiment.near, "near")):
        for one, other in links:
            table = np.array(
                [
                    [
                        any(set(second) & getattr(surroundings[k], name) for k in first)
                        for second in home[other].columns
                    ]
                    for first in home[one].columns
                ]
            )
            found[one, other], found[other, one] = table, table.T
    return found
