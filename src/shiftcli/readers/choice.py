"""Which of the symmetries that a file states makes its crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from shiftcli.errors import ReadError, StructureError
from shiftcli.readers.atoms import AtomTable
from shiftcli.readers.copies import count_once
from shiftcli.readers.disorder import expand_disordered, keep_major_component
from shiftcli.readers.evidence import is_roomy, is_sound
from shiftcli.readers.formula import counts, same_heavy_atoms, units_in_cell
from shiftcli.readers.occupancies import take_as_full
from shiftcli.readers.spacegroups import settings
from shiftcli.readers.symmetry import IDENTITY, LISTED, Symmetry, fits_cell, group_number
from shiftcli.structure.checks import SPACE, odd_space
from shiftcli.structure.crystal import Crystal


@dataclass(frozen=True)
class Contents:
    """What the unit cell should hold."""

    unit: dict[str, float]  #: Atoms of one formula unit, empty without a formula.
    expected: dict[str, float]  #: Atoms of the cell, empty without Z.
    disorder: str  #: What to do with disorder.


@dataclass(frozen=True)
class Expansion:
    """All atoms that one symmetry makes."""

    symmetry: Symmetry  #: The operations.
    given: AtomTable  #: The sites as the file has them, occupancies understood.
    table: AtomTable  #: Those of the major component, each once.
    images: np.ndarray  #: Fractional coordinates of the atoms, shape (atoms, 3).
    site: np.ndarray  #: Row of each atom in `table`, shape (atoms,).
    warning: str  #: Which images were left out, empty where none was.

    @cached_property
    def counts(self) -> dict[str, int]:
        """Atoms of each element."""
        return counts(self.table.elements[self.site].tolist())

    @cached_property
    def crystal(self) -> Crystal:
        """The atoms as they are judged."""
        elements, cell = self.table.elements[self.site], self.table.cell
        assert cell is not None
        return Crystal(elements, self.images @ cell, cell, ("",) * len(elements))

    def fits(self, contents: Contents) -> bool:
        """Whether formula and Z, the space for each atom, bonds and contacts agree with it."""
        if contents.expected and not same_heavy_atoms(contents.expected, self.counts):
            return False
        atoms = float(len(self.site))
        if contents.unit and not contents.expected:
            z = units_in_cell(contents.unit, self.counts)
            if not z:
                return False
            atoms = z * sum(contents.unit.values())
        assert self.table.cell is not None
        volume = abs(np.linalg.det(self.table.cell))
        if not contents.expected and odd_space(self.crystal.elements, volume / atoms):
            return False
        return is_sound(self.crystal)


def _expand(table: AtomTable, symmetry: Symmetry, contents: Contents) -> Expansion:
    given = take_as_full(table, symmetry, contents.unit, contents.expected)
    once = count_once(keep_major_component(given, contents.disorder), symmetry)
    return Expansion(symmetry, given, once, *expand_disordered(once, symmetry))


def choose_symmetry(table: AtomTable, contents: Contents) -> tuple[Expansion, list[str]]:
    """Make the atoms of the cell by the symmetry that the file states.

    Parameters
    ----------
    table : AtomTable
        The sites, and what the file says about their symmetry.
    contents : Contents
        What the cell should hold.

    Returns
    -------
    expansion : Expansion
        The atoms.
    notes : list of str
        Where the symmetry comes from, if not from the file's own operations alone.

    Raises
    ------
    ReadError
        If the cell obeys no stated symmetry, if several are stated of which none, or more than
        one, makes a crystal, or if none is stated and the sites are not the whole cell.
    """
    fitting = [s for s in table.symmetries if fits_cell(s, table.cell)]
    if table.symmetries and not fitting:
        raise ReadError(
            f"the cell does not obey its symmetry ({table.symmetries[0].origin})",
            where=table.where, hint="check the cell and the space group",
        )  # fmt: skip
    own = [s for s in fitting if s.origin == LISTED]
    named = [s for s in fitting if s.origin != LISTED]
    if not fitting:
        return _without_symmetry(table, contents)
    if own and (not named or _agree(own[0], named, table.cell)):
        return _expand(table, own[0], contents), []
    if own:
        return _settle(own[0], named, table, contents)
    return _choose_setting(named, table, contents)


def _without_symmetry(table: AtomTable, contents: Contents) -> tuple[Expansion, list[str]]:
    made = _expand(table, IDENTITY, contents)
    expected, cell = contents.expected, table.cell
    assert cell is not None
    room = abs(np.linalg.det(cell)) / len(made.site)
    if not (same_heavy_atoms(expected, made.counts) if expected else room < SPACE[1]):
        raise ReadError(
            f"no symmetry operations, and {len(table)} atom sites are not the whole cell"
            + (f" (formula × Z: {sum(expected.values()):g} atoms)" if expected else ""),
            where=table.where,
            hint="add the symmetry operations or the space group",
        )
    return made, ["no symmetry is stated: taken as P 1"]


def _agree(own: Symmetry, named: Sequence[Symmetry], cell: np.ndarray | None) -> bool:
    """Whether listed operations are those of the named group, perhaps in another setting."""
    if any(s.keys == own.keys for s in named):
        return True
    return group_number(own, cell) in {s.number for s in named}


def _good(symmetries: Sequence[Symmetry], table: AtomTable, contents: Contents) -> list[Expansion]:
    """The expansions that agree with all that is known."""
    found = []
    for symmetry in symmetries:
        try:
            made = _expand(table, symmetry, contents)
            found += [made] if made.fits(contents) else []
        except (ReadError, StructureError):
            continue  # its atoms overlap
    return found


def _settle(
    own: Symmetry, named: Sequence[Symmetry], table: AtomTable, contents: Contents
) -> tuple[Expansion, list[str]]:
    """Operations and name disagree: take the one that makes a crystal."""
    what = f"operations listed: {len(own)}, operations of {named[0].origin}: {len(named[0])}"
    if len(own) == len(named[0]):
        what = f"the symmetry operations are not those of {named[0].origin}"
    by_list, by_name = _good([own], table, contents), _good(named, table, contents)
    if by_list and all(e.counts == by_list[0].counts for e in by_name):
        return by_list[0], [f"{what}: the list makes a sound crystal and is taken"]
    if by_name and not by_list and len(by_name) == 1:
        return by_name[0], [f"{what}: the name makes a sound crystal and is taken"]
    raise ReadError(
        f"{what}, and {'both make' if by_list else 'neither makes'} a sound crystal",
        where=table.where, hint="correct the list of operations or the name",
    )  # fmt: skip


def _origins(expansions: Sequence[Expansion]) -> str:
    return ", ".join(e.symmetry.origin for e in expansions)


def _proven(good: list[Expansion]) -> tuple[list[Expansion], str]:
    """Of several that are sound, the one whose molecules keep apart as in nearly all crystals."""
    roomy = [e for e in good if is_roomy(e.crystal)] if len(good) > 1 else []
    if len(roomy) != 1:
        return good, ""
    others = _origins([e for e in good if e is not roomy[0]])
    return roomy, f"; {others} would leave contacts shorter than crystals have"


def _choose_setting(
    named: Sequence[Symmetry], table: AtomTable, contents: Contents
) -> tuple[Expansion, list[str]]:
    """Of the settings that the words leave open, the one that makes a crystal."""
    usual = [s for s in named if s.setting == named[0].setting]
    good, but = _proven(_good(usual, table, contents))
    note = ": the one setting that makes a sound crystal" if len(named) > 1 and not but else ""
    if len(good) == 1 and len(usual) < len(named):
        others = [s for s in named if s.setting != named[0].setting]
        if rest := _good(others, table, contents):
            note = f": the usual setting; {_origins(rest)} would make a sound crystal, too"
    if not good:
        # The name may be that of another setting: P 21/b and P 21/a are often mixed up.
        seen = {s.keys for s in usual}
        others = [s for s in settings(named[0].number) if fits_cell(s, table.cell)]
        others = [s for s in others if s.keys not in seen and len(s) == len(usual[0])]
        good, but = _proven(_good(others, table, contents))
        note = f" in place of {named[0].origin}, which makes no sound crystal"
        if not good:
            made = _expand(table, usual[0], contents)  # may say better what is wrong
            if len(usual) == 1 and len({s.setting.replace(" 1", "") for s in named}) == 1:
                return made, [f"symmetry taken from {usual[0].origin}"]
    if len(good) != 1:
        count = f"{len(good)} of them make" if good else "none of them makes"
        raise ReadError(
            f"the file does not say which setting it means, and {count} a sound crystal: "
            f"{_origins(good) or ', '.join(s.origin for s in named)}",
            where=table.where,
            hint="add the symmetry operations",
        )
    return good[0], [f"symmetry taken from {good[0].symmetry.origin}{note}{but}"]
