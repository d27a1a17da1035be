"""Extended XYZ, whose columns ASE reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from io import StringIO
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, visible
from shiftcli.readers.atoms import (
    SHIELDING_COLUMNS,
    AtomTable,
    completed,
    element_of,
    indexed,
    listed,
    refuse_odd_numbers,
    refuse_too_many,
)
from shiftcli.readers.sources import safe_text

if TYPE_CHECKING:
    from ase import Atoms

_NAME_KEYS = ("NAME", "name", "Name", "title", "Title", "label", "refcode")
_LABEL_COLUMNS = ("labels", "label", "atom_labels", "site_labels", "castep_labels")

_PROPERTIES = re.compile(r"Properties\s*=\s*\"?(\S+)")

_SIGNS = re.compile(r"[\"'\[\](){},=:]")
_FLOAT = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?")
_LATTICE_WORDS = ("lattice", "lattice_vectors", "cell", "unit_cell", "unitcell", "box")

# The column asked for goes by this name past ASE, which takes charge, forces, masses and others
# for its own and puts them elsewhere.
_ASKED_FOR = "shiftcli_shielding"


def read_extxyz(
    text: str, source: str, shielding_column: str | None = None
) -> Iterator[AtomTable | ReadError]:
    """Read the frames of a plain or extended XYZ file.

    Shieldings stand in `shielding_column`; without it in one of `SHIELDING_COLUMNS`.
    """
    frames = _split_frames(text, source)
    start = list(islice(frames, 2))
    several = len(start) > 1
    for number, frame in enumerate(chain(start, frames), 1):
        where = visible(source) + (f": frame {number}" if several else "")
        try:
            if isinstance(frame, ReadError):
                raise frame
            table = _read_frame(frame, where, shielding_column)
            yield table if table.name or not several else replace(table, name=f"#{number}")
        except ReadError as error:
            yield error


def _split_frames(text: str, source: str) -> Iterator[list[str] | ReadError]:
    # Line by line: a large file need not stand in memory as a list of its lines, too.
    lines = (match[0].rstrip("\n") for match in re.finditer(r"[^\n]*\n|[^\n]+", text))
    numbered_lines = enumerate(lines, 1)
    for start, line in numbered_lines:
        if not line.strip():
            continue
        where = visible(source)
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", line):
            yield ReadError(
                f"line {start} should be a number of atoms but is '{safe_text(line, 30)}'",
                where=where,
            )
            return  # nothing says where the next frame starts
        n = int(line.strip())
        frame = [line, *(following for _, following in islice(numbered_lines, n + 1))]
        if len(frame) < n + 2:
            yield ReadError(
                f"cut off: line {start} announces {n} atoms, {max(len(frame) - 2, 0)} follow",
                where=where,
            )
            return
        yield frame


def _read_frame(frame: list[str], where: str, shielding_column: str | None) -> AtomTable:
    from ase.io.extxyz import read_xyz

    comment = frame[1]
    is_extended = "Lattice" in comment or "Properties" in comment
    if len(frame) == 2:
        raise ReadError("no atoms", where=where)
    refuse_too_many(len(frame) - 2, where)
    if is_extended:
        _refuse_wide(comment, where)
    refuse_odd_numbers(frame[1:] if is_extended else frame[2:], where)
    _refuse_other_lattice(comment, where)
    labels = _put_symbols(frame, where)
    # Free text in the comment of a plain XYZ file would be taken for key=value pairs.
    header = _put_asked_for(comment, shielding_column) if is_extended else ""
    lines = [frame[0], header, *frame[2:]]
    try:
        atoms = next(iter(read_xyz(StringIO("\n".join(lines) + "\n"), slice(0, 1))))
    except Exception as error:  # ASE raises whatever its parts raise
        reason = safe_text(error, 100) or type(error).__name__
        raise ReadError(f"not a readable XYZ frame: {reason}", where=where) from error
    name = next((atoms.info[k] for k in _NAME_KEYS if k in atoms.info), "")
    cell, warnings = periodicity(atoms, where)
    shieldings, baseline, warning = _shieldings(atoms.arrays, shielding_column, where)
    return AtomTable(
        np.array(atoms.get_chemical_symbols()),
        atoms.positions,
        cell,
        labels_of(atoms.arrays) or labels,
        whole=True,
        shieldings=shieldings,
        baseline=baseline,
        name=str(name) if is_extended else comment.strip(),
        info={k: str(v) for k, v in atoms.info.items()} if is_extended else {},
        warnings=tuple(warnings),
    ).with_warning(warning)


def _refuse_wide(comment: str, where: str) -> None:
    """Refuse a header that takes ASE forever, or names more columns than could be there."""
    from ase.io.extxyz import key_val_str_to_dict

    if len(comment) > limits.COMMENT:
        raise ReadError(
            f"a comment of {len(comment)} characters; at most {limits.COMMENT} are read",
            where=where,
        )
    try:
        counts = str(key_val_str_to_dict(comment).get("Properties", "")).split(":")[2::3]
        columns = sum(int(count) for count in counts)
    except Exception:  # ASE raises whatever its parts raise, and will again
        return
    if columns > limits.COLUMNS:
        raise ReadError(f"{columns} columns; at most {limits.COLUMNS} are read", where=where)


def _refuse_other_lattice(comment: str, where: str) -> None:
    """Refuse a header whose cell goes by another name, or none, and would be left out unseen."""
    words, has_lattice = _SIGNS.sub(" ", comment).split(), "Lattice" in comment
    is_number = [_FLOAT.fullmatch(word) is not None for word in words]
    start = 0
    for are_numbers, run in groupby(is_number):
        start, first = start + (count := len([*run])), start
        if not are_numbers or count not in (3, 5, 6, 8, 9):
            continue
        name = next((w for w in words[max(0, first - 2) : first] if _is_cell(w)), "")
        is_odd = name or (count == len(words) and count > 5)
        if is_odd and (not has_lattice or (name == "Lattice" and count != 9)):
            said = "" if has_lattice else "no Lattice, but "
            said += f"'{safe_text(name, 20)}' with " if name else ""
            raise ReadError(
                f"{said}{count} numbers", where=where,
                hint="extended XYZ has the cell as Lattice=\"ax ay az bx by bz cx cy cz\"",
            )  # fmt: skip


def _is_cell(word: str) -> bool:
    return bool(get_close_matches(word.lower(), _LATTICE_WORDS, 1, 0.7))


def _put_asked_for(comment: str, wanted: str | None) -> str:
    """Rename the column asked for, unless it is one that makes the structure."""
    match = _PROPERTIES.search(comment)
    if wanted in (None, "species", "pos", "Z") or match is None:
        return comment
    fields = match[1].split(":")
    if wanted not in fields[::3]:
        return comment
    fields[3 * fields[::3].index(wanted)] = _ASKED_FOR
    return comment[: match.start(1)] + ":".join(fields) + comment[match.end(1) :]


def labels_of(arrays: dict[str, np.ndarray]) -> list[str]:
    """Labels from a frame's columns, with the index where one is beside them (as in magres).

    Empty where there are none; ASE writes NULL for an atom without one in a CASTEP cell.
    """
    column = next((c for c in _LABEL_COLUMNS if c in arrays and arrays[c].dtype.kind in "UO"), None)
    if column is None:
        return []
    labels = [str(label) for label in arrays[column]]
    if "NULL" in labels:
        from ase.data import chemical_symbols

        symbols = [chemical_symbols[z] for z in arrays["numbers"]]
        labels = completed(["" if label == "NULL" else label for label in labels], symbols)
    indices = arrays.get("indices")
    if indices is None or indices.shape != (len(labels),):
        return labels
    return [indexed(*pair) for pair in zip(labels, indices.tolist(), strict=True)]


def _put_symbols(frame: list[str], where: str) -> list[str]:
    """Replace labels and isotopes in the species column; return them as labels if any."""
    match = _PROPERTIES.search(frame[1])
    column = 0
    if match:
        fields = match[1].strip('"').split(":")
        names = fields[::3]
        if "species" not in names:
            return []
        at = names.index("species")
        counts = fields[2::3][:at]
        if not all(_is_number(count) for count in counts):
            return []
        column = sum(int(count) for count in counts)
    texts = [tokens[column] if len(tokens := line.split()) > column else "" for line in frame[2:]]
    if all(text in _PLAIN for text in texts):
        return []
    symbols = [_symbol(text) for text in texts]
    for k, (text, symbol) in enumerate(zip(texts, symbols, strict=True)):
        if not symbol:
            raise ReadError(
                f"atom {k + 1}: no element is called '{safe_text(text, 20)}'", where=where
            )
        if text != symbol:
            tokens = frame[2 + k].split()
            tokens[column] = symbol
            frame[2 + k] = " ".join(tokens)
    if any(_is_number(text) for text in texts):
        return []
    # Labels such as C12 or D3 are kept; bare symbols among them are numbered.
    own = zip(texts, symbols, strict=True)
    return completed(["" if t.capitalize() == s or t in ("D", "T") else t for t, s in own], symbols)


_PLAIN = frozenset(("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I", "Si"))


def _is_number(text: str) -> bool:
    """Whether `int` takes a text for a number from 0 on; str.isdigit says so of ², too."""
    return re.fullmatch(r"[0-9]{1,9}", text) is not None


def _symbol(text: str) -> str:
    from ase.data import chemical_symbols

    if _is_number(text):
        return chemical_symbols[int(text)] if 0 < int(text) < len(chemical_symbols) else ""
    if text.capitalize() in chemical_symbols[1:]:
        return text.capitalize()
    return element_of(text)


def periodicity(atoms: Atoms, where: str) -> tuple[np.ndarray | None, list[str]]:
    """The cell of ASE's atoms, None for a molecule, and notes."""
    pbc, cell = atoms.pbc, atoms.cell.array
    if not pbc.any():
        return None, ['pbc is "F F F": the Lattice is not used'] if cell.any() else []
    if not cell.any():
        raise ReadError("periodic, but without a unit cell", where=where)
    if pbc.all():
        return cell, []
    axes = " ".join("FT"[int(p)] for p in pbc)
    return cell, [f"periodic in some directions only (pbc {axes}): taken as a crystal in all three"]


def _shieldings(
    arrays: dict[str, np.ndarray], wanted: str | None, where: str
) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """Isotropic shieldings, a second prediction, and a warning, from a frame's columns."""
    column, note = _ASKED_FOR if _ASKED_FOR in arrays else wanted, ""
    if column is None:
        plain = {name.lower().split("/")[0]: name for name in arrays}
        known = [plain[c] for c in SHIELDING_COLUMNS if c in plain]
        column = known[0] if known else None
        if len(known) > 1:
            note = f"shieldings of the column {column} are taken, not those of {listed(known[1:])}"
    elif column not in arrays:
        columns = listed([name for name in arrays if name not in ("numbers", "positions")])
        raise ReadError(
            f"no column '{safe_text(column, 30)}'", where=where,
            hint=f"the file has {columns or 'no further column'}",
        )  # fmt: skip
    if column is None:
        return None, None, ""
    values = arrays[column]
    n = len(arrays["positions"])
    width = values.size // n
    if values.dtype.kind not in "fi" or width not in (1, 2, 9):
        problem = f"column '{safe_text(wanted or column, 30)}' holds no shieldings"
        if wanted is not None:
            raise ReadError(problem, where=where, hint="1, 2 or 9 numbers an atom")
        return None, None, f"{problem} (1, 2 or 9 numbers an atom): ignored"
    values = values.reshape(n, width).astype(float)
    if width == 9:
        return values[:, [0, 4, 8]].mean(axis=1), None, note
    return values[:, 0].copy(), values[:, 1].copy() if width == 2 else None, note
