"""What every reproduction works with: the data, the networks, and how thorough it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.errors import UsageError
from shiftcli.prediction.predictor import Predictor
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.training.data import Samples
from shiftcli.training.loop import EpochReport
from shiftcli.training.run import gather
from shiftcli.training.sources import Labelled, load_levels

#: RMSE of Table 2, of the KRR (Paruzzo 2018) and R², by nucleus.
PAPER_RMSE = {"H": 0.37, "C": 3.3, "N": 10.2, "O": 15.3}
PAPER_KRR = {"H": 0.49, "C": 4.3, "N": 13.3, "O": 17.7}
PAPER_R2 = {"H": 0.9856, "C": 0.9957, "N": 0.9916, "O": 0.9933}


@dataclass
class Setting:
    """The data and options of a reproduction.

    Attributes
    ----------
    data : sequence of str
        Labelled crystals, as `shiftcli.training.sources.load_levels` takes them.
    folder : pathlib.Path
        Where the files go; trained networks into ``runs`` below it.
    weights : str or pathlib.Path or None
        Networks to measure; None for those in the package.
    quick : bool
        Minutes on two cores instead of the paper's sizes.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    nuclei : tuple of str or None
        Nuclei; None for the reproduction's own.
    note, epoch : callable
        Told how it goes.
    """

    data: Sequence[str]
    folder: Path
    weights: str | Path | None = None
    quick: bool = False
    device: str = "auto"
    nuclei: tuple[str, ...] | None = None
    note: Callable[[str], None] = lambda text: None
    epoch: Callable[[EpochReport], None] = lambda report: None
    _samples: dict[str, tuple[Samples, Samples]] = field(default_factory=dict)

    @cached_property
    def labelled(self) -> Labelled:
        """The crystals."""
        if not self.data:
            raise UsageError("this needs labelled crystals", hint="give --data")
        return load_levels(self.data, self.note)

    @cached_property
    def predictor(self) -> Predictor:
        """The networks."""
        return Predictor(self.weights, device=self.device, dtype="auto")

    def samples(self, element: str, **changes: Any) -> tuple[Samples, Samples]:
        """Training and validation samples of a nucleus, gathered once."""
        from shiftcli.training.config import make_configuration

        if element not in self._samples:
            configuration = make_configuration("default", changes).for_element(element)
            self._samples[element] = gather(self.labelled, element, configuration)
        return self._samples[element]

    def tested(self) -> Iterator[tuple[str, Samples, np.ndarray]]:
        """Nuclei with networks and testing samples, these, and the errors on them in ppm."""
        for element in self.nuclei or ELEMENTS:
            _, tested = self.samples(element)
            if element in self.predictor.networks and len(tested):
                predicted, *_ = self.predictor.predict_environments(element, tested.environments)
                yield element, tested, np.array(predicted) - tested.targets

    def size_note(self) -> str:
        """How much data stand against the paper's."""
        return (
            f"{len(self.labelled.main)} crystals, every eighth of them for testing; "
            "the paper has 2,000 and 500"
        )
