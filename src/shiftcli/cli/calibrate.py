"""`shiftcli calibrate`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shiftcli.cli.batch import Batch, find_inputs
from shiftcli.cli.command import command
from shiftcli.cli.options import (
    AverageOptions,
    Files,
    RunOptions,
    ShieldingOptions,
    StructureOptions,
)
from shiftcli.errors import UsageError
from shiftcli.options import option

if TYPE_CHECKING:
    from shiftcli.nmr.experiment import Experiment


@dataclass(frozen=True)
class CalibrationOptions:
    """What was measured, how references follow from it, and where they go."""

    experiment: list[str] = option(
        ..., "CSV of assigned shifts: site,species,shift. One for each structure, in order, or any "
        "with a column structure.", metavar="FILE",
    )  # fmt: skip
    output: Path | None = option(
        None, "Write references here, for --references.", short="o", metavar="FILE.toml",
        shown="none",
    )  # fmt: skip
    slope: Literal["fitted", "fixed"] = option("fitted", "Of a fit, or -1 and fixed")
    precision: int = option(2, "Decimals of ppm.", limits=(0, 8), metavar="N")

    def checked(self, *, beside: bool) -> Path | None:
        """Where references go; refused where they could not be read again, or are two sets."""
        if self.output is not None and self.output.suffix.lower() != ".toml":
            raise UsageError(f"'{self.output}' should end in .toml, by which --references knows it")
        if self.output is not None and beside:
            raise UsageError("--output is one set of references: --shieldings predicted or file")
        return self.output

    def read(self, nuclei: tuple[str, ...] | None) -> list[Experiment]:
        """The measured shifts, of some nuclei or all; `UsageError` if nothing is left."""
        from shiftcli.nmr.experiment_files import read_experiment

        found = [read_experiment(file) for file in self.experiment]
        if nuclei:
            found = [one.only(nuclei) for one in found]
        if not any(one.peaks for one in found):
            files = ", ".join(self.experiment)
            raise UsageError(f"--nucleus: no shift of such a nucleus is in {files}")
        return found


@command
def calibrate(
    *,
    files: Files,
    measured: CalibrationOptions,
    shifts: AverageOptions,
    structures: StructureOptions,
    networks: ShieldingOptions,
    many: RunOptions,
) -> None:
    """Fit reference shieldings and slopes to measured shifts of known assignment.

    Example: shiftcli calibrate a.cif b.cif --experiment a.csv --experiment b.csv -o refs.toml
    """
    from shiftcli.nmr.calibration import calibrate
    from shiftcli.nmr.stated import stated_or_refused
    from shiftcli.results.comparisons import calibration_table
    from shiftcli.views import provenance
    from shiftcli.views.terminal import emit, emit_tables, show_notes

    output = measured.checked(beside=networks.beside)
    paths = find_inputs(files, measured.experiment, [output], networks, many)
    experiments = measured.read(networks.nuclei)
    elements = tuple(dict.fromkeys(e for one in experiments for e in one.elements))
    batch = Batch.of(paths, networks, structures, many, elements, shifts=shifts)
    predictions, failures = batch.split()
    if failures:
        # Experiments may be paired with structures by their order, so none can be left out.
        raise failures[0].error
    fit = partial(calibrate, experiments=experiments, exchange=shifts.average, slope=measured.slope)
    fitted = fit(predictions)
    for prediction in predictions:
        show_notes(prediction.crystal.where, prediction.crystal.warnings)
    show_notes("", fitted.notes)
    emit_tables([calibration_table(fitted, measured.precision)], None)
    if networks.beside:
        stated = [stated_or_refused(prediction) for prediction in predictions]
        title = "shieldings of the files"
        emit_tables([calibration_table(fit(stated), measured.precision, title)], None)
    if output is not None:
        emit(fitted.to_toml(provenance(batch.predictor)), output)
