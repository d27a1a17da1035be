"""The hyperparameters of a training run, with what is best here as defaults."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from shiftcli.errors import UsageError
from shiftcli.network import PRESETS, Architecture

#: Divisor of the centred shieldings, in ppm (paper, Methods).
SCALES = {"H": 1.0, "C": 10.0, "N": 30.0, "O": 40.0}

#: Epochs of a default run: about the same number of steps for abundant and rare nuclei
#: is out of reach on a small machine; these are what the shipped networks took.
EPOCHS = {"H": 16, "C": 14, "N": 150, "O": 60}

#: Orientations that a network can be trained in, and the optimisers.
TRAINED, OPTIMIZERS = ("frames", "random"), ("muon", "adamw")


@dataclass(frozen=True)
class Configuration:
    """Hyperparameters of one training run.

    Attributes
    ----------
    model : str
        Name of a preset in `shiftcli.network.PRESETS`.
    orientation : {"frames", "random"}
        Local frames, or a new random rotation and reflection each time.
    epochs : int
        Passes over the training samples.
    optimizer : {"muon", "adamw"}
        See `shiftcli.training.optimizer`.
    batch_size : int
        Samples in a batch.
    learning_rate : float
        Peak of the one-cycle schedule.
    warmup : float
        Fraction of the steps in which the learning rate rises.
    weight_decay : float
        Decoupled weight decay of AdamW.
    clip : float
        Limit of the gradient's norm.
    tilt : float
        Standard deviation (rad) of the random rotation put on a local frame.
    dropout : float
        Dropout after each hidden layer of the head.
    seed : int
        Of the initial weights, the order of the samples, and the rotations.
    """

    model: str = "compact"
    orientation: str = "frames"
    epochs: int = 0
    optimizer: str = "muon"
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.1
    weight_decay: float = 1e-3
    clip: float = 5.0
    tilt: float = 0.12
    dropout: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        choices = {"model": tuple(PRESETS), "orientation": TRAINED, "optimizer": OPTIMIZERS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise UsageError(f"{name} '{getattr(self, name)}' is none of {', '.join(known)}")

    def for_element(self, element: str) -> Configuration:
        """Resolve what depends on the nucleus."""
        return replace(self, epochs=self.epochs or EPOCHS[element])

    def architecture(self) -> Architecture:
        """The network's architecture."""
        return replace(PRESETS[self.model], dropout=self.dropout)

    def scale(self, element: str) -> float:
        """Divisor of the centred shieldings in ppm."""
        return SCALES[element]

    def to_json(self) -> str:
        """All values as JSON, sorted."""
        return json.dumps(asdict(self), sort_keys=True)
