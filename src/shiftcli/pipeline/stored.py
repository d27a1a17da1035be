"""A predictor that writes down what it has predicted, and predicts nothing twice."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli import __version__
from shiftcli.pipeline.kept import line_of, numbers_of
from shiftcli.pipeline.shards import Shard
from shiftcli.pipeline.store import SCHEMA, Store
from shiftcli.prediction.predictor import Prediction, Predictor, prepare
from shiftcli.results.provenance import provenance
from shiftcli.structure.crystal import Crystal


class StoredPredictor(Predictor):
    """A predictor that writes down every crystal it has predicted in a folder, and predicts none
    twice.

    `shard` says which part of a run this is, `is_owner` is as for `Store`, false in the processes
    that work for another; the rest is as for `Predictor`. `taken` counts the predictions that were
    taken from the folder in this process. A crystal is known again by its elements, positions and
    cell together with the version of this program, the networks (their SHA-256) and the options
    that change a number, whatever its file is called and wherever in it it stands. Numbers come
    back bit for bit.

    `StoreError` if the folder cannot be made, read or written, or another run writes there.
    """

    def __init__(
        self,
        folder: str | Path,
        weights: str | Path | None = None,
        *,
        shard: Shard | None = None,
        is_owner: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(weights, **options)
        self.taken = 0
        self.run = run_of(self)
        self.store = Store(folder, shard, is_owner=is_owner)
        self.settings |= {"folder": folder, "shard": shard, "is_owner": False}

    def predict_crystal(self, crystal: Crystal) -> Prediction:
        """Predict a crystal, or take it from the folder; see `Predictor.predict`.

        `StructureError` if the networks cannot know this structure and nothing allows it;
        `StoreError` if the result cannot be written.
        """
        key = self._key(crystal)
        known = self.store.structure(key)
        prediction = None if known is None else self._restored(crystal, known)
        self.taken += prediction is not None
        if prediction is None:
            prediction = super().predict_crystal(crystal)
        places = ("folder", "shard", "is_owner")
        told = {k: str(v) for k, v in self.settings.items() if k not in places}
        self.store.add_run(self.run, {**provenance(self), "options": told})
        self.store.add_structure(key, crystal.where, {"run": self.run, **line_of(prediction)})
        return prediction

    def _key(self, crystal: Crystal) -> str:
        parts = (
            self.run,
            " ".join(crystal.elements.tolist()),
            # Copies of a site share one prediction, so which atoms those are belongs to the key.
            json.dumps([site.atoms.tolist() for site in crystal.sites]),
            np.asarray(crystal.positions, dtype="<f8").tobytes().hex(),
            "" if crystal.cell is None else np.asarray(crystal.cell, dtype="<f8").tobytes().hex(),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _restored(self, crystal: Crystal, line: dict[str, Any]) -> Prediction | None:
        """The prediction that was listed; None where the numbers do not fit the crystal."""
        values = numbers_of(line)
        crystal = prepare(crystal, self.allow, self.hydrogens, self.symmetry_tolerance)
        rows = self.describe(crystal)
        if values is None or len(values) != len(rows):
            return None
        sites = [
            replace(row, shielding=shielding, uncertainty=half68, uncertainty95=half95)
            for row, (shielding, half68, half95) in zip(rows, values, strict=True)
        ]
        return self.noted(crystal, sites)


def run_of(predictor: Predictor) -> str:
    """Hash of all that decides a number: networks, options, device, version of the program."""
    own = {k: v for k, v in predictor.settings.items() if k not in _PLACES}
    own["allow"] = sorted(own.get("allow", ()))
    nuclei = getattr(predictor, "networks", None)
    networks = sorted(
        file.sha256 for file in predictor.files if nuclei is None or file.nucleus in nuclei
    )
    made = [__version__, SCHEMA, networks, predictor.device.type, own]
    return hashlib.sha256(json.dumps(made, sort_keys=True, default=str).encode()).hexdigest()


#: Settings of a predictor that decide no number.
_PLACES = frozenset(("weights", "nuclei", "device", "folder", "shard", "is_owner"))
