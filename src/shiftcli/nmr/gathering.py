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
from shiftcli.nmr.likelihood import Total
from shiftcli.nmr.question import hold_against
from shiftcli.nmr.stated import stated_beside
from shiftcli.prediction.predictor import Failure, Prediction
from shiftcli.structure.crystal import Crystal

#: Standard error of ln L that is said.
_UNCERTAIN = 0.3

#: Candidates whose ln L is less by this cannot be among those left.
_HELD = 20.0


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
    """Candidates as they come, and predictions of those that may be among the likeliest.

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
        self.stated: list[Prediction] = []  #: By the shieldings in the files, if `beside`.
        self.held: dict[int, Prediction] = {}  #: By the candidate's place.
        self._experiment, self._options, self._beside = experiment, options, beside
        self._waiting: list[tuple[int, Prediction]] = []
        self._best = -math.inf
        self.naming = None if labels_from is None else self._naming(labels_from)

    def _naming(self, crystal: Crystal) -> Naming:
        return Naming(crystal, self._experiment, self._options["exchange"])

    def take(self, place: int, item: Prediction | Failure) -> None:
        """Take what was predicted in some place of the candidates."""
        if isinstance(item, Failure):
            self.failures.append(item)
            return
        if self._beside and (own := stated_beside(item)) is not None:
            self.stated.append(own)
        self._waiting.append((place, item))
        if self.naming is None:
            found = find_reference([item], self._experiment, self._options["exchange"])
            self.naming = None if found is None else self._naming(found)
        if self.naming is not None:
            for at, own in self._waiting:
                self._add(at, own, self.naming)
            self._waiting = []

    def close(self) -> None:
        """Say why candidates cannot be ranked where none has the labels of the experiment."""
        for _, item in self._waiting:
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
        self.candidates.append(replace(made, place=place))
        self._best = max(self._best, made.log_likelihood)
        if made.log_likelihood > self._best - _HELD:
            self.held[place] = prediction


def _candidate(item: Prediction, naming: Naming, options: Mapping[str, Any]) -> Candidate:
    crystal = item.crystal
    posed, notes = pose_candidate(item, naming, **options)
    comparison, total = hold_against(posed, naming.experiment.source)
    return Candidate(
        crystal.source,
        crystal.name,
        crystal.formula,
        comparison,
        total.log_likelihood,
        warnings=(*crystal.warnings, *notes, *_sampling(total)),
        log_likelihood_error=total.error,
        moved=crystal.moved is not None,
        fingerprint=fingerprint(crystal),
    )


def _sampling(total: Total) -> tuple[str, ...]:
    if total.error < _UNCERTAIN:
        return ()
    return (
        f"ln L is uncertain by {total.error:.1f}: too many assignments, of which "
        f"{total.assignments} were sampled",
    )
