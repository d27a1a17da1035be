"""Labels for the atoms of a file that names none: an atom goes by its place in its molecule.

So a molecule has the same labels in every cell, order of atoms and handedness. Atoms are numbered
along the bonds, from an end of the molecule, short branches first, the largest molecule before its
solvent; hydrogens in the order of the atoms that carry them. The way is that of the graph of bonds,
whose atoms are told apart by refinement of their colours. Where the graph leaves a choice (ortho
carbons, hydrogens of a methyl group) the surroundings in the crystal decide, by numbers that no
cell, order or mirror changes. The second of several distinct molecules of one kind is marked:
``C1_2``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from shiftcli.errors import StructureError
from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import NeighbourSearch

#: Distance (Å) within which surroundings are looked at.
_REACH = 4.0

#: Least difference (Å) of the distances of two hydrogens to an atom that tells them apart.
_APART = 0.3


def label_by_molecule(crystal: Crystal) -> Crystal:
    """Call every atom by its element and its number in the molecule, copies alike.

    A crystal whose bonds cannot be found, which the checks refuse, is numbered as it stands.
    """
    try:
        numbers = _numbers(crystal)
    except StructureError:
        numbers = [f"{k}" for k in range(1, len(crystal) + 1)]
    labels = tuple(f"{e}{n}" for e, n in zip(crystal.elements.tolist(), numbers, strict=True))
    return replace(crystal, labels=labels, numbered=True)


def _numbers(crystal: Crystal) -> list[str]:
    """What follows the element in the label of each atom."""
    bonds, site = find_bonds(crystal), crystal.site_numbers
    members: dict[frozenset[int], np.ndarray] = {}
    for atoms in _split(bonds.molecules):
        members.setdefault(frozenset(site[atoms].tolist()), atoms)
    places = _Places(crystal, bonds, np.sort(np.concatenate([*members.values(), np.zeros(0, int)])))
    kinds: dict[tuple[tuple[int, ...], ...], list[np.ndarray]] = defaultdict(list)
    for atoms in members.values():
        kinds[places.kind(atoms)].append(atoms)
    of_site: dict[int, str] = {}
    begun: Counter[str] = Counter()
    for _, alike in sorted(kinds.items(), key=lambda item: item[0]):
        alike.sort(key=lambda atoms: float(places.surroundings[atoms].sum()))
        for copy, atoms in enumerate(alike, 1):
            counts = Counter(begun)
            for atom in places.walk(atoms):
                element = str(crystal.elements[atom])
                counts[element] += 1
                of_site.setdefault(
                    int(site[atom]), f"{counts[element]}{f'_{copy}' if copy > 1 else ''}"
                )
        begun = counts
    return [of_site[k] for k in site.tolist()]


def _split(numbers: np.ndarray) -> list[np.ndarray]:
    """Positions of each number."""
    ends = np.cumsum(np.bincount(numbers))[:-1]
    return np.split(np.argsort(numbers, kind="stable"), ends)


class _Places:
    """The places of some whole molecules' atoms, as ranks that the order of atoms does not change.

    Attributes
    ----------
    surroundings : numpy.ndarray
        A number for what is around each atom, alike for its copies, shape (n,); 0 for atoms of
        other molecules.
    """

    def __init__(self, crystal: Crystal, bonds: Bonds, chosen: np.ndarray) -> None:
        import gemmi

        self._bonds, n = bonds, len(crystal)
        symbols, kinds = np.unique(crystal.elements, return_inverse=True)
        atomic = np.array([gemmi.Element(str(s)).atomic_number for s in symbols], int)[kinds]
        is_hydrogen = crystal.elements == "H"
        #: Hydrogens by the atom that carries them; others, and those that none carries, are nodes.
        self._carried: dict[int, list[int]] = defaultdict(list)
        carrier = np.full(n, -1)
        for atom in chosen[is_hydrogen[chosen]].tolist():
            heavy = [k for k in bonds.neighbours[atom].tolist() if not is_hydrogen[k]]
            if heavy:
                carrier[atom] = heavy[0]
                self._carried[heavy[0]].append(atom)
        nodes = chosen[carrier[chosen] < 0]
        self._is_node = np.zeros(n, dtype=bool)
        self._is_node[nodes] = True
        near = [self._near(k) for k in nodes.tolist()]
        hydrogens = np.array([len(self._carried[k]) for k in nodes.tolist()], int)
        # Ends of the molecule first, of those carbon, then lighter elements.
        first = np.column_stack([
            [len(own) for own in near], np.where(atomic[nodes] == 6, 0, atomic[nodes]), hydrogens
        ])  # fmt: skip
        position = np.full(n, len(nodes))
        position[nodes] = np.arange(len(nodes))
        table = np.full((len(nodes), max(map(len, near), default=0)), len(nodes))
        for row, own in zip(table, near, strict=True):
            row[: len(own)] = position[own]
        self.surroundings = _surroundings(crystal, chosen, atomic)
        colours = _refined(_ranks(first), table)
        self._colours = dict(zip(nodes.tolist(), colours.tolist(), strict=True))
        told = _told_apart(colours, table, bonds.molecules[nodes], self.surroundings[nodes])
        self._ranks = dict(zip(nodes.tolist(), told.tolist(), strict=True))

    def _near(self, atom: int) -> list[int]:
        """Nodes that a node is bonded to."""
        return [k for k in self._bonds.neighbours[atom].tolist() if self._is_node[k]]

    def kind(self, atoms: np.ndarray) -> tuple[tuple[int, ...], ...]:
        """What molecules with the same graph share; the largest ones are the first in order."""
        colours = sorted(self._colours[k] for k in atoms.tolist() if self._is_node[k])
        return (-len(colours), -len(atoms)), tuple(colours)

    def walk(self, atoms: np.ndarray) -> Iterator[int]:
        """The atoms of a molecule in their order."""
        nodes = sorted((k for k in atoms.tolist() if self._is_node[k]), key=self._ranks.__getitem__)
        # All of them wait: a hydrogen that two atoms share may be all that joins a molecule.
        waiting, order = nodes[::-1], dict[int, None]()
        while waiting:
            atom = waiting.pop()
            if atom not in order:
                order[atom] = None
                waiting += sorted(self._near(atom), key=self._ranks.__getitem__, reverse=True)
        yield from order
        hand = self._hand(nodes)
        for atom in order:
            yield from self._hydrogens(atom, hand)

    def _volume(self, atom: int, ends: Sequence[int]) -> float:
        vectors = self._vectors(atom)
        return float(np.linalg.det(np.array([vectors[end] for end in ends])))

    def _hand(self, nodes: Sequence[int]) -> int:
        """+1 or -1, the other one for the mirror image; 0 where the graph tells none from it."""
        signs: Counter[int] = Counter()
        for atom in nodes:
            near = sorted(self._near(atom), key=self._colours.__getitem__)
            different = len({self._colours[k] for k in near})
            if len(near) == different >= 3 and len(self._bonds.neighbours[atom]) == 4:
                signs[self._colours[atom]] += int(np.sign(self._volume(atom, near[:3])))
        found = [int(np.sign(signs[colour])) for colour in sorted(signs) if signs[colour]]
        return found[0] if found else 0

    def _hydrogens(self, atom: int, hand: int) -> list[int]:
        """Hydrogens of an atom in their order."""
        own = sorted(self._carried[atom], key=self.surroundings.__getitem__)
        if len(own) != 2:
            return own
        vectors, ends = self._vectors(atom), self._ends(atom)
        first = which_first([vectors[h] for h in own], ends)
        return own[:: (first * hand if len(ends) == 2 else first) or 1]

    def _ends(self, atom: int) -> list[np.ndarray]:
        """Vectors in Å to the atoms by which two hydrogens of one are told apart."""
        near = sorted(self._near(atom), key=self._ranks.__getitem__)
        vectors = self._vectors(atom)
        if len(near) != 1:
            return [vectors[k] for k in near]
        onward = [k for k in self._near(near[0]) if k != atom]
        nearest = sorted(onward, key=self._ranks.__getitem__)[:1]
        return [vectors[near[0]] + self._vectors(near[0])[k] for k in nearest]

    def _vectors(self, atom: int) -> dict[int, np.ndarray]:
        """Vectors in Å from an atom to those it is bonded to."""
        near = self._bonds.neighbours[atom].tolist()
        return dict(zip(near, self._bonds.vectors[atom], strict=True))


def which_first(hydrogens: Sequence[np.ndarray], ends: Sequence[np.ndarray]) -> int:
    """Which of two hydrogens of an atom is the first: 1 or -1, 0 where nothing tells them apart.

    By vectors in Å from their atom: to its two neighbours, of which the volume with a hydrogen has
    a sign; or to the one atom behind its neighbour, which one of them is nearer to.
    """
    if len(ends) == 2:
        values = [float(np.linalg.det(np.array([*ends, h]))) for h in hydrogens]
        is_clear = values[0] * values[1] < 0
    elif len(ends) == 1:
        values = [-float(np.linalg.norm(h - ends[0])) for h in hydrogens]
        is_clear = abs(values[0] - values[1]) >= _APART
    else:
        return 0
    return (1 if values[0] > values[1] else -1) if is_clear else 0


def _surroundings(crystal: Crystal, chosen: np.ndarray, atomic: np.ndarray) -> np.ndarray:
    """A number for what is around each of some atoms, the mean for copies, shape (n,)."""
    search = NeighbourSearch(crystal.cell, crystal.positions, _REACH)
    near = search.around(crystal.positions[chosen], chosen)
    weights = atomic[near.second] * (1.0 - (near.distances / _REACH) ** 2) ** 2
    sums = np.bincount(near.first, weights, minlength=len(chosen))
    site = crystal.site_numbers[chosen]
    means = np.bincount(site, sums) / np.maximum(np.bincount(site), 1)
    values = np.zeros(len(crystal))
    values[chosen] = np.round(means[site], 6)  # the order of atoms decides what rounding would
    return values


def _ranks(rows: np.ndarray) -> np.ndarray:
    """Place of each row among the different ones, in order."""
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1]).reshape(-1)


def _refined(colours: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Colours that tell apart whatever their neighbours' colours do.

    `table` has the positions of each node's neighbours, shape (m, most), m where there is none.
    """
    while len(colours):
        around = np.sort(np.append(colours, -1)[table], axis=1)
        finer = _ranks(np.column_stack([colours, around]))
        if finer.max() == colours.max():
            break
        colours = finer
    return colours


def _told_apart(
    colours: np.ndarray, table: np.ndarray, molecule: np.ndarray, surroundings: np.ndarray
) -> np.ndarray:
    """Colours of which no molecule has one twice, where `surroundings` choose among equals."""
    while True:
        order = np.lexsort((surroundings, colours, molecule))
        here, there = order[:-1], order[1:]
        tied = here[(colours[here] == colours[there]) & (molecule[here] == molecule[there])]
        if not len(tied):
            return colours
        first = tied[np.unique(molecule[tied], return_index=True)[1]]
        colours = 2 * colours
        colours[first] -= 1
        colours = _refined(_ranks(colours[:, None]), table)
