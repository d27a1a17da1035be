"""PDB files of small molecules, parsed by gemmi (ASE does not apply the symmetry)."""

from __future__ import annotations

from collections.abc import Iterator

import gemmi
import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import AtomTable, distinct, element_of
from shiftcli.readers.sources import safe_text

#: More residues of a polymer than this make a macromolecule.
MAX_POLYMER_RESIDUES = 20


def read_pdb(text: str, source: str) -> Iterator[AtomTable | ReadError]:
    """Read the models of a PDB file.

    Parameters
    ----------
    text : str
        Contents of the file.
    source : str
        Name of the file, for messages.

    Yields
    ------
    AtomTable or ReadError
        One item a model.
    """
    where = visible(source)
    # Columns are counted in bytes, and a character of several would be cut in two.
    text = text.encode("ascii", "replace").decode()
    _refuse_bad_lines(text, where)
    try:
        structure = gemmi.read_pdb_string(text)
    except (RuntimeError, ValueError) as error:
        raise ReadError(f"not a readable PDB file: {safe_text(error, 100)}", where=where) from error
    cell, symmetries = _cell_and_symmetry(structure, where)
    for number, model in enumerate(structure, 1):
        name = f"#{number}" if len(structure) > 1 else structure.name
        try:
            yield _read_model(model, cell, symmetries, name, where)
        except ReadError as error:
            yield error
    if len(structure) == 0:
        raise ReadError("no atoms", where=where)


def _refuse_bad_lines(text: str, where: str) -> None:
    """Refuse coordinates that gemmi would read as zero."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith(("ATOM  ", "HETATM")):
            continue
        for axis, start in zip("xyz", (30, 38, 46), strict=True):
            field = line[start : start + 8].strip()
            try:
                ok = bool(np.isfinite(float(field)))
            except ValueError:
                ok = False
            if not ok:
                raise ReadError(
                    f"line {number}: coordinate {axis} of atom {safe_text(line[12:16], 8)} is "
                    f"'{safe_text(field, 12)}'",
                    where=where,
                )


def _cell_and_symmetry(
    structure: gemmi.Structure, where: str
) -> tuple[np.ndarray | None, tuple[sym.Symmetry, ...]]:
    unit_cell = structure.cell
    # 1 × 1 × 1 Å is what programs write for a molecule without a cell.
    if not unit_cell.is_crystal() or max(unit_cell.a, unit_cell.b, unit_cell.c) <= 1.0:
        return None, ()
    if not unit_cell.volume > 1.0:
        raise ReadError("no usable unit cell: it has no volume", where=where)
    cell = np.array(unit_cell.orth.mat.tolist()).T
    if not structure.spacegroup_hm.strip():
        return cell, ()
    group = structure.find_spacegroup()
    if group is None:
        name = safe_text(structure.spacegroup_hm, 20)
        raise ReadError(f"space group '{name}' is not known", where=where)
    return cell, (sym.from_operations(list(group.operations()), sym.LISTED),)


def _read_model(
    model: gemmi.Model,
    cell: np.ndarray | None,
    symmetries: tuple[sym.Symmetry, ...],
    name: str,
    where: str,
) -> AtomTable:
    residues = [(chain.name, residue) for chain in model for residue in chain]
    known = [gemmi.find_tabulated_residue(residue.name) for _, residue in residues]
    polymer = sum(kind.is_amino_acid() or kind.is_nucleic_acid() for kind in known)
    if polymer > MAX_POLYMER_RESIDUES:
        raise ReadError(f"a macromolecule ({polymer} residues)", where=where)
    atoms = [(f"{c}{r.seqid}", atom) for c, r in residues for atom in r if atom.occ > 1e-4]
    elements = [element_of(atom.element.name) for _, atom in atoms]
    for (_, atom), element in zip(atoms, elements, strict=True):
        if not element:
            raise ReadError(f"atom {safe_text(atom.name, 8)}: no element", where=where)
    positions = np.array([atom.pos.tolist() for _, atom in atoms]).reshape(-1, 3)
    groups = tuple(atom.altloc.strip("\0 ") for _, atom in atoms)
    labels = [atom.name for _, atom in atoms]
    # Residues repeat their atoms' names as a rule: no news for the user.
    if len(residues) > 1 or any(groups):
        labels, _ = distinct(labels)
    return AtomTable(
        np.array(elements),
        positions if cell is None else positions @ np.linalg.inv(cell),
        cell,
        labels,
        symmetries=symmetries,
        occupancies=np.array([atom.occ for _, atom in atoms]),
        assemblies=tuple(place if g else "" for (place, _), g in zip(atoms, groups, strict=True)),
        groups=groups,
        name=name,
    )
