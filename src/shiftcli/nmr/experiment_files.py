"""Measured shifts out of a CSV file or a plain list.

Columns ``site``, ``species``, ``shift`` (ppm), and perhaps ``uncertainty`` (ppm), ``protons``,
``kind`` and ``structure``, in any order, separated by commas, semicolons or tabs; lines that begin
with ``#`` are comments. Where semicolons or tabs separate, decimals may be written with commas, as
spreadsheets do. ``site`` holds the labels of the atoms, ``H11+H12+H13``, or nothing where the peak
is not assigned: such a peak belongs to one site (or one group of exchanging sites), and a peak of
two sites is written twice. What ``protons`` (its intensity: 1, 2, 3 or 6) and ``kind`` (words of
`shiftcli.nmr.kinds.KINDS`, ``CH/CH2`` where it may be either) say narrows the sites it may have.

A cross peak has two species and two shifts, ``13C-1H`` and ``55.2/3.4``: its two nuclei are bonded,
or within 3 Å where ``kind`` is ``near``. A shift written the same as in another row of that nucleus
is that row's peak, else a peak of its own.

The columns of ``shiftcli predict`` serve as well (``labels``, ``MS_shift/ppm``), and so do bare
shifts, line after line, after a line or word that says their nucleus.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from shiftcli.errors import ExperimentError, ReadError
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import KINDS
from shiftcli.nmr.shifts import odd_shift
from shiftcli.readers.sources import load, safe_text
from shiftcli.structure.nuclei import SPECIES, find_element

_COLUMNS = ("site", "species", "shift", "uncertainty", "protons", "kind", "structure")

#: Other words for columns, those of `shiftcli predict` among them.
_ALIASES = {"labels": "site", "ms_shift": "shift", "file": "structure"}

#: No shift is as large as this (ppm).
_LARGEST = 5000.0

#: Larger uncertainties (ppm) are the decimals of a shift, cut off at a decimal comma.
_LARGEST_UNCERTAINTY = {"H": 5.0, "C": 30.0, "N": 60.0, "O": 100.0}

#: Hydrogens of groups whose signals are told apart by intensity: their peaks, by protons.
_INTENSITIES = {1: (1,), 2: (1, 1), 3: (3,), 6: (3, 3)}

#: Word for cross peaks of nuclei that need not be bonded.
_NEARBY = "near"


def read_experiment(path: str | Path, element: str = "") -> Experiment:
    """Read measured shifts.

    Parameters
    ----------
    path : str or pathlib.Path
        CSV file or list of shifts, plain or gzipped, or ``-`` for standard input.
    element : str
        Element of shifts whose nucleus the file does not say; empty where it must.

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
    text = re.sub(r"\A\ufeff?(sep=.\r?\n)?", "", text)
    if _is_list(text):
        return _read_list(text, element, where, str(path))
    separator = _separator(text)
    rows = csv.reader(StringIO(text), delimiter=separator, strict=True)
    try:
        header = _header(rows)
        columns, notes = _columns(header, element)
        fields = list(_fields(rows, columns, len(header)))
        if "MS_shielding/ppm" in header and not any(own["shift"] for _, own in fields):
            raise _no_shifts()
        if separator != ",":
            fields = _with_points(fields)
        peaks, bonded, near = _peaks(fields, element)
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
    if len({peak.structure for peak in peaks}) == 1 and "file" in map(str.lower, header):
        # A prediction of one structure serves as the experiment of any.
        peaks = tuple(replace(peak, structure="") for peak in peaks)
    return Experiment(peaks, str(path), (*notes, *_odd(peaks)), bonded, near)


def _odd(peaks: Sequence[Peak]) -> Iterator[str]:
    """Notes on shifts that are unlikely for their nucleus."""
    for element in dict.fromkeys(peak.element for peak in peaks):
        shifts = [peak.shift for peak in peaks if peak.element == element]
        odd = [text for text in (odd_shift(element, shift) for shift in shifts) if text]
        if odd:
            more = f" ({len(odd)} of {len(shifts)} shifts)" if len(odd) > 1 else ""
            yield f"{odd[0]}{more}; another nucleus, or shieldings?"


class _Mistake(Exception):
    """What is wrong with a row; the line is known where it is caught."""

    def __init__(self, message: str, hint: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.hint, self.line = hint, line


def _no_shifts() -> _Mistake:
    return _Mistake("shieldings and no shifts", hint="predict --references makes shifts of them")


def _is_empty(row: Sequence[str]) -> bool:
    return not any(field.strip() for field in row) or row[0].lstrip().startswith("#")


def _separator(text: str) -> str:
    """The sign between fields, as the header has it."""
    lines = (line for line in text.splitlines() if line.strip() and line.lstrip()[0] != "#")
    header = next(lines, "")
    return max(",;\t", key=header.count)


def _header(rows: Iterator[list[str]]) -> list[str]:
    return next((row for row in rows if not _is_empty(row)), [])


def _is_list(text: str) -> bool:
    """Whether a file has shifts and names of nuclei alone, without a header."""
    words = [w for line in _lines(text) for w in re.split(r"[\s:;]+|,(?=\s|$)", line) if w]
    return bool(words) and all(find_element(w) or _NUMBER.fullmatch(w) for w in words)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


def _read_list(text: str, element: str, where: str, source: str) -> Experiment:
    peaks = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for word in filter(None, re.split(r"[\s:;]+|,(?=\s|$)", line)):
            if named := find_element(word):
                element = named
                continue
            if not element:
                raise ExperimentError(
                    f"line {number}: which nucleus is {safe_text(word, 20)} ppm of?", where=where,
                    hint="a line 13C above the shifts says it, or --nucleus C",
                )  # fmt: skip
            try:
                shift = _number(word.replace(",", "."), "shift", _LARGEST)
            except _Mistake as error:
                raise ExperimentError(f"line {number}: {error}", where=where) from error
            peaks.append(Peak((), SPECIES[element], shift, None, number))
    if not peaks:
        raise ExperimentError("no shifts", where=where)
    return Experiment(tuple(peaks), source, tuple(_odd(peaks)))


def _columns(header: Sequence[str], element: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Position of each known column, and a note on the others."""
    names = [re.split(r"[/(\[]", name)[0].strip().lower() for name in header]
    names = [n if _ALIASES.get(n, n) in names else _ALIASES[n] for n in names]
    needed = ["shift"] if element else ["species", "shift"]
    missing = [name for name in needed if name not in names]
    if missing == ["shift"] and "ms_shielding" in names:
        raise _no_shifts()
    if missing:
        raise _Mistake(
            f"no column {' and no column '.join(missing)} in the header "
            f"'{safe_text(','.join(header))}'",
            hint=f"the columns are {','.join(_COLUMNS)}; only species and shift are needed",
        )
    twice = [name for name in _COLUMNS if names.count(name) > 1]
    if twice:
        raise _Mistake(f"two columns are called {twice[0]}")
    known = {name: names.index(name) for name in _COLUMNS if name in names}
    others = [h for h, n in zip(header, names, strict=True) if n and n not in known]
    listed = ", ".join(safe_text(name, 30) for name in others)
    return known, (f"columns not used: {listed}",) if others else ()


def _fields(
    rows: Iterator[list[str]], columns: Mapping[str, int], width: int
) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and fields of each row."""
    for row in rows:
        if _is_empty(row):
            continue
        given = [field.strip() for field in row]
        if any(given[width:]):
            raise _Mistake(
                f"{len(given)} fields under a header of {width}", hint="a decimal comma?"
            )
        own = {name: given[k] if k < len(given) else "" for name, k in columns.items()}
        yield rows.line_num, own  # type: ignore[attr-defined]


def _with_points(fields: list[tuple[int, dict[str, str]]]) -> list[tuple[int, dict[str, str]]]:
    """Decimal commas as points, where a file has no decimal points."""
    numbers = ("shift", "uncertainty")
    if any("." in own.get(name, "") for _, own in fields for name in numbers):
        return fields
    return [
        (line, {k: v.replace(",", ".") if k in numbers else v for k, v in own.items()})
        for line, own in fields
    ]


_Pairs = tuple[tuple[int, int], ...]


def _peaks(
    fields: Sequence[tuple[int, dict[str, str]]], element: str
) -> tuple[tuple[Peak, ...], _Pairs, _Pairs]:
    """Peaks of all rows, and which are bonded or near."""
    peaks: list[Peak] = []
    crosses = []
    for line, own in fields:
        try:
            species = own.get("species", "") or element
            if "-" in species and find_element(species) is None:
                crosses.append((line, own))
            else:
                peaks += _row(own, species, line)
        except _Mistake as error:
            error.line = line
            raise
    listed = list(range(len(peaks)))
    bonded: list[tuple[int, int]] = []
    near: list[tuple[int, int]] = []
    for line, own in crosses:
        try:
            pair = _cross(own, line)
            is_near = own.get("kind", "").strip().lower() == _NEARBY
            ends = [_find(peaks, peak, listed, () if is_near else bonded) for peak in pair]
        except _Mistake as error:
            error.line = line
            raise
        (near if is_near else bonded).append((ends[0], ends[1]))
    return tuple(peaks), tuple(bonded), tuple(near)


def _row(field: Mapping[str, str], species: str, line: int) -> list[Peak]:
    """The peak of a row; several where its intensity is that of several sites."""
    element = _element(species)
    shift = _number(field["shift"], "shift", _LARGEST)
    kinds = _kinds(field.get("kind", ""))
    labels = _labels(field.get("site", ""))
    peak = Peak(
        labels, SPECIES[element], shift, _uncertainty(field.get("uncertainty", ""), element), line,
        field.get("structure", ""), 0, kinds,
    )  # fmt: skip
    text = field.get("protons", "")
    if not text:
        return [peak]
    protons = int(text) if re.fullmatch(r"\d{1,3}", text) else 0
    if element != "H" or protons not in _INTENSITIES:
        raise _Mistake(
            f"protons '{safe_text(text, 20)}' of {SPECIES[element]}",
            hint="1, 2, 3 or 6, of 1H; other peaks in several rows",
        )
    if "CH3" in kinds and len(kinds) == 1 and protons % 3:
        raise _Mistake(f"a CH3 of {protons} protons: kind and protons contradict each other")
    if kinds and not {"CH3", "NH3"} & set(kinds) and protons % 3 == 0:
        raise _Mistake(
            f"{'/'.join(kinds)} of {protons} protons: kind and protons contradict each other"
        )
    if labels:  # which sites it is of is known, so it remains one peak
        return [replace(peak, protons=protons)]
    return [replace(peak, protons=part) for part in _INTENSITIES[protons]]


def _labels(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in re.split(r"[+,;]", text))))


def _element(species: str) -> str:
    element = find_element(species)
    if element is None:
        raise _Mistake(
            f"unknown species '{safe_text(species, 20)}'",
            hint=f"one of {', '.join(SPECIES.values())}",
        )
    return element


def _kinds(text: str) -> tuple[str, ...]:
    known = {word.lower(): word for word in KINDS}
    words = [word.strip() for word in text.split("/") if word.strip()]
    unknown = [word for word in words if word.lower() not in known]
    if unknown:
        raise _Mistake(
            f"unknown kind '{safe_text(unknown[0], 20)}'", hint=f"one of {', '.join(KINDS)}"
        )
    return tuple(known[word.lower()] for word in words)


def _uncertainty(text: str, element: str) -> float | None:
    if not text:
        return None
    value = _number(text, "uncertainty", _LARGEST)
    if not 0 <= value <= _LARGEST_UNCERTAINTY[element]:
        raise _Mistake(
            f"an uncertainty of {safe_text(text, 20)} ppm for {SPECIES[element]}",
            hint="is the shift written with a decimal comma?",
        )
    return value


def _cross(field: Mapping[str, str], line: int) -> tuple[Peak, Peak]:
    """The two peaks of a cross peak."""
    names = field["species"].split("-")
    shifts = re.split(r"\s*/\s*|\s+", field["shift"])
    errors = re.split(r"\s*/\s*|\s+", field.get("uncertainty", "")) or [""]
    if len(names) != 2 or len(shifts) != 2 or len(errors) > 2:
        raise _Mistake(
            f"'{safe_text(field['shift'], 20)}' of '{safe_text(field['species'], 20)}' is no cross "
            "peak", hint="two species and two shifts, 13C-1H and 55.2/3.4",
        )  # fmt: skip
    if errors == [""]:
        errors = ["", ""]
    elif len(errors) == 1:
        raise _Mistake("one uncertainty for two shifts", hint="two, such as 0.3/0.05")
    elements = [_element(name) for name in names]
    if elements[0] == elements[1]:
        raise _Mistake(f"a cross peak of {SPECIES[elements[0]]} with itself")
    if field.get("kind", "").strip().lower() not in ("", _NEARBY, "bonded"):
        raise _Mistake("the kind of a cross peak is bonded or near")
    sites = field.get("site", "").split("/")
    if len(sites) > 2 or (sites != [""] and len(sites) != 2):
        raise _Mistake("one site for two nuclei", hint="two, such as C5/H5")
    sites = sites if len(sites) == 2 else ["", ""]
    one, other = (
        Peak(_labels(site), SPECIES[e], _number(shift, "shift", _LARGEST),
             _uncertainty(error, e), line, field.get("structure", ""))
        for site, e, shift, error in zip(sites, elements, shifts, errors, strict=True)
    )  # fmt: skip
    return one, other


def _find(
    peaks: list[Peak], peak: Peak, listed: Sequence[int], bonded: Sequence[tuple[int, int]]
) -> int:
    """Position of the peak that has this shift, appended where there is none.

    One that is listed and in no cross peak yet goes first; a hydrogen is bonded to one atom.
    """
    used = [k for pair in bonded for k in pair]
    same = [
        k
        for k, other in enumerate(peaks)
        if other.species == peak.species
        and other.structure == peak.structure
        and abs(other.shift - peak.shift) < 1e-9
        and other.labels == (peak.labels or other.labels)
    ]
    fresh = [k for k in same if k not in used]
    if fresh and (fresh[0] in listed or peak.element == "H"):
        return fresh[0]
    if same and peak.element != "H":
        return same[0]
    peaks.append(peak)
    return len(peaks) - 1


#: A number as people write it.
_NUMBER = re.compile(r"[-+−]?\d+(?:[.,]\d*)?")


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
