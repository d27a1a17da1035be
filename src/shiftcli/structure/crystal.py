"""A crystal as every room of shiftcli sees it, its checks, and its distinct sites.

`Crystal` holds all atoms of one unit cell (or of one isolated molecule). Readers
make it, `hydrogens` may return a corrected copy, everything later only reads it.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np

from shiftcli import limits
from shiftcli.errors import StructureError, visible

#: Elements the networks know, in the order of the density channels.
ELEMENTS = ("H", "C", "N", "O")

#: Nuclide that each element's shielding is reported for.
SPECIES = {"H": "1H", "C": "13C", "N": "15N", "O": "17O"}

#: Refusals that the user may override, and the flag each leaves on its rows.
OVERRIDES = {
    "elements": "other-elements-ignored",
    "hydrogens": "hydrogens-missing",
    "overlaps": "atoms-overlap",
    "valence": "too-many-bonds",
}

#: Two atoms closer than this (Å) are taken for a mistake.
OVERLAP_DISTANCE = 0.6

#: More neighbours than this within bonding distance are disorder that the file does not mark.
MOST_BONDS = {"C": 4, "N": 4, "O": 3}

#: Longest bonds (Å) between H, C, N and O: with and without a hydrogen, and to other elements.
LONGEST_BOND = {"hydrogen": 1.2, "heavy": 1.75, "other": 2.8}

#: Distance (Å) within which two atoms count as copies under a symmetry operation.
SYMMETRY_TOLERANCE = 0.01


@dataclass(frozen=True)
class Site:
    """One symmetry-distinct atom.

    Attributes
    ----------
    label : str
        The atom's label in the file.
    element : str
        Chemical symbol.
    atoms : numpy.ndarray
        Indices of the site's copies in the crystal, shape (multiplicity,).
    """

    label: str
    element: str
    atoms: np.ndarray

    @property
    def multiplicity(self) -> int:
        """Number of copies of the site in the unit cell."""
        return len(self.atoms)

    @property
    def species(self) -> str:
        """Nuclide of the site, such as ``13C``; the bare symbol for other elements."""
        return SPECIES.get(self.element, self.element)


@dataclass(frozen=True, eq=False)
class Crystal:
    """All atoms of one unit cell, or of one isolated molecule.

    Attributes
    ----------
    elements : numpy.ndarray
        Chemical symbols, shape (n,), dtype ``<U2``. Deuterium is ``H``.
    positions : numpy.ndarray
        Cartesian coordinates in Å, shape (n, 3), float64.
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); None for an isolated molecule.
    labels : tuple of str
        Label of each atom; symmetry copies share the label of their site.
    site_ids : numpy.ndarray or None
        Running number (from 0) of the distinct site of each atom, shape (n,), where
        the file states its symmetry; None where it has to be searched for.
    name : str
        Name of the structure inside its file (CIF block, ``NAME=``), may be empty.
    source : str
        The file, as the user named it.
    expected : mapping of str to float
        Atoms of each element that one unit cell should hold by the file's own formula
        and Z; empty where the file does not say.
    warnings : tuple of str
        What the user should know: dropped disorder, moved hydrogens, odd counts.
    flags : mapping of int to tuple of str
        Flags of single sites, by site number in `sites`.
    shieldings : numpy.ndarray or None
        Isotropic shieldings in ppm that came with the file, shape (n,), NaN if absent.
    baseline : numpy.ndarray or None
        A second prediction that came with the file, in ppm, shape (n,).
    level : str
        Level of theory of `shieldings` where they cannot be compared with others; empty
        where nothing says so.
    operations : tuple of str
        The symmetry operations behind `site_ids`, such as ``-x,y+1/2,-z``; empty where
        they are not known.
    """

    elements: np.ndarray
    positions: np.ndarray
    cell: np.ndarray | None
    labels: tuple[str, ...]
    site_ids: np.ndarray | None = None
    name: str = ""
    source: str = ""
    expected: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    flags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    shieldings: np.ndarray | None = None
    baseline: np.ndarray | None = None
    level: str = ""
    operations: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def where(self) -> str:
        """File and block, for messages."""
        return ": ".join(visible(part) for part in (self.source, self.name) if part)

    @property
    def formula(self) -> str:
        """Atoms of the cell in Hill order, such as ``C8 H9 N O2``."""
        counts = Counter(self.elements.tolist())
        hill = [e for e in ("C", "H") if e in counts and "C" in counts]
        rest = sorted(set(counts) - set(hill))
        return " ".join(f"{e}{counts[e] if counts[e] > 1 else ''}" for e in hill + rest)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Symmetry-distinct sites in the order of their first atoms."""
        ids = self.site_ids
        if ids is None:
            ids = find_equivalent_atoms(self.cell, self.elements, self.positions)
        _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
        return tuple(
            Site(self.labels[first[k]], str(self.elements[first[k]]), members[k])
            for k in np.argsort(first)
        )

    def with_warning(self, text: str) -> Crystal:
        """Return a copy with one more warning."""
        return replace(self, warnings=(*self.warnings, text))


def find_equivalent_atoms(
    cell: np.ndarray | None, elements: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """Find which atoms of a cell are copies of each other under its space group.

    Parameters
    ----------
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); with None every atom is distinct.
    elements : numpy.ndarray
        Chemical symbols, shape (n,).
    positions : numpy.ndarray
        Cartesian coordinates in Å, shape (n, 3).

    Returns
    -------
    numpy.ndarray
        For each atom the index of the first atom it is equivalent to, shape (n,).

    Notes
    -----
    The search is spglib's, with `SYMMETRY_TOLERANCE`. Cells of more than
    `shiftcli.limits.SYMMETRY_SEARCH_ATOMS` atoms are taken as they are.
    """
    n = len(elements)
    if cell is None or n > limits.SYMMETRY_SEARCH_ATOMS:
        return np.arange(n)
    numbers = np.unique(elements, return_inverse=True)[1] + 1
    fractional = positions @ np.linalg.inv(cell)
    found = _search_symmetry(
        cell.astype(float).tobytes(), fractional.tobytes(), numbers.astype(np.int64).tobytes()
    )
    return np.arange(n) if found is None else found.copy()


# Checks and corrections make copies of a crystal whose atoms have not moved: the search, which
# takes seconds for a large cell, need not be made for each.
@lru_cache(maxsize=4)
def _search_symmetry(cell: bytes, positions: bytes, kinds: bytes) -> np.ndarray | None:
    """What spglib says to a cell, fractional coordinates and atomic numbers; None if nothing."""
    import spglib

    lattice = np.frombuffer(cell).reshape(3, 3)
    fractional = np.frombuffer(positions).reshape(-1, 3)
    numbers = np.frombuffer(kinds, dtype=np.int64)
    with warnings.catch_warnings():
        # spglib announces its next interface at every call; as an error it would hide the answer.
        warnings.simplefilter("ignore")
        try:
            dataset = spglib.get_symmetry_dataset(
                (lattice, fractional, numbers),  # type: ignore[arg-type]  # arrays will do
                symprec=SYMMETRY_TOLERANCE,
            )
        except Exception:  # spglib's own errors differ between its versions
            dataset = None
    return None if dataset is None else np.asarray(dataset.equivalent_atoms)


def check(crystal: Crystal, allow: Collection[str] = ()) -> Crystal:
    """Refuse a crystal that the networks cannot know, or mark it where allowed.

    Parameters
    ----------
    crystal : Crystal
        The crystal to check.
    allow : collection of str
        Refusals to override, out of `OVERRIDES`.

    Returns
    -------
    Crystal
        The crystal; where an override was needed, with a warning and with flags on the
        affected sites, and without the atoms of other elements.

    Raises
    ------
    StructureError
        If the structure has no atoms or too many (`shiftcli.limits`), NaN coordinates, an
        unusable cell, no H, C, N or O, other elements, too few hydrogens, overlapping atoms,
        or atoms with more bonds than they can have.
    """
    _check_geometry(crystal)
    known = np.isin(crystal.elements, ELEMENTS)
    if not known.any():
        raise StructureError("no H, C, N or O atoms", where=crystal.where)
    for name, find in _CHECKS.items():
        problem, atoms = find(crystal)
        if not problem:
            continue
        if name not in allow:
            raise StructureError(
                problem, where=crystal.where, hint=f"--allow {name} predicts it all the same"
            )
        crystal = _flag_sites(crystal, atoms, OVERRIDES[name]).with_warning(f"{problem}: allowed")
    # Last, for the other checks need to see what the known atoms are bonded to.
    return crystal if known.all() else _keep_atoms(crystal, known)


def _check_geometry(crystal: Crystal) -> None:
    if len(crystal) == 0:
        raise StructureError("no atoms", where=crystal.where)
    if len(crystal) > limits.ATOMS:
        raise StructureError(
            f"{len(crystal)} atoms; at most {limits.ATOMS} are predicted", where=crystal.where
        )
    bad = ~np.isfinite(crystal.positions).all(axis=1)
    if bad.any():
        label = crystal.labels[int(np.argmax(bad))]
        raise StructureError(f"atom {label} has no finite coordinates", where=crystal.where)
    if crystal.cell is None:
        return
    if not np.isfinite(crystal.cell).all():
        raise StructureError("the unit cell has a value that is not finite", where=crystal.where)
    if problem := odd_shape(crystal.cell):
        raise StructureError(problem, where=crystal.where)
    volume = abs(np.linalg.det(crystal.cell))
    if volume / len(crystal) < 1.0:
        raise StructureError(
            f"unit cell of {volume:.1f} Å³ for {len(crystal)} atoms",
            where=crystal.where,
            hint="check the cell lengths and angles",
        )


def odd_shape(cell: np.ndarray) -> str:
    """What makes a cell's shape impossible to work with, empty for an ordinary one.

    Parameters
    ----------
    cell : numpy.ndarray
        Lattice vectors as rows in Å, shape (3, 3), finite.

    Returns
    -------
    str
        Says that a vector is too long, or the cell so thin that no atom has room.
    """
    # Components and not their squares, which may be too large for a number.
    longest = abs(cell).max()
    if longest > limits.CELL_LENGTH:
        return f"a cell of {longest:.6g} Å; at most {limits.CELL_LENGTH:g} Å are read"
    if abs(np.linalg.det(cell)) < limits.CELL_THICKNESS**3:
        return "the unit cell has no volume"
    # The distance between lattice planes along axis a is 1 / |column a of the inverse|.
    thickness = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
    if thickness < limits.CELL_THICKNESS:
        return f"the unit cell is only {thickness:.2g} Å thick"
    return ""


def _other_elements(crystal: Crystal) -> tuple[str, np.ndarray]:
    known = np.isin(crystal.elements, ELEMENTS)
    others = ", ".join(sorted(set(crystal.elements[~known].tolist())))
    first = crystal.labels[int(np.argmin(known))] if others else ""
    text = f"contains {others} (first at atom {first}); the networks know H, C, N and O"
    return (text if others else ""), np.arange(len(crystal))


def _missing_hydrogens(crystal: Crystal) -> tuple[str, np.ndarray]:
    found = int((crystal.elements == "H").sum())
    wanted = round(crystal.expected.get("H", 0))
    everything = np.arange(len(crystal))
    if found == 0:
        return "no hydrogen atoms", everything
    # The count says something about hydrogens only where the rest of the cell is complete.
    heavy = {e: n for e, n in crystal.expected.items() if e != "H"}
    complete = all(round(n) == int((crystal.elements == e).sum()) for e, n in heavy.items())
    if complete and found < wanted:
        return f"{found} hydrogen atoms in the cell, the formula says {wanted}", everything
    bare = np.isin(crystal.elements, list(MOST_BONDS)) & (_bonds(crystal) == 0)
    if bare.any():
        labels = dict.fromkeys(crystal.labels[k] for k in np.flatnonzero(bare))
        text = f"no atom is bonded to {_some(labels)}: its hydrogen atoms are missing"
        return text, everything  # what is bonded to them by hydrogen bonds suffers most
    return "", everything


def _overlapping_atoms(crystal: Crystal) -> tuple[str, np.ndarray]:
    pairs = close_pairs(crystal, OVERLAP_DISTANCE)
    if not len(pairs):
        return "", pairs
    i, j = pairs[0]
    text = f"atoms {crystal.labels[i]} and {crystal.labels[j]} are closer than {OVERLAP_DISTANCE} Å"
    return text, np.unique(pairs)


def _too_many_bonds(crystal: Crystal) -> tuple[str, np.ndarray]:
    # Other elements do not count: their reach takes in neighbours of neighbours, too.
    bonds = _bonds(crystal, other=0.0)
    most = np.array([MOST_BONDS.get(e, np.inf) for e in crystal.elements.tolist()])
    crowded = np.flatnonzero(bonds > most)
    if not len(crowded):
        return "", crowded
    first = int(crowded[0])
    text = f"atom {crystal.labels[first]} has {bonds[first]} bonds: disorder that is not marked?"
    return text, crowded


def _bonds(crystal: Crystal, other: float = LONGEST_BOND["other"]) -> np.ndarray:
    """Number of neighbours within bonding distance of each atom, shape (n,).

    `other` is the longest bond (Å) to an element that is not H, C, N or O.
    """
    reach = max(*LONGEST_BOND.values(), other)
    points, origin = periodic_images(crystal.cell, crystal.positions, reach)
    first, image = near_pairs(points, crystal.positions, reach, crystal.where)
    distance = np.linalg.norm(points[image] - crystal.positions[first], axis=1)
    unknown = ~np.isin(crystal.elements, ELEMENTS)
    hydrogen = crystal.elements == "H"
    longest = np.full(len(first), LONGEST_BOND["heavy"])
    longest[hydrogen[first] | hydrogen[origin[image]]] = LONGEST_BOND["hydrogen"]
    longest[unknown[first] | unknown[origin[image]]] = other
    return np.bincount(first[(distance > 1e-9) & (distance < longest)], minlength=len(crystal))


def _some(labels: Iterable[str]) -> str:
    names = list(labels)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


_CHECKS = {
    "elements": _other_elements,
    "hydrogens": _missing_hydrogens,
    "overlaps": _overlapping_atoms,
    "valence": _too_many_bonds,
}


def close_pairs(crystal: Crystal, distance: float) -> np.ndarray:
    """Pairs of atoms (also periodic images) closer than a distance.

    Parameters
    ----------
    crystal : Crystal
        The crystal.
    distance : float
        Limit in Å.

    Returns
    -------
    numpy.ndarray
        Atom indices with i <= j, shape (pairs, 2); i == j is an atom and its own image.
    """
    points, origin = periodic_images(crystal.cell, crystal.positions, distance)
    first, image = near_pairs(points, crystal.positions, distance, crystal.where)
    is_self = np.linalg.norm(points[image] - crystal.positions[first], axis=1) < 1e-9
    is_self &= origin[image] == first
    pairs = np.stack([first, origin[image]], axis=1)[~is_self]
    return np.unique(np.sort(pairs, axis=1), axis=0)


def near_pairs(
    points: np.ndarray, centres: np.ndarray, reach: float, where: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of centres and points within bonding distance.

    Parameters
    ----------
    points : numpy.ndarray
        Coordinates in Å, shape (m, 3), as from `periodic_images`.
    centres : numpy.ndarray
        Coordinates in Å, shape (n, 3).
    reach : float
        Distance in Å.
    where : str
        File and block, for messages.

    Returns
    -------
    centre, point : numpy.ndarray
        Indices, ascending, shape (pairs,) each.

    Raises
    ------
    StructureError
        If more points crowd about one centre, or in all, than `shiftcli.limits` allows:
        counted before they are listed, since their number may grow with the square.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    counts = np.asarray(tree.query_ball_point(centres, reach, return_length=True))
    if counts.max(initial=0) > limits.CROWD or counts.sum() > limits.PAIRS:
        raise StructureError(
            f"up to {counts.max()} atoms within {reach:.1f} Å of each other: no structure",
            where=where,
            hint="disorder, or several structures in one?",
        )
    near = tree.query_ball_point(centres, reach, return_sorted=True)
    image = np.fromiter((k for hits in near for k in hits), dtype=int, count=int(counts.sum()))
    return np.repeat(np.arange(len(centres)), counts), image


def periodic_images(
    cell: np.ndarray | None, positions: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """All periodic images of a cell's atoms within reach of its atoms.

    Parameters
    ----------
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); with None there are no images.
    positions : numpy.ndarray
        Cartesian coordinates in Å, shape (n, 3).
    radius : float
        Every image closer than this (Å) to any point of the atoms' bounding
        parallelepiped is found.

    Returns
    -------
    points : numpy.ndarray
        Coordinates of the images in Å, shape (m, 3), the atoms themselves among them.
    origin : numpy.ndarray
        Index of the atom each image is a copy of, shape (m,).

    Raises
    ------
    StructureError
        If there would be more images than `shiftcli.limits` allows: the cell is needle-like
        or very skewed.
    """
    if cell is None:
        return positions, np.arange(len(positions))
    inverse = np.linalg.inv(cell)
    fractional = positions @ inverse
    # The distance between lattice planes along axis a is 1 / |column a of the inverse|.
    reach = radius * np.linalg.norm(inverse, axis=0)
    low, high = fractional.min(axis=0) - reach, fractional.max(axis=0) + reach
    estimate = len(positions) * np.prod(high - low)
    if not estimate < limits.IMAGES:
        raise StructureError(
            f"{len(positions)} atoms have {estimate:.2g} periodic images within {radius:.1f} Å; "
            f"at most {limits.IMAGES} are made",
            hint="write the structure in its reduced (Niggli) cell",
        )
    points, origin = fractional, np.arange(len(positions))
    for axis in range(3):
        first = np.ceil(low[axis] - points[:, axis]).astype(int)
        last = np.floor(high[axis] - points[:, axis]).astype(int)
        counts = last - first + 1
        copies = np.repeat(np.arange(len(points)), counts)
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        points, origin = points[copies], origin[copies]
        points[:, axis] += first[copies] + step
    return points @ cell, origin


def _flag_sites(crystal: Crystal, atoms: np.ndarray, flag: str) -> Crystal:
    marked = set(np.asarray(atoms).tolist())
    flags = dict(crystal.flags)
    for k, site in enumerate(crystal.sites):
        if marked.intersection(site.atoms.tolist()):
            flags[k] = (*flags.get(k, ()), flag)
    return replace(crystal, flags=flags)


def _keep_atoms(crystal: Crystal, keep: np.ndarray) -> Crystal:
    kept_sites = [k for k, site in enumerate(crystal.sites) if keep[site.atoms[0]]]
    site_ids = np.empty(len(crystal), dtype=int)
    for k, site in enumerate(crystal.sites):
        site_ids[site.atoms] = k
    new_ids = np.searchsorted(kept_sites, site_ids[keep])

    def only(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[keep]

    return replace(
        crystal,
        elements=crystal.elements[keep],
        positions=crystal.positions[keep],
        labels=tuple(np.asarray(crystal.labels, dtype=object)[keep]),
        site_ids=new_ids,
        flags={
            new: crystal.flags[old] for new, old in enumerate(kept_sites) if old in crystal.flags
        },
        shieldings=only(crystal.shieldings),
        baseline=only(crystal.baseline),
    )
