"""Ions and radicals, told from the valences of the atoms, else from electrons and groups."""

from __future__ import annotations

import numpy as np

from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import molecules
from shiftcli.structure.valences import is_saturated, possible_charges


def ions_and_radicals(crystal: Crystal) -> np.ndarray:
    """Atoms in molecules that are no neutral closed shells.

    Parameters
    ----------
    crystal : Crystal
        The crystal, or isolated molecules.

    Returns
    -------
    numpy.ndarray
        Shape (n,), bool: in a molecule without a charge of 0 among `possible_charges`, which the
        note on the charge of a cell goes by, too. Where those are not known (other elements),
        one whose neutral atoms have an odd number of electrons, or whose ammonium and carboxylate
        groups differ in number by two or more. A zwitterion is neutral.
    """
    bonds = find_bonds(crystal)
    charged = np.zeros(len(crystal), dtype=bool)
    if is_saturated(bonds):
        return charged
    unknown = _odd_electrons_or_groups(bonds)
    for molecule in molecules(crystal):
        charges = possible_charges(molecule, bonds)
        charged[molecule.atoms] = 0 not in charges if charges else unknown[molecule.atoms]
    return charged


def _odd_electrons_or_groups(bonds: Bonds) -> np.ndarray:
    import gemmi

    molecule = bonds.molecules
    symbols, kinds = np.unique(bonds.elements, return_inverse=True)
    numbers = np.array([gemmi.Element(str(symbol)).atomic_number for symbol in symbols])
    electrons = np.bincount(molecule, numbers[kinds])
    charges = np.bincount(molecule, _group_charges(bonds))
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
