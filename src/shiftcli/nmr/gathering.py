"""Candidates held against the measured shifts one by one, as predictions of them come.

Labels of the experiment are those of one structure (`shiftcli.nmr.candidates`); until it is known,
predictions wait.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from shiftcli.errors import attempt
from shiftcli.nmr.assignment import Comparison
from shiftcli.nmr.candidates import Naming, find_reference, pose_candidate
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.families import Fingerprint, fingerprint
from shiftcli.nmr.likelihood import Question, sum_over_assignments
from shiftcli.nmr.question import hold_against, level
from shiftcli.nmr.stated import stated_beside
from shiftcli.prediction.predictor import Failure, Prediction
from shiftcli.structure.crystal import Crystal

#: Standard error of ln L that is said.
_UNCERTAIN = 0.3

#: Predictions that are kept, those of the likeliest candidates.
MOST_HELD = 50


@dataclass(frozen=True)
class Candidate:
    """One structure held against the measured shifts.

    Attributes
    ----------
    file, name, formula : str
        Its file, its name inside it, and the atoms of its cell.
    comparison : Comparison
        Which peak is which site, and how well they agree.
    log_likelihood : float
        ln L, summed over assignments.
    probability : float
        That it is the structure, given that one of the candidates is: an equal share of that
        of its family.
    indistinguishable : bool
        Whether it is one of those that cannot be told apart from the best.
    warnings : tuple of str
        What was changed or dropped when it was read and predicted.
    log_likelihood_error : float
        Standard error of ln L where assignments were sampled, else 0.
    moved : bool
        Whether its hydrogens were moved before it was predicted.
    family : int
        Number of its family, from 1, the best first.
    family_probability : float
        That the structure is in its family.
    fingerprint : mapping
        Its surroundings, see `shiftcli.nmr.families`.
    place : int
        Its place among what was ranked, from 0, failures counted.
    """

    file: str
    name: str
    formula: str
    comparison: Comparison
    log_likelihood: float
    probability: float = math.nan
    indistinguishable: bool = False
    warnings: tuple[str, ...] = ()
    log_likelihood_error: float = 0.0
    moved: bool = False
    family: int = 0
    family_probability: float = math.nan
    fingerprint: Fingerprint = field(default_factory=dict, repr=False)
    place: int = 0

    @property
    def title(self) -> str:
        """Its file, and its name where it has one."""
        return f"{self.file}: {self.name}" if self.name else self.file

    @property
    def rmse(self) -> dict[str, float]:
        """RMSE in ppm by species."""
        return {fit.species: fit.rmse for fit in self.comparison.fits}

    @property
    def offset(self) -> dict[str, float]:
        """Offset in ppm by species: δ = offset + slope·σ."""
        return {fit.species: fit.offset for fit in self.comparison.fits}

    @property
    def peaks(self) -> dict[str, int]:
        """Number of measured shifts by species."""
        return {fit.species: fit.n for fit in self.comparison.fits}

    @property
    def n(self) -> int:
        """Number of measured shifts."""
        return len(self.comparison.rows)

    @property
    def expected_rmse(self) -> dict[str, float]:
        """RMSE in ppm by species that the model expects of the right structure."""
        squares: dict[str, list[float]] = {}
        for row in self.comparison.rows:
            squares.setdefault(row.species, []).append(row.sigma**2)
        return {species: math.sqrt(sum(s) / len(s)) for species, s in squares.items()}


class Gathered:
    """Candidates as they come, and predictions of `MOST_HELD` of the likeliest.

    `options` are those of `pose_candidate`. Without a structure that labels are from, candidates
    wait for the first that has them all.
    """

    def __init__(
        self,
        experiment: Experiment,
        labels_from: Crystal | None,
        options: Mapping[str, Any],
        *,
        beside: bool,
    ) -> None:
        self.candidates: list[Candidate] = []
        self.failures: list[Failure] = []
        #: The same by the shieldings in the files, if `beside`.
        self.stated = Gathered(experiment, None, options, beside=False) if beside else None
        self._experiment, self._options = experiment, options
        self._waiting: list[tuple[int, Prediction, Prediction | None]] = []
        self._held: list[tuple[float, int, Prediction]] = []
        self._questions: list[Question] = []
        self.naming = None if labels_from is None else self._naming(labels_from)

    def _naming(self, crystal: Crystal) -> Naming:
        return Naming(crystal, self._experiment, self._options["exchange"])

    def take(self, place: int, item: Prediction | Failure) -> None:
        """Take what was predicted in some place of the candidates."""
        if isinstance(item, Failure):
            self.failures.append(item)
            return
        own = None if self.stated is None else stated_beside(item)
        self._waiting.append((place, item, own))
        if self.naming is None:
            found = find_reference([item], self._experiment, self._options["exchange"])
            self.naming = None if found is None else self._naming(found)
        if self.naming is not None:
            for at, waiting, stated in self._waiting:
                self._add(at, waiting, self.naming)
                if self.stated is not None and stated is not None:
                    self.stated.naming = self.naming
                    self.stated.take(at, stated)
            self._waiting = []

    @property
    def held(self) -> dict[int, Prediction]:
        """Predictions that were kept, by the candidate's place."""
        return {place: prediction for _, place, prediction in self._held}

    def close(self) -> None:
        """Hold the candidates against each other, and say what cannot be ranked, and why."""
        self._level()
        self.candidates = [_with_sampling(c) for c in self.candidates]
        if self.stated is not None:
            self.stated.close()
        for _, item, _ in self._waiting:
            crystal = item.crystal
            why = attempt(partial(self._naming, crystal), crystal.source, crystal.where)
            self.failures += [why] if isinstance(why, Failure) else []

    def _add(self, place: int, prediction: Prediction, naming: Naming) -> None:
        crystal = prediction.crystal
        work = partial(_candidate, prediction, naming, self._options)
        made = attempt(work, crystal.source, crystal.where)
        if isinstance(made, Failure):
            self.failures.append(made)
            return
        candidate, question = made
        self.candidates.append(replace(candidate, place=place))
        self._questions.append(question)
        self._held.append((candidate.log_likelihood, place, prediction))
        self._held = sorted(self._held, key=lambda own: -own[0])[:MOST_HELD]

    def _level(self) -> None:
        """Likelihoods anew, differences between candidates being those that networks see."""
        if len(self._questions) < 2 or not any(n.resolved for n in self._questions[0].nuclei):
            return
        for k, question in enumerate(level(self._questions)):
            total = sum_over_assignments(question)
            self.candidates[k] = replace(
                self.candidates[k],
                log_likelihood=total.log_likelihood,
                log_likelihood_error=total.error,
            )


def _candidate(
    item: Prediction, naming: Naming, options: Mapping[str, Any]
) -> tuple[Candidate, Question]:
    crystal = item.crystal
    posed, notes = pose_candidate(item, naming, **options)
    comparison, total = hold_against(posed, naming.experiment.source)
    candidate = Candidate(
        crystal.source,
        crystal.name,
        crystal.formula,
        comparison,
        total.log_likelihood,
        warnings=(*crystal.warnings, *notes),
        log_likelihood_error=total.error,
        moved=crystal.moved is not None,
        fingerprint=fingerprint(crystal),
    )
    return candidate, posed.question


def _with_sampling(candidate: Candidate) -> Candidate:
    """The candidate, with a warning where its likelihood is a sample's and uncertain."""
    error = candidate.log_likelihood_error
    if error < _UNCERTAIN:
        return candidate
    text = (
        f"ln L is uncertain by {error:.1f}: of too many ways to assign the peaks a sample was taken"
    )
    return replace(candidate, warnings=(*candidate.warnings, text))
