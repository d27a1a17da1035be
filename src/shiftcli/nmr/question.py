"""What the likelihood of a candidate depends on, from its rows and an experiment."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from shiftcli.errors import ExperimentError
from shiftcli.nmr.assignment import LEAST, Comparison, compare, mean_row
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.kinds import Surrounding
from shiftcli.nmr.likelihood import COMMON, Nucleus, Question, Total, sum_over_assignments
from shiftcli.nmr.naming import match_all, permitted, place_of
from shiftcli.nmr.shifts import References

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import SitePrediction

#: Difference (ppm) between candidates of which half is believed, by element. On out-of-fold
#: predictions of atoms with one place in the molecular graph of a crystal, GIPAW's differences are
#: nearest to predicted ones d that count as d³/(d² + this²); for 13C either half of the families
#: gives 0.7, for 15N and 17O they say little more than that it is larger. 1H is right as it is.
RESOLVED = {"C": 0.7, "N": 6.0, "O": 4.0}

#: Groups that a peak may be of in all ways to carry labels over that can be listed, about.
_FEW = 4

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
    is_sample: bool = False,
    places: Sequence[int],
    references: References,
    theory_errors: Mapping[str, float],
) -> Posed:
    """What the likelihood of a candidate depends on.

    There is at least one of `ways` to carry the experiment's labels over; with `is_sample` they are
    a few of many, and the peaks of which they name different groups may be any of these (the
    hydrogens of six molecules of water). `places` are those in the molecule of each group, from
    `shiftcli.nmr.labels.find_places`; references and errors of theory are as for
    `shiftcli.nmr.assignment.compare`. `ExperimentError` if the peaks cannot belong to this
    structure.
    """

    def hold(columns: Columns) -> Comparison:
        return compare(
            groups, experiment, references=references, theory_errors=theory_errors,
            surroundings=surroundings, columns=columns,
        )  # fmt: skip

    loose: Mapping[int, frozenset[int]] = {}
    if is_sample:
        number = len(ways)
        ways, loose = _loosened(ways)
        is_sample, places = _FEW * len(ways) > number, range(len(groups)) if loose else places
    comparison = hold(ways[0])
    question = _pose(
        groups, surroundings, experiment, ways, is_sample, places, references, theory_errors,
        comparison, loose,
    )  # fmt: skip
    _check_links(question, experiment)
    linked = {k for pair in (*experiment.bonded, *experiment.near) for k in pair} | loose.keys()
    if len(set(places)) < len(groups):
        # The likeliest one peak by peak would choose the best of several copies for each.
        linked = set(range(len(experiment.peaks)))
    return Posed(question, comparison, hold, ways[0], linked)


def _check_links(question: Question, experiment: Experiment) -> None:
    """Refuse a cross peak whose labels mean atoms that are no neighbours."""
    for link in question.links:
        sites = question.ways[:, list(link)]
        near = question.neighbours[link]
        if (sites >= 0).all() and not near[sites[:, 0], sites[:, 1]].any():
            one, other = ("+".join(experiment.peaks[k].labels) for k in link)
            what = "bonded" if link in experiment.bonded else "near"
            raise ExperimentError(
                f"{one} and {other} have a cross peak and are not {what}",
                where=place_of(experiment.peaks[link[0]], experiment.source),
            )


def _loosened(ways: Sequence[Columns]) -> tuple[list[Columns], dict[int, frozenset[int]]]:
    """Ways without the peaks that are of one of more than `_FEW` groups each, and those groups."""
    named = [set(of_peak) for of_peak in zip(*ways, strict=True)]
    loose = {
        place: frozenset(group for own in groups for group in own)
        for place, groups in enumerate(named)
        if len(groups) > _FEW and all(len(own) == 1 for own in groups)
    }
    kept = {tuple(() if k in loose else own for k, own in enumerate(way)) for way in ways}
    return [*sorted(kept)], loose


def level(questions: Sequence[Question]) -> list[Question]:
    """Questions of several candidates with small differences between them made smaller.

    What the networks get wrong is mostly the molecule, alike in all its packings; how little a
    packing changes they hardly see, so that a small predicted difference is mostly error. Of an
    atom's shielding the difference d to the mean of all candidates, less that of the candidate's
    other atoms, counts as d³/(d² + r²) with r of `RESOLVED`.
    """
    nuclei = zip(*(map(_levelled, zip(*(q.nuclei for q in questions), strict=True))), strict=True)
    return [replace(q, nuclei=own) for q, own in zip(questions, nuclei, strict=True)]


def _levelled(nuclei: Sequence[Nucleus]) -> Sequence[Nucleus]:
    """One nucleus in all candidates."""
    if not any(own.resolved for own in nuclei):
        return nuclei
    values: dict[int, list[float]] = defaultdict(list)
    for own in nuclei:
        for place in np.unique(own.equals).tolist():
            values[place].append(float(own.predicted[own.equals == place].mean()))
    found = []
    for own in nuclei:
        apart = own.predicted - [np.mean(values[place]) for place in own.equals.tolist()]
        apart -= apart.mean()
        found.append(replace(own, predicted=own.predicted - apart + drawn(apart, own.resolved)))
    return found


def drawn(apart: np.ndarray, resolved: float) -> np.ndarray:
    """What is believed of differences between candidates, of which `resolved` ppm are half."""
    scale = apart**2 + resolved**2
    return np.divide(apart**3, scale, out=np.zeros_like(apart), where=scale > 0)


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
    own = match_all(groups, experiment, surroundings)
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
    is_sample: bool,
    slots: Sequence[int],
    references: References,
    theory_errors: Mapping[str, float],
    comparison: Comparison,
    loose: Mapping[int, frozenset[int]],
) -> Question:
    kinds = _numbered(around.environment for around in surroundings)
    equals = np.array(
        [
            crc32(repr((around.environment, around.place or k)).encode())
            for k, around in enumerate(surroundings)
        ]
    )
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
        widths, first = abs(slope) * means[:, 1], [own[0] for own in columns]
        spread = math.sqrt(COMMON[element][1] / len(set(kinds[first].tolist()))) * widths.mean()
        nuclei.append(
            Nucleus(
                places,
                np.array([peak.shift for peak in peaks]),
                measured**2 + theory_errors.get(element, 0.0) ** 2 + LEAST**2,
                tuple(columns),
                slope * means[:, 0],
                widths,
                kinds[first],
                equals[first],
                _slots(places, columns, slots),
                COMMON[element],
                RESOLVED.get(element, 0.0) if widths.any() else 0.0,
                offset=offset,
                guess=fit.offset,
                spread=max(fit.offset_error or 0.0, float(spread)),
            )
        )
    return Question(
        tuple(nuclei),
        np.unique(taken, axis=0),
        is_sample,
        _allowed(groups, surroundings, experiment, nuclei, ways[0], loose),
        (*experiment.bonded, *experiment.near),
        _neighbours(surroundings, experiment, nuclei),
    )


def _numbered(keys: Iterable[Hashable]) -> np.ndarray:
    """A number for each different key."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys])


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
    loose: Mapping[int, frozenset[int]],
) -> dict[int, np.ndarray]:
    """Columns that each peak without labels, or of one of the `loose` groups, may have."""
    found = {}
    for nucleus in nuclei:
        for place in nucleus.places:
            if not way[place]:
                may = permitted(groups, experiment.peaks[place], surroundings, experiment.source)
                own = loose.get(place, range(len(groups)))
                found[place] = np.array(
                    [len(c) == 1 and may[c[0]] and c[0] in own for c in nucleus.columns]
                )
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
