"""Ions and radicals, told from the molecules' electrons and groups."""

from __future__ import annotations

import numpy as np

from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.crystal import Crystal


def ions_and_radicals(crystal: Crystal, bonds: Bonds | None = None) -> np.ndarray:
    """Atoms in molecules that are no neutral closed shells.

    Parameters
    ----------
    crystal : Crystal
        The crystal, or isolated molecules.
    bonds : Bonds, optional
        Its bonds, if they are known already.

    Returns
    -------
    numpy.ndarray
        Shape (n,), bool: in a molecule whose neutral atoms have an odd number of electrons (an
        ion of odd charge, a radical, or one that lacks a hydrogen), or whose ammonium and
        carboxylate groups differ in number by two or more. A zwitterion is neutral.
    """
    import gemmi
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    bonds = bonds or find_bonds(crystal)
    n = len(crystal)
    degree = bonds.coordination
    first = np.repeat(np.arange(n), degree)
    second = np.concatenate([np.zeros(0, int), *bonds.neighbours])
    joined = coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    count, molecule = connected_components(joined, directed=False)
    symbols, kinds = np.unique(crystal.elements, return_inverse=True)
    numbers = np.array([gemmi.Element(str(symbol)).atomic_number for symbol in symbols])
    electrons = np.bincount(molecule, numbers[kinds], minlength=count)
    charges = np.bincount(molecule, _group_charges(bonds), minlength=count)
    charged = (electrons % 2 == 1) | (abs(charges) >= 2)
    return np.asarray(charged[molecule], dtype=bool)


def _group_charges(bonds: Bonds) -> np.ndarray:
    """+1 on each nitrogen with four bonds, −1 on each carbon of a carboxylate, else 0."""
    elements, degree = bonds.elements, bonds.coordination
    terminal = (elements == "O") & (degree == 1)
    ends = np.array([terminal[near].sum() for near in bonds.neighbours], dtype=int)
    ammonium = (elements == "N") & (degree == 4)
    carboxylate = (elements == "C") & (degree == 3) & (ends == 2)
    return ammonium.astype(int) - carboxylate
