"""Crystallographic information files, parsed by gemmi.

gemmi reads the syntax, the operations and the space-group names. The cell's atoms are
made here and not by ``SmallStructure.get_all_unit_cell_sites``: it says neither which
operation made an atom nor what to do with overlapping images of disordered groups.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import gemmi
import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import AtomTable, element_of, listed, numbered, refuse_too_many
from shiftcli.readers.formula import parse_formula
from shiftcli.readers.sources import safe_text
from shiftcli.readers.spacegroups import stated
from shiftcli.structure.crystal import PREDICTED_BY

_DUMMY_TYPES = {".", "X", "Q", "DU", "DUM", "BQ", "VA", "CG", "CNT"}
_DUMMY_LABEL = re.compile(r"(X|Q|DUM|DU|BQ|CG|CNT)\d*", re.IGNORECASE)
#: What made the shieldings, where they are predictions, as `shiftcli.views.cif` writes it.
PREDICTION = "_nmr_shielding_predicted_by"

#: Column with isotropic shieldings in ppm, as `shiftcli.views.cif` writes it.
_SHIELDING = "nmr_shielding_iso"
_COLUMNS = (
    *("label", "type_symbol", "calc_flag", "occupancy", "disorder_assembly", "disorder_group"),
    *("fract_x", "fract_y", "fract_z", "Cartn_x", "Cartn_y", "Cartn_z", _SHIELDING),
)
_FORMULA = "_chemical_formula_sum"
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop.operation_xyz",
)
_HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_HERMANN_MAUGUIN = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_ref",
    "_space_group_name_H-M",
)
_NUMBER = ("_space_group_IT_number", "_symmetry_Int_Tables_number")


def read_cif(text: str, source: str) -> Iterator[AtomTable | ReadError]:
    """Read the data blocks of a CIF.

    Parameters
    ----------
    text : str
        Contents of the file.
    source : str
        Name of the file, for messages.

    Yields
    ------
    AtomTable or ReadError
        One item a data block with atoms; blocks without atoms only where none has any.
    """
    where = visible(source)
    parts = list(_split_blocks(text))
    if len(parts) > limits.STRUCTURES:
        yield ReadError(
            f"{len(parts)} data blocks; at most {limits.STRUCTURES} are read", where=where
        )
        return
    blocks = [_parse(part, line, where) for line, part in parts]
    if not blocks:
        yield ReadError("no data block: not a CIF, or an empty one", where=where)
        return
    has_atoms = [isinstance(b, gemmi.cif.Block) and _has_atoms(b) for b in blocks]
    seen: Counter[str] = Counter()
    for block, with_atoms in zip(blocks, has_atoms, strict=True):
        if isinstance(block, ReadError):
            yield block
            continue
        if not with_atoms and any(has_atoms):
            continue
        seen[block.name] += 1
        again = f" #{seen[block.name]}" if seen[block.name] > 1 else ""
        name = safe_text(block.name) + again
        try:
            yield _read_block(block, name, f"{where}: {name}" if name else where)
        except ReadError as error:
            yield error


def _split_blocks(text: str) -> Iterator[tuple[int, str]]:
    """Number of the first line and text of each data block.

    Parsing block by block keeps a syntax error in one from hiding the others.
    """
    lines = text.split("\n")
    starts, in_text_field = [], False
    for number, line in enumerate(lines):
        if line.startswith(";"):
            in_text_field = not in_text_field
        elif not in_text_field and re.match(r"\s*data_", line, re.IGNORECASE):
            starts.append(number)
    first = starts[0] if starts else len(lines)
    if any(line.strip() and not line.lstrip().startswith("#") for line in lines[:first]):
        starts.insert(0, 0)
    for start, end in pairwise([*starts, len(lines)]):
        yield start, "\n".join(lines[start:end])


def _parse(text: str, first_line: int, where: str) -> gemmi.cif.Block | ReadError:
    try:
        # Level 0: gemmi's own check for repeats would count the tags of unused tables, too.
        document = gemmi.cif.read_string(text, 0)
    except (ValueError, RuntimeError, UnicodeError) as error:
        return ReadError(_syntax_error(str(error), first_line), where=where)
    if len(document) != 1:
        return ReadError(f"no data block at line {first_line + 1}: not a CIF", where=where)
    block = document[0]
    tags: Counter[str] = Counter()
    for item in block:
        pair: Any = item.pair  # gemmi's own types say object
        names = [pair[0]] if pair else list(item.loop.tags) if item.loop else []
        tags.update(tag.lower() for tag in names)
    repeated = [tag for tag, count in tags.items() if count > 1]
    if repeated:
        return ReadError(
            f"broken CIF: {safe_text(repeated[0])} is given {tags[repeated[0]]} times",
            where=f"{where}: {safe_text(block.name)}",
            hint="leave one of them in the file",
        )
    return block


def _syntax_error(message: str, first_line: int) -> str:
    match = re.match(r"[^:]*:(\d+)(?::(\d+)\(\d+\))?:? *(.*)", message, re.DOTALL)
    if not match:
        return f"broken CIF: {safe_text(message, 100)}"
    what = safe_text(match[3], 80).replace("parse error", "syntax error") or "syntax error"
    return f"broken or cut-off CIF: {what} at line {int(match[1]) + first_line}"


def _has_atoms(block: gemmi.cif.Block) -> bool:
    tags = ("_atom_site_label", "_atom_site_fract_x", "_atom_site_Cartn_x", "_atom_site.id")
    return any(len(block.find_values(tag)) for tag in tags)


def _value(block: gemmi.cif.Block, *tags: str) -> str:
    """First known value among tags, empty where all are missing, ``?`` or ``.``."""
    for tag in tags:
        for raw in block.find_values(tag):
            if not gemmi.cif.is_null(raw) and gemmi.cif.as_string(raw).strip():
                return gemmi.cif.as_string(raw).strip()
            break
    return ""


def _read_block(block: gemmi.cif.Block, name: str, where: str) -> AtomTable:
    _refuse_other_worlds(block, where)
    if not _has_atoms(block):
        raise ReadError("no atom sites", where=where)
    cell, warnings = _cell(block, where)
    table = _Table(block, where)
    keep, dropped = table.keep()
    coordinates = table.coordinates(keep, cell)
    labels, elements = table.names(keep)
    occupancies, assemblies, groups = table.disorder(keep)
    return AtomTable(
        elements,
        coordinates,
        cell,
        labels,
        symmetries=_symmetries(block, where) if cell is not None else (),
        occupancies=occupancies,
        assemblies=assemblies,
        groups=groups,
        shieldings=table.shieldings(keep),
        formula=_value(block, _FORMULA),
        z=_number(_value(block, "_cell_formula_units_Z")),
        volume=_number(_value(block, "_cell_volume")),
        density=_number(_value(block, "_exptl_crystal_density_diffrn")),
        name=name,
        info={PREDICTED_BY: made} if (made := _value(block, PREDICTION)) else {},
        warnings=(*warnings, *dropped),
    )


def _refuse_other_worlds(block: gemmi.cif.Block, where: str) -> None:
    """Refuse what is no three-dimensional small-molecule crystal."""
    macromolecular = ("_atom_site.id", "_atom_site.Cartn_x", "_entity_poly.entity_id")
    if any(len(block.find_values(tag)) for tag in macromolecular):
        raise ReadError("an mmCIF file (macromolecule); small-molecule CIF is read", where=where)
    if _number(_value(block, "_cell_modulation_dimension")) > 0 or _value(
        block,
        "_space_group_ssg_name",
        "_space_group_ssg_name_IT",
        "_space_group_ssg_name_WJJ",
        "_cell_wave_vector_seq_id",
        "_space_group_symop_ssg_operation_algebraic",
    ):
        raise ReadError("a modulated structure: it has no three-dimensional unit cell", where=where)


def _number(text: str) -> float:
    """Number without its standard uncertainty, NaN where there is none."""
    return gemmi.cif.as_number(text) if text else float("nan")


def _cell(block: gemmi.cif.Block, where: str) -> tuple[np.ndarray | None, list[str]]:
    lengths = [f"_cell_length_{axis}" for axis in "abc"]
    angles = [f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")]
    given = [tag for tag in lengths + angles if len(block.find_values(tag))]
    fractional = len(block.find_values("_atom_site_fract_x"))
    if not given and not fractional and len(block.find_values("_atom_site_Cartn_x")):
        return None, []
    warnings = []
    values = []
    for tag in lengths + angles:
        value = _number(_value(block, tag))
        # By the CIF dictionary an angle that is not mentioned is 90°; one that is `?` is unknown.
        if tag in angles and tag not in given:
            value = 90.0
            warnings.append(f"{tag} is not given: taken as 90°")
        if not np.isfinite(value) or value <= 0 or (tag in angles and value >= 180):
            raw = next(iter(block.find_values(tag)), "missing")
            raise ReadError(f"no usable unit cell: {tag} is {safe_text(raw, 20)}", where=where)
        values.append(value)
    with np.errstate(invalid="ignore"):
        unit_cell = gemmi.UnitCell(*values)
    if not unit_cell.volume > 1.0:
        raise ReadError("no usable unit cell: it has no volume", where=where)
    return np.array(unit_cell.orth.mat.tolist()).T, warnings


class _Table:
    """The atom-site columns of a block, as text."""

    def __init__(self, block: gemmi.cif.Block, where: str) -> None:
        self.where = where
        self.block = block
        self.formula = parse_formula(_value(block, _FORMULA))
        self.columns = {
            name: [gemmi.cif.as_string(v).strip() if v not in ("?", ".") else v for v in column]
            for name in _COLUMNS
            if len(column := block.find_values(f"_atom_site_{name}"))
        }
        self.length = max(len(column) for column in self.columns.values())
        short = [name for name, column in self.columns.items() if len(column) != self.length]
        if short:
            raise ReadError(f"broken CIF: _atom_site_{short[0]} has too few values", where=where)
        refuse_too_many(self.length, where)

    def text(self, name: str, row: int) -> str:
        return self.columns[name][row] if name in self.columns else "?"

    def label(self, row: int) -> str:
        label = self.text("label", row)
        return "" if label in ("?", ".") else label

    def element(self, row: int) -> str:
        kind = self.text("type_symbol", row)
        if kind in ("?", "."):
            return element_of(self.label(row), self.formula)
        # `Ca` is calcium whatever the formula; only `CA` may be a carbon with a letter.
        is_well_written = re.match(r"[A-Z][a-z]", kind)
        return element_of(kind, () if is_well_written else self.formula)

    def is_dummy(self, row: int) -> bool:
        kind = self.text("type_symbol", row)
        if self.text("calc_flag", row) == "dum" or kind.upper() in _DUMMY_TYPES:
            return True
        return kind == "?" and bool(_DUMMY_LABEL.fullmatch(self.label(row)))

    def occupancy(self, row: int) -> float:
        text = self.text("occupancy", row)
        value = 1.0 if text in ("?", ".") else gemmi.cif.as_number(text)
        if not value >= 0:
            raise ReadError(
                f"atom {safe_text(self.label(row), 20)}: occupancy {safe_text(text, 20)}",
                where=self.where,
            )
        return value

    def keep(self) -> tuple[list[int], list[str]]:
        """Rows of atoms that are there, and warnings about the others."""
        dummies = [k for k in range(self.length) if self.is_dummy(k)]
        others = sorted(set(range(self.length)).difference(dummies))
        empty = [k for k in others if self.occupancy(k) < 1e-4]
        warnings = [
            f"{what} left out: {listed([self.label(k) or f'row {k + 1}' for k in rows])}"
            for what, rows in (("dummy atoms", dummies), ("sites of zero occupancy", empty))
            if rows
        ]
        gone = {*dummies, *empty}
        return [k for k in range(self.length) if k not in gone], warnings

    def names(self, keep: list[int]) -> tuple[list[str], np.ndarray]:
        elements = [self.element(k) for k in keep]
        for k, element in zip(keep, elements, strict=True):
            if not element:
                kind = self.text("type_symbol", k)
                what = kind if kind not in ("?", ".") else self.label(k)
                raise ReadError(
                    f"atom {safe_text(self.label(k) or k + 1, 20)}: no element is called "
                    f"'{safe_text(what, 20)}'",
                    where=self.where,
                )
        made = numbered(elements)
        return [self.label(k) or made[i] for i, k in enumerate(keep)], np.array(elements)

    def coordinates(self, keep: list[int], cell: np.ndarray | None) -> np.ndarray:
        """Fractional coordinates, or Cartesian ones where there is no cell, shape (n, 3)."""
        if cell is not None and "fract_x" in self.columns:
            fractional = self._numbers(keep, "fract")
            if len(fractional) and np.abs(fractional).max() > 100:
                k = keep[int(np.abs(fractional).max(axis=1).argmax())]
                raise ReadError(
                    f"atom {safe_text(self.label(k), 20)}: fractional coordinates above 100",
                    where=self.where,
                )
            return fractional
        cartesian = self._numbers(keep, "Cartn")
        if cell is None:
            return cartesian
        # Without a matrix: the common setting, a along x and b in the plane of x and y.
        matrix, vector = self._cartesian_axes()
        matrix = matrix if np.isfinite(matrix).all() else cell.T
        if abs(np.linalg.det(matrix)) < 1.0:
            raise ReadError("the matrix of the Cartesian axes is singular", where=self.where)
        return (cartesian - vector) @ np.linalg.inv(matrix).T

    def _cartesian_axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The file's own matrix (NaN where missing) and vector from fractional to Cartesian."""
        prefix = "_atom_sites_Cartn_tran"
        axes = range(1, 4)
        matrix = [_value(self.block, f"{prefix}_matrix_{i}{j}") for i in axes for j in axes]
        vector = [_value(self.block, f"{prefix}_vector_{i}") for i in axes]
        return (
            np.array([_number(text) for text in matrix]).reshape(3, 3),
            np.nan_to_num([_number(text) for text in vector]),
        )

    def _numbers(self, keep: list[int], kind: str) -> np.ndarray:
        values = np.full((len(keep), 3), np.nan)
        for i, k in enumerate(keep):
            for j, axis in enumerate("xyz"):
                text = self.text(f"{kind}_{axis}", k)
                values[i, j] = gemmi.cif.as_number(text)
                if not np.isfinite(values[i, j]):
                    raise ReadError(
                        f"atom {safe_text(self.label(k) or k + 1, 20)}: coordinate {axis} is "
                        f"'{safe_text(text, 20)}'",
                        where=self.where,
                    )
        return values

    def shieldings(self, keep: list[int]) -> np.ndarray | None:
        """Shieldings of the kept rows in ppm, NaN where unknown; None without the column."""
        values = np.full(len(keep), np.nan)
        for i, k in enumerate(keep):
            if (text := self.text(_SHIELDING, k)) in ("?", "."):
                continue
            values[i] = gemmi.cif.as_number(text)
            if not np.isfinite(values[i]):
                raise ReadError(
                    f"atom {safe_text(self.label(k) or k + 1, 20)}: shielding "
                    f"'{safe_text(text, 20)}'",
                    where=self.where,
                )
        return values if np.isfinite(values).any() else None

    def disorder(self, keep: list[int]) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
        """Occupancies, assemblies and groups of the kept rows."""

        def texts(name: str) -> tuple[str, ...]:
            column = [self.text(name, k) for k in keep]
            return tuple("" if text in ("?", ".", "0") else text for text in column)

        occupancies = np.array([self.occupancy(k) for k in keep])
        return occupancies, texts("disorder_assembly"), texts("disorder_group")


def _symmetries(block: gemmi.cif.Block, where: str) -> tuple[sym.Symmetry, ...]:
    """Symmetries that the file states: its operations, then what its words may mean."""
    names = [name for tag in _HERMANN_MAUGUIN if (name := _value(block, tag))]
    named, problem = stated(_value(block, *_HALL), names, _number(_value(block, *_NUMBER)))
    listed_operations = _listed_operations(block, where)
    if not listed_operations:
        if problem:
            raise ReadError(problem, where=where, hint="add the symmetry operations")
        return named
    own = sym.from_operations(listed_operations, sym.LISTED)
    missing = sym.missing_operation(listed_operations)
    if not missing:
        return (own, *named)
    whole = [s for s in named if own.keys <= s.keys]
    if not whole:
        raise ReadError(
            f"the symmetry operations are no space group: {missing} is missing", where=where,
            hint="correct the list of operations",
        )  # fmt: skip
    return tuple(replace(s, origin=f"{s.origin} (the list lacks {missing})") for s in whole)


def _listed_operations(block: gemmi.cif.Block, where: str) -> list[gemmi.Op]:
    for tag in _OPERATIONS:
        texts = [gemmi.cif.as_string(v) for v in block.find_values(tag) if not gemmi.cif.is_null(v)]
        operations = []
        for text in texts:
            try:
                operations.append(gemmi.Op(text.strip()).wrap())
            except (RuntimeError, ValueError) as error:
                raise ReadError(
                    f"'{safe_text(text, 40)}' is no symmetry operation", where=where
                ) from error
        if operations:
            return operations
    return []
