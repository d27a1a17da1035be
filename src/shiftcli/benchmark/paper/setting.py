"""What every reproduction works with: the data, the networks, and how thorough it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.benchmark.accuracy import find_seen, predict_atoms
from shiftcli.errors import UsageError
from shiftcli.prediction.predictor import Predictor
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.training.atoms import PredictedAtoms, collect_atoms
from shiftcli.training.data import Samples, is_validation
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
    predictions : str or pathlib.Path or None
        Out-of-fold predictions of the data (`shiftcli.training.out_of_fold`), measured in place of
        the networks, on all crystals.
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
    predictions: str | Path | None = None
    quick: bool = False
    device: str = "auto"
    nuclei: tuple[str, ...] | None = None
    note: Callable[[str], None] = lambda text: None
    epoch: Callable[[EpochReport], None] = lambda report: None
    _samples: dict[str, tuple[Samples, Samples]] = field(default_factory=dict)
    _predicted: dict[str, PredictedAtoms | None] = field(default_factory=dict)

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

    def predicted(self, element: str) -> PredictedAtoms | None:
        """The testing atoms of a nucleus, predicted; None where there is nothing to test.

        Those of the validation crystals by the networks, or all of a table of predictions.
        """
        if element not in self._predicted:
            self._predicted[element] = self._predict(element)
        return self._predicted[element]

    def _predict(self, element: str) -> PredictedAtoms | None:
        if self.predictions is not None:
            return self._table.get(element)
        if element not in self.predictor.networks:
            return None
        crystals = {k: self.labelled.main[k] for k in self.testing}
        atoms = collect_atoms(crystals, element, families=self.labelled.families)
        return predict_atoms(self.predictor, atoms) if len(atoms) else None

    @cached_property
    def _table(self) -> dict[str, PredictedAtoms]:
        from shiftcli.training.out_of_fold import read_table

        assert self.predictions is not None
        return read_table(Path(self.predictions), self.labelled)

    @cached_property
    def testing(self) -> set[int]:
        """Numbers of the crystals that errors are counted on."""
        families = self.labelled.families
        if self.predictions is not None:
            return set(families)
        return {k for k, family in families.items() if is_validation(family)}

    def tested(self) -> Iterator[tuple[str, PredictedAtoms, np.ndarray]]:
        """Nuclei that have testing atoms, these, and the errors on them in ppm."""
        for element in self.nuclei or ELEMENTS:
            if (own := self.predicted(element)) is not None:
                yield element, own, own.shielding - own.atoms.reference

    def size_note(self, *, trained: bool = False) -> str:
        """How much data stand against the paper's, and whether they are new to the networks.

        With `trained`, networks are made for this, without the testing crystals.
        """
        count, paper = len(self.labelled.main), "the paper has 2,000 and 500"
        if self.predictions is not None and not trained:
            return f"{count} crystals, each by networks that never saw its family; {paper}"
        words = f"{count} crystals, every eighth of them for testing; {paper}"
        if trained:
            return words
        seen = find_seen(self.predictor, {k: self.labelled.main[k] for k in self.testing})
        return f"{words}; the networks have learned from {len(seen)} of those" if seen else words
