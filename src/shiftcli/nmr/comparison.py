"""A predicted structure held against measured shifts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from shiftcli.errors import ExperimentError
from shiftcli.nmr.assignment import GIPAW_ERRORS, Comparison, Row
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average, known_rows
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.kinds import WIDTH_FACTORS, describe
from shiftcli.nmr.naming import merge_named, with_label_note
from shiftcli.nmr.question import compare_described
from shiftcli.nmr.shifts import References
from shiftcli.nmr.stated import stated_beside
from shiftcli.prediction.predictor import Prediction, SitePrediction


@dataclass(frozen=True)
class StructureComparison:
    """One structure held against measured shifts."""

    prediction: Prediction  #: Its predicted shieldings.
    #: The same, averaged where sites exchange; `Row.groups` counts in them.
    groups: tuple[SitePrediction, ...]
    comparison: Comparison  #: What came of it.
    #: What came of the shieldings in its file, of the nuclei that these are of.
    stated: Comparison | None = None
    #: Rows of `stated` for those of `comparison`, where there are; empty unless asked for.
    beside: tuple[Row | None, ...] = ()
    why: str = ""  #: Why there is no `stated` where it was asked for.


def compare_prediction(
    prediction: Prediction,
    experiment: Experiment,
    *,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    references: References | None = None,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    factors: Mapping[str, float] = WIDTH_FACTORS,
    beside: bool = False,
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
    beside : bool
        Whether the shieldings in the structure's file are compared, too. Their only error is that
        of GIPAW against experiment.

    Raises
    ------
    ExperimentError
        If the shifts do not fit the structure.

    Notes
    -----
    For many files, give it to `shiftcli.predict_many` as `finish`.
    """
    groups = known_rows(average(prediction, exchange))
    own = merge_named(groups, experiment.of(prediction.crystal))
    own = with_label_note(own, prediction.crystal)
    around = describe(prediction.crystal, groups, near=bool(own.near), factors=factors)
    found = compare_described(
        groups, around, own, references=references, theory_errors=theory_errors
    )
    made = StructureComparison(prediction, groups, found)
    return _with_stated(made, own, exchange, references, theory_errors) if beside else made


def _with_stated(
    made: StructureComparison,
    experiment: Experiment,
    exchange: Collection[str],
    references: References | None,
    theory_errors: Mapping[str, float],
) -> StructureComparison:
    made = replace(made, beside=(None,) * len(made.comparison.rows))
    stated = stated_beside(made.prediction)
    if stated is None:
        return replace(made, why="no shieldings are in the file: predicted ones alone")
    elements = {row.site.element for row in stated.sites}
    places = [k for k, peak in enumerate(experiment.peaks) if peak.element in elements]
    if not places:
        return replace(made, why="the file has no shieldings of the nuclei that were measured")
    try:
        found = compare_prediction(
            stated, experiment.keep(places), exchange=exchange, references=references,
            theory_errors=theory_errors,
        ).comparison  # fmt: skip
    except ExperimentError as error:
        return replace(made, why=f"shieldings of the file are not compared: {error.message}")
    rows = dict(zip(places, found.rows, strict=True))
    beside = tuple(rows.get(k) for k in range(len(experiment.peaks)))
    return replace(made, stated=found, beside=beside)
