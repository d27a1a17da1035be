"""Candidate structures ranked by how well they explain measured shifts.

**The model.** If a candidate is the structure, the difference between its predicted and the
measured shift of peak i is r = b + slope·σ − δ, Gaussian with the variance κ·s²,

    s² = (slope·u)² + t² + e²

of the prediction (u, the 68 % half width), of GIPAW against experiment (t, Hartman 2016) and of
the measurement (e). Two numbers of each candidate and nucleus are unknown and integrated out,
not set to their best values: the offset b (flat prior), unless references fix it, and how far
the predictions of this crystal are off altogether, κ (inverse gamma, shape and scale ν/2),
for some crystals are predicted worse throughout. For n peaks that is a multivariate Student's t,

    ln L = −½ (ν + m) ln(1 + χ²/ν) − Σ ln s − ½ ln Σ s⁻² + const.,    χ² = Σ (r/s)²,

with r at the fitted b and m = n − 1; without the third term and with m = n where b is fixed.

**Errors are not independent.** Neighbours and like motifs of one crystal share their errors.
Taken for independent, many peaks make one candidate nearly certain, and often the wrong one. So
ln L counts `INDEPENDENCE` times: a power likelihood (Grünwald and van Ommen, Bayesian Anal. 12,
1069 (2017)). ν and the share f were chosen on 30 of the validation crystals among distorted copies
of themselves, where f = 0.5 makes the true ones likeliest and 0.4, more cautious, is not clearly
worse; docs/comparing-and-ranking.md says how that did on the 20 others
(``tests/nmr/test_ranking_published.py``). The probability of a candidate is then

    P(c) = L_c^f / Σ L^f,

given that one of the candidates is the structure, all alike before the measurement.

**Candidates that cannot be told apart** are the fewest, from the best downwards, whose
probabilities sum to at least `CREDIBLE`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from shiftcli.errors import DEBUG, ExperimentError, ReadError, ShiftcliError, fault
from shiftcli.nmr.assignment import GIPAW_ERRORS, Comparison, compare, merge_named
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Prediction, Predictor, SitePrediction, prepare
from shiftcli.readers import Disorder, iter_structures
from shiftcli.structure.crystal import Crystal

#: Degrees of freedom ν of a crystal's error scale, and the share f of ln L that counts.
FREEDOM, INDEPENDENCE = 5.0, 0.4

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
    "Gaussian differences with the variances of prediction, GIPAW and measurement; of each "
    "candidate and nucleus the offset (unless references fix it) and a common scale of the "
    "errors (inverse gamma, {freedom:g} degrees of freedom) are integrated out; ln L counts "
    "{independence:g} times, because errors within a crystal are alike; probabilities are given "
    "that one of the candidates is the structure, all equally likely before"
)


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
        ln L of the module's model, errors taken for independent.
    probability : float
        That it is the structure, given that one of the candidates is.
    indistinguishable : bool
        Whether it is one of those that cannot be told apart from the best.
    warnings : tuple of str
        What was changed or dropped when it was read and predicted.
    """

    file: str
    name: str
    formula: str
    comparison: Comparison
    log_likelihood: float
    probability: float = math.nan
    indistinguishable: bool = False
    warnings: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class Ranking:
    """Candidates, best first.

    Attributes
    ----------
    candidates : tuple of Candidate
        By falling probability.
    failures : tuple of Failure
        Candidates that could not be predicted or do not fit the experiment.
    experiment : Experiment
        The measured shifts.
    independence : float
        Share of ln L that counts.
    theory_errors : mapping of str to float
        Standard deviation in ppm of GIPAW shifts against experiment by element.
    notes : tuple of str
        What the reader of the ranking should know.
    """

    candidates: tuple[Candidate, ...]
    failures: tuple[Failure, ...]
    experiment: Experiment
    independence: float = INDEPENDENCE
    theory_errors: Mapping[str, float] = field(default_factory=lambda: GIPAW_ERRORS)
    notes: tuple[str, ...] = ()

    @property
    def species(self) -> tuple[str, ...]:
        """Nuclides that were measured, in the order of the experiment."""
        return tuple(dict.fromkeys(peak.species for peak in self.experiment.peaks))

    @property
    def indistinguishable(self) -> tuple[Candidate, ...]:
        """Candidates that cannot be told apart, the best among them."""
        return tuple(c for c in self.candidates if c.indistinguishable)

    @property
    def model(self) -> str:
        """The model behind the probabilities, in words."""
        return MODEL.format(freedom=FREEDOM, independence=self.independence)


def read_candidates(
    files: Iterable[str], *, disorder: Disorder = "major"
) -> list[Crystal | Failure]:
    """Read all candidates, so that their number is known before the long work begins.

    Parameters
    ----------
    files : iterable of str
        Files, as `shiftcli.readers.find_files` lists them.
    disorder : {"major", "error"}
        What to do with disordered structures.

    Returns
    -------
    list of Crystal or Failure
        In the order of the files.
    """
    return [
        Failure(file, item) if isinstance(item, ReadError) else item
        for file in files
        for item in iter_structures(file, disorder=disorder)
    ]


def predict_candidates(
    predictor: Predictor,
    candidates: Iterable[Crystal | Failure],
    experiment: Experiment,
    *,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
) -> Iterator[Prediction | Failure]:
    """Predict candidates, but not those that lack the atoms which the experiment names.

    Parameters
    ----------
    predictor : Predictor
        Its networks are for the nuclei of the experiment.
    candidates : iterable of Crystal or Failure
        From `read_candidates`.
    experiment : Experiment
        The measured shifts.
    exchange : collection of str
        As for `rank`.

    Yields
    ------
    Prediction or Failure
        One for each, in order.
    """
    for item in candidates:
        if isinstance(item, Failure):
            yield item
            continue
        try:
            _check_labels(predictor, item, experiment, exchange)
            yield predictor.predict(item)
        except ExperimentError as error:
            yield Failure(item.source, error.with_structure(item.where))
        except ShiftcliError as error:
            yield Failure(item.source, error)
        except Exception as error:  # a fault of ours in one must not lose the others
            if os.environ.get(DEBUG) == "1":
                raise
            yield Failure(item.source, fault(error, item.where))


def _check_labels(
    predictor: Predictor, crystal: Crystal, experiment: Experiment, exchange: Collection[str]
) -> None:
    """Refuse a crystal that lacks a label of the experiment, before it is predicted."""
    if not any(peak.labels for peak in experiment.peaks):
        return
    crystal = prepare(crystal, predictor.allow, predictor.hydrogens)
    sites = [s for s in crystal.sites if s.element in experiment.elements]
    rows = tuple(SitePrediction(site, math.nan, math.nan, math.nan) for site in sites)
    merge_named(average(Prediction(crystal, rows), exchange), experiment)


def unassigned(experiment: Experiment) -> Experiment:
    """The same shifts without labels, so that each candidate gets its own assignment.

    Parameters
    ----------
    experiment : Experiment
        Each of its peaks is one site, or one group of exchanging sites.

    Returns
    -------
    Experiment
    """
    peaks = tuple(replace(peak, labels=()) for peak in experiment.peaks)
    return replace(experiment, peaks=peaks)


def rank(
    predictions: Iterable[Prediction | Failure],
    experiment: Experiment,
    *,
    references: References | None = None,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    independence: float = INDEPENDENCE,
) -> Ranking:
    """Rank candidate structures by measured shifts.

    Parameters
    ----------
    predictions : iterable of Prediction or Failure
        One for each candidate, as `shiftcli.Predictor.predict_files` yields them. They are
        taken one by one and need not be in memory together.
    experiment : Experiment
        From `shiftcli.nmr.experiment.read_experiment`. Peaks without labels are assigned anew in
        every candidate.
    references : References, optional
        Elements with a reference have that offset; the others one fitted for each candidate.
    exchange : collection of str
        Fast exchange that is averaged, see `shiftcli.nmr.averaging.average`.
    theory_errors : mapping of str to float
        Standard deviation in ppm of GIPAW shifts against experiment by element; 0 where an
        element is missing, as it should be where the experiment is a GIPAW calculation.
    independence : float
        Share of ln L that counts, above 0; 1 would be independent errors.

    Returns
    -------
    Ranking

    Raises
    ------
    ExperimentError
        If the experiment is of several structures.
    """
    if len(names := {peak.structure for peak in experiment.peaks if peak.structure}) > 1:
        raise ExperimentError(
            f"shifts of {len(names)} structures; a ranking is by those of one",
            where=experiment.source,
        )
    candidates, failures = [], []
    for item in predictions:
        if isinstance(item, Failure):
            failures.append(item)
            continue
        try:
            groups = average(item, exchange)
            found = compare(groups, experiment, references=references, theory_errors=theory_errors)
        except ExperimentError as error:
            problem = error.with_structure(item.crystal.where)
            failures.append(Failure(item.crystal.source, problem))
            continue
        crystal = item.crystal
        candidates.append(
            Candidate(
                crystal.source, crystal.name, crystal.formula, found, log_likelihood(found),
                warnings=crystal.warnings,
            )
        )  # fmt: skip
    ranked = weigh(candidates, independence)
    notes = (ranked[0].comparison if ranked else experiment).notes + _notes(ranked)
    return Ranking(ranked, tuple(failures), experiment, independence, theory_errors, notes)


def log_likelihood(comparison: Comparison) -> float:
    """Logarithm of the probability density of the measured shifts under a candidate.

    Parameters
    ----------
    comparison : Comparison
        From `shiftcli.nmr.assignment.compare`.

    Returns
    -------
    float
        ln L of the module's model, offsets and error scales integrated out, errors otherwise
        independent.
    """
    # −2 ln of the density is χ² + Σ ln 2πs²; the first is replaced, the second stays.
    total = -0.5 * (comparison.deviance - comparison.chi2)
    for fit in comparison.fits:
        freedom = fit.n
        if fit.offset_error is not None:
            # Integrating over an offset known to Δ = (Σ s⁻²)^−½ multiplies by √(2π)·Δ.
            total += 0.5 * math.log(2 * math.pi) + math.log(fit.offset_error)
            freedom -= 1
        # The mean of κ^(−m/2)·exp(−χ²/2κ) over the prior of κ.
        half = 0.5 * (FREEDOM + freedom)
        total += math.lgamma(half) - math.lgamma(0.5 * FREEDOM)
        total -= 0.5 * freedom * math.log(0.5 * FREEDOM) + half * math.log1p(fit.chi2 / FREEDOM)
    return total


def weigh(
    candidates: Sequence[Candidate], independence: float = INDEPENDENCE
) -> tuple[Candidate, ...]:
    """Turn likelihoods into probabilities, and sort.

    Parameters
    ----------
    candidates : sequence of Candidate
        In any order.
    independence : float
        Share of ln L that counts.

    Returns
    -------
    tuple of Candidate
        Best first, those of equal likelihood in the order given; with their probabilities, and
        marked where they cannot be told apart: the fewest, from the best downwards, that hold
        `CREDIBLE` together, and all that are as likely as the last of them to `_TIE`: the same
        structure from two files may differ in its last digits.
    """
    if not candidates:
        return ()
    logs = independence * np.array([c.log_likelihood for c in candidates])
    order = np.argsort(-logs, kind="stable")
    weights = np.exp(logs[order] - logs.max())
    probabilities = weights / weights.sum()
    last = int(np.searchsorted(np.cumsum(probabilities), CREDIBLE - 1e-12))
    least = probabilities[min(last, len(probabilities) - 1)]
    return tuple(
        replace(
            candidates[k], probability=float(p), indistinguishable=bool(p >= least * (1 - _TIE))
        )
        for k, p in zip(order, probabilities, strict=True)
    )


def _notes(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    notes = []
    if len(candidates) == 1:
        notes.append("one candidate: its probability is 1, however badly it fits")
    moved = sum(any("hydrogens moved" in text for text in c.warnings) for c in candidates)
    if 0 < moved < len(candidates):
        notes.append(
            f"the hydrogens of {moved} of {len(candidates)} candidates were moved to neutron "
            "lengths, those of the others were not; --hydrogens keep|normalise treats all alike"
        )
    spare = [len(c.comparison.unmatched) for c in candidates]
    is_free = any(row.assigned for c in candidates for row in c.comparison.rows)
    if is_free and min(spare) < max(spare):
        notes.append(
            f"the candidates have sites with no peak: {min(spare)} to {max(spare)} of them; where "
            "peaks name no site, one with more fits better by chance and is favoured. Compare "
            "candidates of like symmetry, or give labels"
        )
    for species, rmse in (candidates[0].rmse if candidates else {}).items():
        expected = candidates[0].expected_rmse[species]
        if candidates[0].peaks[species] > _FEW and rmse > _POOR * expected:
            notes.append(
                f"even the best candidate differs by {rmse:.2f} ppm ({species}) where "
                f"{expected:.2f} is expected of the right one; it may not be among them"
            )
    return tuple(notes)
