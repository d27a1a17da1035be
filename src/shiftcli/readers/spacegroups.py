"""Space groups by name: every spelling that people write, or none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import gemmi

from shiftcli.readers.sources import safe_text
from shiftcli.readers.symmetry import Symmetry, from_operations

#: What may follow a name, and gemmi's word for that setting: ICSD writes S and Z for the origins.
_SETTINGS = {
    **dict.fromkeys(("1", "s", "o1", "origin1", "originchoice1"), "1"),
    **dict.fromkeys(("2", "z", "o2", "origin2", "originchoice2"), "2"),
    **dict.fromkeys(("h", "hs", "hr", "hex", "hexagonal", "hexagonalaxes"), "H"),
    **dict.fromkeys(("r", "rs", "rhombohedral", "rhombohedralaxes"), "R"),
}
_NUMBER = re.compile(
    r"[\s,;]*(?:[(\[{]\s*(?:no\.?|nr\.?|number|#)?|(?:no\.?|nr\.?|number|#)|(?<=[,;]))"
    r"\s*(\d{1,3})\s*[)\]}]?$"
)
_MARKUP = (
    (r"</?\w+>|[${}~^'\"]", ""),
    (r"(\d)[\u0304\u0305]", r"-\1"),
    (r"\\?bar\s*(\d)|\\=(\d)|(\d)\s*bar\b", r"-\1\2\3"),
    (r"[\u2010-\u2015\u2212]", "-"),
    # 2(1), 2_1, 2sub1 and 2 with a small 1 are screw axes; other underscores are spaces.
    (r"([2346])\s*(?:sub|_\s*)\(?([1-5])\)?(?!\d)", r"\1\2"),
    (r"([2346])\(([1-5])\)", r"\1\2"),
    (r"_", " "),
)


class Named(NamedTuple):
    """What a name or number may mean.

    Attributes
    ----------
    groups : list of gemmi.SpaceGroup
        Settings that it may mean, the usual ones first; empty where it is not understood.
    number : int
        The number that stands beside the name, 0 without one.
    """

    groups: list[gemmi.SpaceGroup]
    number: int = 0


def find_by_name(text: str) -> Named:
    """Find the space groups, in all settings, that a Hermann–Mauguin name may mean.

    Such as ``P2(1)/n``, ``P 1 21/n``, ``P 21/n (No. 14)``, ``R -3 c RS``, ``F d 3 m :2``.
    """
    name = unicodedata.normalize("NFD", text).lower().strip()
    name = name.translate({0x2080 + k: str(k) for k in range(10)})
    for pattern, new in _MARKUP:
        name = re.sub(pattern, new, name)
    number = 0
    if match := _NUMBER.search(name):
        name, number = name[: match.start()], int(match[1])
    name = re.sub(r"[(\[{]([a-z][a-z 0-9]*)[)\]}]$", r":\1", name.strip())
    name, _, setting = name.partition(":")
    tokens = name.split()
    if tokens and len(tokens[0]) > 1:
        tokens[:1] = [tokens[0][0], tokens[0][1:]]
    if len(tokens) < 2:
        return Named([], number)
    setting = "".join(setting.split())
    if number in (1, 2) and (two := [g for g in _matches(tokens) if g.number != number and g.ext]):
        return Named([g for g in two if g.ext == str(number)])  # `(2)` is the origin
    groups = _with_setting(tokens, setting) if setting else _matches(tokens)
    if not groups and not setting:
        *first, last = tokens
        if len(first) > 1 and last in _SETTINGS:
            groups = _with_setting(first, last)
        elif match := re.fullmatch(r"(.*[a-z0-9])(rs|hs|[rhsz])", last):
            groups = _with_setting([*first, match[1]], match[2])
    return Named(groups, number)


def _with_setting(tokens: Sequence[str], setting: str) -> list[gemmi.SpaceGroup]:
    """Groups of a name and what follows it: an origin, or axes and cell choice (``b1``, ``cab``).

    The latter choose among the settings that the name has, or among all of the group where the
    name is its usual one: ``P 21/c :b2`` is P 1 21/n 1, and ``P 21/n :b1`` contradicts itself.
    """
    named = _matches(tokens)
    if setting in _SETTINGS:
        wanted = _SETTINGS[setting]
        # The first origin of a group that has no second one is the only one.
        return [g for g in named if (g.ext.strip("\0") or "1") == wanted]
    axes = (setting, setting.removesuffix("1"))  # where there is one cell choice, it has no number
    own = [g for g in named if g.qualifier and g.qualifier in axes]
    if own or not any(g.is_reference_setting() for g in named):
        return own
    everything = (g for g in gemmi.spacegroup_table() if g.number == named[0].number)
    return [g for g in everything if g.qualifier and g.qualifier in axes]


def _matches(tokens: Sequence[str]) -> list[gemmi.SpaceGroup]:
    """Groups of a name in words, its lattice letter first."""
    letter, *words = tokens
    only = ""
    if letter == "h":  # of the Protein Data Bank
        letter, only = "r", "H"
    for symbols in (words, _reduced(words)):
        known = _known().get((letter, "".join(symbols)), [])
        exact = [g for form, g in known if form == tuple(symbols)]
        found = exact or [g for form, g in known if len(symbols) == 1 or _is_split(symbols, form)]
        # Names with e for a double glide plane; for others gemmi minds the spaces too little.
        name = " ".join([letter, *symbols])
        if not found and "e" in name and (g := gemmi.find_spacegroup_by_name(name)):
            found = [s for s in gemmi.spacegroup_table() if s.number == g.number and s.hm == g.hm]
        if found:
            return [g for g in found if not only or g.ext == only]
    return []


def _reduced(words: Sequence[str]) -> list[str]:
    """A full symbol as a short one: ``P 21/n 21/m 21/a`` as ``P n m a``."""
    if sum(bool(re.match(r"[246]\d?/", w)) for w in words) < 2 and "-3" not in words:
        return list(words)
    cubic = words[1:2] == ["-3"]
    axes = re.compile(r"[24]\d?/(?=[a-enm])" if cubic else r"2\d?/(?=[a-enm])")
    return [axes.sub("", word) for word in words]


def _is_split(words: Sequence[str], form: Sequence[str]) -> bool:
    """Whether each word is part of one symbol: ``2 1/n`` of ``21/n``, not ``31 2`` of ``3 1 2``."""

    def ends(parts: Sequence[str]) -> set[int]:
        return {sum(map(len, parts[: k + 1])) for k in range(len(parts))}

    return ends(form) <= ends(words)


@lru_cache(maxsize=1)
def _known() -> dict[tuple[str, str], list[tuple[tuple[str, ...], gemmi.SpaceGroup]]]:
    """Settings, and the words of the name by which each is found, by lattice and compact name."""
    known: dict[tuple[str, str], list[tuple[tuple[str, ...], gemmi.SpaceGroup]]] = {}
    for group in gemmi.spacegroup_table():
        letter, *words = group.hm.lower().split()
        forms = {tuple(words)}
        if 3 <= group.number <= 15:
            forms.add(tuple(w for w in words if w != "1"))
            if words[0] == "1" == words[-1]:
                forms.add(tuple(words[:-1]))
        if group.number >= 195:
            forms.add(tuple("3" if w == "-3" else w for w in words))  # the names before 1983
        for form in forms:
            known.setdefault((letter, "".join(form)), []).append((form, group))
    return known


def settings(number: float) -> tuple[Symmetry, ...]:
    """All settings of a space group, those of its reference name first."""
    groups = [g for g in gemmi.spacegroup_table() if g.number == number]
    usual = {g.hm for g in groups if g.is_reference_setting()}
    return tuple(map(_symmetry, sorted(groups, key=lambda g: g.hm not in usual)))


def _symmetry(group: gemmi.SpaceGroup) -> Symmetry:
    operations = list(group.operations())
    return from_operations(operations, f"the space group {group.xhm()}", group.number, group.hm)


def stated(hall: str, names: Iterable[str], number: float) -> tuple[tuple[Symmetry, ...], str]:
    """The symmetries, best first, that a file's words may mean, and what is wrong with the words.

    `number` is that in the International Tables, NaN without. There is more than one setting where
    the words leave it open. They must not be taken where a name is not understood, or statements
    disagree.
    """
    found, numbers = [], {}
    if hall:
        try:
            operations = gemmi.symops_from_hall(hall)
            group = gemmi.find_spacegroup_by_ops(operations)
            found = [from_operations(list(operations), f"the Hall symbol {safe_text(hall, 20)}",
                                     group.number if group else 0)]  # fmt: skip
        except (RuntimeError, ValueError):
            found = []  # a misspelt symbol; the name may be right
        if found and found[0].number:
            numbers[f"the Hall symbol {safe_text(hall, 20)}"] = found[0].number
    if 1 <= number <= 230:
        numbers["the number"] = int(number)
    problem = ""
    groups: list[gemmi.SpaceGroup] = []
    for name in names:
        named = find_by_name(name)
        shown = f"the name '{safe_text(name, 20)}'"
        if not named.groups and not found:
            known, _, setting = name.partition(":")
            wrong = f"'{safe_text(setting.strip(), 10)}' is no setting of {safe_text(known, 20)}"
            is_group = setting and find_by_name(known).groups
            unknown = f"the space group '{safe_text(name, 30)}' is not known"
            problem = problem or (f"{unknown}: {wrong}" if is_group else unknown)
        if named.number:
            numbers[f"the number beside {shown}"] = named.number
        if named.groups:
            numbers[shown] = named.groups[0].number
            # A second name may be the short one of the first.
            both = [g for g in groups if any(g.xhm() == n.xhm() for n in named.groups)]
            groups = both or groups or named.groups
    if groups:
        problem = ""
    if len(set(numbers.values())) > 1:
        said = ", ".join(f"{words} is {n}" for words, n in numbers.items())
        problem = f"space groups that disagree: {said}"
    if found or groups:
        return tuple(found) or tuple(map(_symmetry, groups)), problem
    # A number has no usual setting: P 21/n and P 21/c are written as 14 alike.
    return tuple(replace(s, setting="") for s in settings(number)), problem
