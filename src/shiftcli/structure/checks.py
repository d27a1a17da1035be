"""What the networks cannot know is refused, or marked where the user allows it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from shiftcli import limits
from shiftcli.errors import StructureError
from shiftcli.structure.bonds import Bonds, find_bonds
from shiftcli.structure.contacts import distances_to_others
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.structure.neighbours import find_neighbours
from shiftcli.structure.strain import odd_strain
from shiftcli.structure.valences import incomplete_carbons, net_charge

#: Refusals that the user may override, and the flag each leaves on its rows.
OVERRIDES = {
    "elements": "other-elements-ignored",
    "hydrogens": "hydrogens-missing",
    "overlaps": "atoms-overlap",
    "valence": "too-many-bonds",
}

#: What is better than to override a refusal.
_ADVICE = {"hydrogens": "add the atoms that are missing first; "}

#: Atoms nearer (Å) than this to another element than H, C, N and O are not predicted: leaving
#: out one oxygen moves 1H by 0.6 ppm at 2.2–2.8 Å and by 0.09 at 3.4–4 Å, 13C by 4.8 and 1.3.
NEAREST_OTHER = 3.4

#: Two atoms closer than this (Å) are taken for a mistake.
OVERLAP_DISTANCE = 0.6

#: No bond of two heavy atoms is shorter (Å): 1.127 in the 400 published crystals and their copies
#: of displaced atoms. Where more than this share of the heavy atoms are that close, symbols are
#: exchanged; fewer are a group that was not refined well.
SHORTEST_BOND, MOST_SHORT = 1.08, 0.1

#: Space (Å³) for each atom, hydrogens included: the 500 published organic crystals have 7.6 to
#: 11.2. Wider here, for crystals at other temperatures; a cell with more holds a part of a crystal
#: (one ion, one molecule) or lacks what its symmetry would add, for a centre of inversion leaves
#: twice as much. Other elements may take more.
SPACE, SPACE_OF_OTHERS = (6.5, 14.0), 30.0

#: More neighbours than this within bonding distance are disorder that the file does not mark.
MOST_BONDS = {"C": 4, "N": 4, "O": 3}

#: A hydrogen with two neighbours nearer (Å) than this is wrong: in the shortest hydrogen bonds,
#: O···O of 2.39 Å, one of the two is at 1.19 and more.
SHARED = 1.12


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
        affected sites; with other elements, a warning and a flag on all sites.

    Raises
    ------
    StructureError
        If the structure has no atoms or too many (`shiftcli.limits`), NaN coordinates, an
        unusable cell, no H, C, N or O, most of these near other elements, atoms or hydrogens
        that are missing by formula or chemistry, overlapping atoms, or atoms with more bonds
        than they can have.
    """
    _check_geometry(crystal)
    known = np.isin(crystal.elements, ELEMENTS)
    if not known.any():
        raise StructureError("no H, C, N or O atoms", where=crystal.where)
    bonds = find_bonds(crystal)
    for name, find in _CHECKS.items():
        problem, atoms = find(crystal, bonds)
        if not problem:
            continue
        if name not in allow:
            raise StructureError(
                problem,
                where=crystal.where,
                hint=f"{_ADVICE.get(name, '')}--allow {name} predicts it all the same",
            )
        crystal = crystal.with_flag(atoms, OVERRIDES[name]).with_warning(f"{problem}: allowed")
        if name == "overlaps":
            crystal = _count_once(crystal)
            bonds, known = find_bonds(crystal), np.isin(crystal.elements, ELEMENTS)
    for note in (find(crystal, bonds) for find in (_short_bonds, _odd_charge, odd_strain)):
        if note:
            crystal = crystal.with_warning(note)
    return crystal if known.all() else _mark_others(crystal)


def _check_geometry(crystal: Crystal) -> None:
    if len(crystal) == 0:
        raise StructureError("no atoms", where=crystal.where)
    if len(crystal) > limits.ATOMS:
        raise StructureError(
            f"{len(crystal)} atoms; at most {limits.ATOMS} are predicted", where=crystal.where
        )
    bad = ~np.isfinite(crystal.positions).all(axis=1)
    if bad.any():
        label = crystal.called(int(np.argmax(bad)))
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


def odd_space(elements: np.ndarray, space: float) -> str:
    """What a space (Å³) for each atom says that organic crystals never have, else empty."""
    low, high = SPACE
    if not np.isin(elements, ELEMENTS).all():
        high = SPACE_OF_OTHERS
    if low < space < high:
        return ""
    doubt = "are atoms missing" if space > low else "are the cell and its atoms right"
    return f"{space:.1f} Å³ for each atom, organic crystals have 7.6 to 11.2: {doubt}?"


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


def _other_elements(crystal: Crystal, bonds: Bonds) -> tuple[str, np.ndarray]:
    known = np.isin(crystal.elements, ELEMENTS)
    far = distances_to_others(crystal)[known] >= NEAREST_OTHER
    if far.mean() >= 0.5:
        return "", np.arange(0)
    text = f"contains {_others(crystal)}; the networks know H, C, N and O"
    return text, np.arange(len(crystal))


def _mark_others(crystal: Crystal) -> Crystal:
    """Mark what other elements spoil: flags on all sites, a note with the count of the worst."""
    known = np.isin(crystal.elements, ELEMENTS)
    near = int((distances_to_others(crystal)[known] < NEAREST_OTHER).sum())
    flag = OVERRIDES["elements"]
    if not any(flag in own for own in crystal.flags.values()):
        crystal = crystal.with_flag(np.flatnonzero(known), flag)
    return crystal.with_warning(
        f"contains {_others(crystal)}, which the networks do not see: {near} of {known.sum()} "
        f"atoms are nearer than {NEAREST_OTHER} Å to it and are not predicted"
    )


def _others(crystal: Crystal) -> str:
    known = np.isin(crystal.elements, ELEMENTS)
    names = ", ".join(sorted(set(crystal.elements[~known].tolist())))
    return f"{names} (first at atom {crystal.called(int(np.argmin(known)))})"


def _missing_hydrogens(crystal: Crystal, bonds: Bonds) -> tuple[str, np.ndarray]:
    reasons = (_no_hydrogens, _fewer_than_formula, _bare_atoms, _bare_carbons, _lone_anions)
    text = next(filter(None, (reason(crystal, bonds) for reason in reasons)), "")
    return text, np.arange(len(crystal))  # what is bonded to them by hydrogen bonds suffers most


def _no_hydrogens(crystal: Crystal, bonds: Bonds) -> str:
    return "" if (crystal.elements == "H").any() else "no hydrogen atoms"


def _fewer_than_formula(crystal: Crystal, bonds: Bonds) -> str:
    found = int((crystal.elements == "H").sum())
    wanted = round(crystal.expected.get("H", 0))
    # The count says something about hydrogens only where the rest of the cell is complete.
    heavy = {e: n for e, n in crystal.expected.items() if e != "H"}
    complete = all(round(n) == int((crystal.elements == e).sum()) for e, n in heavy.items())
    if complete and found < wanted:
        return f"{found} hydrogen atoms in the cell, the formula says {wanted}"
    return ""


def _bare_atoms(crystal: Crystal, bonds: Bonds) -> str:
    bare = np.isin(crystal.elements, ELEMENTS) & (bonds.coordination == 0)
    if not bare.any():
        return ""
    text = f"no atom is bonded to {_labels(crystal, bare)}"
    return (
        text if (crystal.elements[bare] == "H").any() else f"{text}: its hydrogen atoms are missing"
    )


def _bare_carbons(crystal: Crystal, bonds: Bonds) -> str:
    found = incomplete_carbons(bonds)
    if not len(found):
        return ""
    return f"too few neighbours at {_labels(crystal, found)}: hydrogen or other atoms are missing"


def _lone_anions(crystal: Crystal, bonds: Bonds) -> str:
    charge = net_charge(crystal, bonds) if _is_dense(crystal) else 0
    if charge >= 0:
        return ""
    return f"bonded like this the cell has a charge of {charge}: hydrogen atoms are missing"


def _is_dense(crystal: Crystal) -> bool:
    """Whether a cell is filled like a crystal's, and not around a part of its atoms."""
    cell = crystal.cell
    return cell is not None and abs(np.linalg.det(cell)) < SPACE[1] * len(crystal)


def _overlapping_atoms(crystal: Crystal, bonds: Bonds) -> tuple[str, np.ndarray]:
    near = find_neighbours(crystal.cell, crystal.positions, OVERLAP_DISTANCE, crystal.where)
    everywhere = np.arange(len(crystal))  # all that see them are wrong
    if len(near.first):
        i, j = crystal.called(near.first[0]), crystal.called(near.second[0])
        return f"atoms {i} and {j} are closer than {OVERLAP_DISTANCE} Å", everywhere
    short, heavy = _too_near(bonds), (crystal.elements != "H").sum()
    if len(short) <= MOST_SHORT * heavy:
        return "", np.arange(0)
    return (
        f"{_near_each_other(crystal, short)}: are the symbols or the units those of other atoms?"
    ), everywhere


def _too_near(bonds: Bonds) -> np.ndarray:
    """Heavy atoms that are nearer to another than any bond."""
    heavy = bonds.elements != "H"
    return np.array([
        k for k in np.flatnonzero(heavy).tolist()
        if (np.linalg.norm(bonds.vectors[k][heavy[bonds.neighbours[k]]], axis=1) < SHORTEST_BOND)
        .any()
    ], dtype=int)  # fmt: skip


def _near_each_other(crystal: Crystal, short: np.ndarray) -> str:
    return f"{_labels(crystal, short)} closer to another heavy atom than {SHORTEST_BOND} Å"


def _short_bonds(crystal: Crystal, bonds: Bonds) -> str:
    short = _too_near(bonds)
    if not 0 < len(short) <= MOST_SHORT * (crystal.elements != "H").sum():
        return ""  # none, or refused
    return f"{_near_each_other(crystal, short)}: no bond is as short"


def _count_once(crystal: Crystal) -> Crystal:
    """The crystal without the second of two overlapping atoms of one element."""
    near = find_neighbours(crystal.cell, crystal.positions, OVERLAP_DISTANCE, crystal.where)
    alike = crystal.elements[near.first] == crystal.elements[near.second]
    keep = np.ones(len(crystal), dtype=bool)
    keep[near.second[alike & (near.first < near.second)]] = False
    return crystal if keep.all() else crystal.take(keep)


def _too_many_bonds(crystal: Crystal, bonds: Bonds) -> tuple[str, np.ndarray]:
    counts = bonds.count(*ELEMENTS)
    most = np.array([MOST_BONDS.get(e, np.inf) for e in crystal.elements.tolist()])
    second = [np.linalg.norm(ways[1]) if len(ways) > 1 else np.inf for ways in bonds.vectors]
    shared = (crystal.elements == "H") & (np.array(second) < SHARED)
    crowded = np.flatnonzero((counts > most) | shared)
    if not len(crowded):
        return "", crowded
    first = int(crowded[0])
    text = f"atom {crystal.called(first)} has {counts[first]} bonds: disorder that is not marked?"
    return text, crowded


def _odd_charge(crystal: Crystal, bonds: Bonds) -> str:
    charge = net_charge(crystal, bonds)
    if not charge or (charge < 0 and _is_dense(crystal)):
        return ""  # the latter has been refused, or allowed with a note
    return f"a charge of {charge:+d} by the valences of the atoms: ions, radicals, or wrong atoms?"


def _labels(crystal: Crystal, atoms: np.ndarray) -> str:
    first: dict[str, int] = {}
    for k in np.arange(len(crystal))[atoms].tolist():
        first.setdefault(crystal.labels[k], k)
    names = [crystal.called(k) for k in first.values()]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


_CHECKS = {
    "elements": _other_elements,
    "hydrogens": _missing_hydrogens,
    "overlaps": _overlapping_atoms,
    "valence": _too_many_bonds,
}
