"""From what the user names as data to labelled crystals, parted by level of theory."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from shiftcli.errors import ReadError, TrainingError, UsageError, counted, visible
from shiftcli.readers import STDIN, find_files, iter_structures
from shiftcli.readers.atoms import ISOLATED
from shiftcli.readers.sources import safe_text
from shiftcli.structure.crystal import ELEMENTS, PREDICTED_BY, Crystal
from shiftcli.training.families import family_name, number_families

# A level holds no colon and no separator of folders, so that neither C:\a=b.xyz nor runs/a=b.xyz
# begins with one, and no sign of a pattern.
_LEVEL_AND_PATH = re.compile(r"([^\s=:/\\*?\[\]]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Labelled:
    """Crystals with shieldings, by the level of theory that these come from.

    Shieldings of different levels cannot be compared. Crystals are numbered by their position
    among all structures of their level, those counted that are left out: neither a broken
    structure nor data of another level moves a crystal between training and validation.
    """

    #: Crystals of the level that is to be predicted, by number; at least one.
    main: dict[int, Crystal]
    #: Crystals of other levels, by level and number; each level holds at least one.
    auxiliary: dict[str, dict[int, Crystal]]
    problems: tuple[str, ...]  #: What was left out or is odd, one line each.
    level: str = ""  #: Name of the main level, may be empty.
    #: Number of the family of each crystal of the main level, by first appearance; those of one
    #: family stay on one side of every split.
    families: dict[int, int] = field(default_factory=dict)
    #: Crystals of other levels that belong to a family of the main one, and its number, by level
    #: and number of the crystal.
    kin: dict[str, dict[int, int]] = field(default_factory=dict)
    family_key: str | None = None  #: What the user says that names the family.

    def __post_init__(self) -> None:
        if not self.families:
            object.__setattr__(self, "families", {k: k for k in self.main})

    def digest(self) -> str:
        """SHA-256 of what is learned from: numbers, families, geometries, shieldings."""
        found = hashlib.sha256()
        for name, crystals in {self.level: self.main, **self.auxiliary}.items():
            found.update(name.encode())
            for number, crystal in crystals.items():
                family = (self.families if name == self.level else {}).get(number, "")
                found.update(f"\n{number} {family} {' '.join(crystal.elements)}\n".encode())
                for values in (crystal.cell, crystal.positions, crystal.shieldings):
                    found.update(b"" if values is None else np.ascontiguousarray(values).data)
        return found.hexdigest()


@dataclass
class _Level:
    """What was found of one level of theory so far."""

    family_key: str | None = None
    names: list[str] = field(default_factory=list)
    unlabelled: int = 0
    foreign: int = 0
    predicted: int = 0
    odd: int = 0
    first_odd: str = ""
    crystals: dict[int, Crystal] = field(default_factory=dict)

    def add(self, crystal: Crystal) -> None:
        """Count a structure that was read, and keep it where it can be learned from."""
        warnings = [text for text in crystal.warnings if text != ISOLATED]
        if warnings:
            self.odd += 1
            self.first_odd = self.first_odd or f"{crystal.where}: {warnings[0]}"
        if crystal.shieldings is None:
            self.unlabelled += 1
        elif crystal.info.get(PREDICTED_BY):
            self.predicted += 1
        elif not np.isin(crystal.elements, ELEMENTS).all():
            self.foreign += 1
        else:
            self.crystals[len(self.names)] = crystal
        self.names.append(family_name(crystal, self.family_key))

    def problems(self, name: str) -> list[str]:
        """One line for each kind of problem."""
        start = f"{name}: " if name else ""
        left = (
            (self.unlabelled, "without shieldings"),
            (self.predicted, "whose shieldings are predictions of a network, not labels"),
            (self.foreign, "with elements other than H, C, N and O"),
        )
        lines = [f"{start}left out: {counted(n, 'structure')} {why}" for n, why in left if n]
        if self.odd:
            lines.append(f"{start}structures with warnings: {self.odd}, first {self.first_odd}")
        return lines


def split_level(entry: str | Path) -> tuple[str, str]:
    r"""Part ``LEVEL=PATH`` into its level of theory, empty where none is given, and its path.

    What exists as it is written, or is a pattern that matches something, is a path. A level holds
    no colon, slash or backslash, so ``C:\a=b.xyz`` and ``runs/a=b.xyz`` are paths in any case.
    """
    text = str(entry)
    match = _LEVEL_AND_PATH.fullmatch(text)
    if match is None or os.path.exists(text) or glob.glob(text):
        return "", text
    return safe_text(match[1]), match[2]


def load_levels(
    data: Sequence[str | Path],
    on_note: Callable[[str], None] = lambda text: None,
    *,
    shielding_column: str | None = None,
    family_key: str | None = None,
    format: str | None = None,
) -> Labelled:
    """Read the crystals of a data set, each level of theory by itself.

    A file belongs to the level that the user gives (``LEVEL=PATH``, see `split_level`), else to the
    one its crystals name (`Crystal.level`), else to the one without a name. The first labelled
    crystal's level is the main one. `data` are files, directories or patterns; `on_note` is told of
    what cannot be read, has no shieldings, has other elements than H, C, N and O, or is odd;
    `shielding_column` names the column of the shieldings where it has none of the usual names,
    `family_key` what in the header of extended XYZ files names a crystal's family, in place of its
    name; `format` is the files' where their name and content do not say.

    `TrainingError` if no crystal of H, C, N and O has shieldings; `UsageError` if a place of data
    is not there or holds no files, or two levels are given for one file.
    """
    problems: list[str] = []
    levels: dict[str, _Level] = {}
    main = None
    for file, given in _files_and_levels(data).items():
        items = list(iter_structures(file, shielding_column=shielding_column, format=format))
        # Without a level of its own a file has that of its first labelled crystal.
        labelled = (c for c in items if isinstance(c, Crystal) and c.shieldings is not None)
        name = given or next((crystal.level for crystal in labelled), "")
        level = levels.setdefault(name, _Level(family_key))
        for item in items:
            if isinstance(item, ReadError):
                problems.append(f"left out: {item}")
                on_note(problems[-1])
                level.names.append("")
            else:
                level.add(replace(item, level=given) if given else item)
        if main is None and level.crystals:
            main = name
    for name, level in levels.items():
        for text in level.problems(name):
            problems.append(text)
            on_note(text)
    if main is None:
        foreign = any(level.foreign for level in levels.values())
        raise TrainingError(
            f"no structure {'of H, C, N and O ' if foreign else ''}in the data has shieldings",
            where=", ".join(map(str, data)),
        )
    if family_key and not any(family_key in c.info for c in levels[main].crystals.values()):
        raise UsageError(f"no structure of the data has '{family_key}' in its header")
    return _labelled(levels, main, tuple(problems), family_key)


def _labelled(
    levels: Mapping[str, _Level], main: str, problems: tuple[str, ...], family_key: str | None
) -> Labelled:
    """Levels with their crystals numbered by family."""
    others = {k: v.crystals for k, v in levels.items() if k != main and v.crystals}
    numbers = number_families(levels[main].names)
    known = {name: k for name, k in zip(levels[main].names, numbers, strict=True) if name}
    kin = {
        level: {k: known[name] for k, name in enumerate(levels[level].names) if name in known}
        for level in others
    }
    families = {k: numbers[k] for k in levels[main].crystals}
    return Labelled(levels[main].crystals, others, problems, main, families, kin, family_key)


def _files_and_levels(data: Iterable[str | Path]) -> dict[str, str]:
    """Each file once, in the order given, with the level that the user gives it, if any."""
    files: dict[str, str] = {}
    for entry in data:
        level, path = split_level(entry)
        for file in find_files([path]):
            if file != STDIN and (os.path.isdir(file) or not os.path.exists(file)):
                reason = "has no structure files" if os.path.isdir(file) else "is not there"
                locked = os.path.isdir(file) and not os.access(file, os.R_OK | os.X_OK)
                raise UsageError(f"the data '{visible(file)}' {'is locked' if locked else reason}")
            before = files.setdefault(file, level)
            if level and before and level != before:
                raise UsageError(f"{file} is given as level '{before}' and as level '{level}'")
            files[file] = before or level
    return files
