"""Candidate structures ranked by how well they explain measured shifts.

The likelihood of a candidate is that of `shiftcli.nmr.likelihood`, summed over all ways to give its
peaks to its sites: labels are carried over by the molecular graph (`shiftcli.nmr.labels`), so that
candidates may number their atoms as they like.

**Near copies are one family** (`shiftcli.nmr.families`): nobody can tell apart what differs by less
than the networks see. A family has the mean likelihood of its members, and families are equally
likely before the measurement, so ten copies of one structure weigh as much as one structure:

    P(family) = L / Σ L,    L = mean of the likelihoods of its members,

given that one of the candidates is the structure. Within a family nothing is decided: each member
has an equal share.

**Candidates that cannot be told apart** are the fewest families, from the best downwards, whose
probabilities sum to at least `CREDIBLE`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shiftcli.errors import ExperimentError, counted, shortened
from shiftcli.nmr.assignment import GIPAW_ERRORS
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.families import TOLERANCE, TOLERANCE_STATED, find_families
from shiftcli.nmr.gathering import Candidate, Gathered
from shiftcli.nmr.kinds import WIDTH_FACTORS
from shiftcli.nmr.likelihood import FREEDOM
from shiftcli.nmr.next_measurement import Measurement, next_measurements
from shiftcli.nmr.shifts import References
from shiftcli.notebook import Result
from shiftcli.prediction.predictor import Failure, Prediction
from shiftcli.structure.crystal import Crystal

#: Probability that the candidates that cannot be told apart hold together.
CREDIBLE = 0.95

#: Mean and standard deviation (ppm) of the RMSE of correct structures, GIPAW against experiment:
#: Salager et al., J. Am. Chem. Soc. 132, 2564 (2010).
RMSE_BANDS = {"1H": (0.33, 0.16)}

#: RMSE of the best candidate, in units of the expected one, that calls for a warning where
#: there are more peaks than the second number.
_POOR, _FEW = 2.0, 4

#: Relative difference of probabilities that says nothing.
_TIE = 0.01

#: The model in a sentence or two, for tables and documents.
MODEL = (
    "normal differences with the variances of prediction, GIPAW and measurement, shares of the "
    "first common to equivalent atoms and to like environments of a crystal; small differences "
    "between candidates are drawn to their mean, but for 1H; of each candidate and nucleus the "
    "offset (unless references fix it) and a common scale of the errors (inverse gamma, "
    f"{FREEDOM:g} degrees of freedom) are integrated out; the likelihood is summed over all "
    "assignments that labels and peaks leave; candidates that differ by less than the networks "
    "see are one family; probabilities are given that one of the families holds the structure, "
    "all equally likely before"
)


@dataclass(frozen=True, repr=False)
class Ranking(Result):
    """Candidates, best first.

    Attributes
    ----------
    candidates : tuple of Candidate
        By falling probability.
    failures : tuple of Failure
        Candidates that could not be predicted or do not fit the experiment.
    experiment : Experiment
        The measured shifts.
    theory_errors : mapping of str to float
        Standard deviation in ppm of GIPAW shifts against experiment by element.
    notes : tuple of str
        What the reader of the ranking should know.
    next : tuple of Measurement
        What would tell most between the families left, best first.
    stated : Ranking or None
        The same by the shieldings in the files, where that was asked for.
    predictions : mapping of int to Prediction
        Those of the likeliest candidates, by `Candidate.place`.
    """

    candidates: tuple[Candidate, ...]
    failures: tuple[Failure, ...]
    experiment: Experiment
    theory_errors: Mapping[str, float] = field(default_factory=lambda: GIPAW_ERRORS)
    notes: tuple[str, ...] = ()
    stated: Ranking | None = None
    next: tuple[Measurement, ...] = ()
    predictions: Mapping[int, Prediction] = field(default_factory=dict)

    def __repr__(self) -> str:
        number, best = counted(len(self.candidates), "candidate"), ""
        if self.candidates:
            first = self.candidates[0]
            percent = 100 * first.family_probability
            best = f", first {shortened(first.title)} ({percent:.1f} % for its family)"
        return f"<Ranking of {number} by {shortened(self.experiment.source)}{best}>"

    def to_dict(self) -> dict[str, list[Any]]:
        """The attributes of `Candidate` that are numbers or text, one value a candidate."""
        names = ("title", "formula", "family", "family_probability", "probability", "n")
        columns = {name: [getattr(c, name) for c in self.candidates] for name in names}
        for species in self.species:
            columns[f"{species} RMSE/ppm"] = [c.rmse[species] for c in self.candidates]
            columns[f"{species} offset/ppm"] = [c.offset[species] for c in self.candidates]
        return columns

    @property
    def species(self) -> tuple[str, ...]:
        """Nuclides that were measured, in the order of the experiment."""
        return self.experiment.species

    @property
    def indistinguishable(self) -> tuple[Candidate, ...]:
        """Candidates that cannot be told apart, the best among them."""
        return tuple(c for c in self.candidates if c.indistinguishable)

    @property
    def model(self) -> str:
        """The model behind the probabilities, in words."""
        return MODEL


def rank(
    predictions: Iterable[Prediction | Failure],
    experiment: Experiment,
    *,
    labels_from: Crystal | None = None,
    references: References | None = None,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    factors: Mapping[str, float] = WIDTH_FACTORS,
    tolerance: float | None = None,
    beside: bool = False,
) -> Ranking:
    """Rank candidate structures by measured shifts.

    Parameters
    ----------
    predictions : iterable of Prediction or Failure
        One for each candidate, as `shiftcli.Predictor.predict_files` yields them. They are
        taken one by one and need not be in memory together, but for those before the one that
        labels are from.
    experiment : Experiment
        From `shiftcli.read_experiment`. Peaks without labels are assigned anew in
        every candidate.
    labels_from : Crystal, optional
        The structure whose atoms the experiment names; without it the first candidate that has
        all labels. They mean the atoms with the same places in the molecules of the others.
    references : References, optional
        Elements with a reference have that offset; the others one fitted for each candidate.
    exchange : collection of str
        Fast exchange that is averaged, see `shiftcli.nmr.averaging.average`.
    theory_errors : mapping of str to float
        Standard deviation in ppm of GIPAW shifts against experiment by element; 0 where an
        element is missing, as it should be where the experiment is a GIPAW calculation.
    factors : mapping of str to float
        On the uncertainties of predictions by class, see `shiftcli.nmr.kinds.widening`.
    tolerance : float
        Difference in Å up to which candidates are one family, see `shiftcli.nmr.families`; 0
        makes each its own. Without it `TOLERANCE`, or `TOLERANCE_STATED` where no shielding was
        predicted.
    beside : bool
        Whether candidates are ranked by the shieldings in their files, too (`Ranking.stated`).
        Those have no error but that of GIPAW against experiment.

    Raises
    ------
    ExperimentError
        If the experiment is of several structures, or `labels_from` lacks its labels.
    """
    if len(names := {peak.structure for peak in experiment.peaks if peak.structure}) > 1:
        raise ExperimentError(
            f"shifts of {len(names)} structures; a ranking is by those of one",
            where=experiment.source,
        )
    options: dict[str, Any] = {
        "references": references, "exchange": exchange, "theory_errors": theory_errors,
        "factors": factors,
    }  # fmt: skip
    gathered = Gathered(experiment, labels_from, options, beside=beside)
    for place, item in enumerate(predictions):
        gathered.take(place, item)
    gathered.close()
    made = _weighed(gathered, experiment, theory_errors, tolerance)
    if gathered.stated is not None:
        stated = _weighed(gathered.stated, experiment, theory_errors)
        notes = (*made.notes, *_notes_on_stated(made.candidates, stated))
        made = replace(made, notes=notes, stated=stated)
    options["references"] = references or References()
    asked = gathered.naming.experiment if gathered.naming else experiment
    return replace(made, next=next_measurements(made.candidates, gathered.held, asked, **options))


def _weighed(
    gathered: Gathered,
    experiment: Experiment,
    theory_errors: Mapping[str, float],
    tolerance: float | None = None,
) -> Ranking:
    if tolerance is None:
        rows = (row for c in gathered.candidates for row in c.comparison.rows)
        tolerance = TOLERANCE if any(row.uncertainty > 0 for row in rows) else TOLERANCE_STATED
    ranked = weigh(gathered.candidates, tolerance)
    return Ranking(
        ranked, tuple(gathered.failures), experiment, theory_errors,
        (ranked[0].comparison if ranked else experiment).notes + _notes(ranked),
        predictions=gathered.held,
    )  # fmt: skip


def _notes_on_stated(ranked: Sequence[Candidate], stated: Ranking) -> Iterator[str]:
    """How many candidates are ranked by their files, and why others are not."""
    number, all_of = len(stated.candidates), counted(len(ranked), "candidate")
    if number < len(ranked):
        yield f"the files of {number} of {all_of} hold the shieldings that were measured"
    for failure in stated.failures[:3]:
        yield f"shieldings of the file: {failure.error}"
    yield from (f"shieldings of the files: {text}" for text in _notes(stated.candidates))


def weigh(candidates: Sequence[Candidate], tolerance: float = TOLERANCE) -> tuple[Candidate, ...]:
    """Turn likelihoods into probabilities, and sort.

    Parameters
    ----------
    candidates : sequence of Candidate
        In any order.
    tolerance : float
        Difference in Å up to which candidates are one family.

    Returns
    -------
    tuple of Candidate
        The best family first, in it the likeliest first, those of equal likelihood in the order
        given; with their families and probabilities, and marked where they cannot be told
        apart: the fewest families, from the best downwards, that hold `CREDIBLE` together, and
        all that are as likely as the last of them to `_TIE`.
    """
    if not candidates:
        return ()
    logs = np.array([c.log_likelihood for c in candidates])
    order = np.argsort(-logs, kind="stable")
    numbers = np.array(find_families([candidates[k].fingerprint for k in order], tolerance))
    weights = np.exp(logs[order] - logs.max())
    sizes = np.bincount(numbers)
    means = np.bincount(numbers, weights) / sizes
    ranks = np.argsort(-means, kind="stable")
    probabilities = means[ranks] / means.sum()
    last = int(np.searchsorted(np.cumsum(probabilities), CREDIBLE - 1e-12))
    least = probabilities[min(last, len(probabilities) - 1)]
    ranked = []
    for number, (family, p) in enumerate(zip(ranks, probabilities, strict=True), 1):
        ranked += [
            replace(
                candidates[k],
                probability=float(p / sizes[family]),
                indistinguishable=bool(p >= least * (1 - _TIE)),
                family=number,
                family_probability=float(p),
            )
            for k in order[numbers == family]
        ]
    return tuple(ranked)


def _notes(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    notes = []
    if len(candidates) == 1:
        notes.append("one candidate: its probability is 1, however badly it fits")
    moved = sum(c.moved for c in candidates)
    if 0 < moved < len(candidates):
        notes.append(
            f"the hydrogens of {moved} of {len(candidates)} candidates were moved along "
            "their bonds, those of the others were not; --hydrogens keep|neutron treats all alike"
        )
    if candidates and len({c.family for c in candidates}) == 1 < len(candidates):
        notes.append("all candidates are near copies of each other: shifts cannot decide")
    for species, rmse in (candidates[0].rmse if candidates else {}).items():
        expected = candidates[0].expected_rmse[species]
        if candidates[0].peaks[species] > _FEW and rmse > _POOR * expected:
            notes.append(
                f"even the best candidate differs by {rmse:.2f} ppm ({species}) where "
                f"{expected:.2f} is expected of the right one; it may not be among them"
            )
    return tuple(notes)
