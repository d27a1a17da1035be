"""Measured spectra to be drawn under predicted ones: peaks, or a trace."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from shiftcli.errors import ExperimentError, ReadError, needing
from shiftcli.nmr.experiment_files import read_experiment
from shiftcli.nmr.spectrum.axes import Axis
from shiftcli.readers.sources import load, safe_text
from shiftcli.structure.nuclei import find_element

#: Fewest points of a trace.
_FEWEST = 16

#: Suffixes of JCAMP-DX.
_JCAMP = (".jdx", ".dx", ".jcamp")


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one nucleus."""

    element: str  #: Chemical symbol.
    shifts: np.ndarray  #: In ppm, rising where it is a trace, shape (n,).
    #: Of the points of a trace, at most 1, shape (n,); None for peaks.
    intensity: np.ndarray | None = None

    def on(self, axis: Axis, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """Positions on an axis between two ends, and heights of at most 1 there."""
        positions = self.shifts * axis.unit
        heights = np.ones(len(positions)) if self.intensity is None else self.intensity
        seen = (low <= positions) & (positions <= high)
        top = heights[seen].max(initial=0.0)
        return positions[seen], heights[seen] / (top if top > 0 else 1.0)


def read_measured(path: str, elements: tuple[str, ...] = ()) -> list[Measured]:
    """Read measured peaks, or a measured trace.

    Parameters
    ----------
    path : str
        A list or CSV of peaks, as `shiftcli.read_experiment` takes; a CSV with two
        columns, ppm and intensity; or JCAMP-DX, for which nmrglue is needed.
    elements : tuple of str
        Those that are drawn: one, where the file does not say its nucleus.

    Returns
    -------
    list of Measured
        One a nucleus.

    Raises
    ------
    ExperimentError
        If the file cannot be read, or does not say its nucleus.
    UsageError
        If nmrglue is missing.
    """
    where, alone = safe_text(path, 200), elements[0] if len(elements) == 1 else ""
    try:
        text = load(path)
    except ReadError as error:
        raise ExperimentError(error.message, where=error.where, hint=error.hint) from error
    if path.lower().endswith(_JCAMP) or text.lstrip().startswith("##"):
        element, points = _read_jcamp(text, where)
        return [_trace(element or alone, points, where)]
    if (pairs := _pairs(text)) is not None:
        return [_trace(alone, pairs, where)]
    experiment = read_experiment(path, alone)
    return [
        Measured(e, np.array([p.shift for p in experiment.peaks if p.element == e]))
        for e in experiment.elements
    ]


def _pairs(text: str) -> np.ndarray | None:
    """Pairs of a text of two columns; None where it is something else."""
    lines = [line for line in text.splitlines() if line.strip() and line.lstrip()[0] not in "#%"]
    sign = max(";\t,", key=(lines or [""])[-1].count)
    rows = list(csv.reader(StringIO("\n".join(lines)), delimiter=sign))
    if lines and sign not in lines[-1]:
        rows = [line.split() for line in lines]
    pairs = []
    for number, row in enumerate(rows):
        words = [word.strip() for word in row if word.strip()]
        if sign != ",":  # a spreadsheet's decimals may have commas
            words = [word.replace(",", ".") for word in words]
        try:
            pair = tuple(map(float, words))
        except ValueError:
            if number:
                return None
            continue  # a header
        if len(pair) != 2:
            return None
        pairs.append(pair)
    points = np.array(pairs)
    return points if len(pairs) >= _FEWEST and np.isfinite(points).all() else None


def _trace(element: str, points: np.ndarray, where: str) -> Measured:
    if not element:
        raise ExperimentError(
            "a spectrum that does not say its nucleus", where=where, hint="--nucleus C says it"
        )
    points = points[np.argsort(points[:, 0], kind="stable")]
    if not points[:, 1].max() > 0:
        raise ExperimentError("a spectrum without intensity above 0", where=where)
    return Measured(element, points[:, 0], points[:, 1] / points[:, 1].max())


def _read_jcamp(text: str, where: str) -> tuple[str, np.ndarray]:
    """Element (empty where it is not said), and points in ppm."""
    with needing("nmrglue", "JCAMP-DX needs"):
        from nmrglue import jcampdx
    try:
        with TemporaryDirectory() as folder:  # it wants a file
            path = os.path.join(folder, "spectrum.jdx")
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
            header, data = jcampdx.read(path)
        values = np.asarray(data[0] if isinstance(data, list) else data, dtype=float).ravel()
        first, last = (_first(header, key, key.removesuffix("X")) for key in ("FIRSTX", "LASTX"))
        shifts = np.linspace(float(first), float(last), len(values))
        if "HZ" in _first(header, "XUNITS", "UNITS").upper():
            shifts = shifts / float(_first(header, ".OBSERVEFREQUENCY", "$SF", "$BF1"))
            shifts += _reference_shift(header, shifts)
        points = np.stack([shifts, values], axis=1)
        if len(values) < _FEWEST or not np.isfinite(points).all():
            raise ValueError(f"{len(values)} points")
    except Exception as error:  # nmrglue raises whatever its parts raise
        reason = safe_text(error, 80) or type(error).__name__
        raise ExperimentError(f"not readable as JCAMP-DX: {reason}", where=where) from error
    nucleus = re.sub(r"[^0-9A-Za-z]", "", str((header.get(".OBSERVENUCLEUS") or [""])[0]))
    return find_element(nucleus) or "", points


def _reference_shift(header: dict[str, Any], shifts: np.ndarray) -> float:
    """What to add to an axis made of Hz, whose zero may be anywhere, in ppm.

    ``.SHIFT REFERENCE`` holds the number of a point, from 1, and its shift; Bruker's ``$OFFSET``
    is the shift of the end with the highest.
    """
    words = str((header.get(".SHIFTREFERENCE") or [""])[0]).strip("() ").split(",")
    if len(words) == 4 and words[2].strip() and words[3].strip():
        point, shift = int(float(words[2])), float(words[3])
        if not 1 <= point <= len(shifts):
            raise ValueError(f"the shift reference is point {point} of {len(shifts)}")
        return shift - float(shifts[point - 1])
    if "$OFFSET" in header:
        return float(_first(header, "$OFFSET")) - float(shifts.max())
    return 0.0


def _first(header: dict[str, Any], *keys: str) -> str:
    """First value of the first of some keys."""
    for key in keys:
        if key in header:
            return str(header[key][0]).split(",")[0].strip()
    raise ValueError(f"no {keys[0]}")
