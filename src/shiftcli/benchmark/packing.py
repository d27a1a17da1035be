"""Other structures of a crystal's molecules: near copies, conformers, packings.

They stand in for the candidates of a crystal structure prediction. Molecules are rigid, but for one
bond that is turned; they keep the crystal's symmetry operations, and are pressed together by random
moves that are taken back where atoms come too near. Hydrogens of N and O are drawn to acceptors.
Nothing is relaxed: contacts are at their limits, and cells 5 to 30 % larger than real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftcli.errors import StructureError
from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.checks import check
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import SAME_PLACE, molecules
from shiftcli.structure.neighbours import periodic_images
from shiftcli.structure.symmetry import SYMMETRY_TOLERANCE, search_symmetry

#: What a candidate may be: the crystal with its molecules moved by hundredths of an Å, as by
#: another way to relax it, or by tenths; one
#: bond of each molecule turned; other places and directions of the molecules; both of these.
KINDS = ("near copy", "moved", "conformer", "packing", "conformer, packing")

#: Least distances (Å) between atoms of two molecules: other H, C, N or O, H of N or O. They are
#: the short ones of organic crystals, 0.1 to 0.3 Å below the sums of Bondi's radii.
_LEAST = np.array(
    [[2.1, 2.65, 2.4, 2.1], [2.65, 3.25, 3.0, 2.5], [2.4, 3.0, 2.6, 1.7], [2.1, 2.5, 1.7, 2.0]]
)
_LEAST_SQUARES = _LEAST**2

#: Distance (Å) up to which contacts are looked for.
_REACH = 3.6

#: A hydrogen bond longer than the first (Å) costs, up to the second; in ln V for each Å.
_BOND, _FREE, _PULL = 1.9, 3.4, 0.1

#: Shortest bond (Å) of two heavy atoms that is turned: no double bond, no amide, no ester.
_SINGLE = 1.40

#: Random moves of a packing; those that only settle a structure; packings that are made for one.
_MOVES, _SETTLING, _STARTS = 900, 250, 3

#: Times that a candidate is tried for, and angles that a bond is turned by.
_TRIES, _ANGLES = 8, 6


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Rigid molecules in a cell."""

    cell: np.ndarray  #: Lattice vectors as rows in Å, shape (3, 3).
    #: Coordinates in Å of each symmetry-distinct molecule about its centre, shape (m, 3).
    units: tuple[np.ndarray, ...]
    centres: np.ndarray  #: Fractional coordinates of the centres, shape (units, 3).

    @property
    def volume(self) -> float:
        """Of the cell in Å³."""
        return float(abs(np.linalg.det(self.cell)))


class Packer:
    """Makes candidates of a crystal's molecules.

    `StructureError` if they lie on a symmetry element, or are bonded to their own images.
    """

    def __init__(self, crystal: Crystal) -> None:
        if crystal.cell is None:
            raise StructureError("no unit cell to pack molecules in", where=crystal.where)
        self.crystal, self.bonds = crystal, find_bonds(crystal)
        found = molecules(crystal)
        symmetry = search_symmetry(
            crystal.cell, crystal.elements, crystal.positions, SYMMETRY_TOLERANCE
        )
        if symmetry is None or any(molecule.endless for molecule in found):
            raise StructureError("no molecules that can be packed", where=crystal.where)
        self._rotations, self._translations = symmetry.rotations, symmetry.translations
        images = self._images()
        home = np.empty(len(crystal), dtype=int)
        for k, molecule in enumerate(found):
            home[molecule.atoms] = k
        inverse, left = np.linalg.inv(crystal.cell), set(range(len(found)))
        units, centres, copies = [], [], []
        while left:
            own = found[min(left)]
            there = {int(home[k]) for k in images[:, own.atoms[0]]}
            if len(there) < len(images):
                raise StructureError("molecules lie on symmetry elements", where=crystal.where)
            left -= there
            centre = own.positions.mean(axis=0)
            units.append(own.positions - centre)
            centres.append(centre @ inverse)
            copies.append(images[:, own.atoms])
        #: The crystal itself.
        self.start = Arrangement(crystal.cell, tuple(units), np.array(centres))
        #: For each unit the atoms of its copies, shape (operations, m).
        self.copies = tuple(copies)
        self._kinds = np.select(
            [self._is_polar(), crystal.elements == "H", crystal.elements == "C"], [3, 0, 1], 2
        )
        self._home = home

    def _images(self) -> np.ndarray:
        """For each operation the atom that each becomes, shape (operations, n)."""
        fractional = self.crystal.positions @ np.linalg.inv(self.crystal.cell)  # type: ignore[arg-type]
        found = []
        for rotation, translation in zip(self._rotations, self._translations, strict=True):
            apart = (fractional @ rotation.T + translation)[:, None] - fractional
            apart = (apart - np.round(apart)) @ self.crystal.cell
            found.append((apart**2).sum(axis=2).argmin(axis=1))
        return np.array(found)

    def _is_polar(self) -> np.ndarray:
        """Hydrogens of nitrogen and oxygen, shape (n,)."""
        return (self.crystal.elements == "H") & (self.bonds.count("N", "O") > 0)

    def crystal_of(self, made: Arrangement, name: str) -> Crystal:
        """The crystal of an arrangement, its atoms in the order of the original."""
        positions = np.empty((len(self.crystal), 3))
        inverse = np.linalg.inv(made.cell)
        for unit, centre, copies in zip(made.units, made.centres, self.copies, strict=True):
            fractional = unit @ inverse + centre
            for rotation, translation, atoms in zip(
                self._rotations, self._translations, copies, strict=True
            ):
                positions[atoms] = (fractional @ rotation.T + translation) @ made.cell
        return replace(
            self.crystal, positions=positions, cell=made.cell, name=name, shieldings=None,
            baseline=None, site_ids=self.crystal.site_numbers,
        )  # fmt: skip

    def cost(self, made: Arrangement) -> float:
        """ln V, more for hydrogens without acceptors; infinite where molecules overlap."""
        positions = self.crystal_of(made, "").positions
        centres = np.concatenate([copies[0] for copies in self.copies])
        points, origin = periodic_images(made.cell, positions, _REACH)
        own = positions[centres]
        near = np.ones(len(points), dtype=bool)
        for axis in range(3):
            near &= points[:, axis] > own[:, axis].min() - _REACH
            near &= points[:, axis] < own[:, axis].max() + _REACH
        points, origin = points[near], origin[near]
        squares = np.zeros((len(own), len(points)))
        for axis in range(3):
            squares += np.subtract.outer(own[:, axis], points[:, axis]) ** 2
        # Molecules are in one piece, so an atom of the same one is where it was placed.
        is_placed = np.abs(points - positions[origin]).max(axis=1) < SAME_PLACE
        squares[np.equal.outer(self._home[centres], self._home[origin]) & is_placed] = np.inf
        kinds, others = self._kinds[centres], self._kinds[origin]
        if (squares < _LEAST_SQUARES[kinds[:, None], others]).any():
            return float("inf")
        cost = float(np.log(made.volume))
        polar = kinds == 3
        if polar.any() and (others == 2).any():
            bonds = np.sqrt(squares[polar][:, others == 2].min(axis=1))
            cost += _PULL * float(np.clip(bonds - _BOND, 0, _FREE - _BOND).mean())
        return cost

    def press(self, made: Arrangement, moves: int, rng: np.random.Generator) -> Arrangement:
        """Swell a cell until no molecules overlap, then press them together."""
        while not np.isfinite(cost := self.cost(made)):
            made = replace(made, cell=made.cell * 1.03)
        for step in range(moves):
            size = 1.0 - 0.8 * step / moves
            moved = self._moved(made, 8.0 * size, 0.3 * size, 0.015 * size, rng)
            if (changed := self.cost(moved)) < cost:
                made, cost = moved, changed
        return made

    def _moved(
        self,
        made: Arrangement,
        degrees: float,
        distance: float,
        strain: float,
        rng: np.random.Generator,
    ) -> Arrangement:
        """Molecules turned and shifted by about so much (Å), the cell strained."""
        units, inverse = [], np.linalg.inv(made.cell)
        for unit in made.units:
            units.append(rotate(unit, rng.normal(size=3), np.radians(degrees) * rng.normal()))
        steps = distance * rng.normal(size=made.centres.shape) / np.sqrt(3)
        tensor = strain * (rng.normal(size=(3, 3)) - 0.3 * np.eye(3))
        tensor = (tensor + tensor.T) / 2
        # Only what the operations leave as it is keeps the copies of a molecule rigid.
        turns = [inverse @ rotation.T @ made.cell for rotation in self._rotations]
        tensor = np.mean([turn.T @ tensor @ turn for turn in turns], axis=0)
        cell = made.cell @ (np.eye(3) + tensor)
        return Arrangement(cell, tuple(units), made.centres + steps @ inverse)

    def _turned(self, made: Arrangement, rng: np.random.Generator) -> Arrangement | None:
        """One bond of one distinct molecule turned; None where no bond can be."""
        choices = [
            (k, axis, part)
            for k, copies in enumerate(self.copies)
            for axis, part in turnable(self.bonds, self.crystal, copies[0])
        ]
        for number in rng.permutation(len(choices)).tolist():
            k, (first, second), part = choices[number]
            unit = made.units[k].copy()
            place = {atom: i for i, atom in enumerate(self.copies[k][0].tolist())}
            here, moving = unit[place[first]], [place[atom] for atom in part]
            ways = unit[moving] - here
            for angle in np.radians(rng.uniform(60, 300, size=_ANGLES)):
                unit[moving] = here + rotate(ways, unit[place[second]] - here, float(angle))
                if self._is_open(unit, self.copies[k][0]):
                    return replace(made, units=(*made.units[:k], unit, *made.units[k + 1 :]))
        return None

    def _is_open(self, unit: np.ndarray, atoms: np.ndarray) -> bool:
        """Whether atoms of a molecule that are four bonds apart, or more, do not crowd."""
        near = {int(k): set(self.bonds.neighbours[k].tolist()) for k in atoms}
        reached = {k: {k} for k in near}
        for _ in range(3):
            reached = {k: own.union(*(near[j] for j in own)) for k, own in reached.items()}
        far = np.array([[j not in reached[k] for j in near] for k in near])
        squares = ((unit[:, None] - unit) ** 2).sum(axis=2)
        least = 0.9 * _LEAST[self._kinds[atoms]][:, self._kinds[atoms]]
        return not (far & (squares < least**2)).any()

    def make(self, kind: str, seed: Sequence[int]) -> Crystal | None:
        """A candidate of one of `KINDS`; the same seed gives the same structure.

        None where no bond can be turned, or nothing sound was found.
        """
        rng = np.random.default_rng(seed)
        for _ in range(_TRIES):
            made = self._arrange(kind, rng)
            if made is None:
                return None
            found = self.crystal_of(made, f"{self.crystal.name}, {kind}")
            if self._is_sound(found):
                return found
        return None

    def _arrange(self, kind: str, rng: np.random.Generator) -> Arrangement | None:
        made = self.start
        if kind == "near copy":
            return self._moved(made, 1.0, 0.05, 0.003, rng)
        if kind == "moved":
            return self.press(self._moved(made, 15.0, 0.6, 0.02, rng), _SETTLING, rng)
        if kind.startswith("conformer"):
            turned = self._turned(made, rng)
            if turned is None:
                return None
            made = turned
        if "packing" not in kind:
            return self.press(made, _MOVES, rng)
        found = []
        for _ in range(_STARTS):
            anywhere = Arrangement(
                made.cell,
                tuple(rotate(u, rng.normal(size=3), rng.uniform(0, 2 * np.pi)) for u in made.units),
                rng.random(made.centres.shape),
            )
            found.append(self.press(anywhere, _MOVES, rng))
        return min(found, key=self.cost)

    def _is_sound(self, crystal: Crystal) -> bool:
        """Whether the program would predict it, and every atom is bonded as it was."""
        try:
            check(crystal)
        except StructureError:
            return False
        now = find_bonds(crystal).neighbours
        return all(
            sorted(a.tolist()) == sorted(b.tolist())
            for a, b in zip(now, self.bonds.neighbours, strict=True)
        )


def turnable(
    bonds: Bonds, crystal: Crystal, atoms: np.ndarray
) -> list[tuple[tuple[int, int], list[int]]]:
    """Single bonds of a molecule that are in no ring, with the atoms beyond.

    Both atoms of each bond, and the smaller part of the molecule, which the second begins; at both
    ends there are other heavy atoms.
    """
    import networkx as nx

    graph: nx.Graph = nx.Graph()
    for k in atoms.tolist():
        graph.add_edges_from((k, j) for j in bonds.neighbours[k].tolist())
    heavy = graph.subgraph([k for k in graph if crystal.elements[k] != "H"])
    found = []
    for first, second in nx.bridges(heavy):
        way = bonds.vectors[first][bonds.neighbours[first].tolist().index(second)]
        if min(heavy.degree(first), heavy.degree(second)) < 2 or np.linalg.norm(way) < _SINGLE:
            continue
        cut = graph.copy()
        cut.remove_edge(first, second)
        parts = [sorted(nx.node_connected_component(cut, k)) for k in (first, second)]
        if len(parts[0]) < len(parts[1]):
            first, second, parts = second, first, parts[::-1]
        found.append(((first, second), parts[1]))
    return found


def rotate(vectors: np.ndarray, axis: np.ndarray, angle: float) -> np.ndarray:
    """Turn vectors, shape (m, 3), about an axis through the origin by radians (Rodrigues)."""
    axis = axis / np.linalg.norm(axis)
    along = np.outer(vectors @ axis, axis)
    cross = np.cross(axis, vectors)
    return np.asarray(along + np.cos(angle) * (vectors - along) + np.sin(angle) * cross)
