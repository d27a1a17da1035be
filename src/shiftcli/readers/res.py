"""SHELX files (.res, .ins), as SHELXL and AIRSS write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import gemmi
import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import AtomTable, completed, element_of, number
from shiftcli.readers.sources import safe_text

#: Centring vectors of LATT 1 to 7.
_CENTRING = {
    1: (), 2: ("1/2,1/2,1/2",), 3: ("2/3,1/3,1/3", "1/3,2/3,2/3"),
    4: ("0,1/2,1/2", "1/2,0,1/2", "1/2,1/2,0"), 5: ("0,1/2,1/2",), 6: ("1/2,0,1/2",),
    7: ("1/2,1/2,0",),
}  # fmt: skip

#: Instructions that may stand between the atoms; anything else of a name and numbers is an atom.
_WORDS = frozenset(
    """ABIN ACTA AFIX ANIS ANSC ANSR BASF BIND BLOC BOND BUMP CGLS CHIV CONF CONN DAMP DANG DEFS
    DELU DFIX DISP EADP EQIV EXTI EXYZ FEND FLAT FMAP FRAG FREE GRID HFIX HKLF HTAB ISOR LAUE LIST
    L.S. MERG MORE MOVE MPLA NCSY NEUT OMIT PLAN PRIG REM RESI RIGU RTAB SADI SAME SHEL SIMU SIZE
    SPEC STIR SUMP SWAT TEMP TIME TITL TWIN TWST UNIT
    CELL LATT FVAR WGHT WIGL WPDB XNPD ZERR""".split()  # noqa: SIM905
)


def read_res(text: str, source: str) -> Iterator[AtomTable]:
    """Read a SHELX file."""
    where = visible(source)
    said: dict[str, list[str]] = {}
    rows: list[tuple[str, str, list[float], str]] = []
    operations, part, elements, is_open = ["x,y,z"], "", list[str](), True
    for count, line in enumerate(re.sub(r"=[ \t]*\n(.*)", r" \1\n", text).split("\n"), 1):
        words = line.split("!")[0].split()
        word = words[0].upper()[:4] if words else ""
        if word in ("END", "HKLF"):
            is_open = False
            break
        try:
            if word == "SYMM":
                operations.append(gemmi.Op("".join(words[1:])).triplet())
            elif word == "SFAC":
                elements += [w.capitalize() for w in words[1:] if w[:1].isalpha()]
            elif word == "PART":
                part = "" if words[1] == "0" else words[1]
            elif word in _WORDS or (len(words) < 6 and not _begins_atom(words, elements)):
                said.setdefault(word, words[1:])
            elif len(words) < 6:
                raise ValueError
            elif words[1].isdecimal() and not re.fullmatch(r"Q\d+", words[0].upper()):
                element = element_of(elements[int(words[1]) - 1])
                rows.append((words[0], element, [number(w) for w in words[2:6]], part))
        except (ValueError, IndexError, RuntimeError) as error:
            shown = safe_text(line, 40)
            raise ReadError(f"line {count} cannot be understood: '{shown}'", where=where) from error
    if "CELL" not in said or not elements:
        raise ReadError("no CELL, or no SFAC with the elements", where=where)
    # UNIT counts the atoms of the cell where SHELXL wrote it, beside ZERR.
    counts = zip(elements, said.get("UNIT", []), strict=False) if "ZERR" in said else ()
    try:
        cell = gemmi.UnitCell(*(number(w) for w in said["CELL"][1:7]))
        symmetry = _symmetry(int(said.get("LATT", ["1"])[0]), operations)
        free = [number(w) for w in said.get("FVAR", [])]
        formula = " ".join(f"{e}{number(n):g}" for e, n in counts)
        table = _table(rows, cell, symmetry, free, formula)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ReadError("CELL, LATT, FVAR or UNIT cannot be understood", where=where) from error
    yield replace(table, name=" ".join(said.get("TITL", [])[:1])).with_warning(
        "no HKLF and no END: the file may be cut off" if is_open else "",
        "solvent was removed from the data (ABIN): it is not in the cell" if "ABIN" in said else "",
    )


def _begins_atom(words: list[str], elements: list[str]) -> bool:
    """Whether a short line has the name and the number of an element, and was cut off."""
    if len(words) < 2 or not words[1].isdecimal() or not 0 < int(words[1]) <= len(elements):
        return False
    return element_of(words[0]) == element_of(elements[int(words[1]) - 1])


def _symmetry(lattice: int, operations: list[str]) -> sym.Symmetry:
    """All operations: SHELX leaves out the identity, centring, and (LATT > 0) the inversion."""
    found = [gemmi.Op(text) for text in operations]
    if lattice > 0:
        found += [gemmi.Op("-x,-y,-z") * op for op in found]
    centred = list(found)
    for shift in _CENTRING[abs(lattice)]:
        x, y, z = shift.split(",")
        centred += [gemmi.Op(f"x+{x},y+{y},z+{z}") * op for op in found]
    return sym.from_operations([op.wrap() for op in centred], sym.LISTED)


def _table(
    rows: list[tuple[str, str, list[float], str]],
    cell: gemmi.UnitCell,
    symmetry: sym.Symmetry,
    free: list[float],
    formula: str,
) -> AtomTable:
    """The atoms, their occupancies without the multiplicity that SHELX puts into them."""
    matrix = np.array(cell.orth.mat.tolist()).T
    # A coordinate near 10 is held fixed.
    numbers = np.array([xyz_sof for _, _, xyz_sof, _ in rows]).reshape(-1, 4)
    fractional = numbers[:, :3] - 10 * np.rint(numbers[:, :3] / 10)
    share = np.ones(len(rows))
    if np.linalg.det(matrix) > 1.0 and np.isfinite(fractional).all():
        share = sym.multiplicities(fractional, matrix, symmetry) / len(symmetry)
    occupancies = np.array([_occupancy(sof, free) for sof in numbers[:, 3]]) / share
    # Programs that know no multiplicities, as AIRSS, write 1 for all.
    occupancies[numbers[:, 3] == 1.0] = 1.0
    elements = [element for _, element, _, _ in rows]
    # AIRSS calls all carbons C.
    labels = [name if name.capitalize() != element else "" for name, element, _, _ in rows]
    return AtomTable(
        np.array(elements),
        fractional,
        matrix,
        completed(labels, elements),
        symmetries=(symmetry,),
        occupancies=occupancies,
        groups=tuple(part for _, _, _, part in rows),
        formula=formula,
        z=1.0,
    )


def _occupancy(sof: float, free: list[float]) -> float:
    """``11.0`` is 1 held fixed, ``21.0`` the second free variable, ``-21.0`` one minus it."""
    variable = round(abs(sof) / 10)
    value = abs(sof) - 10 * variable
    if variable < 2:
        return value if sof >= 0 else float("nan")
    if variable > len(free):
        raise ValueError
    return value * (free[variable - 1] if sof > 0 else 1.0 - free[variable - 1])
