"""Output of Quantum ESPRESSO's gipaw.x, which prints shieldings and positions but no cell.

The cell is that of the run of pw.x before it: in the same file, or in an output of pw.x beside it
whose last atoms are at the very places that gipaw.x prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import AtomTable, element_of, number
from shiftcli.readers.sources import STDIN, load, safe_text

_TITLE = re.compile(r"Total NMR chemical shifts in ppm")
_ATOM = re.compile(
    r"^\s*Atom\s*(\d+|\*+)\s+(\S+)\s+pos:\s*\(([^)]*)\)\s+(?:Total )?sigma:\s*(\S+)", re.MULTILINE
)
_PLACE = re.compile(r"[-+]?\d*\.\d+")
_ALAT = re.compile(r"celldm\(1\)=\s*(\S+)|lattice parameter \(alat\)\s*=\s*(\S+)")
_PWSCF = "Program PWSCF"

#: Bohr radius in Å.
_BOHR = 0.529177210903

#: Å by which places may differ that both programs print, in units of a lattice parameter with six
#: decimals.
_SAME = 0.01

#: Outputs of pw.x that are looked at, their size in bytes, and the suffixes they may have.
_MOST, _LARGEST, _SUFFIXES = 50, 100_000_000, (".out", ".pwo", ".log", ".txt")


def read_gipaw(text: str, source: str) -> Iterator[AtomTable | ReadError]:
    """Read the shieldings of a run of gipaw.x, and the crystal of the run of pw.x before it.

    That stands in the same file or in one beside it; outputs of pw.x alone are as ASE reads them.
    `ReadError` if the shieldings cannot be read, or no cell is there for them.
    """
    titles = list(_TITLE.finditer(text))
    where = visible(source)
    if not titles:
        if _PWSCF not in text:
            raise ReadError(
                "gipaw.x printed no shieldings: was its job nmr, and done?", where=where
            )
        from shiftcli.readers.through_ase import read_ase

        yield from read_ase(text, source, "espresso-out")
        return
    rows = _ATOM.findall(text, titles[-1].end())
    try:
        places = np.array([[float(w) for w in _PLACE.findall(xyz)] for *_, xyz, _ in rows])
        values = np.array([number(sigma) for *_, sigma in rows])
    except ValueError as error:
        raise ReadError(f"shieldings cannot be understood: {error}", where=where) from error
    if places.shape != (len(rows), 3) or not len(rows):
        raise ReadError("shieldings cannot be understood: no atoms with places", where=where)
    elements = [element_of(species) for _, species, *_ in rows]
    if _PWSCF in text[: titles[-1].start()]:
        table = _crystal(text[: titles[-1].start()], source, elements, places)
    else:
        table = next(_beside(source, elements, places), None)
    if table is None:
        raise ReadError(
            "shieldings without a cell, which gipaw.x does not print", where=where,
            hint="put the output of pw.x beside it, or take the .magres file that gipaw.x writes",
        )  # fmt: skip
    yield replace(table, shieldings=values, name="", source="")


def _crystal(text: str, source: str, elements: list[str], places: np.ndarray) -> AtomTable | None:
    """The last structure of a run of pw.x, if its atoms are at some places; in alat."""
    from shiftcli.readers.through_ase import read_ase

    found = _ALAT.search(text)
    try:
        *_, table = read_ase(text, source, "espresso-out")
        alat = _BOHR * number((found[1] or found[2]) if found else "")
    except (ReadError, ValueError):
        return None
    if isinstance(table, ReadError) or table.cell is None or table.elements.tolist() != elements:
        return None
    apart = (places * alat - table.coordinates) @ np.linalg.inv(table.cell)
    distance = np.linalg.norm((apart - np.round(apart)) @ table.cell, axis=1)
    return table if distance.max() < _SAME else None


def _beside(source: str, elements: list[str], places: np.ndarray) -> Iterator[AtomTable]:
    """Structures of outputs of pw.x in the folder that have the same atoms at the same places."""
    if source == STDIN:
        return
    folder = os.path.dirname(source) or "."
    suffixes = (*_SUFFIXES, os.path.splitext(source)[1].lower())
    names = [name for name in sorted(os.listdir(folder)) if name.lower().endswith(suffixes)]
    for name in names[:_MOST]:
        path = os.path.join(folder, name)
        try:
            if os.path.getsize(path) > _LARGEST or os.path.samefile(path, source):
                continue
            text = load(path)
        except (OSError, ReadError):
            continue
        if _PWSCF in text and (table := _crystal(text, path, elements, places)) is not None:
            yield table.with_warning(f"cell from {safe_text(name)}")
