"""The hyperparameters of a training run: protocols, files, what depends on the nucleus."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from shiftcli.density.voxelizer import KERNELS
from shiftcli.errors import UsageError
from shiftcli.network.densenet import PRESETS, Architecture
from shiftcli.structure.crystal import ELEMENTS

#: Divisor of the centred shieldings, in ppm (paper, Methods).
SCALES = {"H": 1.0, "C": 10.0, "N": 30.0, "O": 40.0}

#: Orientations to train in; the optimisers; the course of the learning rate; precisions.
CHOICES = {
    "model": tuple(PRESETS),
    "kernel": tuple(KERNELS),
    "orientation": ("frames", "random", "euler"),
    "optimizer": ("muon", "adamw", "adam"),
    "schedule": ("cycle", "exponential"),
    "copies": ("distinct", "all"),
    "precision": ("bfloat16", "float32"),
}

#: Smallest and largest value of the numbers, where there is a limit.
_LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (0, math.inf), "batch_size": (2, math.inf), "augmentation": (0, 1000),
    "members": (1, 100), "crystals": (0, math.inf), "folds": (0, 1000), "seed": (0, 2**31),
    "grid": (0.0, 20.0), "dropout": (0.0, 0.95), "tilt": (0.0, math.pi), "smear": (0.0, 1.0),
    "decay": (0.0, 100.0), "warmup": (0.0, 0.9), "weight_decay": (0.0, 100.0),
    "l2": (0.0, 1.0), "clip": (0.0, math.inf), "auxiliary": (0.0, 1000.0),
    "balance": (0.0, 1.0),
}  # fmt: skip

#: Epochs of the default protocol: what the shipped networks took.
EPOCHS = {"H": 16, "C": 14, "N": 150, "O": 60}

#: Epochs and decay α of the paper (Table 4).
PAPER_EPOCHS = {"H": 12, "C": 15, "N": 24, "O": 24}
PAPER_DECAY = {"H": 0.6, "C": 0.5, "N": 0.25, "O": 0.25}


@dataclass(frozen=True)
class Configuration:
    """Hyperparameters of one training run.

    Attributes
    ----------
    model : str
        Name of a preset in `shiftcli.network.densenet.PRESETS`.
    kernel : str
        Density kernel, one of `shiftcli.density.voxelizer.KERNELS`.
    grid : float
        Edge (Å) of a single grid, as in ``mr-arch``; 0 for the preset's own grids.
    crop, dense : bool
        Without them a preset loses its cropping (``mr-input``) or its dense connections.
    dropout : float
        Dropout after each hidden layer of the head.
    orientation : {"frames", "random", "euler"}
        Local frames; uniform rotations and reflections; or the paper's Euler angles.
    augmentation : int
        Orientations of each sample: 0 for a new one in every epoch, 1 for one and the same
        (no augmentation), 8 for the paper's eight fixed ones, each seen once an epoch.
    tilt : float
        Standard deviation (rad) of the random rotation put on a local frame.
    smear : float
        Standard deviation (Å) of random displacements of all atoms, new each time
        ("vibrational smearing", paper, p. 11).
    copies : {"distinct", "all"}
        Symmetry-distinct atoms, weighted by their multiplicity; or every atom of the cell as a
        sample of its own, as in the paper.
    outliers : bool
        Keep 1H labels outside 0 to 40 ppm, which the paper drops from training.
    balance : float
        How much more often rare kinds of atoms are seen, a kind being the element of the nearest
        atom (O–H among C–H protons): (share of the commonest kind / share of its own) to this
        power, but at most `shiftcli.training.data.MOST_REPEATS` times. 0: all as often.
    auxiliary : float
        Samples of other levels of theory in an epoch, for each sample of the main one.
    epochs : int
        Passes over the training samples; 0 for the protocol's number for the nucleus.
    batch_size : int
        Samples in a batch, of all processes together.
    optimizer : {"muon", "adamw", "adam"}
        See `shiftcli.training.optimizer`.
    learning_rate : float
        Peak of the schedule.
    schedule : {"cycle", "exponential"}
        Warm-up, then half a cosine to zero; or exp(−i·decay) in epoch i, from 0.
    warmup : float
        Fraction of the steps in which the learning rate of the cycle rises.
    decay : float
        α of the exponential schedule.
    weight_decay : float
        Decoupled weight decay of AdamW and Muon.
    l2 : float
        λ of the paper's regulariser λ·Σw², part of the loss; for Adam.
    clip : float
        Limit of the gradient's norm; 0 for none.
    precision : {"bfloat16", "float32"}
        Precision of densities and layers; weights and sums are float32 in both.
    members : int
        Networks of each nucleus, differing in their seeds: a committee.
    seed : int
        Of the initial weights, the order of the samples, and the rotations.
    start : str
        Network, or directory of networks, whose weights the run begins with; empty for
        random weights.
    folds, fold : int
        With `folds`, the crystals whose number leaves the rest `fold` when divided by it
        validate; without, every eighth.
    crystals : int
        Training crystals to use, drawn at random, the same for all seeds; 0 for all.
    nucleus : mapping of str to mapping
        Values that differ for single nuclei: ``{"H": {"epochs": 12}}``.
    """

    model: str = "compact"
    kernel: str = "gaussian"
    grid: float = 0.0
    crop: bool = True
    dense: bool = True
    dropout: float = 0.1
    orientation: str = "frames"
    augmentation: int = 0
    tilt: float = 0.12
    smear: float = 0.0
    copies: str = "distinct"
    outliers: bool = False
    balance: float = 0.0
    auxiliary: float = 1.0
    epochs: int = 0
    batch_size: int = 128
    optimizer: str = "muon"
    learning_rate: float = 3e-3
    schedule: str = "cycle"
    warmup: float = 0.1
    decay: float = 0.0
    weight_decay: float = 1e-3
    l2: float = 0.0
    clip: float = 5.0
    precision: str = "bfloat16"
    members: int = 1
    seed: int = 0
    start: str = ""
    folds: int = 0
    fold: int = 0
    crystals: int = 0
    nucleus: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise UsageError(f"{name} '{getattr(self, name)}' is none of {', '.join(known)}")
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} {getattr(self, name)} is not within {low} to {high}")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning_rate {self.learning_rate}: a positive number is needed")
        if self.folds == 1 or not 0 <= self.fold < max(self.folds, 1):
            raise UsageError(f"fold {self.fold} of {self.folds}: there is no such part")
        if self.l2 and self.optimizer != "adam":
            raise UsageError(
                f"l2 goes with the optimizer adam; {self.optimizer} takes weight_decay"
            )
        self.architecture()
        if self.start:  # a run may be resumed from another directory
            object.__setattr__(self, "start", os.path.abspath(self.start))
        object.__setattr__(self, "nucleus", {e: self._own(e, v) for e, v in self.nucleus.items()})

    def _own(self, element: str, values: Any) -> dict[str, Any]:
        """Values of one nucleus, checked as those of all are."""
        if element not in ELEMENTS:
            raise UsageError(f"nucleus '{element}' is none of {', '.join(ELEMENTS)}")
        where = f"nucleus.{element}"
        if not isinstance(values, Mapping) or "nucleus" in values:
            raise UsageError(f"{where} is not a table of values")
        made = replace(self, nucleus={}, **_checked(values, where))
        return {name: getattr(made, name) for name in values}

    def for_element(self, element: str) -> Configuration:
        """Resolve what depends on the nucleus."""
        own = replace(self, nucleus={}, **self.nucleus.get(element, {}))
        return replace(own, epochs=own.epochs or EPOCHS[element])

    def resolved(self) -> Configuration:
        """The same run with everything that depends on the nucleus written out."""
        each = {e: dict(self.nucleus.get(e, {})) for e in ELEMENTS}
        for element, values in each.items():
            values["epochs"] = self.for_element(element).epochs
        return replace(self, nucleus=each)

    def architecture(self) -> Architecture:
        """The network's architecture."""
        preset = PRESETS[self.model]
        return replace(
            preset,
            dropout=self.dropout,
            kernel=self.kernel,
            grids=(self.grid,) if self.grid else preset.grids,
            crop=preset.crop and self.crop,
            dense=preset.dense and self.dense,
        )

    def scale(self, element: str) -> float:
        """Divisor of the centred shieldings in ppm."""
        return SCALES[element]

    def to_dict(self) -> dict[str, Any]:
        """All values, plain."""
        return asdict(self)

    def to_json(self) -> str:
        """All values as JSON, sorted."""
        return json.dumps(self.to_dict(), sort_keys=True)


#: Hyperparameters by protocol: what is best here, and the Methods of the paper to the letter.
#: Keras adds λ·Σw² to the loss for each layer's weights.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": {
        "model": "paper", "orientation": "euler", "augmentation": 8, "copies": "all",
        "optimizer": "adam", "learning_rate": 1e-3, "schedule": "exponential", "warmup": 0.0,
        "batch_size": 128, "l2": 3e-5, "weight_decay": 0.0, "clip": 0.0, "dropout": 0.1,
        "tilt": 0.0,
        "nucleus": {
            e: {"epochs": PAPER_EPOCHS[e], "decay": PAPER_DECAY[e]} for e in ELEMENTS
        },
    },
}  # fmt: skip


def make_configuration(protocol: str = "default", *layers: Mapping[str, Any]) -> Configuration:
    """Hyperparameters of a protocol, changed by a file's and the command line's.

    Parameters
    ----------
    protocol : {"default", "paper"}
        Where to begin.
    *layers : mapping of str to value
        Attributes of `Configuration`; a later layer wins. A value given for all nuclei also
        replaces what an earlier layer says of single ones.

    Returns
    -------
    Configuration

    Raises
    ------
    UsageError
        If a name is unknown, or a value of the wrong kind or out of its range.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"protocol '{protocol}' is none of {', '.join(PROTOCOLS)}")
    values: dict[str, Any] = {}
    single: dict[str, dict[str, Any]] = {}
    for layer in (PROTOCOLS[protocol], *layers):
        own = _checked(layer, "the configuration")
        each = own.pop("nucleus", {})
        for element, table in each.items():
            if not isinstance(table, Mapping):
                raise UsageError(f"nucleus.{element} is not a table of values")
        values |= own
        single = {
            e: {k: v for k, v in single.get(e, {}).items() if k not in own} | dict(each.get(e, {}))
            for e in (*single, *(e for e in each if e not in single))
        }
    return Configuration(**values, nucleus={e: v for e, v in single.items() if v})


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a configuration file.

    Parameters
    ----------
    path : str or pathlib.Path
        TOML; what `shiftcli train` writes as ``config.toml`` is one.

    Returns
    -------
    dict
        Attributes of `Configuration`, and perhaps ``data``, ``nuclei`` and ``property``.

    Raises
    ------
    UsageError
        If it cannot be read or is not TOML.
    """
    try:
        with open(path, "rb") as handle:
            return tomllib.load(handle)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Copy values after a look at their names and kinds."""
    kinds = {f.name: str(f.type) for f in fields(Configuration)}
    made = dict(values)
    for name, value in made.items():
        if name not in kinds:
            raise UsageError(f"{where} has no '{name}'", hint=f"known: {', '.join(kinds)}")
        kind = kinds[name]
        if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            made[name] = value = float(value)
        allowed = {"str": str, "int": int, "float": float, "bool": bool}.get(kind, Mapping)
        is_bool = isinstance(value, bool)
        if not isinstance(value, allowed) or (is_bool and kind != "bool"):
            raise UsageError(f"{where}: {name} = {value!r} is not a {kind}")
    return made
