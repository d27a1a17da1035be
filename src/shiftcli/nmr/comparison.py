"""A predicted structure held against measured shifts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shiftcli.nmr.assignment import GIPAW_ERRORS, Comparison
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average, known_rows
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.kinds import WIDTH_FACTORS, describe
from shiftcli.nmr.naming import merge_named
from shiftcli.nmr.question import compare_described
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Prediction, SitePrediction


@dataclass(frozen=True)
class StructureComparison:
    """One structure held against measured shifts.

    Attributes
    ----------
    prediction : Prediction
        Its predicted shieldings.
    groups : tuple of SitePrediction
        The same, averaged where sites exchange; `Row.groups` counts in them.
    comparison : Comparison
        What came of it.
    """

    prediction: Prediction
    groups: tuple[SitePrediction, ...]
    comparison: Comparison


def compare_prediction(
    prediction: Prediction,
    experiment: Experiment,
    *,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    references: References | None = None,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    factors: Mapping[str, float] = WIDTH_FACTORS,
) -> StructureComparison:
    """Hold one prediction against measured shifts.

    Parameters
    ----------
    prediction : Prediction
        Of the nuclei that were measured.
    experiment : Experiment
        Measured shifts; where rows name a structure, those of this one alone count.
    exchange : collection of str
        What is averaged, see `shiftcli.nmr.averaging.average`.
    references, theory_errors
        As for `shiftcli.nmr.assignment.compare`.
    factors : mapping of str to float
        On uncertainties by class, see `shiftcli.nmr.kinds.widening`.

    Returns
    -------
    StructureComparison

    Raises
    ------
    ExperimentError
        If the shifts do not fit the structure.

    Notes
    -----
    For many files, give it to `shiftcli.pipeline.predict_many` as `finish`.
    """
    groups = known_rows(average(prediction, exchange))
    own = merge_named(groups, experiment.of(prediction.crystal))
    around = describe(prediction.crystal, groups, near=bool(own.near), factors=factors)
    found = compare_described(
        groups, around, own, references=references, theory_errors=theory_errors
    )
    return StructureComparison(prediction, groups, found)
