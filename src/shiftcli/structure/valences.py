"""What the valences of H, C, N and O say: atoms that lack a neighbour, charges of molecules.

A crystal is neutral. So hydrogens are missing where its molecules, as they are bonded, can only
be anions together: an acid without its proton and without a cation, a uracil without N–H.
"""

from __future__ import annotations

import heapq
from collections import Counter
from itertools import product

import numpy as np

from shiftcli.structure.bonds import Bonds
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.structure.molecules import Molecule, molecules

#: Bonds of a neutral atom, multiple bonds counted as often.
VALENCE = {"H": 1, "C": 4, "N": 3, "O": 2}

#: Two bonds with a cosine below this are straight: nitriles, azides, allenes.
_STRAIGHT = -0.87

#: Height of an atom over the plane of its three neighbours, in bonds, from which one is missing:
#: a third for a tetrahedron; up to 0.28 in the 400 published crystals and their rattled copies.
_PYRAMID = 0.3

#: Longest triple bond (Å) of a carbon at the end of a chain, of carbon monoxide or isocyanides.
_TRIPLE = 1.25

#: Atoms of a molecule that lack a bond, up to which its double bonds are looked for.
_MOST_UNSATURATED = 300


def lacking(bonds: Bonds) -> np.ndarray:
    """Bonds that each atom lacks to its valence, shape (n,); 0 for other elements.

    A double bond of an atom stands for one of them; negative where there are too many.
    """
    valence = np.array([VALENCE.get(e, 0) for e in bonds.elements.tolist()], dtype=int)
    return np.where(valence > 0, valence - bonds.coordination, 0)


def incomplete_carbons(bonds: Bonds) -> np.ndarray:
    """Indices of carbons with fewer neighbours than their geometry has room for.

    One neighbour that is no end of a triple bond; two at an angle; three in a pyramid, or three
    without any that could share a double bond.
    """
    missing = lacking(bonds)
    # Other elements, and nitrogens that can be positive, may share a double bond, too.
    can_share = (missing > 0) | ~np.isin(bonds.elements, ELEMENTS)
    can_share |= (bonds.elements == "N") & (bonds.coordination == 3)
    found = []
    for k in np.flatnonzero(bonds.elements == "C").tolist():
        near, lengths = bonds.neighbours[k], np.linalg.norm(bonds.vectors[k], axis=1)
        ways = bonds.vectors[k] / lengths[:, None]
        if len(near) == 1:
            is_whole = bonds.elements[near[0]] in ("N", "O") and lengths[0] < _TRIPLE
        elif len(near) == 2:
            is_whole = ways[0] @ ways[1] < _STRAIGHT
        elif len(near) == 3:
            is_whole = can_share[near].any() and _height(ways) < _PYRAMID
        else:
            is_whole = True  # a bare one is no carbon with too few neighbours, but an atom apart
        if not is_whole:
            found.append(k)
    return np.array(found, dtype=int)


def _height(ways: np.ndarray) -> float:
    """Height of an atom over the plane through the ends of three unit vectors."""
    normal = np.cross(ways[1] - ways[0], ways[2] - ways[0])
    return float(abs(normal @ ways[0]) / max(float(np.linalg.norm(normal)), 1e-9))


def possible_charges(molecule: Molecule, bonds: Bonds) -> tuple[int, ...]:
    """Charges with which all atoms of a molecule have their valences.

    Parameters
    ----------
    molecule : Molecule
        A molecule of H, C, N and O.
    bonds : Bonds
        The bonds of its crystal.

    Returns
    -------
    tuple of int
        Ascending, all even or all odd; empty where nothing can be said: other elements, a
        hydrogen between two atoms, more unsaturated atoms than can be looked at. Without 0 the
        molecule is an ion, or a radical where they are odd.

    Notes
    -----
    Double bonds are a maximum matching of the atoms that lack bonds. What stays unmatched is
    negative; a nitrogen with four bonds, or one with three that takes part in a double bond
    (nitro groups, pyridinium), is positive.
    """
    import networkx as nx

    elements, missing = bonds.elements[molecule.atoms], lacking(bonds)[molecule.atoms]
    if not np.isin(elements, ELEMENTS).all() or missing[elements == "H"].any():
        return ()
    charge = int(-missing[missing < 0].sum())
    free = dict(zip(molecule.atoms.tolist(), np.maximum(missing, 0).tolist(), strict=True))
    total = sum(free.values())
    if total > _MOST_UNSATURATED:
        return ()
    spare = {k for k in free if bonds.elements[k] == "N" and _can_be_positive(k, bonds)}
    graph: nx.Graph = nx.Graph()
    copies = {k: [(k, i) for i in range(free[k] + (k in spare))] for k in free}
    for here, there in molecule.graph.edges:
        for a, b in product(copies[here], copies[there]):
            costs = (a[1] >= free[here]) + (b[1] >= free[there])
            if costs < 2:
                # Each atom that is served counts ten times a nitrogen that is charged for it.
                graph.add_edge(a, b, weight=20 - 11 * costs, spare=costs)
    plain = nx.Graph(graph.edge_subgraph(e for e in graph.edges if not graph.edges[e]["spare"]))
    lowest = charge - total + 2 * len(nx.max_weight_matching(plain, maxcardinality=True))
    # What a positive nitrogen adds to the charge, it takes from what is left unmatched.
    pairs = nx.max_weight_matching(graph)
    highest = charge - total + 2 * len(pairs)
    return tuple(range(lowest, highest + 1, 2))


def _can_be_positive(nitrogen: int, bonds: Bonds) -> bool:
    """Whether a nitrogen may have one more bond: any with three, and a straight one with two."""
    ways = bonds.vectors[nitrogen]
    if len(ways) != 2:
        return len(ways) == 3
    return bool(ways[0] @ ways[1] < _STRAIGHT * np.prod(np.linalg.norm(ways, axis=1)))


def net_charge(crystal: Crystal, bonds: Bonds) -> int:
    """The charge of a cell that is nearest to 0, where molecules of one kind are charged alike.

    0 as well where nothing can be said. Nitroxides may be radicals.
    """
    if is_saturated(bonds):
        return 0  # most crystals: no molecules have to be looked at one by one
    kinds: Counter[tuple[tuple[str, ...], tuple[int, ...]]] = Counter()
    for molecule in molecules(crystal):
        charges = possible_charges(molecule, bonds)
        if not charges:
            return 0
        if _has_nitroxide(molecule, bonds):
            charges = tuple(sorted({*charges, *(charge + 1 for charge in charges)}))
        kinds[tuple(sorted(bonds.elements[molecule.atoms].tolist())), charges] += 1
    sums = {0}
    for (_, charges), count in kinds.items():
        sums = {total + count * charge for total in sums for charge in charges}
    return min(sums, key=lambda total: (abs(total), total))


def _has_nitroxide(molecule: Molecule, bonds: Bonds) -> bool:
    """Whether a nitrogen has two carbons and an oxygen that has nothing else."""
    return any(
        sorted(bonds.elements[bonds.neighbours[k]].tolist()) == ["C", "C", "O"]
        and any(len(bonds.neighbours[j]) == 1 for j in bonds.neighbours[k])
        for k in molecule.atoms[bonds.elements[molecule.atoms] == "N"].tolist()
    )


def is_saturated(bonds: Bonds) -> bool:
    """Whether double bonds are found at once that give each atom its valence, without charges."""
    missing = lacking(bonds)
    if (missing < 0).any() or not np.isin(bonds.elements, ELEMENTS).all():
        return False
    left = missing.tolist()
    near = [[j for j in own.tolist() if left[j]] for own in bonds.neighbours]

    def choices(atom: int) -> int:
        return sum(left[j] > 0 for j in near[atom])

    # Atoms with the fewest partners choose first; what they do changes the turn of the others.
    turns = [(choices(k), k) for k in np.flatnonzero(missing).tolist()]
    heapq.heapify(turns)
    while turns:
        count, atom = heapq.heappop(turns)
        if not left[atom]:
            continue
        if (now := choices(atom)) != count:
            heapq.heappush(turns, (now, atom))
            continue
        if not count:
            return False
        partner = min((j for j in near[atom] if left[j]), key=choices)
        for k in (atom, partner):
            left[k] -= 1
        for k in {atom, partner, *near[atom], *near[partner]}:
            if left[k]:
                heapq.heappush(turns, (choices(k), k))
    return True
