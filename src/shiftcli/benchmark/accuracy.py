"""How right the networks are: errors per nucleus on crystals with known shieldings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.density.environments import Environments, surroundings
from shiftcli.errors import TrainingError, UsageError
from shiftcli.network.calibration import Evidence
from shiftcli.prediction.evidence import describe_atoms
from shiftcli.prediction.predictor import Predictor
from shiftcli.results.statistics import Errors
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.training import is_validation, load_labelled
from shiftcli.training.atoms import PredictedAtoms, collect_atoms, measure_errors

#: Parts of a data set.
SPLITS = ("validation", "train", "all")


@dataclass(frozen=True)
class Accuracy:
    """Errors of a set of networks on a part of a data set.

    Attributes
    ----------
    source : str
        The data.
    split : str
        One of `SPLITS`.
    crystals : int
        Crystals in it.
    nuclei : dict of str to Errors
        By species, such as ``13C``.
    predicted : mapping of str to PredictedAtoms
        What the errors are those of, by species.
    """

    source: str
    split: str
    crystals: int
    nuclei: dict[str, Errors]
    predicted: Mapping[str, PredictedAtoms] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the errors under the key ``accuracy``, for JSON."""
        return {
            "data": self.source,
            "split": self.split,
            "crystals": self.crystals,
            "accuracy": {species: errors.to_dict() for species, errors in self.nuclei.items()},
        }


def measure_accuracy(
    predictor: Predictor,
    data: Sequence[str | Path],
    split: str = "validation",
    *,
    on_note: Callable[[str], None] = lambda text: None,
) -> Accuracy:
    """Predict crystals with known shieldings and measure the errors.

    Parameters
    ----------
    predictor : Predictor
        The networks.
    data : sequence of str or pathlib.Path
        Files or directories of structures with shieldings.
    split : {"validation", "train", "all"}
        Every eighth crystal from the first on validates, the others train.
    on_note : callable
        Told of structures that are left out.

    Returns
    -------
    Accuracy
        Distinct atoms are predicted once and counted with their multiplicity.

    Raises
    ------
    UsageError
        If the split is none of `SPLITS`.
    TrainingError
        If the data, or this part of them, carry no shieldings.
    """
    if split not in SPLITS:
        raise UsageError(f"split '{split}' is none of {', '.join(SPLITS)}")
    wanted = {"validation": (True,), "train": (False,), "all": (True, False)}[split]
    labelled = load_labelled(data, on_note)
    crystals = {k: c for k, c in labelled.items() if is_validation(k) in wanted}
    if not crystals:
        raise TrainingError(f"no crystals in the part '{split}' of the data")
    predicted = _predict_all(predictor, crystals)
    figures = {species: measure_errors(atoms) for species, atoms in predicted.items()}
    return Accuracy(", ".join(map(str, data)), split, len(crystals), figures, predicted)


def _predict_all(
    predictor: Predictor, crystals: Mapping[int, Crystal]
) -> dict[str, PredictedAtoms]:
    """Labelled atoms of every nucleus that has a network and occurs, predicted."""
    evidence = {id(c): describe_atoms(c, predictor.environments) for c in crystals.values()}
    found = {}
    for element in ELEMENTS:
        if element not in predictor.networks:
            continue
        atoms = collect_atoms(crystals, element)
        if not len(atoms):
            continue
        start = time.perf_counter()
        parts = [surroundings(crystal, sites) for crystal, sites in atoms.parts]
        known = [
            evidence[id(crystal)][[site.atoms[0] for site in sites]]
            for crystal, sites in atoms.parts
        ]
        columns = predictor.predict_environments(
            element, Environments.concatenate(parts), Evidence.concatenate(known)
        )
        shielding, half68, half95 = (np.array(column) for column in columns)
        seconds = time.perf_counter() - start
        found[SPECIES[element]] = PredictedAtoms(atoms, shielding, half68, half95, seconds)
    return found
