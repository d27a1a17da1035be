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

import gemmi
import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import AtomTable, completed, element_of, listed, refuse_too_many
from shiftcli.readers.cif_text import Block, read_blocks
from shiftcli.readers.formula import parse_formula
from shiftcli.readers.sources import safe_text
from shiftcli.readers.spacegroups import stated
from shiftcli.structure.crystal import ELEMENTS, PREDICTED_BY

_DUMMY_TYPES = {".", "X", "Q", "DU", "DUM", "BQ", "VA", "CG", "CNT"}
_DUMMY_LABEL = re.compile(r"(X|Q|DUM|DU|BQ|CG|CNT)\d*", re.IGNORECASE)
#: What made the shieldings, where they are predictions, as `shiftcli.views.cif` writes it.
PREDICTION = "_nmr_shielding_predicted_by"

#: Column with isotropic shieldings in ppm, as `shiftcli.views.cif` writes it.
_SHIELDING = "nmr_shielding_iso"
#: Columns that are read, with their names in mmCIF.
_COLUMNS = (
    ("label", "auth_atom_id", "label_atom_id"), ("type_symbol",), ("calc_flag",), ("occupancy",),
    ("disorder_assembly",), ("disorder_group", "label_alt_id"), ("fract_x",), ("fract_y",),
    ("fract_z",), ("Cartn_x",), ("Cartn_y",), ("Cartn_z",), (_SHIELDING,),
)  # fmt: skip
#: What tells the residues of an mmCIF file apart, and how many make a macromolecule.
_RESIDUE = ("label_asym_id", "label_seq_id", "auth_seq_id")
MAX_RESIDUES = 20
#: Tables that name atoms of the list.
_NAMING = (
    "_atom_site_aniso_label", "_geom_bond_atom_site_label_1", "_geom_bond_atom_site_label_2",
)  # fmt: skip
_FORMULA = "_chemical_formula_sum"
#: Texts that say what was done, and words there for a solvent taken out of the data; ABIN is
#: SHELXL's for it.
_TEXTS = ("_details", "_comment", "_description", "_refinement", "_res_file")
_MASKED = re.compile(r"(?i:\bsqueeze\b|solvent[- ]mask|^ABIN\b)|\bBYPASS\b", re.MULTILINE)
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_HERMANN_MAUGUIN = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M_ref",
    "_space_group_name_H-M",
    "_symmetry_space_group_name_H-M_alt",
)
_NUMBER = ("_space_group_IT_number", "_symmetry_Int_Tables_number")


def read_cif(text: str, source: str) -> Iterator[AtomTable | ReadError]:
    """Read the data blocks of a CIF; blocks without atoms only where none has any."""
    where = visible(source)
    blocks = list(read_blocks(text, where))
    with_atoms = [b for b in blocks if isinstance(b, ReadError) or _has_atoms(b)]
    seen: Counter[str] = Counter()
    # Blocks of other things are passed over; where there is nothing else, one says so.
    for block in with_atoms or blocks[:1]:
        if isinstance(block, ReadError):
            yield block
            continue
        seen[block.name] += 1
        again = f" #{seen[block.name]}" if seen[block.name] > 1 else ""
        name = safe_text(block.name) + again
        try:
            yield _read_block(block, name, f"{where}: {name}" if name else where)
        except ReadError as error:
            yield error


def _has_atoms(block: Block) -> bool:
    return any(f"_atom_site_{column}" in block for column in ("label", "fract_x", "Cartn_x", "id"))


def _read_block(block: Block, name: str, where: str) -> AtomTable:
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
        formula=block.value(_FORMULA),
        z=block.number("_cell_formula_units_Z"),
        volume=block.number("_cell_volume"),
        density=block.number("_exptl_crystal_density_diffrn"),
        name=name,
        info={PREDICTED_BY: made} if (made := block.value(PREDICTION)) else {},
        warnings=(*warnings, *dropped, *_removed_solvent(block), *_unlisted(block)),
    )


def _refuse_other_worlds(block: Block, where: str) -> None:
    """Refuse what is no three-dimensional small-molecule crystal."""
    residues = set(zip(*(block.column(f"_atom_site_{c}") for c in _RESIDUE), strict=False))
    if block.having("_entity_poly_") or len(residues) > MAX_RESIDUES:
        raise ReadError("an mmCIF file of a macromolecule; small molecules are read", where=where)
    if block.number("_cell_modulation_dimension") > 0 or block.value(
        "_space_group_ssg_name",
        "_space_group_ssg_name_IT",
        "_space_group_ssg_name_WJJ",
        "_cell_wave_vector_seq_id",
        "_space_group_symop_ssg_operation_algebraic",
    ):
        raise ReadError("a modulated structure: it has no three-dimensional unit cell", where=where)


def _removed_solvent(block: Block) -> list[str]:
    """A note where a program took the solvent out of the data, and out of the list of atoms."""
    for program, start in (("SMTBX", "_smtbx_masks_"), ("SQUEEZE", "_platon_squeeze_")):
        if block.having(start):
            count = block.column(f"{start}void_count_electrons")
            electrons = sum(n for n in map(gemmi.cif.as_number, count) if np.isfinite(n))
            found = f" of {electrons:.0f} electrons" if electrons else ""
            return [f"solvent{found} was removed from the file ({program}): it is not in the cell"]
    formulas = f"{block.value('_chemical_formula_moiety')} {block.value(_FORMULA)}"
    details = map(block.value, block.having("_", _TEXTS))
    if re.search(r"\+ ?solvent|\[ ?solvent", formulas) or any(map(_MASKED.search, details)):
        return ["solvent was removed from the file, as it says: it is not in the cell"]
    return []


def _unlisted(block: Block) -> list[str]:
    """A note where displacements or distances are given of atoms that are not in the list."""
    labels = {label.upper() for label in block.column("_atom_site_label")}
    named = dict.fromkeys(label for tag in _NAMING for label in block.column(tag))
    # C1A may be the image of C1, Cg1 is the centre of a ring.
    lost = [
        label
        for label in named
        if not labels & {label.upper(), re.sub(r"(?<=\d)\D.*", "", label.upper())}
        and element_of(label) in ELEMENTS
        and not re.match(r"Cg\d", label, re.IGNORECASE)
    ]
    if not labels or not lost:
        return []
    return [
        f"other tables of the file name {listed(lost)}, not among its atoms: is the list whole?"
    ]


def _cell(block: Block, where: str) -> tuple[np.ndarray | None, list[str]]:
    lengths = [f"_cell_length_{axis}" for axis in "abc"]
    angles = [f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")]
    given = [tag for tag in lengths + angles if tag in block]
    if not given and "_atom_site_fract_x" not in block and "_atom_site_Cartn_x" in block:
        return None, []
    warnings = []
    values = []
    for tag in lengths + angles:
        value = block.number(tag)
        # By the CIF dictionary an angle that is not mentioned is 90°; one that is `?` is unknown.
        if tag in angles and tag not in given:
            value = 90.0
            warnings.append(f"{tag} is not given: taken as 90°")
        if not np.isfinite(value) or value <= 0 or (tag in angles and value >= 180):
            raw = next(iter(block.column(tag)), "missing")
            raise ReadError(f"no usable unit cell: {tag} is {safe_text(raw, 20)}", where=where)
        values.append(value)
    with np.errstate(invalid="ignore"):
        unit_cell = gemmi.UnitCell(*values)
    if not unit_cell.volume > 1.0:
        raise ReadError("no usable unit cell: it has no volume", where=where)
    return np.array(unit_cell.orth.mat.tolist()).T, warnings


class _Table:
    """The atom-site columns of a block, as text."""

    def __init__(self, block: Block, where: str) -> None:
        self.where = where
        self.block = block
        self.formula = parse_formula(block.value(_FORMULA))
        self.columns = {
            names[0]: column
            for names in _COLUMNS
            if (
                column := next(filter(None, (block.column(f"_atom_site_{n}") for n in names)), None)
            )
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
        return completed([self.label(k) for k in keep], elements), np.array(elements)

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
        matrix = [self.block.number(f"{prefix}_matrix_{i}{j}") for i in axes for j in axes]
        vector = [self.block.number(f"{prefix}_vector_{i}") for i in axes]
        return np.array(matrix).reshape(3, 3), np.nan_to_num(vector)

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


def _symmetries(block: Block, where: str) -> tuple[sym.Symmetry, ...]:
    """Symmetries that the file states: its operations, then what its words may mean."""
    names = [name for tag in _HERMANN_MAUGUIN if (name := block.value(tag))]
    named, problem = stated(block.value(*_HALL), names, block.number(*_NUMBER))
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


def _listed_operations(block: Block, where: str) -> list[gemmi.Op]:
    for tag in _OPERATIONS:
        operations = []
        for text in block.column(tag):
            if text in ("?", "."):
                continue
            try:
                operations.append(gemmi.Op(text.strip()).wrap())
            except (RuntimeError, ValueError) as error:
                raise ReadError(
                    f"'{safe_text(text, 40)}' is no symmetry operation", where=where
                ) from error
        if operations:
            return operations
    return []
