"""Which crystals are of one family.

Copies of one crystal (relaxed, rattled, determined twice) err alike: one that was learned from
flatters the error of another. What belongs together is told by names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from shiftcli.structure.crystal import Crystal
from shiftcli.structure.fingerprint import Fingerprint, fingerprint

#: A refcode of the Cambridge Structural Database: its family, and the number within it, behind
#: which more may be said of one with a number.
_REFCODE = re.compile(r"([A-Z]{6})(?:[0-9]{2}(?:[^A-Za-z0-9].*)?)?")

#: What readers call a structure without a name: its position says nothing of what it is.
_POSITION = re.compile(r"#[0-9]+")


def family_name(crystal: Crystal, key: str | None = None) -> str:
    """Name of the family that a crystal belongs to; empty where it is a family of its own.

    What the file's header says under `key` counts first, then the crystal's name, then that of its
    file if that is a refcode. A refcode counts without its number.
    """
    if key is not None and key in crystal.info:
        return crystal.info[key]
    if _POSITION.fullmatch(crystal.name):
        return ""
    text = crystal.name or PurePath(crystal.source).name.partition(".")[0]
    match = _REFCODE.fullmatch(text)
    return match[1] if match else crystal.name


def number_families(names: Iterable[str]) -> list[int]:
    """Number families by their first appearance; an empty name is a family of its own."""
    known: dict[str, int] = {}
    numbers = []
    for position, name in enumerate(names):
        # No family is called by a number.
        numbers.append(known.setdefault(name or f"\0{position}", len(known)))
    return numbers


def find_lookalikes(
    crystals: Mapping[int, Crystal], families: Mapping[int, int]
) -> list[tuple[int, int]]:
    """Crystals that look like one of another family, each with the first one that it looks like.

    Crystals, and the number of the family of each, are by the number of the crystal.
    """
    before: dict[str, list[tuple[int, Fingerprint]]] = defaultdict(list)
    found = []
    for number, crystal in crystals.items():
        own = fingerprint(crystal)
        alike = [k for k, other in before[own.formula] if own.matches(other)]
        if alike and all(families[k] != families[number] for k in alike):
            found.append((number, alike[0]))
        before[own.formula].append((number, own))
    return found


def find_known(learned: Iterable[Fingerprint], crystals: Mapping[int, Crystal]) -> set[int]:
    """Crystals, by number, that are among those of some fingerprints."""
    by_key: dict[str, list[Fingerprint]] = defaultdict(list)
    for known in learned:
        by_key[known.formula].append(known)
        if known.name:
            by_key[f"name {known.name}"].append(known)
    found = set()
    for number, crystal in crystals.items():
        own = fingerprint(crystal)
        candidates = by_key[own.formula] + by_key[f"name {own.name}"]
        if any(own.matches(known) for known in candidates):
            found.add(number)
    return found
