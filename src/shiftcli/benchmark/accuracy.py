"""How right the networks are: errors per nucleus on crystals with known shieldings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.errors import TrainingError, UsageError
from shiftcli.prediction.predictor import Predictor
from shiftcli.readers import find_files
from shiftcli.results.statistics import Errors
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.training.atoms import (
    LabelledAtoms,
    PredictedAtoms,
    collect_atoms,
    measure_errors,
)
from shiftcli.training.data import is_validation
from shiftcli.training.families import find_known
from shiftcli.training.sources import load_levels, split_level

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
    seen : int or None
        Crystals among them that one of the networks has learned from, by name or by formula and
        cell; None where their files do not say.
    nuclei : dict of str to Errors
        By species, such as ``13C``.
    parts : tuple of Accuracy
        The same for each entry of the data by itself, crystals that were learned from apart;
        empty where there is one such part.
    predicted : mapping of str to PredictedAtoms
        What the errors are those of, by species.
    """

    source: str
    split: str
    crystals: int
    seen: int | None
    nuclei: dict[str, Errors]
    parts: tuple[Accuracy, ...] = ()
    predicted: Mapping[str, PredictedAtoms] = field(default_factory=dict, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the errors under the key ``accuracy``, for JSON."""
        parts = {"parts": [part.to_dict() for part in self.parts]} if self.parts else {}
        return {
            "data": self.source,
            "split": self.split,
            "crystals": self.crystals,
            "learned_from": self.seen,
            "accuracy": {species: errors.to_dict() for species, errors in self.nuclei.items()},
            **parts,
        }


def measure_accuracy(
    predictor: Predictor,
    data: Sequence[str | Path],
    split: str = "validation",
    *,
    format: str | None = None,
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
        Every eighth family of crystals from the first on validates, the others train.
    format : str, optional
        Format of the files; without it what their names and content say.
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
    labelled = load_levels(data, on_note, format=format)
    families = labelled.families
    crystals = {k: c for k, c in labelled.main.items() if is_validation(families[k]) in wanted}
    if not crystals:
        raise TrainingError(f"no crystals in the part '{split}' of the data")
    predicted = {}
    for element in ELEMENTS:
        atoms = collect_atoms(crystals, element, families=families)
        if element in predictor.networks and len(atoms):
            predicted[SPECIES[element]] = predict_atoms(predictor, atoms)
    seen = find_seen(predictor, crystals)
    parts = _split(data, crystals, seen or set())
    whole = _figures(", ".join(map(str, data)), split, set(crystals), seen, predicted)
    made = [_figures(source, split, own, seen, predicted) for source, own in parts]
    return replace(whole, parts=tuple(made) if len(made) > 1 else (), predicted=predicted)


def find_seen(predictor: Predictor, crystals: Mapping[int, Crystal]) -> set[int] | None:
    """Crystals, by number, that one of the networks has learned from; None where none says."""
    members = [m for committee in predictor.networks.values() for _, m in committee]
    learned = {f for metadata in members for f in metadata.fingerprints}
    if not learned:
        return None
    return find_known(learned, crystals)


def _split(
    data: Sequence[str | Path], crystals: Mapping[int, Crystal], seen: set[int]
) -> list[tuple[str, set[int]]]:
    """Crystals of each entry of the data, those that were learned from apart."""
    parts = []
    left = set(crystals)
    for place in data:
        files = set(find_files([split_level(place)[1]]))
        inside = {k for k in left if crystals[k].source in files}
        left -= inside
        for own in (inside - seen, inside & seen):
            if own:
                parts.append((str(place), own))
    return parts


def _figures(
    source: str,
    split: str,
    crystals: set[int],
    seen: set[int] | None,
    predicted: Mapping[str, PredictedAtoms],
) -> Accuracy:
    """Errors on some of the crystals."""
    own = {species: atoms.of(crystals) for species, atoms in predicted.items()}
    own = {species: atoms for species, atoms in own.items() if len(atoms.atoms)}
    known = None if seen is None else len(seen & crystals)
    errors = {species: measure_errors(atoms) for species, atoms in own.items()}
    return Accuracy(source, split, len(crystals), known, errors, (), own)


def predict_atoms(predictor: Predictor, atoms: LabelledAtoms) -> PredictedAtoms:
    """Predict labelled atoms of one nucleus, at least one."""
    start = time.perf_counter()
    evidence = atoms.evidence(predictor.environments[atoms.element])
    columns = predictor.predict_environments(atoms.element, atoms.environments(), evidence)
    shielding, half68, half95 = (np.array(column) for column in columns)
    return PredictedAtoms(atoms, shielding, half68, half95, time.perf_counter() - start)
