"""Structures in files held against measured shifts, one after the other."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from shiftcli.errors import DEBUG, ExperimentError, ShiftcliError, fault
from shiftcli.nmr.assignment import GIPAW_ERRORS, Comparison
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average, known_rows
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.frames import over_frames
from shiftcli.nmr.kinds import describe, widening
from shiftcli.nmr.naming import merge_named
from shiftcli.nmr.question import compare_described
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Prediction, Predictor, SitePrediction
from shiftcli.readers import Disorder


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


def compare_files(
    predictor: Predictor,
    files: Iterable[str],
    experiment: Experiment,
    *,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    references: References | None = None,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    disorder: Disorder = "major",
) -> Iterator[StructureComparison | Failure]:
    """Predict every structure of several files and hold it against measured shifts.

    Parameters
    ----------
    predictor : Predictor
        Of the nuclei that were measured.
    files : iterable of str
        Files, as `shiftcli.readers.find_files` lists them.
    experiment : Experiment
        Measured shifts; where rows name a structure, those of each alone count for it.
    exchange : collection of str
        What is averaged, see `shiftcli.nmr.averaging.average`.
    references, theory_errors
        As for `shiftcli.nmr.assignment.compare`.
    disorder : {"major", "error"}
        What to do with disordered structures.

    Yields
    ------
    StructureComparison or Failure
        One for each structure, in order; one that fails does not stop the rest.
    """
    source = over_frames(predictor, exchange)
    for outcome in source.predict_files(files, disorder=disorder):
        if isinstance(outcome, Failure):
            yield outcome
            continue
        crystal = outcome.crystal
        try:
            groups = known_rows(average(outcome, exchange))
            own = merge_named(groups, experiment.of(crystal))
            around = describe(crystal, groups, near=bool(own.near), factors=widening(predictor))
            found = compare_described(
                groups, around, own, references=references, theory_errors=theory_errors
            )
            yield StructureComparison(outcome, groups, found)
        except ExperimentError as error:
            yield Failure(crystal.source, error.with_structure(crystal.where))
        except ShiftcliError as error:
            yield Failure(crystal.source, error)
        except Exception as error:
            if os.environ.get(DEBUG) == "1":
                raise
            yield Failure(crystal.source, fault(error, crystal.where))
