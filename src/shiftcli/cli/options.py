"""The options of the commands, in groups that several of them share; declared nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from shiftcli.cli.words import (
    parse_allow,
    parse_exchange,
    parse_nuclei,
    parse_reference_words,
    parse_theory_errors,
)
from shiftcli.errors import UsageError
from shiftcli.options import AnyFormat, Disorder, Hydrogens, TableFormat, option, words_of
from shiftcli.pipeline.shards import Shard, parse_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shiftcli.nmr.experiment import Experiment
    from shiftcli.nmr.shifts import References
    from shiftcli.results.citations import Citations
    from shiftcli.results.sections import Page

#: Structures that a command takes.
Files = Annotated[
    list[str],
    typer.Argument(metavar="STRUCTURES", help="Files, directories, globs, or - for stdin."),
]

#: Headings in ``--help``, in the order in which commands mostly have them.
STRUCTURES, SHIFTS, NETWORKS, MANY = (
    "Structures", "Shifts", "Networks and device", "Many structures"
)  # fmt: skip


@dataclass(frozen=True)
class WeightsOptions:
    """Which networks."""

    weights: Path | None = option(
        None, "Directory of networks, or name of a model.", panel=NETWORKS,
        metavar="DIR|MODEL", shown="the networks in the package",
    )  # fmt: skip


@dataclass(frozen=True)
class DeviceOptions:
    """Where to compute."""

    device: str = option(
        "auto", "auto, cpu, cuda or cuda:N.", panel=NETWORKS, metavar="DEVICE"
    )  # fmt: skip


@dataclass(frozen=True)
class NucleiOptions:
    """Of which nuclei."""

    nuclei: tuple[str, ...] | None = option(
        None, "Nuclei, as elements (H,C) or nuclides (1H,13C).", name="nucleus",
        metavar="H,C,N,O", shown="all", parse=parse_nuclei,
    )  # fmt: skip


@dataclass(frozen=True)
class NetworkOptions(WeightsOptions, DeviceOptions, NucleiOptions):
    """Which networks, of which nuclei, and where they are run."""


@dataclass(frozen=True)
class RunningOptions(NetworkOptions):
    """How networks are run beside that."""

    views: int | None = option(
        None, "Orientations per atom at most; one costs 0.1 ppm of 1H, 1 to 3 of others.",
        panel=NETWORKS, metavar="N", limits=(1, 10_000), shown="frames 12, octahedral 48, random 8",
    )  # fmt: skip
    dtype: Literal["float32", "bfloat16", "auto"] = option(
        "float32",
        "Precision of the network; bfloat16 is faster, moves 1H by 0.01, others by up to 0.3 ppm",
        panel=NETWORKS,
    )  # fmt: skip


@dataclass(frozen=True)
class PredictorOptions(RunningOptions):
    """All that makes a predictor."""

    orientations: Literal["frames", "octahedral", "random"] | None = option(
        None, "Orientations to average", panel=NETWORKS, shown="as trained"
    )


@dataclass(frozen=True)
class ShieldingOptions(PredictorOptions):
    """Whose shieldings."""

    shieldings: Literal["predicted", "file", "both"] = option(
        "predicted", "Shieldings of the networks, those in the files (magres, extended XYZ, CIF, "
        "CASTEP, QE-GIPAW), or both side by side", panel=NETWORKS,
    )  # fmt: skip

    @property
    def beside(self) -> bool:
        """Whether those in the files are shown beside predicted ones."""
        return self.shieldings == "both"


@dataclass(frozen=True)
class FormatOptions:
    """What format files are in."""

    read_as: str = option(
        "", "Format of the files, one of the documentation's or of ASE's.", name="from",
        panel=STRUCTURES, metavar="FORMAT", shown="by name and content",
    )  # fmt: skip

    @property
    def format(self) -> str | None:
        """Name of the format that was asked for, if any; UsageError for one that nobody reads."""
        if not self.read_as:
            return None
        from shiftcli.readers.registry import named

        return named(self.read_as).name


@dataclass(frozen=True)
class StructureOptions(FormatOptions):
    """How structures are read, put right and checked."""

    hydrogens: Hydrogens = option(
        "auto", "Lengthen X-H bonds of X-ray length to those of relaxed crystals, move all to "
        "neutron lengths, or none", panel=STRUCTURES,
    )  # fmt: skip
    disorder: Disorder = option(
        "major", "Keep the major component of disorder, or refuse", panel=STRUCTURES
    )
    symmetry_tolerance: float | None = option(
        None, "Distance in Å within which atoms are copies where the file states no symmetry; "
        "copies are averaged.", panel=STRUCTURES, metavar="Å", limits=(1e-4, 0.5),
        shown="0.01, more for few decimals or little noise",
    )  # fmt: skip
    allow: tuple[str, ...] = option(
        (), "Predict in spite of elements, hydrogens, overlaps or valence; marks the atoms.",
        panel=STRUCTURES, metavar="WORDS", shown="none", parse=parse_allow,
    )  # fmt: skip

    @property
    def reading(self) -> dict[str, Any]:
        """What the readers take of them."""
        named = self.format
        return {"disorder": self.disorder} | ({} if named is None else {"format": named})

    @property
    def predicting(self) -> dict[str, Any]:
        """What the predictor takes of them."""
        return {
            "hydrogens": self.hydrogens,
            "allow": self.allow,
            "symmetry_tolerance": self.symmetry_tolerance,
        }


@dataclass(frozen=True)
class RunOptions:
    """How much is done at once, where it is kept, and which part of it."""

    jobs: int = option(
        1, "Processes at work.", panel=MANY, short="j", metavar="N", limits=(1, 1024)
    )
    work: Path | None = option(
        None, "Keep shieldings here as they come; a run that was stopped, or one with other "
        "references, goes on from them.", panel=MANY, metavar="DIR", shown="none",
    )  # fmt: skip
    shard: Shard | None = option(
        None, "Predict only a part of the files into the folder, the K-th of N, so that several "
        "machines share the work.", panel=MANY, metavar="K/N", parse=parse_shard,
        shown="all, or the task of a SLURM array",
    )  # fmt: skip

    def part(self, files: Sequence[str], folder: Path | None) -> Shard | None:
        """The part to predict, if it is not all: of ``--shard``, or of a task in a SLURM array.

        A task of an array takes a part only where results are kept in a folder, and where there are
        enough files for all tasks: else each task was given files of its own. `UsageError` if a
        part would be kept nowhere.
        """
        if folder is None:
            if self.shard is not None:
                raise UsageError("--shard keeps its part in a folder: give --work DIR")
            return None
        shard = self.shard
        if shard is None:
            from shiftcli.pipeline.shards import shard_of_array

            shard = shard_of_array()
            if shard is None or len(files) < shard.n:
                return None
        typer.echo(
            f"note: part {shard.k} of {shard.n}: {len(shard.of(files))} of {len(files)} files",
            err=True,
        )
        return shard


@dataclass(frozen=True)
class AverageOptions:
    """What is averaged."""

    average: tuple[str, ...] = option(
        ("CH3", "NH3"), "Sites that exchange fast, as one: CH3,NH3,phenyl, or none; frames: all of "
        "a file, as one.",
        panel=SHIFTS, metavar="WORDS", parse=parse_exchange,
    )  # fmt: skip
    frame_weights: str = option(
        "", "Key of the headers of frames that holds their weights.", panel=SHIFTS, metavar="KEY",
        shown="frames weigh the same",
    )  # fmt: skip


@dataclass(frozen=True)
class ReferenceOptions(AverageOptions):
    """How shieldings become shifts."""

    references: str = option(
        "", "Reference shieldings: C:168.64,H:30.96, a named set (probasn; list shows all), or "
        "a .toml file.", panel=SHIFTS, metavar="REFERENCES",
        shown="none; compare and rank fit an offset", parse=parse_reference_words,
    )  # fmt: skip
    gradients: str = option("", "Slopes, C:-0.97.", panel=SHIFTS, metavar="SLOPES", shown="-1")

    def read(self, *, alone: bool = False) -> References:
        """The references; `alone` where a gradient needs none, since the offset is fitted."""
        from shiftcli.nmr.shifts import parse_references

        return parse_references(self.references, self.gradients, alone=alone)

    @property
    def files(self) -> list[str]:
        """Files among the references."""
        return [word for word in words_of(self.references) if word.lower().endswith(".toml")]


@dataclass(frozen=True)
class ComparisonOptions(ReferenceOptions):
    """How predicted shifts are held against measured ones."""

    theory_error: dict[str, float] | None = option(
        None, "Errors of GIPAW against experiment in ppm; none where the experiment is GIPAW.",
        panel=SHIFTS, metavar="H:0.4,...", shown="H:0.4,C:2.2,N:5.4,O:7.2",
        parse=parse_theory_errors,
    )  # fmt: skip

    @property
    def theory_errors(self) -> dict[str, float]:
        """Standard deviations in ppm by element."""
        return parse_theory_errors("") if self.theory_error is None else self.theory_error


@dataclass(frozen=True)
class OutputOptions:
    """Where the result goes."""

    output: Path | None = option(None, "Write here.", short="o", metavar="FILE", shown="stdout")
    precision: int = option(2, "Decimals of ppm.", limits=(0, 8), metavar="N")


@dataclass(frozen=True)
class ResultOptions(OutputOptions):
    """Where predictions go, and as what."""

    form: AnyFormat | None = option(
        None, "Format", name="format", shown="from the suffix, else table"
    )

    @property
    def kind(self) -> str:
        """The format, refused where the output's suffix names none."""
        from shiftcli.views.formats import choose_format

        return choose_format(self.form, self.output)


@dataclass(frozen=True)
class TableOptions(OutputOptions):
    """Where tables go, and as what."""

    form: TableFormat | None = option(
        None, "Format", name="format", shown="from the suffix, else table"
    )

    @property
    def kind(self) -> str:
        """The format, refused where the output's suffix names none that holds tables."""
        from shiftcli.views.formats import TABLES, choose_format

        return choose_format(self.form, self.output, TABLES)


@dataclass(frozen=True)
class ReportOptions:
    """A page to send."""

    report: Path | None = option(
        None, "Also a page to send: structure, tables, spectra (.html).",
        metavar="FILE", shown="none",
    )  # fmt: skip

    def checked(self) -> Path | None:
        """The page, if it can be written; refused before the work otherwise."""
        if self.report is not None:
            from shiftcli.views.report import check_report

            check_report(self.report)
        return self.report

    def write(self, page: Callable[[Citations], Page], weights: Path | None) -> None:
        """Write a page where one is asked for."""
        if self.report is not None:
            from shiftcli.results.citations import find_citations
            from shiftcli.views.report import write_report

            write_report(self.report, page(find_citations(weights)))


@dataclass(frozen=True)
class PlotOptions:
    """A picture beside the result."""

    plot: Path | None = option(
        None, "Also a picture here: .png, .svg or .pdf.", metavar="FILE", shown="none"
    )

    def checked(self) -> Path | None:
        """The picture, if it can be drawn; refused before the work otherwise."""
        if self.plot is not None:
            from shiftcli.views.plots.figure import check_picture

            check_picture(self.plot)
        return self.plot


@dataclass(frozen=True)
class ExperimentOptions:
    """What was measured."""

    experiment: str = option(
        ...,
        "Measured shifts: a list, or CSV with site, species, shift, uncertainty, protons, kind.",
        metavar="FILE",
    )

    def read(self, nuclei: tuple[str, ...] | None) -> Experiment:
        """The measured shifts, of some nuclei or all; `UsageError` if nothing is left."""
        from shiftcli.nmr.experiment_files import read_experiment

        alone = nuclei[0] if nuclei and len(nuclei) == 1 else ""
        measured = read_experiment(self.experiment, alone)
        if nuclei and not (measured := measured.only(nuclei)).peaks:
            raise UsageError(f"--nucleus: no shift of {', '.join(nuclei)} is in {self.experiment}")
        return measured


@dataclass(frozen=True)
class RankingOptions:
    """How candidates are made comparable."""

    assignment: Literal["given", "best"] = option(
        "given", "Labels of the experiment, or the best sites for all peaks"
    )
    labels_from: str = option(
        "", "The structure whose atoms the experiment names.", panel=SHIFTS, metavar="FILE",
        shown="the first candidate with all labels",
    )  # fmt: skip
    family_tolerance: float | None = option(
        None, "Candidates that differ by less, in Å about each atom, are one family.",
        panel=SHIFTS, metavar="Å", limits=(0.0, 5.0), shown="0.15; 0.01 with --shieldings file",
    )  # fmt: skip
