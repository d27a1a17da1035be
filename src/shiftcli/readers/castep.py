"""Output of CASTEP: the last structure before its table of shieldings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import AtomTable, distinct, element_of, indexed, number
from shiftcli.readers.sources import safe_text

_HEADING = re.compile(
    r"^[ \t]*\|[ \t]*Chemical Shielding (?:and Electric Field Gradient )?Tensors?[ \t]*\|[ \t]*\n",
    re.MULTILINE | re.IGNORECASE,
)
_END = re.compile(r"^[ \t]*=+[ \t]*$", re.MULTILINE)
_LATTICE = re.compile(r"Real Lattice[ \t]*\((\w+)\).*\n((?:.*\n){3})")
_PLACES = re.compile(r"Fractional coordinates of atoms")
_PLACE = re.compile(r"^\s*x\s+(\S+)\s+(\d+)((?:\s+[-+.\dEe]+){3})\s+x\s*$", re.MULTILINE)
_ROW = re.compile(r"^\s*\|\s+(\S+)\s+(\d+)\s+(\S+)\s+(\S+)\s", re.MULTILINE)


def read_castep(text: str, source: str) -> Iterator[AtomTable | ReadError]:
    """Read the structure and shieldings of a run of CASTEP, of several in a file the last.

    A run without shieldings is as ASE reads it. `ReadError` if there are shieldings, but no
    structure that they are of.
    """
    tables = list(_HEADING.finditer(text))
    if not tables or not (end := _END.search(text, tables[-1].end())):
        from shiftcli.readers.through_ase import read_ase

        yield from read_ase(text, source, "castep-castep")
        return
    where = visible(source)
    before, table = text[: tables[-1].start()], text[tables[-1].end() : end.start()]
    lattices, headings = list(_LATTICE.finditer(before)), list(_PLACES.finditer(before))
    if not lattices or not headings:
        raise ReadError("a table of shieldings, but no cell or no atoms above it", where=where)
    if lattices[-1][1] != "A":
        raise ReadError(
            f"lattice in {safe_text(lattices[-1][1], 20)}, not Angstrom", where=where,
            hint="the .magres file of the run has it in Angstrom",
        )  # fmt: skip
    rows = _PLACE.findall(before, headings[-1].end())
    try:
        cell = np.array([[number(w) for w in line.split()[:3]] for line in _lines(lattices[-1][2])])
        places = np.array([[number(w) for w in xyz.split()] for *_, xyz in rows])
        stated = {(s, k): number(sigma) for s, k, sigma, _ in _ROW.findall(table)}
    except ValueError as error:
        raise ReadError(f"cannot be understood: {error}", where=where) from error
    keys = [(species, index) for species, index, _ in rows]
    if not keys or set(stated) - set(keys):
        raise ReadError(
            f"shieldings of {len(stated)} atoms, but {len(keys)} atoms above them", where=where
        )
    elements = [element_of(species.partition(":")[0]) for species, _ in keys]
    if "" in elements:
        unknown = safe_text(keys[elements.index("")][0], 20)
        raise ReadError(f"no element is called '{unknown}'", where=where)
    labels, alike = distinct([indexed(e, k) for e, (_, k) in zip(elements, keys, strict=True)])
    yield AtomTable(
        np.array(elements),
        places @ cell,
        cell,
        labels,
        whole=True,
        shieldings=np.array([stated.get(key, np.nan) for key in keys]),
    ).with_warning(alike)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]
