"""The molecules of a crystal: graphs of their bonds, each in one piece."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.crystal import Crystal

if TYPE_CHECKING:
    import networkx as nx

#: Two places closer than this (Å) are the same.
SAME_PLACE = 0.01


@dataclass(frozen=True, eq=False)
class Molecule:
    """Atoms that are joined by bonds."""

    atoms: np.ndarray  #: Their indices in the crystal, ascending, shape (m,).
    #: Where they are in Å, shape (m, 3), moved by lattice vectors so that the molecule is in one
    #: piece and its centre in the cell.
    positions: np.ndarray
    #: Nodes are the indices in the crystal, each with its ``element``; edges are bonds.
    graph: nx.Graph
    endless: bool  #: Whether it is bonded to its own images: a chain, a layer or a framework.


def molecules(crystal: Crystal) -> tuple[Molecule, ...]:
    """The molecules of a crystal, or isolated ones, in the order of their first atoms.

    Every atom is in one of them.
    """
    import networkx as nx

    bonds = find_bonds(crystal)
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from((k, {"element": e}) for k, e in enumerate(crystal.elements.tolist()))
    graph.add_edges_from(
        (k, partner) for k, near in enumerate(bonds.neighbours) for partner in near.tolist()
    )
    placed = np.array(crystal.positions, dtype=float)
    found = []
    for members, endless in _pieces(placed, bonds):
        atoms = np.array(sorted(members))
        if crystal.cell is not None:
            centre = placed[atoms].mean(axis=0) @ np.linalg.inv(crystal.cell)
            # A little more than the centre, so that rounding does not send a molecule on a
            # wall of the cell to the other one.
            placed[atoms] -= np.floor(centre + 1e-6) @ crystal.cell
        own: nx.Graph = graph.subgraph(members).copy()
        found.append(Molecule(atoms, placed[atoms], own, endless))
    return tuple(found)


def formula_unit(crystal: Crystal) -> tuple[str, int]:
    """Formula of the unit that a crystal is made of, and how many the cell holds.

    Whole molecules, of each kind in the cell its share; where bonds go on from cell to cell, whole
    numbers of atoms.
    """
    elements = crystal.elements
    counts = Counter(elements.tolist())
    numbers = Counter({"": 1} if crystal.cell is None else counts)
    if crystal.cell is not None:
        pieces = list(_pieces(np.array(crystal.positions, dtype=float), find_bonds(crystal)))
        if not any(endless for _, endless in pieces):
            numbers = Counter(tuple(sorted(elements[list(own)].tolist())) for own, _ in pieces)
    units = math.gcd(*numbers.values())
    unit = np.repeat(list(counts), [count // units for count in counts.values()])
    return replace(crystal, elements=unit).formula, units


def _pieces(placed: np.ndarray, bonds: Bonds) -> Iterator[tuple[set[int], bool]]:
    """Atoms that bonds join, moved to each other's side, and whether that never ends."""
    seen: set[int] = set()
    for start in range(len(placed)):
        if start not in seen:
            members, endless = _join(placed, bonds, start)
            seen |= members
            yield members, endless


def _join(placed: np.ndarray, bonds: Bonds, start: int) -> tuple[set[int], bool]:
    """Move what is bonded to an atom to its side; what that is, and whether it leads round."""
    seen = {start}
    order = [start]
    endless = False
    for atom in order:  # grows as neighbours are found
        for partner, way in zip(bonds.neighbours[atom].tolist(), bonds.vectors[atom], strict=True):
            place = placed[atom] + way
            if partner not in seen:
                seen.add(partner)
                order.append(partner)
                placed[partner] = place
            elif abs(placed[partner] - place).max() > SAME_PLACE:
                endless = True
    return seen, endless
