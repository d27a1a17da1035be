"""Predicted shieldings held against measured shifts: which peak is which site, and how well.

The model is Gaussian. Peak i at site g differs by r = offset + slope·σ_g − δ_i, with the
variance s² = (slope·u_g)² + t² + e_i² of the prediction, of GIPAW against experiment, and of
the measurement, and counts (r/s)² + ln s²: twice the negative log likelihood but for a
constant. The sum over the peaks is least for the assignment and the offsets reported here;
without the second term peaks would go to the vaguest predictions. Errors of different sites
are taken for independent.
"""

from __future__ import annotations

import difflib
import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shiftcli.averaging import Group
from shiftcli.crystal import SPECIES
from shiftcli.errors import ExperimentError
from shiftcli.experiment import Experiment, Peak
from shiftcli.shifts import References

#: RMSE in ppm of GIPAW shieldings against experiment, Hartman et al. (2016).
GIPAW_ERRORS = {"H": 0.4, "C": 2.2, "N": 5.4, "O": 7.2}

#: Alternatives whose likelihood is within this of the best one's, as a difference of
#: −2 ln L: the 95 % quantile of χ² with one degree of freedom.
ALTERNATIVE_LIMIT = 3.84

#: The offset found is the best to this difference of −2 ln L, which says nothing.
_TOLERANCE = 0.01

#: Assignment problems solved in search of the offset, at most.
_MOST_STEPS = 2000

#: Prediction errors (ppm) that are not known, and the least a difference can have.
_UNKNOWN, _LEAST = 0.0, 1e-3


@dataclass(frozen=True)
class Row:
    """One measured shift and the site it belongs to.

    Attributes
    ----------
    site : str
        Name of its group; of its groups joined by ``+`` where the peak names several.
    species : str
        Nuclide.
    groups : tuple of int
        Positions of those among the groups given.
    multiplicity : int
        Atoms in the unit cell.
    shielding : float
        Predicted, in ppm.
    predicted, uncertainty : float
        Predicted shift in ppm, and its standard deviation as a GIPAW shift.
    measured : float
        Shift in ppm.
    measured_uncertainty : float or None
        As the experiment states it.
    difference : float
        Predicted minus measured, in ppm.
    sigma : float
        Standard deviation in ppm that the difference should have, from prediction, GIPAW and
        measurement, less what the fitted offset takes away.
    flag : str
        ``>2σ`` or ``>3σ`` where the difference is larger than that, else empty.
    assigned : bool
        Whether the assignment was found here, and not stated.
    line : int
        Line of the experiment.
    """

    site: str
    species: str
    groups: tuple[int, ...]
    multiplicity: int
    shielding: float
    predicted: float
    uncertainty: float
    measured: float
    measured_uncertainty: float | None
    difference: float
    sigma: float
    flag: str
    assigned: bool
    line: int


@dataclass(frozen=True)
class Fit:
    """How well the shifts of one nucleus agree; every peak counts once.

    Attributes
    ----------
    species : str
        Nuclide.
    n : int
        Peaks.
    offset, slope : float
        δ = offset + slope·σ, in ppm.
    offset_error : float or None
        Standard error in ppm of a fitted offset; None where references fix it.
    rmse, mae : float
        Of the differences, in ppm.
    r2 : float or None
        1 − Σ(predicted − measured)²/Σ(measured − mean)²; None where all measured are equal.
    chi2 : float
        Σ(r/s)².
    """

    species: str
    n: int
    offset: float
    slope: float
    offset_error: float | None
    rmse: float
    mae: float
    r2: float | None
    chi2: float


@dataclass(frozen=True)
class Alternative:
    """Another assignment that is statistically as good: two peaks swapped, or one moved.

    Attributes
    ----------
    rows : tuple of int
        Positions of the one or two rows that change.
    sites : tuple of str
        The sites that they would have.
    difference : float
        Its −2 ln L less that of the assignment reported, offsets fitted anew; about 0 is as
        good, and all are below `ALTERNATIVE_LIMIT`.
    """

    rows: tuple[int, ...]
    sites: tuple[str, ...]
    difference: float


@dataclass(frozen=True)
class Comparison:
    """A structure held against an experiment.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the experiment.
    fits : tuple of Fit
        One for each nucleus, in the order of the experiment.
    alternatives : tuple of Alternative
        Best first. Several at once that share no peak are as good as their sum says.
    unmatched : tuple of str
        Groups of the measured nuclei that no peak belongs to.
    chi2 : float
        Σ(r/s)² over all rows.
    deviance : float
        −2 ln L, constants included, so that structures can be compared.
    notes : tuple of str
        What limits the comparison.
    """

    rows: tuple[Row, ...]
    fits: tuple[Fit, ...]
    alternatives: tuple[Alternative, ...] = ()
    unmatched: tuple[str, ...] = ()
    chi2: float = 0.0
    deviance: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def fitted(self) -> int:
        """Number of fitted offsets."""
        return sum(fit.offset_error is not None for fit in self.fits)


@dataclass(frozen=True)
class _Problem:
    """Peaks of one nucleus (n) and its candidate columns (groups, or groups that peaks name).

    `offsets[i, g]` is what the offset would have to be for no difference, `variances[i, g]`
    that of the difference, both of shape (n, columns); `fixed` maps peaks to their columns,
    and `free` are columns that other peaks may take.
    """

    offsets: np.ndarray
    variances: np.ndarray
    fixed: Mapping[int, int]
    free: np.ndarray
    reference: float | None
    slope: float
    columns: Sequence[tuple[int, ...]] = field(default_factory=tuple)


def compare(
    groups: Sequence[Group],
    experiment: Experiment,
    *,
    references: References | None = None,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
) -> Comparison:
    """Hold predicted shieldings against measured shifts.

    Parameters
    ----------
    groups : sequence of Group
        From `shiftcli.averaging.average`.
    experiment : Experiment
        From `shiftcli.experiment.read_experiment`.
    references : References, optional
        Elements with a reference have that offset. For the others the offset is fitted, with
        the gradient given here as slope, or −1.
    theory_errors : mapping of str to float
        Standard deviation in ppm of GIPAW shifts against experiment by element; 0 where an
        element is missing.

    Returns
    -------
    Comparison

    Raises
    ------
    ExperimentError
        If a peak names an unknown label, two peaks name one site and contradict each other,
        or more peaks than sites are measured.
    """
    references = references or References()
    experiment = merge_named(groups, experiment)
    rows: dict[int, Row] = {}
    fits, alternatives, notes = [], [], list(experiment.notes)
    deviance = 0.0
    for element in experiment.elements:
        places = [k for k, p in enumerate(experiment.peaks) if p.element == element]
        problem = _problem(groups, experiment, places, element, references, theory_errors)
        taken, offset = _solve(problem)
        own = _rows(groups, experiment, places, problem, taken, offset)
        rows.update(zip(places, own, strict=True))
        fits.append(_fit(SPECIES[element], own, problem, taken, offset))
        alternatives += _alternatives(groups, places, problem, taken)
        deviance += _deviance(problem, taken, offset) + len(own) * math.log(2 * math.pi)
        notes += _notes(SPECIES[element], problem)
    used = {k for row in rows.values() for k in row.groups}
    left = [
        g.name for k, g in enumerate(groups) if k not in used and g.element in experiment.elements
    ]
    return Comparison(
        tuple(rows[k] for k in sorted(rows)),
        tuple(fits),
        tuple(sorted(alternatives, key=lambda a: a.difference)),
        tuple(left),
        sum(fit.chi2 for fit in fits),
        deviance,
        tuple(notes),
    )


def match(groups: Sequence[Group], peak: Peak, source: str = "") -> tuple[int, ...]:
    """Find the groups that a peak's labels belong to.

    Parameters
    ----------
    groups : sequence of Group
        From `shiftcli.averaging.average`.
    peak : Peak
        With labels.
    source : str
        File of the experiment, for messages.

    Returns
    -------
    tuple of int
        Positions of the groups, each once; several where the peak stands for several sites,
        which it is then the mean of.

    Raises
    ------
    ExperimentError
        If a label is not that of an atom of this nucleus, or of several sites.
    """
    where = f"{source}: line {peak.line}" if peak.line else source
    found: list[int] = []
    for label in peak.labels:
        holders = [k for k, g in enumerate(groups) if label in g.labels or label in g.aliases]
        own = [k for k in holders if groups[k].element == peak.element]
        exact = [k for k in own if label in groups[k].labels]
        if not own:
            raise ExperimentError(
                f"{label} is {groups[holders[0]].species}, not {peak.species}"
                if holders
                else f"no {peak.species} atom is called {label}",
                where=where,
                hint="" if holders else _near(label, groups, peak),
            )
        if len(exact or own) > 1:
            raise ExperimentError(f"{label} is the label of several sites", where=where)
        found += (exact or own)[:1]
    return tuple(dict.fromkeys(found))


def _near(label: str, groups: Sequence[Group], peak: Peak) -> str:
    known = [name for g in groups if g.element == peak.element for name in g.labels]
    if not known:
        return f"no {peak.species} was predicted"
    alike = {name.lower(): name for name in known}
    near = difflib.get_close_matches(label.lower(), alike, n=3, cutoff=0.4)
    names = [alike[name] for name in near] or known[:6]
    return f"there is {', '.join(names)}" + ("" if near or len(known) < 7 else ", ...")


def merge_named(groups: Sequence[Group], experiment: Experiment) -> Experiment:
    """Join peaks that name atoms of the same group.

    Parameters
    ----------
    groups : sequence of Group
        From `shiftcli.averaging.average`.
    experiment : Experiment
        Such as one that lists the three hydrogens of a methyl group in three rows.

    Returns
    -------
    Experiment
        Each group named by one peak at most.

    Raises
    ------
    ExperimentError
        If their shifts differ, if two peaks name a group otherwise, or a label is unknown.
    """
    peaks: list[Peak] = []
    holder: dict[int, tuple[int, tuple[int, ...]]] = {}
    for peak in experiment.peaks:
        own = match(groups, peak, experiment.source)
        before = {holder[k] for k in own if k in holder}
        if not before:
            holder.update(dict.fromkeys(own, (len(peaks), own)))
            peaks.append(peak)
            continue
        place, others = min(before)
        first = peaks[place]
        if others != own or first.shift != peak.shift:
            name = "+".join(groups[k].name for k in own)
            raise ExperimentError(
                f"{name} has two measured shifts: {first.shift:g} ppm (line {first.line}) and "
                f"{peak.shift:g} ppm (line {peak.line})",
                where=experiment.source,
                hint="exchanging sites are averaged; --average none keeps them apart"
                if any(groups[k].kind for k in own)
                else "",
            )
        peaks[place] = Peak(
            first.labels + peak.labels, first.species, first.shift, first.uncertainty,
            first.line, first.structure,
        )  # fmt: skip
    return Experiment(tuple(peaks), experiment.source, experiment.notes)


def _problem(
    groups: Sequence[Group],
    experiment: Experiment,
    places: Sequence[int],
    element: str,
    references: References,
    theory_errors: Mapping[str, float],
) -> _Problem:
    peaks = [experiment.peaks[k] for k in places]
    named = {i: match(groups, p, experiment.source) for i, p in enumerate(peaks) if p.labels}
    used = {k for own in named.values() for k in own}
    single = [(k,) for k, g in enumerate(groups) if g.element == element and k not in used]
    columns = list(named.values()) + single
    if len(columns) < len(peaks):
        sites = sum(g.element == element for g in groups)
        raise ExperimentError(
            f"{len(peaks)} measured {SPECIES[element]} shifts, {sites} sites in the structure",
            where=experiment.source,
            hint="a peak belongs to one site; exchanging hydrogens are one",
        )
    if element in references.references:
        reference, slope = references.line(element)
    else:
        reference, slope = None, references.gradient(element)
    means = np.array([_mean(groups, own) for own in columns]).reshape(-1, 2)
    shifts = np.array([p.shift for p in peaks])
    measured = np.array([p.uncertainty or 0.0 for p in peaks])
    variances = (slope * means[None, :, 1]) ** 2 + measured[:, None] ** 2
    variances = variances + theory_errors.get(element, 0.0) ** 2 + _LEAST**2
    return _Problem(
        shifts[:, None] - slope * means[None, :, 0],
        variances,
        {i: c for c, i in enumerate(named)},
        np.arange(len(named), len(columns)),
        reference,
        slope,
        columns,
    )


def _mean(groups: Sequence[Group], own: Sequence[int]) -> tuple[float, float]:
    """Shielding of groups under one peak, and its uncertainty (as if their errors were one)."""
    weights = np.array([groups[k].multiplicity for k in own], dtype=float)
    weights /= weights.sum()
    widths = [groups[k].uncertainty for k in own]
    known = [w if math.isfinite(w) else _UNKNOWN for w in widths]
    return float(weights @ [groups[k].shielding for k in own]), float(weights @ known)


def _costs(problem: _Problem, offset: float) -> np.ndarray:
    return (offset - problem.offsets) ** 2 / problem.variances + np.log(problem.variances)


def _take(problem: _Problem, costs: np.ndarray) -> np.ndarray:
    """Column of each peak at the least sum of costs, shape (n,)."""
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    taken = np.empty(len(costs), dtype=int)
    loose = [i for i in range(len(costs)) if i not in problem.fixed]
    for i, column in problem.fixed.items():
        taken[i] = column
    if loose:
        chosen, columns = linear_sum_assignment(costs[np.ix_(loose, problem.free)])
        taken[np.array(loose)[chosen]] = problem.free[columns]
    return taken


def _best_offset(problem: _Problem, taken: np.ndarray) -> float:
    """Offset of an assignment: the mean, weighted by the inverse variances."""
    if problem.reference is not None:
        return problem.reference
    peaks = np.arange(len(taken))
    weights = 1.0 / problem.variances[peaks, taken]
    return float(weights @ problem.offsets[peaks, taken] / weights.sum())


def _deviance(problem: _Problem, taken: np.ndarray, offset: float) -> float:
    return float(_costs(problem, offset)[np.arange(len(taken)), taken].sum())


def _descend(problem: _Problem, offset: float) -> tuple[float, np.ndarray, float]:
    """Assignment and offset in turn until nothing changes: −2 ln L, columns, offset."""
    taken = _take(problem, _costs(problem, offset))
    while True:
        offset = _best_offset(problem, taken)
        again = _take(problem, _costs(problem, offset))
        if (again == taken).all() or problem.reference is not None:
            return _deviance(problem, taken, offset), taken, offset
        taken = again


def _solve(problem: _Problem) -> tuple[np.ndarray, float]:
    """The best assignment and offset, by branch and bound on the offset.

    Over an interval of offsets no assignment is better than the one of the least cost that
    each pair has anywhere in it; intervals that this excludes are dropped, the others halved.
    """
    loose = len(problem.offsets) - len(problem.fixed)
    if problem.reference is not None or not loose:
        start = problem.reference or 0.0
        _, taken, offset = _descend(problem, start)
        return taken, offset
    low, high = float(problem.offsets.min()), float(problem.offsets.max())
    best = min(
        (_descend(problem, s) for s in np.linspace(low, high, 9)), key=lambda found: found[0]
    )
    logs = np.log(problem.variances)
    queue = [(-math.inf, low, high)]
    for _ in range(_MOST_STEPS):
        if not queue or queue[0][0] >= best[0] - _TOLERANCE:
            break
        _, low, high = heapq.heappop(queue)
        middle = 0.5 * (low + high)
        best = min(best, _descend(problem, middle), key=lambda found: found[0])
        for a, b in ((low, middle), (middle, high)):
            distance = np.maximum(0.0, np.maximum(a - problem.offsets, problem.offsets - b))
            least = distance**2 / problem.variances + logs
            taken = _take(problem, least)
            bound = float(least[np.arange(len(taken)), taken].sum())
            if bound < best[0] - _TOLERANCE:
                heapq.heappush(queue, (bound, a, b))
    return best[1], best[2]


def _rows(
    groups: Sequence[Group],
    experiment: Experiment,
    places: Sequence[int],
    problem: _Problem,
    taken: np.ndarray,
    offset: float,
) -> list[Row]:
    peaks = np.arange(len(taken))
    variances = problem.variances[peaks, taken]
    # A fitted offset follows the differences, which are smaller for it.
    leverage = 0.0 if problem.reference is not None else (1 / variances) / (1 / variances).sum()
    sigmas = np.sqrt(variances * np.maximum(0.0, 1.0 - leverage))
    rows = []
    for i, place in enumerate(places):
        peak, own = experiment.peaks[place], problem.columns[taken[i]]
        shielding, width = _mean(groups, own)
        difference = offset - float(problem.offsets[i, taken[i]])
        rows.append(
            Row(
                site="+".join(groups[k].name for k in own),
                species=peak.species,
                groups=own,
                multiplicity=sum(groups[k].multiplicity for k in own),
                shielding=shielding,
                predicted=offset + problem.slope * shielding,
                uncertainty=abs(problem.slope) * width,
                measured=peak.shift,
                measured_uncertainty=peak.uncertainty,
                difference=difference,
                sigma=float(sigmas[i]),
                flag=_flag(difference, float(sigmas[i])),
                assigned=not peak.labels,
                line=peak.line,
            )
        )
    return rows


def _flag(difference: float, sigma: float) -> str:
    for limit in (3, 2):
        if abs(difference) > limit * sigma + 1e-9:
            return f">{limit}σ"
    return ""


def _fit(
    species: str, rows: Sequence[Row], problem: _Problem, taken: np.ndarray, offset: float
) -> Fit:
    differences = np.array([row.difference for row in rows])
    measured = np.array([row.measured for row in rows])
    weights = 1.0 / problem.variances[np.arange(len(taken)), taken]
    total = float(((measured - measured.mean()) ** 2).sum())
    return Fit(
        species=species,
        n=len(rows),
        offset=offset,
        slope=problem.slope,
        offset_error=None if problem.reference is not None else float(weights.sum() ** -0.5),
        rmse=float(np.sqrt((differences**2).mean())),
        mae=float(np.abs(differences).mean()),
        r2=1.0 - float((differences**2).sum()) / total if total > 0 else None,
        chi2=float(weights @ differences**2),
    )


def _alternatives(
    groups: Sequence[Group], places: Sequence[int], problem: _Problem, taken: np.ndarray
) -> list[Alternative]:
    """Swaps of two peaks and moves of one to a site without a peak, with new offsets."""
    best = _deviance(problem, taken, _best_offset(problem, taken))
    loose = [i for i in range(len(taken)) if i not in problem.fixed]
    unused = [c for c in problem.free.tolist() if c not in taken]
    found = []
    changes = [((i, j), (taken[j], taken[i])) for k, i in enumerate(loose) for j in loose[k + 1 :]]
    changes += [((i,), (c,)) for i in loose for c in unused]  # type: ignore[misc]
    for peaks, columns in changes:
        other = taken.copy()
        other[list(peaks)] = columns
        difference = _deviance(problem, other, _best_offset(problem, other)) - best
        if difference < ALTERNATIVE_LIMIT:
            names = tuple("+".join(groups[k].name for k in problem.columns[c]) for c in columns)
            found.append(Alternative(tuple(places[i] for i in peaks), names, difference))
    return found


def _notes(species: str, problem: _Problem) -> list[str]:
    loose = len(problem.offsets) - len(problem.fixed)
    if problem.reference is not None:
        return []
    if len(problem.offsets) == 1:
        return [f"one {species} shift: the fitted offset takes up the whole difference"]
    if loose and loose < len(problem.free):
        return [
            f"{loose} {species} shifts for {len(problem.free)} sites and a fitted offset: "
            "other assignments may fit as well"
        ]
    return []
