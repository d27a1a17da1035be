"""Predicted shieldings are written down as they come, so that a stopped run goes on from there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli import __version__
from shiftcli.errors import UsageError
from shiftcli.prediction.predictor import Prediction, Predictor, prepare
from shiftcli.structure.crystal import Crystal

#: File in the folder, one line of JSON for each crystal.
NAME = "shieldings.jsonl"


class StoredPredictor(Predictor):
    """A predictor that writes down every crystal it has predicted, and predicts none twice.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where to write; made if it is not there.
    weights : str or pathlib.Path, optional
        As for `Predictor`.
    **options
        The further ones of `Predictor`.

    Attributes
    ----------
    taken : int
        Predictions that were taken from the folder.

    Raises
    ------
    UsageError
        If the folder cannot be made, read or written.

    Notes
    -----
    A crystal is known again by its elements, positions and cell together with the version of
    this program, the networks (their SHA-256) and the options that change a number, whatever
    its file is called and wherever in it it stands. A line is written at once when a crystal is
    done; one that a crash has cut short is not read. Numbers come back bit for bit.
    """

    def __init__(
        self, folder: str | Path, weights: str | Path | None = None, **options: Any
    ) -> None:
        super().__init__(weights, **options)
        self.path = Path(folder) / NAME
        self.taken = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._known, is_whole = _read(self.path)
            # What a crash has cut short must not swallow the line that follows it.
            _append(self.path, b"" if is_whole else b"\n")
        except OSError as error:
            raise UsageError(f"cannot use '{self.path}': {error.strerror}") from error
        own = {k: v for k, v in self.settings.items() if k not in ("weights", "nuclei", "device")}
        networks = sorted(file.sha256 for file in self.files if file.nucleus in self.networks)
        setting = [__version__, networks, self.device.type, {**own, "allow": sorted(self.allow)}]
        self._setting = json.dumps(setting, sort_keys=True)

    def predict_crystal(self, crystal: Crystal) -> Prediction:
        """Predict a crystal, or take it from the folder; see `Predictor.predict`.

        Raises
        ------
        StructureError
            If the networks cannot know this structure and nothing allows it.
        UsageError
            If the result cannot be written.
        """
        key = self._key(crystal)
        if key in self._known:
            self.taken += 1
            return self._restore(crystal, self._known[key])
        prediction = super().predict_crystal(crystal)
        values = [(s.shielding, s.uncertainty, s.uncertainty95) for s in prediction.sites]
        line = json.dumps({"key": key, "structure": crystal.where, "values": values})
        try:
            _append(self.path, line.encode() + b"\n")
        except OSError as error:
            raise UsageError(f"cannot write '{self.path}': {error.strerror}") from error
        self._known[key] = np.array(values, dtype=float).reshape(-1, 3)
        return prediction

    def _key(self, crystal: Crystal) -> str:
        parts = (
            self._setting,
            " ".join(crystal.elements.tolist()),
            # Copies of a site share one prediction, so which atoms those are belongs to the key.
            json.dumps([site.atoms.tolist() for site in crystal.sites]),
            np.asarray(crystal.positions, dtype="<f8").tobytes().hex(),
            "" if crystal.cell is None else np.asarray(crystal.cell, dtype="<f8").tobytes().hex(),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _restore(self, crystal: Crystal, values: np.ndarray) -> Prediction:
        crystal = prepare(crystal, self.allow, self.hydrogens)
        sites = tuple(
            replace(row, shielding=shielding, uncertainty=half68, uncertainty95=half95)
            for row, (shielding, half68, half95) in zip(
                self.describe(crystal), values.tolist(), strict=True
            )
        )
        return Prediction(crystal, sites)


def _read(path: Path) -> tuple[dict[str, np.ndarray], bool]:
    """Shieldings and widths by key, shape (sites, 3) each, and whether the last line is whole."""
    if not path.exists():
        return {}, True
    content = path.read_bytes()
    known = {}
    for line in content.splitlines():
        try:
            entry = json.loads(line)
            known[str(entry["key"])] = np.array(entry["values"], dtype=float).reshape(-1, 3)
        except (ValueError, KeyError, TypeError):
            continue  # cut short; that crystal is predicted again
    return known, not content or content.endswith(b"\n")


def _append(path: Path, content: bytes) -> None:
    """Append in one piece, so that lines of two runs in one folder do not mix."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(handle, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)
