"""Disorder: the one component of a crystal that a calculation can hold.

A CIF marks alternatives by groups (``_atom_site_disorder_group``, SHELX's PART) inside
assemblies. A negative group is disordered about a symmetry element: it overlaps with its
own images, so only some of the images can be there at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, counted
from shiftcli.readers.atoms import AtomTable, listed
from shiftcli.readers.protons import half_protons, place_protons
from shiftcli.readers.sources import safe_text
from shiftcli.readers.symmetry import SPECIAL_POSITION_TOLERANCE, Symmetry, expand
from shiftcli.structure.neighbours import find_neighbours

#: Occupancies from here on count as full.
FULL = 0.99

#: Closer atoms (Å) cannot both be there: two heavy atoms, a hydrogen and a heavy atom, two
#: hydrogens (1.55 Å apart at least on one atom; 0.9 Å between the positions of a rotor).
CLASH = {0: 1.0, 1: 0.7, 2: 1.25}

#: Longest bonds (Å) that hold a disordered fragment together, by number of hydrogens.
BOND = {0: 1.9, 1: 1.3, 2: 0.9}


def is_disordered(rows: AtomTable) -> np.ndarray:
    """AtomTable with partial occupancy or with an alternative, shape (n,)."""
    groups = defaultdict(set)
    for assembly, group in zip(rows.assemblies, rows.groups, strict=True):
        if group:
            groups[assembly].add(group)
    alternative = [
        bool(g) and (g.startswith("-") or len(groups[a]) > 1)
        for a, g in zip(rows.assemblies, rows.groups, strict=True)
    ]
    return (rows.occupancies < FULL) | np.array(alternative, dtype=bool)


def keep_major_component(table: AtomTable, disorder: str) -> AtomTable:
    """The sites of the major component, with warnings of what was left out.

    `ReadError` if there is disorder and `disorder` is ``"error"``, or nothing of it can be kept.
    """
    disordered = is_disordered(table)
    if not disordered.any():
        return table
    first = int(np.argmax(disordered))
    if disorder == "error":
        raise ReadError(
            f"disorder at {int(disordered.sum())} of {len(table)} atom sites, "
            f"first at {safe_text(table.labels[first], 20)}",
            where=table.where,
            hint="--disorder major keeps the major component",
        )
    keep = keep_major(table)
    if not keep.any():
        raise ReadError("disorder: no atom site is half occupied", where=table.where)
    labels = np.array(table.labels, dtype=object)
    taken = keep & (table.occupancies < FULL) & ~half_protons(table, ~disordered)
    dropped, partial = labels[~keep], labels[taken]
    warnings = [
        f"disorder: {counted(len(names), what)} {fate}: {listed(names)}"
        for what, fate, names in (
            ("minor site", "left out", dropped),
            ("partly occupied site", "taken as full", partial),
        )
        if len(names)
    ]  # fmt: skip
    return table.take(keep).with_warning(*warnings)


def keep_major(rows: AtomTable) -> np.ndarray:
    """Choose the major component among the n rows, none of zero occupancy, of a disordered
    structure.

    Inside an assembly (or, without one, inside a region of disordered atoms that are close to each
    other) the group of highest occupancy stays, and each further group that is no alternative to
    it: in another place, and with an occupancy that adds up with it to more than one. Partly
    occupied atoms without a group stay where they are at least half there and nothing of higher
    occupancy is in their place. Half-occupied hydrogens of oxygens all stay: which of their copies
    is there is seen in the whole cell (`readers.protons`). True for the rows to keep, shape (n,).
    """
    keep = np.ones(len(rows), dtype=bool)
    disordered = is_disordered(rows)
    disordered &= ~half_protons(rows, ~disordered)
    grouped = disordered & np.array([bool(g) for g in rows.groups], dtype=bool)
    for region in _regions(rows, np.flatnonzero(grouped)):
        keep[region] = _major_groups(rows, region)
    _thin_out(rows, keep, np.flatnonzero(disordered & ~grouped))
    return keep


def _regions(rows: AtomTable, atoms: np.ndarray) -> Iterator[np.ndarray]:
    """Split disordered atoms into independent sets, by assembly or by distance."""
    assemblies: dict[str, list[int]] = defaultdict(list)
    for atom in atoms.tolist():
        assemblies[rows.assemblies[atom]].append(atom)
    for assembly, members in assemblies.items():
        if assembly:
            yield np.array(members)
        else:
            yield from _components(rows, np.array(members))


def fragments(rows: AtomTable) -> list[np.ndarray]:
    """Sites that are bonded to each other, or in each other's place, as rows of each such set."""
    return list(_components(rows, np.arange(len(rows))))


def _components(rows: AtomTable, members: np.ndarray) -> Iterator[np.ndarray]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.array(
        [
            (i, j)
            for i, j, d, h in _near(rows, rows.coordinates[members], members, 1.9)
            if d < BOND[h] or d < CLASH[h]
        ]
    ).reshape(-1, 2)
    n = len(members)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, component = connected_components(graph, directed=False)
    for k in range(count):
        yield members[component == k]


def _major_groups(rows: AtomTable, region: np.ndarray) -> np.ndarray:
    groups = [rows.groups[k] for k in region]
    members: dict[str, list[float]] = defaultdict(list)
    for k in region:
        members[rows.groups[k]].append(rows.occupancies[k])
    if len(members) > limits.ALTERNATIVES:
        raise ReadError(
            f"{len(members)} alternatives in one disordered region; at most "
            f"{limits.ALTERNATIVES} are compared"
        )
    occupancy = {group: float(np.mean(values)) for group, values in members.items()}
    # Groups in each other's place are alternatives, whatever their occupancies (some files
    # leave them out, which makes them 1).
    near = _near(rows, rows.coordinates[region], region, max(CLASH.values()))
    rivals = {(groups[i], groups[j]) for i, j, d, h in near if d < CLASH[h]}
    kept: dict[str, float] = {}
    for group, value in sorted(occupancy.items(), key=lambda item: -item[1]):
        alone = len(occupancy) == 1
        is_there = value > 0.495 or (alone and group.startswith("-")) or (not alone and not kept)
        if is_there and all(
            value + other > 1.02 and (group, name) not in rivals for name, other in kept.items()
        ):
            kept[group] = value
    return np.array([group in kept for group in groups])


def _thin_out(rows: AtomTable, keep: np.ndarray, atoms: np.ndarray) -> None:
    """Drop partly occupied rows without a group that are rare or in a better one's place."""
    if not len(atoms):
        return
    rivals: dict[int, list[int]] = defaultdict(list)
    bonds: dict[int, list[int]] = defaultdict(list)
    for i, j, d, h in _near(rows, rows.coordinates, np.arange(len(rows)), 1.3):
        if i != j and d < CLASH[h]:
            rivals[i].append(j)
        elif i != j and h == 1:
            bonds[i].append(j)
    keep[atoms] = False
    heavy_first = sorted(
        atoms, key=lambda k: (rows.elements[k] == "H", -round(float(rows.occupancies[k]), 3))
    )
    for k in heavy_first:
        is_free = not any(keep[j] for j in rivals[k])
        # A hydrogen goes with the atom that carries it.
        lost_parent = rows.elements[k] == "H" and bonds[k] and not any(keep[j] for j in bonds[k])
        keep[k] = rows.occupancies[k] > 0.495 and is_free and not lost_parent


def _near(
    rows: AtomTable, fractional: np.ndarray, row: np.ndarray, reach: float
) -> Iterator[tuple[int, int, float, int]]:
    """Ordered pairs of atoms, copies of some rows, with distance and number of hydrogens."""
    assert rows.cell is not None  # disorder is looked for in cells alone
    near = find_neighbours(rows.cell, fractional @ rows.cell, reach)
    is_hydrogen = (rows.elements[row] == "H").astype(int)
    hydrogens = is_hydrogen[near.first] + is_hydrogen[near.second]
    columns = (near.first, near.second, near.distances, hydrogens)
    yield from zip(*(column.tolist() for column in columns), strict=True)


def expand_disordered(rows: AtomTable, symmetry: Symmetry) -> tuple[np.ndarray, np.ndarray, str]:
    """Apply the symmetry to kept rows of which some overlap with their own images.

    Fractional coordinates of all atoms, shape (atoms, 3), the row of each, and what was left out,
    empty where no image was. Where one was, the crystal no longer has the symmetry. `ReadError` if
    atoms still overlap.
    """
    assert rows.cell is not None  # as whoever has a symmetry to apply
    images, site, operation = expand(rows.coordinates, rows.cell, symmetry)
    partial = is_disordered(rows)
    if not partial.any():
        return images, site, ""
    is_half = half_protons(rows, ~partial)
    partial &= ~is_half
    fragment = np.full(len(rows), -1)
    for number, members in enumerate(_components(rows, np.flatnonzero(partial))):
        fragment[members] = number
    keep, dropped = _choose_images(rows, images, site, operation, fragment)
    images, site = images[keep], site[keep]
    _refuse_overlaps(rows, images, site, partial)
    notes = []
    if dropped:
        labels = [rows.labels[k] for k in sorted(dropped)]
        notes.append(
            "disorder about a symmetry element: one of the overlapping images kept "
            f"for {listed(labels)}; the symmetry is lowered"
        )
    if is_half.any():
        keep = place_protons(rows, images, site, is_half)
        images, site = images[keep], site[keep]
        labels = [rows.labels[k] for k in np.flatnonzero(is_half).tolist()]
        notes.append(
            "half-occupied hydrogens: one arrangement with whole molecules taken for "
            f"{listed(labels)}; the symmetry is lowered"
        )
    return images, site, "; ".join(notes)


def _choose_images(
    rows: AtomTable,
    images: np.ndarray,
    site: np.ndarray,
    operation: np.ndarray,
    fragment: np.ndarray,
) -> tuple[np.ndarray, set[int]]:
    """Keep whole images of disordered fragments so that no two kept ones overlap."""
    conflicts: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
    unit = [(int(fragment[s]), int(g)) for s, g in zip(site, operation, strict=True)]
    for i, j, d, h in _near(rows, images, site, max(CLASH.values())):
        overlap = SPECIAL_POSITION_TOLERANCE <= d < CLASH[h] or (
            d < CLASH[h] and site[i] != site[j]
        )
        if overlap and unit[i][0] >= 0 and unit[j][0] >= 0 and unit[i] != unit[j]:
            conflicts[unit[i]].add(unit[j])
    if not conflicts:
        return np.ones(len(site), dtype=bool), set()
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for atom, u in enumerate(unit):
        members[u].append(atom)
    kept: set[tuple[int, int]] = set()
    for u in sorted(conflicts):
        if not conflicts[u] & kept:
            kept.add(u)
    lost = set(conflicts) - kept
    keep = np.array([u not in lost for u in unit])
    return keep, {int(site[atom]) for u in lost for atom in members[u]}


def _refuse_overlaps(
    rows: AtomTable,
    images: np.ndarray,
    site: np.ndarray,
    partial: np.ndarray,
) -> None:
    for i, j, d, h in _near(rows, images, site, max(CLASH.values())):
        # Real geometries of poor quality come closer than those that are taken for rivals.
        if (partial[site[i]] or partial[site[j]]) and d < 0.8 * CLASH[h]:
            names = f"{rows.labels[site[i]]} and {rows.labels[site[j]]}"
            raise ReadError(
                f"disorder that cannot be resolved: atoms {names} stay {d:.2f} Å apart",
                where=rows.where,
                hint="leave one component in the file",
            )
