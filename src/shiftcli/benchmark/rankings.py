"""How right the probabilities of `shiftcli.nmr.ranking` are, on candidate sets of known crystals.

The experiment is the crystal's GIPAW shieldings as shifts, with the error of GIPAW against
experiment as normal noise; the candidates are the crystal and other structures of its molecules
(`shiftcli.benchmark.packing`). They are predicted once; only likelihoods are made anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, product

import numpy as np

from shiftcli.benchmark.packing import Packer
from shiftcli.errors import StructureError
from shiftcli.nmr.assignment import GIPAW_ERRORS
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average
from shiftcli.nmr.candidates import Naming, pose_candidate
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.families import difference, find_families, fingerprint
from shiftcli.nmr.likelihood import COMMON, FREEDOM, Nucleus, Question, sum_over_assignments
from shiftcli.nmr.question import RESOLVED, level
from shiftcli.nmr.ranking import Ranking, rank
from shiftcli.prediction.predictor import Prediction, Predictor, SitePrediction
from shiftcli.structure.crystal import Crystal

#: References (ppm) that the rankings are not told.
REFERENCES = {"H": 30.6, "C": 169.5}

#: Nuclei that are measured, and the share of the peaks that have labels.
NUCLEI = (("H",), ("C",), ("H", "C"))
LABELLED = {"all": 1.0, "half": 0.5, "none": 0.0}

#: Edges of bins of stated probabilities.
BINS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0)


@dataclass(frozen=True, eq=False)
class CandidateSet:
    """A known crystal and other structures of its molecules."""

    crystal: Crystal  #: With its shieldings.
    candidates: tuple[Prediction, ...]  #: Itself first.
    kinds: tuple[str, ...]  #: Of the others, out of `shiftcli.benchmark.packing.KINDS`.
    #: How far the others are from the crystal in Å, see `shiftcli.nmr.families.difference`.
    distances: tuple[float, ...]
    families: tuple[int, ...]  #: Family of each candidate; the crystal's is 0.


def make_set(
    crystal: Crystal, kinds: Sequence[str], predictor: Predictor, number: int
) -> CandidateSet | None:
    """Make and predict the candidates of a crystal; None where its molecules cannot be packed.

    Of each of `kinds` one; where no bond can be turned, a packing. They follow from the crystal's
    number.
    """
    try:
        packer = Packer(crystal)
    except StructureError:
        return None
    made = [(kind, packer.make(kind, (number, k))) for k, kind in enumerate(kinds)]
    made = [
        (kind, own) if own is not None else ("packing", packer.make("packing", (number, k)))
        for k, (kind, own) in enumerate(made)
    ]
    others = [(kind, own) for kind, own in made if own is not None]
    structures = [crystal, *(own for _, own in others)]
    prints = [fingerprint(one) for one in structures]
    return CandidateSet(
        crystal,
        tuple(predictor.predict_crystal(one) for one in structures),
        tuple(kind for kind, _ in others),
        tuple(difference(prints[0], one) for one in prints[1:]),
        tuple(find_families(prints)),
    )


def experiment_of(
    crystal: Crystal, elements: Sequence[str], labelled: float, seed: Sequence[int]
) -> Experiment:
    """Known shieldings of some elements as measured shifts: exchange averaged, noise added.

    `labelled` is the share of the peaks that keep their labels; noise and labels follow from the
    seed.
    """
    rng = np.random.default_rng(seed)
    known = crystal.shieldings
    rows = tuple(
        SitePrediction(site, float(np.nanmean(known[site.atoms])), 0.0, 0.0)
        for site in crystal.sites
        if known is not None and np.isfinite(known[site.atoms]).any()
    )
    peaks = []
    for row in average(Prediction(crystal, rows)):
        # The noise of a nucleus and a draw is the same whatever else is measured.
        noise, chance = rng.normal(), rng.random()
        if row.site.element in elements:
            shift = (
                REFERENCES[row.site.element]
                - row.shielding
                + GIPAW_ERRORS[row.site.element] * noise
            )
            labels = row.labels if chance < labelled else ()
            peaks.append(Peak(labels, row.site.species, shift))
    return Experiment(tuple(peaks), crystal.name)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a ranking says of families of candidates, the true one known."""

    crystal: str  #: The crystal.
    probabilities: np.ndarray  #: Of each family, the best first.
    true: int  #: Position of the family that holds the crystal.
    alike: int  #: Families that cannot be told apart from the best.

    @classmethod
    def of(cls, ranking: Ranking, name: str) -> Outcome:
        """Of the ranking of a crystal with this name."""
        first = {c.family: c for c in reversed(ranking.candidates)}
        families = [first[k] for k in sorted(first)]
        true = next(c.family for c in ranking.candidates if c.name == name) - 1
        return cls(
            name,
            np.array([c.family_probability for c in families]),
            true,
            sum(c.indistinguishable for c in families),
        )


@dataclass
class Tally:
    """How often rankings are right, and whether they say so."""

    #: Draws of the noise for one crystal are not independent: standard errors count crystals.
    outcomes: list[Outcome] = field(default_factory=list)

    def figures(self) -> tuple[float, float, float, float, float, float, float]:
        """Means over the rankings.

        How often the true family is first, the probability stated of the first, how often the true
        one is among those that cannot be told apart, families there, families in all, ln P of the
        true one, and that of an even guess.
        """
        return (
            self._mean(o.true == 0 for o in self.outcomes),
            self._mean(o.probabilities[0] for o in self.outcomes),
            self._mean(o.true < o.alike for o in self.outcomes),
            self._mean(o.alike for o in self.outcomes),
            self._mean(len(o.probabilities) for o in self.outcomes),
            self.mean_log,
            -self._mean(math.log(len(o.probabilities)) for o in self.outcomes),
        )

    @property
    def mean_log(self) -> float:
        """Mean ln P of the true family."""
        return self._mean(
            math.log(max(float(o.probabilities[o.true]), 1e-300)) for o in self.outcomes
        )

    def _mean(self, values: Iterable[float]) -> float:
        return float(np.mean(list(values)))

    def bins(self) -> Iterator[tuple[float, float, float, float, float, int]]:
        """Stated against observed: edges, mean stated, observed, standard error, and families.

        The standard error is that of the stated probabilities if they are right, with as many
        independent draws as there are families of different crystals in the bin.
        """
        stated = np.concatenate([o.probabilities for o in self.outcomes])
        true = np.concatenate([np.arange(len(o.probabilities)) == o.true for o in self.outcomes])
        names = np.concatenate([np.full(len(o.probabilities), o.crystal) for o in self.outcomes])
        for low, high in pairwise(BINS):
            here = (stated >= low) & ((stated < high) | (high == BINS[-1]))
            if here.any():
                own = stated[here]
                error = math.sqrt(float((own * (1 - own)).mean()) / len(np.unique(names[here])))
                yield low, high, float(own.mean()), float(true[here].mean()), error, int(here.sum())


def measure_rankings(
    sets: Sequence[CandidateSet],
    draws: Mapping[str, int],
    factors: Mapping[str, float],
    on_note: Callable[[str], None] = lambda text: None,
) -> dict[tuple[tuple[str, ...], str], Tally]:
    """Rank every set by every kind of experiment, by nuclei and share of labels.

    `draws` of the noise are made for each of `LABELLED`; `factors` are those of
    `shiftcli.nmr.ranking.rank`.
    """
    tallies: dict[tuple[tuple[str, ...], str], Tally] = {}
    for number, own in enumerate(sets, 1):
        for elements, (word, share) in product(NUCLEI, LABELLED.items()):
            for draw in range(draws[word]):
                experiment = experiment_of(own.crystal, elements, share, (number, draw))
                ranking = rank(own.candidates, experiment, labels_from=own.crystal, factors=factors)
                tally = tallies.setdefault((elements, word), Tally())
                tally.outcomes.append(Outcome.of(ranking, own.crystal.name))
        on_note(f"{own.crystal.name}: ranked, {number} of {len(sets)}")
    return tallies


@dataclass(frozen=True)
class Constants:
    """Constants of the model of errors, see `shiftcli.nmr.likelihood`."""

    freedom: float = FREEDOM  #: Degrees of freedom ν.
    #: Shares a and c, by element.
    common: Mapping[str, tuple[float, float]] = field(default_factory=lambda: COMMON)
    #: Differences between candidates that are half believed, by element in ppm.
    resolved: Mapping[str, float] = field(default_factory=lambda: RESOLVED)
    power: float = 1.0  #: f, which ln L is multiplied by.

    def log_likelihoods(
        self, questions: Sequence[Question], elements: Sequence[str]
    ) -> list[float]:
        """f·ln L of the answers to questions of one set, whose nuclei are of these elements."""
        changed = [
            replace(question, nuclei=tuple(map(self._changed, question.nuclei, elements)))
            for question in questions
        ]
        return [self.power * sum_over_assignments(q).log_likelihood for q in level(changed)]

    def _changed(self, own: Nucleus, element: str) -> Nucleus:
        resolved = self.resolved.get(element, 0.0)
        return replace(own, freedom=self.freedom, common=self.common[element], resolved=resolved)


@dataclass(frozen=True, eq=False)
class Questions:
    """What the likelihoods of a set of candidates depend on, for one labelled experiment."""

    crystal: str  #: The crystal.
    elements: tuple[str, ...]  #: What is measured, in the order of the nuclei of the questions.
    questions: tuple[Question, ...]  #: One for each candidate.
    families: tuple[int, ...]  #: Family of each; 0 is the true one.

    def outcome(self, constants: Constants) -> Outcome:
        """The ranking with other constants."""
        logs = np.array(constants.log_likelihoods(self.questions, self.elements))
        numbers = np.array(self.families)
        weights = np.exp(logs - logs.max())
        means = np.bincount(numbers, weights) / np.bincount(numbers)
        order = np.argsort(-means, kind="stable")
        stated = means[order] / means.sum()
        alike = int(np.searchsorted(np.cumsum(stated), 0.95)) + 1
        return Outcome(self.crystal, stated, int(np.flatnonzero(order == 0)[0]), alike)


def pose_all(
    sets: Sequence[CandidateSet],
    elements: tuple[str, ...],
    draws: int,
    factors: Mapping[str, float],
) -> list[Questions]:
    """Questions of all sets, with labels."""
    found = []
    for number, own in enumerate(sets, 1):
        for draw in range(draws):
            experiment = experiment_of(own.crystal, elements, 1.0, (number, draw))
            naming = Naming(own.crystal, experiment, DEFAULT_EXCHANGE)
            questions = tuple(
                pose_candidate(item, naming, factors=factors)[0].question for item in own.candidates
            )
            order = naming.experiment.elements
            found.append(Questions(own.crystal.name, tuple(order), questions, own.families))
    return found
