"""Labels that the molecule carries: which atom of a candidate an experiment's label means.

Candidates of other cells number their atoms otherwise, so a label counts for an atom of the
reference structure, and for every atom that has the same place in its molecule. The molecule is
the graph of its heavy atoms, each coloured by its element and its hydrogens. Places are told
apart by what an NMR spectrum can tell:

- The handedness of carbons and other atoms with four bonds is kept all over, or turned all
  over: the other enantiomer. Other diastereomers are other molecules.
- The two hydrogens of CH2 by the sign of the volume that they span with the two other
  neighbours, which is turned for the other enantiomer; those of a flat NH2 or CH2 by which is
  near to the next atom of the skeleton; those of water not at all.
- Three hydrogens of one atom are a set, each of them standing for all.

Where several maps are possible (phenyl flips, symmetric molecules, several molecules in the
asymmetric unit) all of them are listed, and `shiftcli.nmr.likelihood` sums over them.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.errors import ExperimentError
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.molecules import Molecule, molecules
from shiftcli.structure.neighbours import NeighbourSearch
from shiftcli.structure.numbering import which_first

if TYPE_CHECKING:
    import networkx as nx

#: Maps of one molecule to another that are tried at most, and ways to name a crystal's atoms
#: that are kept at most; of more, a random choice stands for all.
MOST_MAPS, MOST_LABELLINGS = 20_000, 2000

#: Molecules of a kind that are paired with as many others in all ways.
_MOST_ALIKE = 6

#: Heavy atoms whose distances say what is around an atom, and how far (Å) they are sought.
_NEIGHBOURS, _REACH = 20, 7.0

#: Rounds of refinement of the colours of a graph, only to find maps faster.
_ROUNDS = 4

#: One way to name atoms: for each atom of the reference those of the candidate.
AtomMap = Mapping[int, frozenset[int]]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A molecule as the graph of its heavy atoms."""

    graph: nx.Graph  #: Nodes are indices in the crystal with the attribute ``colour``.
    hydrogens: Mapping[int, tuple[int, ...]]  #: Hydrogens of each heavy atom.
    places: Mapping[int, np.ndarray]  #: Coordinates in Å of all atoms, the molecule in one piece.
    formula: str  #: Its atoms, such as ``C2 H6 O``.
    #: Of all atoms, sorted distances in Å to the nearest heavy atoms of the crystal, shape (k,).
    around: Mapping[int, np.ndarray]

    @property
    def signature(self) -> tuple[str, ...]:
        """What molecules with the same graph have in common."""
        return tuple(sorted(colour for _, colour in self.graph.nodes(data="colour")))

    def volume(self, atom: int, ends: Sequence[int]) -> float:
        """Volume in Å³, with its sign, of the ways from an atom to three others."""
        ways = [self.places[end] - self.places[atom] for end in ends]
        return float(np.linalg.det(np.array(ways)))

    def centres(self) -> dict[int, tuple[int, ...]]:
        """Atoms with four bonds, three or four of them to heavy atoms, with three of those."""
        found = {}
        for atom in self.graph:
            near = sorted(self.graph[atom])
            if len(near) >= 3 and len(near) + len(self.hydrogens[atom]) == 4:
                found[atom] = tuple(near[:3])
        return found


@lru_cache(maxsize=8)
def find_skeletons(crystal: Crystal) -> list[Skeleton]:
    """The symmetry-distinct molecules of a crystal, in the order of their first atoms.

    Hydrogens that are bonded to nothing but hydrogen are in none.
    """
    site = np.empty(len(crystal), dtype=int)
    for k, own in enumerate(crystal.sites):
        site[own.atoms] = k
    found: dict[tuple[int, ...], Skeleton] = {}
    heavy = crystal.elements != "H"
    search = NeighbourSearch(crystal.cell, crystal.positions, _REACH, only=heavy)
    for molecule in molecules(crystal):
        key = tuple(sorted(site[molecule.atoms].tolist()))
        if key not in found and heavy[molecule.atoms].any():
            distances = search.nearest(crystal.positions[molecule.atoms], _NEIGHBOURS + 1)
            # The nearest heavy atom of a heavy atom is itself.
            found[key] = _skeleton(molecule, np.minimum(distances, _REACH)[:, 1:])
    return list(found.values())


def graph_places(crystal: Crystal) -> dict[int, Hashable]:
    """The place in the molecular graph of each atom, one for equivalent ones of all molecules.

    Hydrogens have that of the atom that carries them. Of copies by symmetry the atoms of one are
    there.
    """
    return {
        atom: (skeleton.signature, colour, is_hydrogen)
        for skeleton in find_skeletons(crystal)
        for heavy, colour in skeleton.graph.nodes(data="colour")
        for is_hydrogen, atoms in ((False, (heavy,)), (True, skeleton.hydrogens[heavy]))
        for atom in atoms
    }


def _skeleton(molecule: Molecule, around: np.ndarray) -> Skeleton:
    import networkx as nx

    element = dict(molecule.graph.nodes(data="element"))
    heavy = [k for k, e in element.items() if e != "H"]
    hydrogens = {k: tuple(sorted(n for n in molecule.graph[k] if element[n] == "H")) for k in heavy}
    graph: nx.Graph = molecule.graph.subgraph(heavy).copy()
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    for k in heavy:
        graph.nodes[k]["colour"] = f"{element[k]}{len(hydrogens[k])}"
    if graph.number_of_edges():
        refined = nx.weisfeiler_lehman_subgraph_hashes(
            graph, node_attr="colour", iterations=_ROUNDS
        )
        nx.set_node_attributes(graph, {k: names[-1] for k, names in refined.items()}, "colour")
    counts = Counter(element.values())
    formula = " ".join(f"{e}{n if n > 1 else ''}" for e, n in sorted(counts.items()))
    places = dict(zip(molecule.atoms.tolist(), molecule.positions, strict=True))
    near = dict(zip(molecule.atoms.tolist(), around, strict=True))
    return Skeleton(graph, hydrogens, places, formula, near)


def find_maps(one: Skeleton, other: Skeleton) -> Iterator[AtomMap]:
    """All ways to lay a molecule on another of the same kind.

    For each atom of the one, hydrogens too, the atoms of the other that it may stand for.
    """
    from networkx.algorithms.isomorphism import GraphMatcher, categorical_node_match

    matcher = GraphMatcher(one.graph, other.graph, categorical_node_match("colour", ""))
    centres = one.centres()
    hands = {k: one.volume(k, ends) > 0 for k, ends in centres.items()}
    for heavy in itertools.islice(matcher.isomorphisms_iter(), MOST_MAPS):
        turned = {
            (other.volume(heavy[k], [heavy[end] for end in ends]) > 0) != hands[k]
            for k, ends in centres.items()
        }
        for mirrored in turned if len(turned) == 1 else (False, True) if not turned else ():
            yield from _with_hydrogens(one, other, heavy, mirrored)


def _with_hydrogens(
    one: Skeleton, other: Skeleton, heavy: Mapping[int, int], mirrored: bool
) -> Iterator[AtomMap]:
    fixed = {k: frozenset([target]) for k, target in heavy.items()}
    loose: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for atom, target in heavy.items():
        own, theirs = one.hydrogens[atom], other.hydrogens[target]
        if len(own) != 2:
            fixed.update(dict.fromkeys(own, frozenset(theirs)))
            continue
        ends, swaps = _axis(one, atom)
        there = _in_order(other, target, theirs, [heavy[end] for end in ends])
        here = _in_order(one, atom, own, ends)
        if here is None or there is None:
            loose.append((own, theirs))
        else:
            there = there[::-1] if mirrored and swaps else there
            fixed.update({h: frozenset([t]) for h, t in zip(here, there, strict=True)})
    for order in itertools.product((1, -1), repeat=min(len(loose), 8)):
        made = dict(fixed)
        for (own, theirs), way in zip(loose, order, strict=False):
            made.update({h: frozenset([t]) for h, t in zip(own, theirs[::way], strict=True)})
        for own, theirs in loose[8:]:
            made.update(dict.fromkeys(own, frozenset(theirs)))
        yield made


def _axis(skeleton: Skeleton, atom: int) -> tuple[list[int], bool]:
    """Atoms that tell two hydrogens of one apart, and whether a mirror swaps these."""
    near = sorted(skeleton.graph[atom])
    if len(near) == 2:
        return near, True
    if len(near) == 1:
        return sorted(k for k in skeleton.graph[near[0]] if k != atom)[:1], False
    return [], False


def _in_order(
    skeleton: Skeleton, atom: int, hydrogens: tuple[int, ...], ends: Sequence[int]
) -> tuple[int, ...] | None:
    """The two hydrogens in an order that the skeleton gives; None where it gives none."""
    origin = skeleton.places[atom]
    ways = ([skeleton.places[k] - origin for k in some] for some in (hydrogens, ends))
    first = which_first(*ways)
    return hydrogens[::first] if first else None


def closest_map(one: Skeleton, other: Skeleton) -> AtomMap:
    """The map of `find_maps` that keeps distances and surroundings best; empty where there is none.

    It is that of the symmetry operation where a crystal is written with less symmetry, or has lost
    it as frames of a movement have. Distances alone do not tell the hydrogens of water apart.
    """
    best: AtomMap = {}
    least = math.inf
    for way in itertools.islice(find_maps(one, other), MOST_LABELLINGS):
        pairs = [(k, min(targets)) for k, targets in way.items() if len(targets) == 1]
        here, there = (
            np.array([skeleton.places[pair[side]] for pair in pairs])
            for side, skeleton in enumerate((one, other))
        )
        lengths = (np.linalg.norm(x[:, None] - x[None], axis=2) for x in (here, there))
        change = float(((next(lengths) - next(lengths)) ** 2).mean())
        moved = [one.around[k] - other.around[target] for k, target in pairs]
        change += float((np.array(moved) ** 2).mean())
        if change < least:
            best, least = way, change
    return best


def find_places(crystal: Crystal, group_of: Mapping[int, int], groups: int) -> list[int]:
    """For each of some groups of atoms the first one with the same place in molecules of one kind.

    That may be in another of several symmetry-distinct molecules, laid on each other in one of the
    ways that are possible. `group_of` is the group of each atom that has one.
    """
    first = list(range(groups))
    kinds: dict[tuple[str, ...], list[Skeleton]] = defaultdict(list)
    for skeleton in find_skeletons(crystal):
        kinds[skeleton.signature].append(skeleton)
    for one, *others in kinds.values():
        for other in others:
            for atom, targets in closest_map(one, other).items():
                for target in targets:
                    if atom in group_of and target in group_of:
                        first[group_of[target]] = first[group_of[atom]]
    return first


@dataclass(frozen=True, eq=False)
class Labellings:
    """The ways in which an experiment's peaks may be a crystal's groups."""

    #: For each way, for each peak the positions of its groups; empty where it names no site.
    columns: tuple[tuple[tuple[int, ...], ...], ...]
    notes: tuple[str, ...] = ()  #: What the user should know.
    is_sample: bool = False  #: Whether there are more ways, of which these were drawn by chance.


class CarriedLabels:
    """Peaks that name atoms of a reference structure, for all candidates of its molecules.

    Parameters
    ----------
    crystal : Crystal
        The reference structure.
    atoms : sequence of collection of int
        For each peak the atoms of the reference that it names; empty where it names none.
    """

    def __init__(self, crystal: Crystal, atoms: Sequence[frozenset[int]]) -> None:
        self.crystal, self.atoms = crystal, tuple(atoms)
        named = frozenset().union(*self.atoms)
        self._by_kind: dict[tuple[str, ...], list[Skeleton]] = defaultdict(list)
        skeletons = find_skeletons(crystal)
        for skeleton in skeletons:
            if named.intersection(skeleton.places):
                self._by_kind[skeleton.signature].append(skeleton)
        # One copy of the molecule will do; a peak may name atoms of others by their own labels.
        held = frozenset().union(*(s.places for own in self._by_kind.values() for s in own), ())
        self._named = [frozenset(own & held) for own in self.atoms]
        self._kinds = Counter(s.signature for s in skeletons)
        if any(own and not kept for own, kept in zip(self.atoms, self._named, strict=True)):
            raise ExperimentError(
                "labels of hydrogens that are bonded to no other atom cannot be carried over",
                where=crystal.where,
            )

    def carry(self, crystal: Crystal, group_of: Mapping[int, int]) -> Labellings:
        """Find the atoms of a candidate that the labels mean.

        `group_of` is the group of each of its atoms that has one. `ExperimentError` if its
        molecules are others.
        """
        theirs: dict[tuple[str, ...], list[Skeleton]] = defaultdict(list)
        skeletons = find_skeletons(crystal)
        for skeleton in skeletons:
            theirs[skeleton.signature].append(skeleton)
        parts, capped = [], False
        for kind, own in self._by_kind.items():
            if kind not in theirs:
                raise ExperimentError(
                    f"no molecule is {own[0].formula} bonded as in {self.crystal.where}",
                    hint="another tautomer, or another compound; it has "
                    + ", ".join(sorted({s.formula for s in skeletons})),
                )
            ways, more = self._lay(own, theirs[kind], group_of)
            if not ways:
                raise ExperimentError(
                    f"its {own[0].formula} is another diastereomer than in {self.crystal.where}"
                )
            parts.append(ways)
            capped |= more
        found, more = _some(parts)
        columns = {tuple(map(_sorted, _joined(way, len(self.atoms)))) for way in found}
        notes = []
        if Counter(s.signature for s in skeletons).keys() != self._kinds.keys():
            notes.append(f"other molecules beside those of {self.crystal.where}")
        return Labellings(tuple(sorted(columns)), tuple(notes), capped or more)

    def _lay(
        self, own: Sequence[Skeleton], theirs: Sequence[Skeleton], group_of: Mapping[int, int]
    ) -> tuple[list[tuple[frozenset[int], ...]], bool]:
        """Ways to lay molecules of one kind on those of a candidate: for each peak its groups."""
        ways: dict[tuple[frozenset[int], ...], None] = {}
        pairings, capped = _pairings(len(own), len(theirs))
        images = cache(lambda i, js: self._images(own[i], [theirs[j] for j in js], group_of))
        for seed, pairs in enumerate(pairings):
            parts = [images(i, tuple(j for k, j in pairs if k == i)) for i in range(len(own))]
            found, more = _some(parts, -(-MOST_LABELLINGS // len(pairings)), seed)
            capped |= more
            for way in found:
                ways.setdefault(_joined(way, len(self.atoms)))
        return list(ways), capped

    def _images(
        self, one: Skeleton, partners: Sequence[Skeleton], group_of: Mapping[int, int]
    ) -> list[tuple[frozenset[int], ...]]:
        """For each way, for each peak the groups that its atoms in this molecule become.

        Of several partners the first is laid in all ways, the others as they lie on the first.
        """
        first, *others = partners
        onward = [closest_map(first, other) for other in others]
        if not all(onward):
            return []
        found: dict[tuple[frozenset[int], ...], None] = {}
        for way in find_maps(one, first):
            images = []
            for named in self._named:
                targets = {t for atom in named if atom in one.places for t in way[atom]}
                targets |= {t for more in onward for k in tuple(targets) for t in more[k]}
                images.append(frozenset(group_of[t] for t in targets if t in group_of))
            found.setdefault(tuple(images))
        return list(found)


def _joined(parts: Sequence[tuple[frozenset[int], ...]], number: int) -> tuple[frozenset[int], ...]:
    """For each peak the groups in any of some parts."""
    return tuple(frozenset().union(*(part[k] for part in parts)) for k in range(number))


def _sorted(groups: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(groups))


def _pairings(own: int, theirs: int) -> tuple[list[list[tuple[int, int]]], bool]:
    """Ways to pair molecules so that all of both sides have a partner, and whether by chance."""
    many, few = max(own, theirs), min(own, theirs)
    is_all = few**many <= MOST_MAPS or many == few <= _MOST_ALIKE
    if many == few <= _MOST_ALIKE:
        choices = list(itertools.permutations(range(few)))
    elif is_all:
        choices = [c for c in itertools.product(range(few), repeat=many) if len(set(c)) == few]
    else:
        draw = np.random.default_rng(many * few)
        shuffled = (draw.permutation(np.arange(many) % few) for _ in range(MOST_LABELLINGS))
        choices = [tuple(choice.tolist()) for choice in shuffled]
    pairs = [[(i, j) if own >= theirs else (j, i) for i, j in enumerate(c)] for c in choices]
    return pairs, not is_all


def _some(
    parts: Sequence[Sequence[tuple[frozenset[int], ...]]],
    most: int = MOST_LABELLINGS,
    seed: int = 0,
) -> tuple[list, bool]:  # type: ignore[type-arg]
    """All combinations of one of each, or a random choice of them, and whether it is that."""
    number = math.prod(len(part) for part in parts)
    if number <= most:
        return list(itertools.product(*parts)), False
    draw = np.random.default_rng(seed)
    chosen = (tuple(part[int(draw.integers(len(part)))] for part in parts) for _ in range(most))
    return list(chosen), True
