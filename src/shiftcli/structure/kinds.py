"""Kinds of environments that errors are counted by, from the bonds of an atom."""

from __future__ import annotations

import numpy as np

from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.crystal import Crystal

#: Classes of each element, in the order they are shown in. ``other`` is what fits none:
#: hydrogens of alkynes, hydrogens and carbons far from everything, N-oxides.
CLASSES = {
    "H": ("methyl", "aliphatic C-H", "aromatic/olefinic C-H", "N-H", "O-H", "other"),
    "C": (
        "CH3", "CH2", "CH", "quaternary", "aromatic/olefinic", "carbonyl/carboxyl",
        "nitrile/alkyne", "other",
    ),
    "N": ("N-H", "tertiary", "pyridine-like", "nitrile", "nitro", "ammonium", "other"),
    "O": ("carbonyl/carboxyl", "hydroxyl", "ether/ester", "nitro", "water", "other"),
}  # fmt: skip


def environment_classes(crystal: Crystal) -> np.ndarray:
    """Class of every atom.

    Parameters
    ----------
    crystal : Crystal
        The crystal, or an isolated molecule.

    Returns
    -------
    numpy.ndarray
        One of `CLASSES` of its element for each atom, shape (n,); ``other`` for further
        elements.

    Notes
    -----
    Coordination c is the number of bonds (`shiftcli.structure.bonds.find_bonds`).

    - H by the nearest atom bonded to it: N or O; C with three H; C with c = 4 or 3 otherwise.
    - C with c = 4 by its hydrogens (methane counts as CH3); with c = 3 and an O of c = 1
      carbonyl or carboxyl, else aromatic or olefinic; with c = 2 nitrile or alkyne.
    - N with two O of c = 1 nitro (nitrate, too); with c = 4 ammonium; with H amine, amide,
      pyrrole or imine N–H; without H tertiary (c = 3), pyridine-like (c = 2), nitrile (c = 1).
    - O with two or more H water; one H hydroxyl; without H by c = 2 ether or ester, and
      c = 1 nitro on a nitro N, carbonyl or carboxyl on C.
    """
    facts = _Facts(find_bonds(crystal))
    rules = {"H": facts.hydrogen, "C": facts.carbon, "N": facts.nitrogen, "O": facts.oxygen}
    found = [
        rules[element](k) if element in rules else "other"
        for k, element in enumerate(crystal.elements.tolist())
    ]
    return np.array(found, dtype=object)


class _Facts:
    """What the rules ask of the bonds."""

    def __init__(self, bonds: Bonds) -> None:
        self.elements, self.neighbours = bonds.elements, bonds.neighbours
        self.coordination, self.hydrogens = bonds.coordination, bonds.count("H")
        terminal = (self.elements == "O") & (self.coordination == 1)
        self.terminal_oxygens = np.array([terminal[near].sum() for near in self.neighbours], int)
        self.is_nitro = (self.elements == "N") & (self.terminal_oxygens >= 2)

    def hydrogen(self, atom: int) -> str:
        if not len(self.neighbours[atom]):
            return "other"
        carrier = self.neighbours[atom][0]
        if self.elements[carrier] in ("N", "O"):
            return f"{self.elements[carrier]}-H"
        if self.elements[carrier] != "C":
            return "other"
        if self.hydrogens[carrier] == 3:
            return "methyl"
        coordinated = {4: "aliphatic C-H", 3: "aromatic/olefinic C-H"}
        return coordinated.get(int(self.coordination[carrier]), "other")

    def carbon(self, atom: int) -> str:
        coordination = self.coordination[atom]
        if coordination == 4:
            return ("quaternary", "CH", "CH2", "CH3", "CH3")[self.hydrogens[atom]]
        if coordination == 3:
            return "carbonyl/carboxyl" if self.terminal_oxygens[atom] else "aromatic/olefinic"
        return "nitrile/alkyne" if coordination == 2 else "other"

    def nitrogen(self, atom: int) -> str:
        if self.is_nitro[atom]:
            return "nitro"
        coordination = int(self.coordination[atom])
        if coordination == 4:
            return "ammonium"
        if self.hydrogens[atom]:
            return "N-H"
        return {3: "tertiary", 2: "pyridine-like", 1: "nitrile"}.get(coordination, "other")

    def oxygen(self, atom: int) -> str:
        if self.hydrogens[atom] >= 2:
            return "water"
        if self.hydrogens[atom] == 1:
            return "hydroxyl"
        coordination = self.coordination[atom]
        if coordination == 2:
            return "ether/ester"
        if coordination != 1:
            return "other"
        carrier = self.neighbours[atom][0]
        if self.is_nitro[carrier]:
            return "nitro"
        return "carbonyl/carboxyl" if self.elements[carrier] == "C" else "other"
