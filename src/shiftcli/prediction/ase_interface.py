"""Shieldings for `ase.Atoms`, as a function of the geometry and nothing else."""

from __future__ import annotations

from functools import lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftcli.errors import StructureError, UsageError
from shiftcli.readers.atoms import AtomTable
from shiftcli.readers.build import build_crystal
from shiftcli.readers.extxyz import labels_of
from shiftcli.structure.crystal import Crystal

if TYPE_CHECKING:
    from ase import Atoms

    from shiftcli.prediction.predictor import Predictor


def from_ase(atoms: Atoms) -> Crystal:
    """Make a crystal, or an isolated molecule, of ASE's atoms.

    Parameters
    ----------
    atoms : ase.Atoms
        Periodic in all three directions or in none. An array ``labels`` (with ``indices``
        beside it, as ASE's magres reader makes them) names the atoms, else they are
        numbered by molecule: C1, C2, H1, …

    Returns
    -------
    Crystal
        The atoms in the same order. Those far outside the cell are wrapped into it.

    Raises
    ------
    StructureError
        If the atoms are periodic in one or two directions only, or some stand twice.
    ReadError
        If there are no atoms, or the cell or a coordinate cannot be used.
    """
    if atoms.pbc.any() and not atoms.pbc.all():
        axes = " ".join("FT"[int(p)] for p in atoms.pbc)
        raise StructureError(
            f"periodic in some directions only (pbc {axes})",
            hint="atoms.pbc = True makes it a crystal, atoms.pbc = False a molecule",
        )
    # Copies: a crystal must not change when the atoms move on.
    cell = atoms.cell.array.copy() if atoms.pbc.all() else None
    symbols, positions = np.array(atoms.get_chemical_symbols()), atoms.get_positions()
    table = AtomTable(symbols, positions, cell, labels_of(atoms.arrays), whole=True)
    crystal = build_crystal(table)
    if len(crystal) != len(atoms):
        raise StructureError(crystal.warnings[0], hint="del those atoms")
    return crystal


def get_shieldings(atoms: Atoms, predictor: Predictor | None = None, **options: Any) -> np.ndarray:
    """Predict the isotropic shieldings of ASE's atoms.

    Parameters
    ----------
    atoms : ase.Atoms
        A crystal (``pbc`` true) or an isolated molecule (``pbc`` false).
    predictor : Predictor, optional
        The networks to use, with their own options. Without it those in the package are
        loaded at the first call and kept for the next.
    **options
        Options of `shiftcli.Predictor`, where no predictor is given. Unlike there
        ``hydrogens`` is ``"keep"``: the shieldings are those of the geometry as it is, so
        that they follow a trajectory, and X–H bonds of X-ray length give X-ray-length
        shieldings.

    Returns
    -------
    numpy.ndarray
        Shieldings in ppm in the order of the atoms, shape (n,); NaN for atoms that are not
        predicted: other elements, atoms too near to them, and nuclei left out.

    Raises
    ------
    StructureError
        If the atoms are periodic in some directions only, or the networks cannot know this
        structure.
    ReadError
        If there are no atoms, or the cell or a coordinate cannot be used.
    UsageError
        If both a predictor and options are given, or an option is unknown.
    """
    if predictor is not None and options:
        raise UsageError(
            f"options ({', '.join(options)}) beside a predictor, which has its own",
            hint="give them to shiftcli.Predictor",
        )
    prediction = (predictor or _kept_predictor(options)).predict_crystal(from_ase(atoms))
    shieldings = np.full(len(atoms), np.nan)
    for row in prediction.sites:
        shieldings[row.site.atoms] = row.shielding
    return shieldings


def _kept_predictor(options: dict[str, Any]) -> Predictor:
    """The predictor for these options, loaded once."""
    from shiftcli.prediction.predictor import Predictor

    known = signature(Predictor).parameters
    if unknown := [name for name in options if name not in known]:
        raise UsageError(
            f"'{unknown[0]}' is no option of a predictor", hint=f"one of {', '.join(known)}"
        )
    # Lists are made hashable.
    items = {k: tuple(v) if isinstance(v, list | set) else v for k, v in options.items()}
    return _load(tuple(sorted({"hydrogens": "keep", **items}.items())))


@lru_cache(maxsize=2)
def _load(options: tuple[tuple[str, Any], ...]) -> Predictor:
    from shiftcli.prediction.predictor import Predictor

    return Predictor(**dict(options))
