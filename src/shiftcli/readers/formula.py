"""Chemical formulas: what a unit cell should hold, and whether it does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from shiftcli import limits
from shiftcli.readers.atoms import SYMBOLS
from shiftcli.readers.sources import safe_text


def parse_formula(text: str) -> dict[str, float]:
    """Elements and numbers of a formula such as ``C8 H9 N O2``; deuterium counts as hydrogen.

    Empty where the text is no plain sum formula, or one of more atoms than a structure may have.
    """
    counts: dict[str, float] = {}
    text = re.sub(r"\[?\+ ?solvents?\]?|\[ ?solvents? ?\]", "", text)
    for token in text.replace("'", " ").split():
        parts = re.findall(r"([A-Z][a-z]?)(\d+\.?\d*|\.\d+)?", token)
        if "".join(a + b for a, b in parts) != token or any(a not in SYMBOLS for a, _ in parts):
            return {}
        for symbol, number in parts:
            element = "H" if symbol in ("D", "T") else symbol
            counts[element] = counts.get(element, 0.0) + float(number or 1)
    return counts if sum(counts.values()) < limits.ATOMS else {}


def mass(atoms: Mapping[str, float]) -> float:
    """Mass in dalton."""
    import gemmi

    return sum(n * gemmi.Element(element).weight for element, n in atoms.items())


def units_in_cell(formula: Mapping[str, float], found: Mapping[str, int]) -> int:
    """Formula units that explain all atoms but hydrogen, 0 where no whole number does."""
    heavy = {e: n for e, n in formula.items() if e != "H" and n > 0}
    if not heavy or set(heavy) != {e for e in found if e != "H"}:
        return 0
    element = max(heavy, key=heavy.__getitem__)
    z = round(found[element] / heavy[element])
    return z if all(abs(heavy[e] * z - found[e]) < 0.5 for e in heavy) else 0


def same_heavy_atoms(expected: Mapping[str, float], found: Mapping[str, int]) -> bool:
    """Whether a cell holds the expected number of every element but hydrogen."""
    names = ({*expected, *found}) - {"H"}
    return all(abs(expected.get(e, 0) - found.get(e, 0)) < 0.5 for e in names)


def compare(text: str, z: float, expected: Mapping[str, float], found: Mapping[str, int]) -> str:
    """Warning for a cell with other contents than formula × Z, naming both numbers, or nothing.

    `expected` and `found` are the atoms of each element.
    """
    names = {*expected, *found}
    if all(abs(expected.get(e, 0) - found.get(e, 0)) < 0.5 for e in names):
        return ""
    wanted = f"{sum(expected.values()):g}"
    differing = sorted(e for e in names if abs(expected.get(e, 0) - found.get(e, 0)) >= 0.5)
    details = ", ".join(
        f"{e} {found.get(e, 0)} instead of {expected.get(e, 0):g}" for e in differing
    )
    return (
        f"{sum(found.values())} atoms in the cell, but formula {safe_text(text, 40)} × Z = {z:g} "
        f"says {wanted} ({safe_text(details, 80)})"
    )


def counts(elements: list[str]) -> dict[str, int]:
    """Number of atoms of each element."""
    return dict(Counter(elements))
