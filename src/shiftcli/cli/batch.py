"""Structures for a command: networks fetched and loaded, processes, where results are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from shiftcli.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from shiftcli.cli.options import AverageOptions, RunningOptions, RunOptions, StructureOptions
    from shiftcli.errors import Failure
    from shiftcli.nmr.shifts import References
    from shiftcli.pipeline.shards import Shard
    from shiftcli.prediction.predictor import Prediction, Predictor

#: Structures whose prediction takes so long that it should not be lost.
_MANY = 100


def find_inputs(
    files: Iterable[str],
    further: Iterable[str],
    outputs: Sequence[Path | None],
    networks: RunningOptions,
    many: RunOptions,
) -> list[str]:
    """Files of structures, after a look that no output is anything that is read.

    That is one of them, what readers take in beside them, a `further` input, a file of the
    networks, or a list in ``--work``.
    """
    from shiftcli.files import check_outputs
    from shiftcli.pipeline.store import MANIFEST, is_list, lists_of
    from shiftcli.readers import find_files
    from shiftcli.readers.tables import read_beside

    found = find_files(files)
    read: list[str | Path] = [*found, *read_beside(found, outputs), *further]
    read += network_files(networks.weights)
    if (work := many.work) is not None:
        read += [work, work / MANIFEST, *(lists_of(work) if work.is_dir() else ())]
    check_outputs(outputs, read)
    for output in outputs:
        if output is not None and output.exists() and is_list(output.name):
            raise UsageError(f"'{output}' is the list of another run", hint="name another file")
    return found


def network_files(weights: str | Path | None) -> list[Path]:
    """What lies in the folder of the networks that were named, if they are on this machine."""
    from shiftcli.weights import folder_of

    try:
        return list(folder_of(weights).iterdir())
    except (OSError, WeightsError):
        return []


def data_files(data: Iterable[str | Path]) -> list[str]:
    """Files of labelled structures, each entry perhaps behind its level of theory."""
    from shiftcli.readers import find_files
    from shiftcli.training.sources import split_level

    return find_files(split_level(entry)[1] for entry in data)


def fetched(weights: Path | None) -> Path | None:
    """The networks that were named, downloaded with a progress bar where they are not here."""
    from shiftcli.weights import find_networks, folder_of

    try:
        folder_of(weights)
    except WeightsError:
        from shiftcli.views.progress import downloads

        with downloads() as progress:
            find_networks(weights, progress=progress)
    return weights


def make_predictor(
    options: RunningOptions,
    structures: StructureOptions | None = None,
    nuclei: tuple[str, ...] | None = None,
    **kept: Any,
) -> Predictor:
    """The predictor that the options ask for, of `nuclei` where they are known otherwise."""
    from shiftcli.pipeline.stored import StoredPredictor
    from shiftcli.prediction.predictor import Predictor

    elements = nuclei or options.nuclei
    if getattr(options, "shieldings", "predicted") == "file":
        from shiftcli.nmr.stated import StatedShieldings

        if kept:
            raise UsageError("--work keeps predicted shieldings: leave --shieldings file out")
        return StatedShieldings(elements, allow=structures.allow if structures else ())
    make: Callable[..., Predictor] = StoredPredictor if kept else Predictor
    return make(
        weights=fetched(options.weights),
        nuclei=elements,
        device=options.device,
        orientations=getattr(options, "orientations", None),
        views=options.views,
        dtype=options.dtype,
        **({} if structures is None else structures.predicting),
        **kept,
    )


@dataclass
class Batch:
    """Files and how they are predicted."""

    predictor: Predictor  #: Networks and options; with a folder, a `StoredPredictor`.
    files: list[str]  #: All of them.
    reading: dict[str, Any]  #: What the readers take.
    jobs: int  #: Processes.
    shard: Shard | None  #: The part that this run does.
    source: Predictor  #: The same, perhaps averaging over the frames of a file.

    @classmethod
    def of(
        cls,
        files: list[str],
        networks: RunningOptions,
        structures: StructureOptions,
        many: RunOptions,
        nuclei: tuple[str, ...] | None = None,
        folder: Path | None = None,
        shifts: AverageOptions | None = None,
    ) -> Batch:
        """As the options say; results are kept in `folder`, or where ``--work`` says."""
        from shiftcli.nmr.averaging import FRAMES
        from shiftcli.nmr.frames import over_frames

        average = () if shifts is None else shifts.average
        if FRAMES in average and getattr(networks, "beside", False):
            raise UsageError(f"--average {FRAMES} takes --shieldings predicted or file, not both")
        folder = folder or many.work
        shard = many.part(files, folder)
        kept = {} if folder is None else {"folder": folder, "shard": shard}
        predictor = make_predictor(networks, structures, nuclei, **kept)
        source = over_frames(predictor, average, "" if shifts is None else shifts.frame_weights)
        return cls(predictor, files, structures.reading, many.jobs, shard, source)

    def predict(
        self,
        finish: Callable[[Prediction], Any] | None = None,
        before: Callable[..., None] | None = None,
    ) -> Iterator[Any]:
        """What `finish` makes of each structure, or its failure, with a progress bar.

        Of a part of a run nothing is made: its structures are predicted into the folder, and
        the program ends.
        """
        if self.shard is not None:
            self._fill(before)
        return self._outcomes(finish, before)

    def _outcomes(
        self,
        finish: Callable[[Prediction], Any] | None,
        before: Callable[..., None] | None,
    ) -> Iterator[Any]:
        from shiftcli.errors import counted
        from shiftcli.pipeline.stored import StoredPredictor
        from shiftcli.pipeline.workers import predict_many
        from shiftcli.views.progress import progress
        from shiftcli.views.terminal import note

        files = self.part
        reading = {**self.reading, **({} if before is None else {"before": before})}
        made = predict_many(self.source, files, finish=finish, jobs=self.jobs, **reading)
        if not isinstance(self.predictor, StoredPredictor):
            for number, item in enumerate(progress(made, len(files)), 1):
                if number == _MANY and self.predictor.files:
                    note(f"note: over {_MANY} structures; with --work DIR a stopped run can go on")
                yield item
            return
        with self.predictor.store as store:
            yield from progress(made, len(files))
        if taken := self.predictor.taken:
            note(f"note: shieldings of {counted(taken, 'structure')} taken from {store.folder}")

    @property
    def part(self) -> list[str]:
        """The files of this run."""
        return self.files if self.shard is None else self.shard.of(self.files)

    def predict_into(
        self,
        render: Callable[[Prediction], str | bytes],
        suffix: str,
        options: Mapping[str, Any],
    ) -> list[Failure]:
        """Write a file a structure into the folder, see `pipeline.predict_into`; what failed."""
        from shiftcli.pipeline.folder import predict_into
        from shiftcli.pipeline.stored import StoredPredictor
        from shiftcli.views.progress import follow, progress

        assert isinstance(self.predictor, StoredPredictor)
        source: Any = self.source  # perhaps over frames; else it has all that this one has
        made = predict_into(
            source, self.files, render, suffix=suffix, options=options,
            jobs=self.jobs, **self.reading,
        )  # fmt: skip
        with self.predictor.store:
            return follow(progress(made, len(self.part)))

    def split(
        self,
        finish: Callable[[Prediction], Any] | None = None,
        before: Callable[..., None] | None = None,
    ) -> tuple[list[Any], list[Failure]]:
        """What was made of the structures, and the failures; see `predict`."""
        from shiftcli.errors import Failure

        outcomes = list(self.predict(finish, before))
        failures = [one for one in outcomes if isinstance(one, Failure)]
        return [one for one in outcomes if not isinstance(one, Failure)], failures

    def _fill(self, before: Callable[..., None] | None) -> NoReturn:
        """Predict a part into the folder, say what to do with all parts, and end."""
        from shiftcli.errors import Failure, counted
        from shiftcli.views.terminal import note

        done, failed = 0, 0
        for outcome in self._outcomes(None, before):
            if isinstance(outcome, Failure):
                note(f"failed: {outcome.error}")
            failed += isinstance(outcome, Failure)
            done += not isinstance(outcome, Failure)
        note(f"{counted(done, 'structure')} predicted, {failed} failed")
        note("note: when all parts are done, the same command without --shard goes on from them")
        raise typer.Exit(1 if failed else 0)

    def show_references(self, references: References) -> None:
        """Where the references are from, on stderr."""
        from shiftcli.views.terminal import show_notes

        show_notes("", references.notes({file.sha256 for file in self.predictor.files}))
