"""What a page to send is made of: sections with tables, diagrams and spectra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shiftcli.errors import Failure
from shiftcli.nmr.spectrum import Spectrum
from shiftcli.results.tables import Table
from shiftcli.structure.crystal import Crystal

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Measured:
    """A measured shift on the axis of a spectrum, and where its prediction is, if that is known."""

    shift: float
    label: str = ""
    predicted: float | None = None
    atoms: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Lanes:
    """Spectra of one nucleus on one axis, one above the other, over what was measured.

    `trace` are positions and heights, up to 1, of a measured spectrum behind a single one.
    """

    spectra: tuple[Spectrum, ...]
    names: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()
    trace: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Point:
    """A point of a diagram: its error along the second axis, and 0, 1, 2: how odd it is."""

    x: float
    y: float
    label: str
    atoms: tuple[int, ...] = ()
    error: float = 0.0
    mark: int = 0


@dataclass(frozen=True)
class Diagram:
    """Points over two axes, on the line where both are equal if `diagonal` is true."""

    title: str
    axes: tuple[str, str]
    points: tuple[Point, ...]
    diagonal: bool = False
    falls: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    #: What it is of.
    title: str
    summary: str = ""
    notes: tuple[str, ...] = ()  #: What the reader should know.
    crystal: Crystal | None = None  #: The structure that is drawn.
    tables: tuple[Table, ...] = ()  #: The first is the one that matters.
    #: What is drawn of them.
    diagrams: tuple[Diagram, ...] = ()
    spectra: tuple[Lanes, ...] = ()
    note: str = ""  #: What stands below the spectra.


@dataclass(frozen=True)
class Page:
    """All of it."""

    #: What it is of.
    title: str
    summary: str
    sections: Iterable[Section]  #: Of which one is seen at a time, made while the page is written.
    #: What is seen always, above; the rows of its first table open the sections in order.
    overview: Section | None = None
    failures: Sequence[Failure] = ()  #: What could not be done.
    sources: Sequence[tuple[str, str]] = ()  #: Where the numbers are from, and what to cite.
