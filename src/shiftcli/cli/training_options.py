"""The options of `shiftcli train`; each hyperparameter is one of `Configuration`'s."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def _option(panel: str, help: str, default: str, **more: Any) -> Any:
    return typer.Option(help=help, show_default=default, rich_help_panel=panel, **more)


def _network(help: str, default: str, **more: Any) -> Any:
    return _option("Network", help, default, **more)


def _sampling(help: str, default: str, **more: Any) -> Any:
    return _option("Samples", help, default, **more)


def _learning(help: str, default: str, **more: Any) -> Any:
    return _option("Learning", help, default, **more)


Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="[LEVEL=]PATH",
        help="Files or directories of structures with shieldings; the first names the level of "
        "theory to learn, other levels get a scale and offset of their own.",
    ),
]
Property = Annotated[
    str | None,
    typer.Option(
        "--property", metavar="COLUMN", help="Column of extended XYZ files with the shieldings.",
        show_default="the usual names",
    ),
]  # fmt: skip
Check = Annotated[
    bool, typer.Option("--check", help="Describe the data and all problems, and train nothing.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Run directory.", show_default="runs/MODEL-TIME"),
]
Resume = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Go on with the run in this directory.")
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file of options; a run's config.toml repeats it."),
]
Protocol = Annotated[
    Literal["default", "paper"],
    typer.Option(help="Hyperparameters to begin with: the best here, or the paper's Methods."),
]
Folds = Annotated[int | None, typer.Option(min=2, help="Cross-validate in so many parts.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Repeat with so many seeds.")]
Crystals = Annotated[
    str | None,
    typer.Option(metavar="N,N,…", help="Learning curve over numbers of training crystals."),
]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the training curves (png, svg or pdf).")
]

Model = Annotated[
    Literal["compact", "medium", "paper", "mr-arch", "mr-input", "cnn"] | None,
    _network("Preset.", "compact"),
]
Kernel = Annotated[
    Literal["gaussian", "slater", "form-factor"] | None, _network("Density.", "gaussian")
]
Grid = Annotated[float | None, _network("Edge of a single grid in Å.", "the preset's; mr-arch 10")]
Crop = Annotated[bool | None, _network("Centre crops beside the pooled features.", "crop")]
Dense = Annotated[bool | None, _network("Dense connections.", "dense")]
Dropout = Annotated[float | None, _network("After each hidden layer of the head.", "0.1")]
Start = Annotated[
    str | None, _network("Network, or directory of networks, to begin with.", "random weights")
]
Members = Annotated[int | None, _network("Networks of each nucleus (a committee).", "1")]

Orientation = Annotated[
    Literal["frames", "random", "euler"] | None,
    _sampling("Local frames, uniform rotations and reflections, or Euler angles.", "frames"),
]
Augmentation = Annotated[
    int | None,
    _sampling("Fixed orientations of each sample (1: none); 0 for new ones each epoch.", "0"),
]
Tilt = Annotated[float | None, _sampling("Random tilt of local frames in rad.", "0.12")]
Smear = Annotated[float | None, _sampling("Random displacements of the atoms in Å.", "0")]
Copies = Annotated[
    Literal["distinct", "all"] | None,
    _sampling("Distinct atoms by multiplicity, or every atom of the cell.", "distinct"),
]
Outliers = Annotated[
    bool | None, _sampling("Keep 1H shieldings outside 0 to 40 ppm.", "no-outliers")
]
Balance = Annotated[
    float | None, _sampling("See rare kinds of atoms (share ratio)^balance times as often.", "0")
]
Auxiliary = Annotated[
    float | None, _sampling("Samples of other levels for each of the main one.", "1")
]

Epochs = Annotated[int | None, _learning("Passes over the data.", "by nucleus")]
BatchSize = Annotated[int | None, _learning("Samples in a batch, of all processes.", "128")]
Optimizer = Annotated[Literal["muon", "adamw", "adam"] | None, _learning("Optimiser.", "muon")]
LearningRate = Annotated[float | None, _learning("Peak of the learning rate.", "0.003")]
Schedule = Annotated[
    Literal["cycle", "exponential"] | None,
    _learning("Warm-up and half a cosine, or exp(−i·decay).", "cycle"),
]
Warmup = Annotated[float | None, _learning("Fraction of the steps that warm up.", "0.1")]
Decay = Annotated[float | None, _learning("Decay of the exponential schedule.", "0")]
WeightDecay = Annotated[float | None, _learning("Decoupled weight decay.", "0.001")]
L2 = Annotated[float | None, _learning("λ of L2 regularisation, for Adam.", "0")]
Clip = Annotated[float | None, _learning("Limit of the gradient's norm, 0 for none.", "5")]
Precision = Annotated[
    Literal["bfloat16", "float32"] | None, _learning("Of densities and layers.", "bfloat16")
]
Seed = Annotated[int | None, _learning("Of everything random.", "0")]

#: Options that are attributes of `shiftcli.training.Configuration`.
HYPERPARAMETERS = frozenset((
    "model", "kernel", "grid", "crop", "dense", "dropout", "start", "members", "orientation",
    "augmentation", "tilt", "smear", "copies", "outliers", "balance", "auxiliary", "epochs",
    "batch_size", "optimizer", "learning_rate", "schedule", "warmup", "decay", "weight_decay",
    "l2", "clip", "precision", "seed",
))  # fmt: skip
