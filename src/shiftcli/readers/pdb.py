"""PDB files of small molecules, parsed by gemmi (ASE does not apply the symmetry)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath

import gemmi
import numpy as np

from shiftcli.errors import ReadError, visible
from shiftcli.readers import symmetry as sym
from shiftcli.readers.atoms import AtomTable, distinct, element_of, number
from shiftcli.readers.sources import STDIN, safe_text
from shiftcli.readers.spacegroups import stated

#: More residues of a polymer than this make a macromolecule.
MAX_POLYMER_RESIDUES = 20


def read_pdb(text: str, source: str) -> Iterator[AtomTable | ReadError]:
    """Read the models of a PDB file."""
    where = visible(source)
    # Columns are counted in bytes, and a character of several would be cut in two.
    text = text.encode("ascii", "replace").decode()
    lines = text.split("\n")
    atoms = _refuse_bad_numbers(lines, where)
    note = _refuse_cut_off(lines, atoms, where)
    try:
        structure = gemmi.read_pdb_string(text)
    except (RuntimeError, ValueError) as error:
        raise ReadError(f"not a readable PDB file: {safe_text(error, 100)}", where=where) from error
    cell, symmetries = _cell_and_symmetry(structure, where)
    title = _title(lines) or ("" if source == STDIN else PurePath(source).name.split(".")[0])
    for count, model in enumerate(structure, 1):
        try:
            name = f"#{count}" if len(structure) > 1 else title
            yield _read_model(model, cell, symmetries, name, where).with_warning(note)
        except ReadError as error:
            yield error
    if len(structure) == 0:
        raise ReadError("no atoms", where=where)


def _title(lines: list[str]) -> str:
    """What the header calls the structure: its code, its class, or the title."""
    header = next((line for line in lines if line.startswith("HEADER")), "")
    title = next((line for line in lines if line.startswith("TITLE")), "")
    name = header[62:66].strip() or header[10:50].strip() or title[10:].strip()
    return name.removeprefix("CSD ENTRY").strip()


def _refuse_bad_numbers(lines: list[str], where: str) -> list[str]:
    """Refuse numbers that gemmi would read as zero or as others; return the atoms' lines."""
    atoms = []
    for count, line in enumerate(lines, 1):
        if line.startswith(("ATOM  ", "HETATM")):
            atoms.append(line)
            what = f"of atom {safe_text(line[12:16], 8)} "
            fields = {f"coordinate {axis}": line[30 + 8 * k :][:8] for k, axis in enumerate("xyz")}
            if line[54:60].strip():
                fields["the occupancy"] = line[54:60]
        elif line.startswith("CRYST1"):
            what = ""
            fields = {f"cell length {axis}": line[6 + 9 * k :][:9] for k, axis in enumerate("abc")}
            for k, angle in enumerate(("alpha", "beta", "gamma")):
                fields[f"cell angle {angle}"] = line[33 + 7 * k :][:7]
        else:
            continue
        for name, field in fields.items():
            try:
                number(field)
            except ValueError as error:
                raise ReadError(
                    f"line {count}: {name} {what}is '{safe_text(field, 12)}'", where=where
                ) from error
    return atoms


def _refuse_cut_off(lines: list[str], atoms: list[str], where: str) -> str:
    """Refuse what lacks atoms that it counts or names; a note where only its end is missing."""
    serials = {line[6:11].strip() for line in atoms}
    problem, ends = "", [count for count, line in enumerate(lines) if line.rstrip() == "END"]
    if ends and any(line.startswith(("ATOM  ", "HETATM")) for line in lines[ends[0] :]):
        raise ReadError("atoms after END: several structures in one file", where=where)
    for line in lines:
        if line.startswith("MASTER") and (said := line[50:55].strip()).isdigit():
            if 0 < len(atoms) < int(said):
                problem = f"{said} atoms are announced, {len(atoms)} are there"
        elif line.startswith("CONECT"):
            lost = [s for s in line[6:31].split() if s not in serials]
            # Serial numbers of five digits touch each other.
            if lost and all(len(s) < 5 for s in line[6:31].split()):
                problem = f"a bond leads to atom {safe_text(lost[0], 10)}, which is not there"
    last = next((line for line in reversed(lines) if line.strip()), "")
    is_open = last.startswith(("ATOM  ", "HETATM"))
    if is_open and len(last) < len(atoms[0].rstrip()) and lines[-1]:
        problem = f"the last line ends at '{safe_text(last[-12:], 12)}'"
    in_model = [line[:6].strip() for line in lines if line[:6].strip() in ("MODEL", "ENDMDL")]
    if in_model.count("MODEL") > in_model.count("ENDMDL"):
        problem = "a MODEL has no ENDMDL"
    if problem:
        raise ReadError(f"cut off: {problem}", where=where)
    return "no END record: the file may be cut off" if is_open else ""


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
    name = structure.spacegroup_hm.strip()
    symmetries, problem = stated("", [name] if name else [], float("nan"))
    if problem:
        raise ReadError(problem, where=where)
    if len(symmetries) == 1:  # as good as a list of operations
        return cell, (replace(symmetries[0], origin=sym.LISTED),)
    return cell, symmetries


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
