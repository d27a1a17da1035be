"""What a predictor takes: files, crystals, and the structures of ASE and pymatgen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from shiftcli.errors import StructureError, UsageError
from shiftcli.structure.crystal import Crystal

if TYPE_CHECKING:
    from ase import Atoms

    #: One structure. Those of pymatgen are known by what they have, not by their class.
    Structure: TypeAlias = Crystal | str | Path | Atoms | Any
else:
    Structure = Any


def as_crystal(structure: Structure) -> Crystal:
    """Make a crystal of whatever describes one; a path is a file with one structure.

    `UsageError` if it is something else, or a file holds several structures; `ReadError` if a file
    cannot be read; `StructureError` if sites are disordered, or atoms are periodic in one or two
    directions only.
    """
    if isinstance(structure, Crystal):
        return structure
    if isinstance(structure, str | Path):
        return _read_one(structure)
    if hasattr(structure, "get_chemical_symbols") and hasattr(structure, "pbc"):
        from shiftcli.prediction.ase_interface import from_ase

        return from_ase(structure)
    if hasattr(structure, "cart_coords"):
        return _from_pymatgen(structure)
    raise UsageError(
        f"cannot predict a {type(structure).__name__}",
        hint="give a path, a Crystal, ase.Atoms, a pymatgen Structure, or a list of them",
    )


def _read_one(path: str | Path) -> Crystal:
    from shiftcli.readers import read

    found = read(path)
    if len(found) != 1:
        raise UsageError(
            f"{path} holds {len(found)} structures",
            hint="predict(shiftcli.read(path)) predicts them all",
        )
    return found[0]


def _from_pymatgen(structure: Any) -> Crystal:
    """A crystal of a pymatgen Structure, or a molecule of a Molecule."""
    from shiftcli.readers.atoms import AtomTable
    from shiftcli.readers.build import build_crystal

    if not getattr(structure, "is_ordered", True):
        raise StructureError(
            "a structure with disordered sites",
            hint="pymatgen's OrderDisorderedStructureTransformation chooses one ordering",
        )
    # An Element or a Species with its charge; deuterium is D in both.
    symbols = np.array([getattr(s, "symbol", str(s)) for s in structure.species])
    lattice = getattr(structure, "lattice", None)
    cell = None if lattice is None else np.array(lattice.matrix, dtype=float)
    positions = np.array(structure.cart_coords, dtype=float).reshape(-1, 3)
    # Atoms without a label of their own have that of their species.
    labels = [str(label) for label in getattr(structure, "labels", ())]
    if labels == [str(kind) for kind in structure.species]:
        labels = []
    return build_crystal(AtomTable(symbols, positions, cell, labels, whole=True))
