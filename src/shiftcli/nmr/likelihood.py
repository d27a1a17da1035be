"""How likely measured shifts are if a candidate is the structure: a sum over assignments.

**One assignment.** Peak i at its site differs from the shift of the site by r = b + slope·σ − δ.
The errors of one nucleus are normal with the covariance κ·Σ,

    Σ_ij = (t² + e_i² + (1 − a − c)·u_i²)·[i = j]
           + u_i·u_j·(a·[i and j have one place] + c·[environments of i and j are alike])

with the error t of GIPAW against experiment, e of the measurement and u of the prediction. Of the
variance of the last the share a is common to atoms with one place in the molecular graph (copies
of a molecule, equivalent atoms of one), for what the networks get wrong is mostly the molecule and
not its packing; and c to like environments (`shiftcli.structure.kinds`) of one crystal. The offset
b (flat prior), unless references fix it, and κ, for some crystals are predicted worse throughout
(inverse gamma, shape and scale ν/2), are integrated out. For n peaks

    ln L = ln Γ((ν + m)/2) − ln Γ(ν/2) − m/2 ln νπ − ½ ln |Σ| − ½ ln 1ᵀΣ⁻¹1 − (ν + m)/2 ln(1 + Q/ν)

with m = n − 1 and Q = rᵀΣ⁻¹r at the best b; without the third last term and with m = n where b is
fixed: a multivariate Student's t.

**All assignments.** Nobody knows which peak is which site where labels do not say it, nor which of
two equal ways to lay a molecule on its copy is meant. All that the columns of the experiment leave
are equally likely before, so the likelihood is their mean: of a prior that is even over all ways to
give peaks to sites of their nucleus, so that sites without a peak are no advantage. No two peaks
have one place in molecules of one kind, unless there are more peaks than places: a copy written in
P1, with four molecules for one, has the likelihood of the crystal. Without
common shares the sum were a permanent, for which there is Ryser's formula; with them there is none.
Up to `EXACT` assignments are added up one by one. Of more, a sample drawn nearly as the terms are
large stands for all (importance sampling, one peak after the other, from the matrix of single
densities balanced to rows and columns of 1: Beichl and Sullivan, J. Comput. Phys. 149, 128 (1999)),
and the standard error of ln L is stated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

#: Degrees of freedom ν of a crystal's error scale; and shares of the variance of prediction that
#: are common to atoms with one place in the molecular graph of a crystal, a, and to like
#: environments of it beyond that, c. Those under which the out-of-fold errors of 400 crystals are
#: likeliest; fitted on either half of their families they are the best for the other half, too.
FREEDOM = 10.0
COMMON = {"H": (0.3, 0.15), "C": (0.7, 0.1), "N": (0.6, 0.15), "O": (0.6, 0.15)}

#: Assignments that are added up one by one, and samples of more: in one round, and at most.
EXACT, ROUND, MOST_SAMPLES = 4000, 1000, 12_000

#: Standard error of ln L at which sampling ends.
ENOUGH = 0.1

#: Offsets that samples are proposed for, in units of the offset's uncertainty, and their weights.
_OFFSETS = np.array([-2.5, -1.2, 0.0, 1.2, 2.5])
_WEIGHTS = np.array([0.1, 0.25, 0.3, 0.25, 0.1])

#: Rounds of balancing, and least chance of an allowed site in units of an even one.
_BALANCE, _LEAST_CHANCE = 25, 1e-3


@dataclass(frozen=True, eq=False)
class Nucleus:
    """The peaks of one nucleus and the columns (groups, or sets of them) they may take."""

    places: tuple[int, ...]  #: Positions of its n peaks in the experiment.
    #: In ppm, and variance in ppm² of measurement and theory, shape (n,).
    shifts: np.ndarray
    noise: np.ndarray
    columns: tuple[tuple[int, ...], ...]  #: Groups of each of m columns.
    #: Slope times shielding, and standard deviation of the prediction, in ppm, shape (m,).
    predicted: np.ndarray
    widths: np.ndarray
    kinds: np.ndarray  #: Number of the environment, shape (m,).
    #: Number of the place in the molecular graph, one for equivalent atoms and the same in all
    #: candidates, shape (m,); columns with one are of one environment.
    equals: np.ndarray
    #: Number of the place in the molecule, of which peaks without labels share none, shape (m,).
    slots: np.ndarray
    common: tuple[float, float]  #: Shares a and c.
    #: Difference (ppm) between candidates that is half believed, see `shiftcli.nmr.question.level`.
    resolved: float = 0.0
    offset: float | None = None  #: b in ppm where it is fixed.
    #: About where a fitted offset is, and its uncertainty, in ppm.
    guess: float = 0.0
    spread: float = 1.0
    freedom: float = FREEDOM  #: Degrees of freedom ν.

    def log_likelihood(self, taken: np.ndarray) -> np.ndarray:
        """ln L of whole assignments.

        Parameters
        ----------
        taken : numpy.ndarray
            Column of each peak, shape (s, n).

        Returns
        -------
        numpy.ndarray
            Shape (s,).
        """
        needed = self.shifts - self.predicted[taken]
        widths = self.widths[taken]
        weights = 1.0 / (self.noise + (1.0 - sum(self.common)) * widths**2)
        # Sums over Σ⁻¹ by Woodbury's identity: each place takes a rank of one away, then each
        # environment, which is made of places.
        parts = [weights, weights * needed, weights * needed**2]
        ones, cross, squares = (part.sum(axis=1) for part in parts)
        log_volume = -np.log(weights).sum(axis=1)
        loads = weights * widths
        _, first, place = np.unique(self.equals, return_index=True, return_inverse=True)
        vectors = (loads * widths, loads, loads * needed)
        sums = [_by_number(values, place[taken], len(first)) for values in vectors]
        levels = np.arange(len(first)), self.kinds[first]
        for share, holder in zip(self.common, levels, strict=True):
            own, load, toward = (x @ (holder[:, None] == np.unique(holder)) for x in sums)
            rank = np.asarray(1.0 + share * own)
            ones = ones - (share * load**2 / rank).sum(axis=1)
            cross = cross - (share * load * toward / rank).sum(axis=1)
            squares = squares - (share * toward**2 / rank).sum(axis=1)
            log_volume = log_volume + np.log(rank).sum(axis=1)
            sums = [x / rank for x in (own, load, toward)]
        number = len(self.places)
        if self.offset is None:
            number -= 1
            distance = squares - cross**2 / ones
            log_volume = log_volume + np.log(ones)
        else:
            distance = squares - 2 * self.offset * cross + self.offset**2 * ones
        half = 0.5 * (self.freedom + number)
        constant = math.lgamma(half) - math.lgamma(0.5 * self.freedom)
        constant -= 0.5 * number * math.log(self.freedom * math.pi)
        found = constant - 0.5 * log_volume
        return np.asarray(found - half * np.log1p(np.maximum(0.0, distance) / self.freedom))

    def single_densities(self, peaks: np.ndarray, offset: float) -> np.ndarray:
        """Logarithms of the densities of single peaks at all columns, shape (peaks, m)."""
        variance = self.noise[peaks, None] + self.widths**2
        square = (offset + self.predicted - self.shifts[peaks, None]) ** 2 / variance
        logs = -0.5 * (self.freedom + 1) * np.log1p(square / self.freedom) - 0.5 * np.log(variance)
        return np.asarray(logs)


def _by_number(values: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """Sums of each row over its entries of each number below `count`, shape (rows, count)."""
    rows = np.arange(len(numbers))[:, None]
    sums = np.bincount((numbers + count * rows).ravel(), values.ravel(), count * len(numbers))
    return sums.reshape(len(numbers), count)


@dataclass(frozen=True, eq=False)
class Question:
    """Everything that the likelihood of a candidate depends on."""

    nuclei: tuple[Nucleus, ...]  #: At least one.
    #: For each way to carry the labels over, the column of each peak of the experiment in its
    #: nucleus, −1 where it names no site, shape (ways, peaks).
    ways: np.ndarray
    is_sample: bool  #: Whether these are a few of many ways, drawn by chance.
    #: For each peak without labels, which columns it may take, shape (m,).
    allowed: Mapping[int, np.ndarray]
    links: Sequence[tuple[int, int]] = ()  #: Peaks of two nuclei whose sites are neighbours.
    #: For each of them, both ways, which of the columns are neighbours, shape (m, m').
    neighbours: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def loose(self, nucleus: Nucleus) -> list[int]:
        """Positions, among the peaks of a nucleus, of those without labels."""
        return [k for k, place in enumerate(nucleus.places) if place in self.allowed]


@dataclass(frozen=True)
class Total:
    """The likelihood of a candidate."""

    log_likelihood: float  #: ln L; −inf where no assignment is allowed.
    error: float  #: Its standard error from sampling; 0 where all terms were added up.
    assignments: int  #: Assignments that were looked at.
    best: tuple[int, ...]  #: Column of each peak in the likeliest of those.


def sum_over_assignments(question: Question, seed: int = 0) -> Total:
    """Add up, or sample, the likelihoods of all assignments.

    Parameters
    ----------
    question : Question
        What may be assigned to what.
    seed : int
        Of the samples; the same question has the same answer.
    """
    found: list[np.ndarray] = []
    for assignment in _all(question):
        if len(found) == EXACT:
            return _sample(question, np.random.default_rng(seed))
        found.append(assignment)
    if not found:
        return Total(-math.inf, 0.0, 0, ())
    taken = np.array(found)
    logs = _log_likelihoods(question, taken) - _log_number(question)
    best = tuple(taken[int(np.argmax(logs))].tolist())
    error = _sampling_error(logs) if question.is_sample else 0.0
    # Labellings have the same number of free sites, so the mean over them is the sum by it.
    return Total(_log_sum(logs) - math.log(len(question.ways)), error, len(taken), best)


def _sampling_error(logs: np.ndarray) -> float:
    """Standard error of the logarithm of a mean over samples, from those of the terms."""
    weights = np.exp(logs - logs.max())
    return float(weights.std() / weights.mean() / math.sqrt(len(weights)))


def _log_sum(logs: np.ndarray) -> float:
    largest = float(logs.max())
    if not math.isfinite(largest):
        return -math.inf
    return largest + math.log(float(np.exp(logs - largest).sum()))


def _log_likelihoods(question: Question, taken: np.ndarray) -> np.ndarray:
    return np.asarray(sum(n.log_likelihood(taken[:, list(n.places)]) for n in question.nuclei))


def _log_number(question: Question) -> float:
    """Logarithm of the number of ways to give loose peaks to any free sites of their nucleus."""
    total = 0.0
    for nucleus in question.nuclei:
        loose = question.loose(nucleus)
        if loose:
            free = _free(question, nucleus, question.ways[0])
            # Ways to choose sites of so many places: the elementary symmetric polynomial.
            chosen = [1] + [0] * len(loose)
            for size in np.unique(nucleus.slots[free], return_counts=True)[1].tolist():
                for k in range(len(loose), 0, -1):
                    chosen[k] += size * chosen[k - 1]
            if not chosen[-1]:
                return math.inf
            total += math.log(chosen[-1]) + math.lgamma(len(loose) + 1)
    return total


def _free(question: Question, nucleus: Nucleus, way: np.ndarray) -> list[int]:
    """Columns of single groups in places that no labelled peak has."""
    stated = {way[place] for place in nucleus.places if way[place] >= 0}
    used = {group for column in stated for group in nucleus.columns[column]}
    taken = {
        int(nucleus.slots[k]) for k, own in enumerate(nucleus.columns)
        if len(own) == 1 and used.intersection(own)
    }  # fmt: skip
    return [
        k for k, own in enumerate(nucleus.columns)
        if len(own) == 1 and int(nucleus.slots[k]) not in taken
    ]  # fmt: skip


def _all(question: Question) -> Iterator[np.ndarray]:
    """Every assignment that is allowed: for each peak its column."""
    home = {place: k for k, n in enumerate(question.nuclei) for place in n.places}
    order = sorted(question.allowed, key=lambda place: int(question.allowed[place].sum()))

    def extend(taken: np.ndarray, step: int, free: list[set[int]]) -> Iterator[np.ndarray]:
        if step == len(order):
            yield taken.copy()
            return
        place = order[step]
        mine, slots = free[home[place]], question.nuclei[home[place]].slots
        for column in sorted(mine):
            if not question.allowed[place][column]:
                continue
            taken[place] = column
            if all(_are_near(question, taken, link) for link in question.links):
                same = {k for k in mine if slots[k] == slots[column]}
                mine -= same
                yield from extend(taken, step + 1, free)
                mine |= same
            taken[place] = -1

    for way in question.ways:
        free = [set(_free(question, nucleus, way)) for nucleus in question.nuclei]
        start = way.copy()
        if all(_are_near(question, start, link) for link in question.links):
            yield from extend(start, 0, free)


def _are_near(question: Question, taken: np.ndarray, link: tuple[int, int]) -> bool:
    one, other = link
    if taken[one] < 0 or taken[other] < 0:
        return True
    return bool(question.neighbours[one, other][taken[one], taken[other]])


def _sample(question: Question, draw: np.random.Generator) -> Total:
    logs: list[np.ndarray] = []
    best, highest, error = (), -math.inf, math.inf
    while sum(map(len, logs)) < MOST_SAMPLES and error > ENOUGH:
        taken, chance = _draw(question, draw)
        likelihood = np.where(
            np.isfinite(chance), _log_likelihoods(question, np.maximum(taken, 0)), -math.inf
        )
        logs.append(likelihood - np.where(np.isfinite(chance), chance, 0.0))
        if likelihood.max() > highest:
            highest = float(likelihood.max())
            best = tuple(taken[int(np.argmax(likelihood))].tolist())
        if math.isfinite(highest):
            error = _sampling_error(np.concatenate(logs))
    every = np.concatenate(logs)
    if not math.isfinite(highest):
        return Total(-math.inf, 0.0, len(every), ())
    total = _log_sum(every) - math.log(len(every)) - _log_number(question)
    return Total(total, error, len(every), best)


def _draw(question: Question, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Assignments drawn by chance, and ln of that chance (−inf where one came to a dead end).

    The chance is that given the way to carry the labels over, which are drawn evenly.
    """
    ways = question.ways[draw.integers(len(question.ways), size=ROUND)]
    taken = ways.copy()
    chance = np.zeros(ROUND)
    home = {place: k for k, n in enumerate(question.nuclei) for place in n.places}
    for nucleus in question.nuclei:
        loose = np.array(question.loose(nucleus), dtype=int)
        if not len(loose):
            continue
        free = np.zeros((ROUND, len(nucleus.columns)), dtype=bool)
        for way in np.unique(ways, axis=0):
            here = (ways == way).all(axis=1)
            free[np.ix_(here, _free(question, nucleus, way))] = True
        spots = [nucleus.places[k] for k in loose]
        permits = np.array([question.allowed[place] for place in spots])
        slots = np.unique(nucleus.slots, return_inverse=True)[1]
        chances = [
            _balanced(nucleus.single_densities(loose, offset) + _hints(question, spots, home),
                      permits & free.any(axis=0), slots)
            for offset in _offsets(nucleus)
        ]  # fmt: skip
        order = np.argsort(-nucleus.shifts[loose], kind="stable")
        picks = draw.choice(len(chances), p=_WEIGHTS if len(chances) > 1 else None, size=ROUND)
        logs = np.zeros((ROUND, len(chances)))
        rest = [
            _by_slot(matrix[:-1][order][::-1].cumsum(axis=0)[::-1] + matrix[-1], slots)
            for matrix in chances
        ]
        for step, row in enumerate(order.tolist()):
            place = spots[row]
            open_now = free & _linked(question, taken, place)
            choices = np.stack(
                [matrix[row] / rest[k][step] * open_now for k, matrix in enumerate(chances)], axis=1
            )
            totals = choices.sum(axis=2)
            own = choices[np.arange(ROUND), picks].cumsum(axis=1)
            column = (own <= draw.random(ROUND)[:, None] * own[:, -1:]).sum(axis=1)
            dead = column >= own.shape[1]
            column[dead] = 0
            with np.errstate(divide="ignore", invalid="ignore"):
                logs += np.log(choices[np.arange(ROUND), :, column] / totals)
            logs[dead] = -math.inf
            taken[:, place] = column
            free &= nucleus.slots != nucleus.slots[column][:, None]
        logs = np.where(np.isnan(logs), -math.inf, logs)
        weights = np.log(_WEIGHTS) if len(chances) > 1 else np.zeros(1)
        with np.errstate(divide="ignore"):
            largest = logs.max(axis=1, keepdims=True)
            steady = np.where(np.isfinite(largest), largest, 0.0)
            chance += steady[:, 0] + np.log(np.exp(logs - steady + weights).sum(axis=1))
    return taken, chance


def _offsets(nucleus: Nucleus) -> np.ndarray:
    if nucleus.offset is not None:
        return np.array([nucleus.offset])
    return np.asarray(nucleus.guess + nucleus.spread * _OFFSETS)


def _by_slot(matrix: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """For each column the sum over the columns of its slot."""
    member = slots[:, None] == np.arange(slots.max() + 1)
    return np.asarray((matrix @ member)[:, slots])


def _balanced(logs: np.ndarray, permits: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Chance of each peak at each column, rows and slots near 1; the last row is for no peak."""
    logs = np.where(permits, logs, -math.inf)
    largest = logs.max(axis=1, keepdims=True)
    matrix = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
    matrix = np.maximum(matrix, _LEAST_CHANCE / logs.shape[1]) * permits
    open_columns = permits.any(axis=0)
    spare = max(len(np.unique(slots[open_columns])) - len(matrix), 0)
    matrix = np.vstack([matrix, open_columns * (1.0 if spare else 1e-9)])
    wanted = np.ones(len(matrix))
    wanted[-1] = max(spare, 1e-9)
    for _ in range(_BALANCE):
        matrix = matrix * (wanted / np.maximum(matrix.sum(axis=1), 1e-300))[:, None]
        matrix = matrix / np.maximum(_by_slot(matrix.sum(axis=0)[None], slots), 1e-300)
    return np.maximum(matrix, 1e-300)


def _hints(question: Question, spots: Sequence[int], home: Mapping[int, int]) -> np.ndarray:
    """What linked peaks of later nuclei say of the columns of these, shape (peaks, m)."""
    number = home[spots[0]]
    total = np.zeros((len(spots), len(question.nuclei[number].columns)))
    for one, other in _both_ways(question.links):
        if one not in spots or home[other] <= number:
            continue
        partner = question.nuclei[home[other]]
        peak = np.array([partner.places.index(other)])
        logs = partner.single_densities(peak, float(np.median(_offsets(partner))))[0]
        near = question.neighbours[one, other]
        with np.errstate(divide="ignore"):
            total[spots.index(one)] += np.log(near @ np.exp(logs))
    return np.maximum(total, -50.0)


def _linked(question: Question, taken: np.ndarray, place: int) -> np.ndarray:
    """Columns that peaks assigned before leave to one, shape (samples, m)."""
    allowed = np.tile(question.allowed[place], (len(taken), 1))
    for one, other in _both_ways(question.links):
        if one == place and (taken[:, other] >= 0).all():
            allowed &= question.neighbours[other, one][taken[:, other]]
    return allowed


def _both_ways(links: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for one, other in links:
        yield one, other
        yield other, one
