"""Candidates before they are ranked: reading them, their labels, predicting them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shiftcli.errors import ExperimentError, ReadError, ShiftcliError
from shiftcli.nmr.assignment import GIPAW_ERRORS
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average, known_rows
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.kinds import WIDTH_FACTORS, describe, row_of_atom
from shiftcli.nmr.labels import CarriedLabels, Labellings, find_places
from shiftcli.nmr.naming import match, match_all, merge_named, with_label_note
from shiftcli.nmr.question import Posed, pose
from shiftcli.nmr.shifts import References
from shiftcli.prediction.predictor import Failure, Prediction, Predictor, SitePrediction, prepare
from shiftcli.readers import STDIN, iter_structures
from shiftcli.structure.copies import find_copies
from shiftcli.structure.crystal import Crystal


def read_candidates(files: Iterable[str], **reading: Any) -> Iterator[Crystal | Failure]:
    """Read candidates one after the other, as `shiftcli.readers.iter_structures` does."""
    for file in files:
        for item in iter_structures(file, **reading):
            yield Failure(file, item) if isinstance(item, ReadError) else item


def check_labels(
    predictor: Predictor,
    crystal: Crystal,
    *,
    experiment: Experiment,
    naming: Naming | None,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
) -> None:
    """Refuse a candidate that labels cannot be carried to, before it is predicted.

    Given to `shiftcli.predict_many` as `before`, it saves the prediction. `naming` is that
    of `find_naming`, `exchange` as for `rank`; raises `ExperimentError`.
    """
    settings = predictor.allow, predictor.hydrogens, predictor.symmetry_tolerance
    crystal = prepare(crystal, *settings)
    rows = average(_blank(crystal, experiment), exchange)
    if naming is not None:
        naming.carry(crystal, rows)
        return
    for peak in experiment.peaks:
        match(rows, peak, experiment.source)


def _blank(crystal: Crystal, experiment: Experiment) -> Prediction:
    """A crystal with rows for the nuclei of an experiment that say nothing yet."""
    sites = [site for site in crystal.sites if site.element in experiment.elements]
    return Prediction(crystal, tuple(SitePrediction(site, 0.0, 0.0, 0.0) for site in sites))


class Naming:
    """The atoms that the labels of an experiment mean, in a reference structure and in candidates.

    `exchange` is as for `shiftcli.nmr.ranking.rank`. `ExperimentError` if the reference lacks a
    label, or two peaks of one site differ.
    """

    def __init__(self, crystal: Crystal, experiment: Experiment, exchange: Collection[str]) -> None:
        rows = average(_blank(crystal, experiment), exchange)
        self.crystal = crystal
        #: The experiment, with rows of one site as one peak.
        self.experiment = with_label_note(merge_named(rows, experiment), crystal)
        is_told = any(peak.protons and peak.labels for peak in experiment.peaks)
        around = describe(crystal, rows) if is_told else None
        named = match_all(rows, self.experiment, around)
        atoms = [
            frozenset(int(a) for k in own for a in rows[k].site.atoms.tolist()) for own in named
        ]
        self._carried = CarriedLabels(crystal, atoms) if any(atoms) else None

    def carry(self, crystal: Crystal, rows: Sequence[SitePrediction]) -> Labellings:
        """Groups of a candidate that the peaks are of, see `CarriedLabels.carry`."""
        if self._carried is None:
            return Labellings((((),) * len(self.experiment.peaks),))
        found = self._carried.carry(crystal, row_of_atom(rows))
        for peak, own in zip(self.experiment.peaks, found.columns[0], strict=True):
            if peak.labels and not own:
                raise ExperimentError(
                    f"{'+'.join(peak.labels)}: no {peak.species} was predicted there",
                    where=self.experiment.source,
                )
        return found


def pose_candidate(
    item: Prediction,
    naming: Naming,
    *,
    references: References | None = None,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    factors: Mapping[str, float] = WIDTH_FACTORS,
) -> tuple[Posed, tuple[str, ...]]:
    """What the likelihood of a candidate depends on, and notes on its labels.

    The keywords are as for `shiftcli.nmr.ranking.rank`. `ExperimentError` if the peaks cannot
    belong to it.
    """
    rows = known_rows(average(item, exchange))
    labellings = naming.carry(item.crystal, rows)
    around = describe(item.crystal, rows, near=bool(naming.experiment.near), factors=factors)
    posed = pose(
        rows, around, naming.experiment, labellings.columns, is_sample=labellings.is_sample,
        places=find_places(item.crystal, row_of_atom(rows), len(rows)),
        references=references or References(), theory_errors=theory_errors,
    )  # fmt: skip
    return posed, labellings.notes


def find_reference(
    candidates: Iterable[Crystal | Failure | Prediction],
    experiment: Experiment,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
) -> Crystal | None:
    """The first structure whose atoms an experiment names; None where none has all labels.

    Candidates are taken only so far.
    """
    for item in candidates:
        if isinstance(item, Failure):
            continue
        crystal = item.crystal if isinstance(item, Prediction) else item
        try:
            Naming(crystal, experiment, exchange)
        except ShiftcliError:
            continue
        return crystal
    return None


def find_naming(
    files: Sequence[str],
    experiment: Experiment,
    *,
    labels_from: str = "",
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    symmetry_tolerance: float | None = None,
    **reading: Any,
) -> Naming | None:
    """The atoms that an experiment names, before any candidate is predicted.

    `files` are the candidates, as `shiftcli.readers.find_files` lists them; of `labels_from` the
    first structure is meant, without it the first candidate with all labels. `exchange` is as for
    `rank`, `reading` as for `shiftcli.readers.iter_structures`; a format is that of `files`. None
    where no candidate has the labels, or standard input is among them: it can be read only once,
    when they are predicted. `ReadError` if `labels_from` cannot be read, `ExperimentError` if it
    lacks a label.
    """
    if labels_from:
        if labels_from not in files:
            reading.pop("format", None)
        reference: Any = next(iter_structures(labels_from, **reading))
        if isinstance(reference, ReadError):
            raise reference
        reference = find_copies(reference, symmetry_tolerance)
    elif STDIN in files:
        return None
    else:
        found = (
            item if isinstance(item, Failure) else find_copies(item, symmetry_tolerance)
            for item in read_candidates(files, **reading)
        )  # fmt: skip
        reference = find_reference(found, experiment, exchange)
    try:
        return None if reference is None else Naming(reference, experiment, exchange)
    except ExperimentError as error:
        message = f"{error.message} in {reference.where}"
        raise ExperimentError(message, where=error.where, hint=error.hint) from error


def unassigned(experiment: Experiment) -> Experiment:
    """The same shifts without labels, so that each candidate gets its own assignment.

    Each peak is then one site, or one group of exchanging sites.
    """
    peaks = tuple(replace(peak, labels=()) for peak in experiment.peaks)
    return replace(experiment, peaks=peaks)
