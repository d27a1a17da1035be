"""The hyperparameters of a training run: protocols, files, what depends on the nucleus."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from shiftcli.errors import UsageError
from shiftcli.options import Kernel, Preset, check, option, typed
from shiftcli.structure.nuclei import ELEMENTS

if TYPE_CHECKING:
    import torch

    from shiftcli.network.densenet import Architecture

#: Divisor of the centred shieldings, in ppm (paper, Methods).
SCALES = {"H": 1.0, "C": 10.0, "N": 30.0, "O": 40.0}

#: Epochs of the default protocol: what the shipped networks took.
EPOCHS = {"H": 16, "C": 14, "N": 150, "O": 60}

#: Epochs of a shared trunk, whatever the nuclei, and the share of the steps that each gets.
SHARED_EPOCHS = 18
SHARES = {"H": 0.36, "C": 0.26, "N": 0.16, "O": 0.22}

#: What may differ between nuclei that share a trunk: what they see, and how often.
_OF_BRANCHES = frozenset((
    "share", "orientation", "augmentation", "tilt", "smear", "copies", "outliers", "balance",
    "auxiliary", "max_multiplicity",
))  # fmt: skip

#: Epochs and decay α of the paper (Table 4).
PAPER_EPOCHS = {"H": 12, "C": 15, "N": 24, "O": 24}
PAPER_DECAY = {"H": 0.6, "C": 0.5, "N": 0.25, "O": 0.25}


#: File of a study's directory that says what it was asked to do.
STUDY = "study.toml"

#: Headings of the hyperparameters in ``--help``.
_NETWORK, _SAMPLES, _LEARNING = "Network", "Samples", "Learning"


@dataclass(frozen=True)
class Configuration:
    """Hyperparameters of one training run; the sentence beside each says what it does.

    Those without a sentence: with `folds`, the families of crystals whose number leaves the rest
    `fold` when divided by it validate, without, every eighth. `crystals` is the number of
    training families to use, drawn at random, the same for all seeds; 0 for all. `nucleus` holds
    values that differ for single nuclei: ``{"H": {"epochs": 12}}``.
    """

    model: Preset = option("compact", "Preset", panel=_NETWORK)
    trunk: Literal["separate", "shared"] = option(
        "separate",
        "A network for each nucleus, one after the other, or all at once with the same "
        "convolutions and normalisations and heads of their own",
        panel=_NETWORK,
    )
    kernel: Kernel = option("gaussian", "Density", panel=_NETWORK)
    grid: float = option(
        0.0, "Edge of a single grid in Å.", panel=_NETWORK, limits=(0.0, 20.0),
        shown="the preset's; mr-arch 10",
    )  # fmt: skip
    crop: bool = option(True, "Centre crops beside the pooled features.", panel=_NETWORK)
    dense: bool = option(True, "Dense connections.", panel=_NETWORK)
    dropout: float = option(
        0.1, "After each hidden layer of the head.", panel=_NETWORK, limits=(0.0, 0.95)
    )
    orientation: Literal["frames", "random", "euler"] = option(
        "frames",
        "Local frames, uniform rotations and reflections, or the paper's Euler angles",
        panel=_SAMPLES,
    )
    augmentation: int = option(
        0,
        "Fixed orientations of each sample, one an epoch (1: none); 0 for new ones each epoch.",
        panel=_SAMPLES, limits=(0, 1000),
    )  # fmt: skip
    tilt: float = option(
        0.12, "Standard deviation of the random tilt of local frames in rad.",
        panel=_SAMPLES, limits=(0.0, math.pi),
    )  # fmt: skip
    smear: float = option(
        0.0, "Random displacements of the atoms in Å (vibrational smearing).",
        panel=_SAMPLES, limits=(0.0, 1.0),
    )  # fmt: skip
    copies: Literal["distinct", "all"] = option(
        "distinct",
        "Distinct atoms, weighted by multiplicity, or every atom of the cell",
        panel=_SAMPLES,
    )
    outliers: bool = option(False, "Keep 1H shieldings outside 0 to 40 ppm.", panel=_SAMPLES)
    # A kind is the element of the nearest atom; at most `training.data.MOST_REPEATS` times.
    balance: float = option(
        0.0, "See rare kinds of atoms (share ratio)^balance times as often.",
        panel=_SAMPLES, limits=(0.0, 1.0),
    )  # fmt: skip
    auxiliary: float = option(
        1.0, "Samples of other levels for each of the main one.",
        panel=_SAMPLES, limits=(0.0, 1000.0),
    )  # fmt: skip
    max_multiplicity: float = option(
        0.0, "Copies in the cell that an atom counts for at most, 0 for any number.",
        panel=_SAMPLES, limits=(0.0, math.inf),
    )  # fmt: skip
    share: float = option(
        0.0, "How often a step of a shared trunk takes this nucleus, beside the others' shares.",
        panel=_SAMPLES, limits=(0.0, math.inf), shown="H 0.36, C 0.26, N 0.16, O 0.22",
    )  # fmt: skip
    epochs: int = option(
        0, "Passes over the data, or blocks of --steps of a shared trunk.", panel=_LEARNING,
        limits=(0, 10**9), shown="by nucleus; 18",
    )  # fmt: skip
    steps: int = option(
        500, "Steps in an epoch of a shared trunk.", panel=_LEARNING, limits=(1, 10**6)
    )
    batch_size: int = option(
        128, "Samples in a batch, of all processes.", panel=_LEARNING, limits=(2, 10**6)
    )
    optimizer: Literal["muon", "adamw", "adam"] = option("muon", "Optimiser", panel=_LEARNING)
    learning_rate: float = option(3e-3, "Peak of the learning rate.", panel=_LEARNING)
    schedule: Literal["cycle", "exponential"] = option(
        "cycle", "Warm-up and half a cosine, or exp(−i·decay)", panel=_LEARNING
    )
    warmup: float = option(
        0.1, "Fraction of the steps that warm up.", panel=_LEARNING, limits=(0.0, 0.9)
    )
    decay: float = option(
        0.0, "Decay of the exponential schedule.", panel=_LEARNING, limits=(0.0, 100.0)
    )
    weight_decay: float = option(
        1e-3, "Decoupled weight decay, of Muon and AdamW.", panel=_LEARNING, limits=(0.0, 100.0)
    )
    l2: float = option(
        0.0, "λ of L2 regularisation, λ·Σw² in the loss, for Adam.",
        panel=_LEARNING, limits=(0.0, 1.0),
    )  # fmt: skip
    clip: float = option(
        5.0, "Limit of the gradient's norm, 0 for none.", panel=_LEARNING, limits=(0.0, math.inf)
    )
    ema: float = option(
        0.0, "Keep a running average of the weights that decays so much a step, 0 for none.",
        panel=_LEARNING, limits=(0.0, 0.99999),
    )  # fmt: skip
    precision: Literal["auto", "bfloat16", "float32"] = option(
        "auto",
        "Of densities and layers, auto: bfloat16 where the processor computes it natively; "
        "weights are float32",
        panel=_LEARNING,
    )
    members: int = option(
        1, "Networks of each nucleus (a committee).", panel=_NETWORK, limits=(1, 100)
    )
    seed: int = option(0, "Of everything random.", panel=_LEARNING, limits=(0, 2**31))
    start: str = option(
        "", "Network, or directory of networks, to begin with.", panel=_NETWORK,
        shown="random weights",
    )  # fmt: skip
    validation: bool = option(
        True, "Watch every eighth family of crystals, or learn from all.", panel=_SAMPLES
    )
    folds: int = 0
    fold: int = 0
    crystals: int = 0
    nucleus: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning_rate {self.learning_rate}: a positive number is needed")
        if self.folds and not self.validation:
            raise UsageError("folds are watched in turn: they go with validation")
        if not 0 <= self.crystals <= 10**9:
            raise UsageError("crystals is not a number of crystals")
        if not (0 <= self.folds <= 1000 and 0 <= self.fold < max(self.folds, 1)) or self.folds == 1:
            raise UsageError(f"fold {self.fold} of {self.folds}: there is no such part")
        if self.l2 and self.optimizer != "adam":
            raise UsageError(
                f"l2 goes with the optimizer adam; {self.optimizer} takes weight_decay"
            )
        self.architecture()
        for element, values in self.nucleus.items() if self.trunk == "shared" else ():
            if other := set(values) - _OF_BRANCHES:
                raise UsageError(
                    f"nucleus.{element}: nuclei of a shared trunk have {min(other)} in common",
                    hint="give it for all, or --trunk separate",
                )
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
        made = replace(self, nucleus={}, **typed(Configuration, values, where))
        return {name: getattr(made, name) for name in values}

    @property
    def part(self) -> str:
        """Directory of this run in that of a cross-validation and its refit."""
        return f"fold-{self.fold + 1}" if self.folds else "networks"

    def for_element(self, element: str) -> Configuration:
        """Resolve what depends on the nucleus."""
        own = replace(self, nucleus={}, **self.nucleus.get(element, {}))
        epochs = SHARED_EPOCHS if own.trunk == "shared" else EPOCHS[element]
        return replace(own, epochs=own.epochs or epochs, share=own.share or SHARES[element])

    def resolved(self) -> Configuration:
        """The same run with everything that depends on the nucleus written out."""
        each = {e: dict(self.nucleus.get(e, {})) for e in ELEMENTS}
        if self.trunk == "shared":
            for element, values in each.items():
                values["share"] = self.for_element(element).share
            return replace(self, epochs=self.epochs or SHARED_EPOCHS, nucleus=each)
        for element, values in each.items():
            values["epochs"] = self.for_element(element).epochs
        return replace(self, nucleus=each)

    def architecture(self) -> Architecture:
        """The network's architecture."""
        from shiftcli.network.densenet import PRESETS

        preset = PRESETS[self.model]
        return replace(
            preset,
            dropout=self.dropout,
            kernel=self.kernel,
            grids=(self.grid,) if self.grid else preset.grids,
            crop=preset.crop and self.crop,
            dense=preset.dense and self.dense,
        )

    def dtype(self, device: torch.device) -> torch.dtype:
        """Type of densities and layers on a device."""
        from shiftcli.network.devices import resolve_dtype

        return resolve_dtype(self.precision, device)

    def to_dict(self) -> dict[str, Any]:
        """All values, plain."""
        return asdict(self)


#: Hyperparameters by protocol: a network for each nucleus, one trunk for all of them, and the
#: Methods of the paper to the letter.
#: Keras adds λ·Σw² to the loss for each layer's weights.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "default": {},
    "shared": {
        "trunk": "shared", "tilt": 0.15, "balance": 0.5, "auxiliary": 1 / 3, "warmup": 0.08,
        "max_multiplicity": 8.0,
    },
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

    `layers` hold attributes of `Configuration`; a later one wins. A value given for all nuclei also
    replaces what an earlier layer says of single ones. `UsageError` if a name is unknown, or a
    value of the wrong kind or out of its range.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"protocol '{protocol}' is none of {', '.join(PROTOCOLS)}")
    values: dict[str, Any] = {}
    single: dict[str, dict[str, Any]] = {}
    for layer in (PROTOCOLS[protocol], *layers):
        own = typed(Configuration, layer, "the configuration")
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
