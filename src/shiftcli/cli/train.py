"""`shiftcli train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.cli.options import DeviceOption, NucleusOption, parse_nuclei
from shiftcli.errors import UsageError


def train(
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[DATA]...", help="Further data.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Files or directories of structures with shieldings."),
    ] = None,
    nucleus: NucleusOption = None,
    model: Annotated[Literal["compact", "paper"], typer.Option(help="Network.")] = "compact",
    orientation: Annotated[
        Literal["frames", "random"],
        typer.Option(help="Local frames, or new random rotations each time."),
    ] = "frames",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data.", show_default="by nucleus"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Samples in a batch.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Peak of the one-cycle schedule.")] = 2e-3,
    optimizer: Annotated[Literal["muon", "adamw"], typer.Option(help="Optimiser.")] = "muon",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Run directory.", show_default="runs/MODEL-TIME"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in this directory.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Train networks on structures with known shieldings, one for each nucleus.

    Example: shiftcli train --data gipaw-results/
    """
    import math
    from datetime import datetime

    from shiftcli.cli.render import TrainingView
    from shiftcli.training import Configuration
    from shiftcli.training import train as run_training

    data = [*(data or ()), *(more or ())]
    if bool(data) == (resume is not None):
        raise UsageError("give either --data, to start a run, or --resume DIR")
    if not 0 < learning_rate < math.inf:
        raise UsageError(f"--learning-rate {learning_rate}: a positive number is needed")
    configuration = Configuration(
        model=model,
        orientation=orientation,
        epochs=epochs or 0,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimizer=optimizer,
        seed=seed,
    )
    if resume is not None and (output or nucleus or configuration != Configuration()):
        raise UsageError("--resume keeps the options of its run: leave all but --device out")
    folder = resume or output or Path("runs") / f"{model}-{datetime.now():%Y%m%d-%H%M%S}"
    view = TrainingView()
    view.note(f"run directory: {folder}")
    try:
        networks = run_training(
            data,
            folder,
            nuclei=parse_nuclei(nucleus),
            configuration=configuration,
            resume=resume is not None,
            device=device,
            on_epoch=view.epoch,
            on_note=view.note,
        )
    except KeyboardInterrupt:
        if (folder / "config.json").exists():
            view.note(f"stopped; go on with: shiftcli train --resume {folder}")
        raise
    finally:
        view.close()
    for path in networks:
        typer.echo(path)
