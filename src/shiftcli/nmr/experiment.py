"""Measured shifts, from a CSV file.

Columns ``site``, ``species``, ``shift`` (ppm), and perhaps ``uncertainty`` (ppm) and
``structure``, in any order, separated by commas, semicolons or tabs; lines that begin with
``#`` are comments. ``site`` holds the labels of the atoms, ``H11+H12+H13``, or nothing where
the peak is not assigned: such a peak belongs to one site (or one group of exchanging sites),
and a peak of two sites is written twice.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from shiftcli.errors import ExperimentError, ReadError
from shiftcli.readers.sources import load, safe_text
from shiftcli.structure.crystal import SPECIES, Crystal

_NEEDED, _OPTIONAL = ("site", "species", "shift"), ("uncertainty", "structure")

#: No shift is as large as this (ppm).
_LARGEST = 5000.0

#: Larger uncertainties (ppm) are the decimals of a shift, cut off at a decimal comma.
_LARGEST_UNCERTAINTY = {"H": 5.0, "C": 30.0, "N": 60.0, "O": 100.0}

_ELEMENT = {name.lower(): e for e, s in SPECIES.items() for name in (e, s)}


@dataclass(frozen=True)
class Peak:
    """One measured shift.

    Attributes
    ----------
    labels : tuple of str
        Labels of the atoms it belongs to; empty where it is not assigned.
    species : str
        Nuclide, such as ``1H``.
    shift : float
        In ppm.
    uncertainty : float or None
        Standard deviation in ppm; None where it is not stated.
    line : int
        Line of the file, 0 where there is none.
    structure : str
        Structure that it was measured on, where a file holds shifts of several.
    """

    labels: tuple[str, ...]
    species: str
    shift: float
    uncertainty: float | None = None
    line: int = 0
    structure: str = ""

    @property
    def element(self) -> str:
        """Its chemical symbol."""
        return _ELEMENT[self.species.lower()]

    def is_of(self, crystal: Crystal) -> bool:
        """Whether it was measured on a crystal.

        Parameters
        ----------
        crystal : Crystal
            The structure.

        Returns
        -------
        bool
            If `structure` is empty, or is the crystal's name, its file, or the name of the
            file with or without suffixes.
        """
        file = os.path.basename(crystal.source)
        names = ("", crystal.name, crystal.source, file, file.split(".")[0], Path(file).stem)
        return self.structure in names


@dataclass(frozen=True)
class Experiment:
    """Measured shifts.

    Attributes
    ----------
    peaks : tuple of Peak
        In the order of the file.
    source : str
        The file, as the user named it.
    notes : tuple of str
        What the user should know of how it was read.
    """

    peaks: tuple[Peak, ...]
    source: str = ""
    notes: tuple[str, ...] = ()

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that shifts were measured of, each once."""
        return tuple(dict.fromkeys(peak.element for peak in self.peaks))

    def only(self, elements: Collection[str]) -> Experiment:
        """The shifts of some elements."""
        return replace(self, peaks=tuple(p for p in self.peaks if p.element in elements))

    def of(self, crystal: Crystal) -> Experiment:
        """The shifts of one structure.

        Parameters
        ----------
        crystal : Crystal
            The structure.

        Returns
        -------
        Experiment
            Its peaks, see `Peak.is_of`.

        Raises
        ------
        ExperimentError
            If there are none.
        """
        peaks = tuple(peak for peak in self.peaks if peak.is_of(crystal))
        if self.peaks and not peaks:
            raise ExperimentError(
                f"no row is for {crystal.where}",
                where=self.source,
                hint=f"the first is for structure '{self.peaks[0].structure}'",
            )
        return replace(self, peaks=peaks)


def read_experiment(path: str | Path) -> Experiment:
    """Read measured shifts.

    Parameters
    ----------
    path : str or pathlib.Path
        CSV file, plain or gzipped, or ``-`` for standard input.

    Returns
    -------
    Experiment

    Raises
    ------
    ExperimentError
        Naming the line, if the file cannot be read, is empty, lacks a column, or has a number
        with a decimal comma or a unit, an unknown species, or a label twice.
    """
    where = safe_text(path, 200)
    try:
        text = load(path)
    except ReadError as error:
        raise ExperimentError(error.message, where=error.where, hint=error.hint) from error
    rows = csv.reader(StringIO(text), delimiter=_separator(text), strict=True)
    try:
        header = _header(rows)
        columns, notes = _columns(header)
        peaks = tuple(_peaks(rows, columns, len(header)))
        _refuse_repeated(peaks)
    except _Mistake as error:
        line = f"line {error.line or rows.line_num}: "
        raise ExperimentError(f"{line}{error}", where=where, hint=error.hint) from error
    except csv.Error as error:
        raise ExperimentError(
            f"line {rows.line_num}: {safe_text(error, 100)}", where=where
        ) from error
    if not peaks:
        raise ExperimentError("no measured shifts under the header", where=where)
    return Experiment(peaks, str(path), notes)


class _Mistake(Exception):
    """What is wrong with a row; the line is known where it is caught."""

    def __init__(self, message: str, hint: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.hint, self.line = hint, line


def _is_empty(row: Sequence[str]) -> bool:
    return not any(field.strip() for field in row) or row[0].lstrip().startswith("#")


def _separator(text: str) -> str:
    """The sign between fields, as the header has it."""
    lines = (line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#")
    header = next(lines, "")
    return max(",;\t", key=header.count)


def _header(rows: Iterator[list[str]]) -> list[str]:
    return next((row for row in rows if not _is_empty(row)), [])


def _columns(header: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Position of each known column, and a note on the others."""
    names = [re.split(r"[/(\[]", name)[0].strip().lower() for name in header]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise _Mistake(
            f"no column {' and no column '.join(missing)} in the header "
            f"'{safe_text(','.join(header))}'",
            hint="the columns are site,species,shift and perhaps uncertainty,structure",
        )
    twice = [name for name in (*_NEEDED, *_OPTIONAL) if names.count(name) > 1]
    if twice:
        raise _Mistake(f"two columns are called {twice[0]}")
    known = {name: names.index(name) for name in (*_NEEDED, *_OPTIONAL) if name in names}
    others = [h for h, n in zip(header, names, strict=True) if n and n not in known]
    listed = ", ".join(safe_text(name, 30) for name in others)
    return known, (f"columns not used: {listed}",) if others else ()


def _peaks(rows: Iterator[list[str]], columns: Mapping[str, int], width: int) -> Iterator[Peak]:
    for row in rows:
        if _is_empty(row):
            continue
        given = [field.strip() for field in row]
        if any(given[width:]):
            raise _Mistake(
                f"{len(given)} fields under a header of {width}", hint="a decimal comma?"
            )
        yield _peak(given, columns, rows.line_num)  # type: ignore[attr-defined]


def _peak(row: Sequence[str], columns: Mapping[str, int], line: int) -> Peak:
    field = {name: row[k] if k < len(row) else "" for name, k in columns.items()}
    element = _ELEMENT.get(field["species"].lower())
    if element is None:
        raise _Mistake(
            f"unknown species '{safe_text(field['species'], 20)}'",
            hint=f"one of {', '.join(SPECIES.values())}",
        )
    shift = _number(field["shift"], "shift", _LARGEST)
    text = field.get("uncertainty", "")
    uncertainty = _number(text, "uncertainty", _LARGEST) if text else None
    if uncertainty is not None and not 0 <= uncertainty <= _LARGEST_UNCERTAINTY[element]:
        raise _Mistake(
            f"an uncertainty of {safe_text(text, 20)} ppm for {SPECIES[element]}",
            hint="is the shift written with a decimal comma?",
        )
    labels = tuple(filter(None, (part.strip() for part in re.split(r"[+,;]", field["site"]))))
    return Peak(labels, SPECIES[element], shift, uncertainty, line, field.get("structure", ""))


def _number(text: str, name: str, largest: float) -> float:
    plain = text.replace("−", "-")
    try:
        value = float(plain)
    except ValueError:
        value = math.nan
    if abs(value) < largest and "_" not in plain:  # Python's 1_000 is not meant
        return value
    shown = f"{name} '{safe_text(text, 20)}'"
    if re.fullmatch(r"[-+]?\d+,\d+", plain):
        raise _Mistake(f"{shown} has a decimal comma", hint=f"write {plain.replace(',', '.')}")
    unit = re.fullmatch(r"([-+]?\d+(?:\.\d*)?)\s*([^\d\s.,]+)", plain)
    if unit and unit[2].lower() not in ("nan", "inf"):
        raise _Mistake(f"{shown} has a unit", hint="the number alone, in ppm")
    raise _Mistake(f"{shown} is no number in ppm" if text else f"no {name}")


def _refuse_repeated(peaks: Sequence[Peak]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for peak in peaks:
        for label in peak.labels:
            before = seen.setdefault((peak.structure, label), peak.line)
            if before != peak.line or peak.labels.count(label) > 1:
                raise _Mistake(
                    f"{safe_text(label, 20)} is named twice"
                    + (f", first in line {before}" if before != peak.line else ""),
                    line=peak.line,
                )
