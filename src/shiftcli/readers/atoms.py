"""What all readers share: chemical symbols, labels, and the making of a `Crystal`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, visible
from shiftcli.readers.sources import safe_text
from shiftcli.structure.checks import odd_shape
from shiftcli.structure.crystal import Crystal

#: Chemical symbols; D and T are hydrogens and come out as H.
SYMBOLS = frozenset(
    """H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se
    Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy
    Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf
    Es Fm Md No Lr D T""".split()  # noqa: SIM905 (a list of 105 strings would not be clearer)
)

#: Two capitals that mean an element and not, say, carbon alpha.
_CAPITAL_PAIRS = frozenset({"CL", "BR", "SI", "LI", "ZN", "FE", "CU"})

ISOLATED = "no unit cell: predicted as an isolated molecule"


def element_of(text: str, formula: Collection[str] = ()) -> str:
    """Chemical symbol in an atom's type or label, such as ``C`` in ``C12A``.

    Parameters
    ----------
    text : str
        Type symbol or label.
    formula : collection of str
        Elements of the structure's formula; they decide what ``CA1`` or ``Ho2`` means.

    Returns
    -------
    str
        The symbol (deuterium and tritium as ``H``), or an empty string.
    """
    letters = re.sub(r"[^A-Za-z].*", "", text.strip().lstrip("*"), flags=re.DOTALL)[:2]
    one, two = letters[:1].upper(), letters.capitalize()
    candidates = [two, one] if len(letters) == 2 else [one]
    if len(letters) == 2 and two not in formula:
        lone_letter_in_formula = one in formula or (one == "D" and "H" in formula)
        capitals = letters.isupper() or letters.islower()
        if lone_letter_in_formula or (capitals and letters.upper() not in _CAPITAL_PAIRS):
            candidates = [one, two]
    symbol = next((c for c in candidates if c in SYMBOLS), "")
    return "H" if symbol in ("D", "T") else symbol


def numbered(elements: Sequence[str]) -> list[str]:
    """Labels made of element and running number: C1, C2, H1, …"""
    counts: Counter[str] = Counter()
    labels = []
    for element in elements:
        counts[element] += 1
        labels.append(f"{element}{counts[element]}")
    return labels


def indexed(label: str, index: object) -> str:
    """Label and index as one, ``H`` and 7 as ``H7`` but ``H1`` and 7 as ``H1_7``."""
    return f"{label}{'_' if label[-1:].isdigit() else ''}{index}"


def distinct(labels: Sequence[str]) -> tuple[list[str], str]:
    """Make repeated labels distinguishable.

    Parameters
    ----------
    labels : sequence of str
        Labels, some perhaps the same.

    Returns
    -------
    labels : list of str
        The labels, the second of a name with ``_2`` and so on.
    warning : str
        Which labels were repeated, empty when none was.
    """
    taken = set(labels)
    seen: Counter[str] = Counter()
    result, repeated = [], []
    for label in labels:
        seen[label] += 1
        if seen[label] > 1:
            repeated.append(label)
            while (new := f"{label}_{seen[label]}") in taken:
                seen[label] += 1
            taken.add(new)
            label = new
        result.append(label)
    warning = (
        f"repeated labels made distinct: {listed(dict.fromkeys(repeated))}" if repeated else ""
    )
    return result, warning


def listed(labels: Collection[str], limit: int = 12) -> str:
    """Labels as a list for a message, shortened when there are many."""
    names = [safe_text(label, 20) for label in list(labels)[:limit]]
    more = len(labels) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def refuse_bad_cell(cell: np.ndarray, where: str) -> None:
    """Raise `ReadError` for a cell that is not finite, has no volume, or an odd shape."""
    if not np.isfinite(cell).all():
        raise ReadError("the unit cell is not finite", where=where)
    if problem := odd_shape(cell):
        raise ReadError(problem, where=where)


def refuse_too_many(atoms: int, where: str) -> None:
    """Raise `ReadError` for more atoms than a structure may have."""
    if atoms > limits.ATOMS:
        raise ReadError(f"{atoms} atoms; at most {limits.ATOMS} are read", where=where)


def make_crystal(
    elements: Sequence[str] | np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray | None,
    labels: Sequence[str],
    *,
    source: str,
    name: str = "",
    warnings: Iterable[str] = (),
    **others: Any,
) -> Crystal:
    """Put a `Crystal` together and refuse what is no geometry.

    Parameters
    ----------
    elements, positions, cell, labels, source, name, warnings
        As in `Crystal`; a `cell` of None gives a warning.
    **others
        Further attributes of `Crystal`.

    Returns
    -------
    Crystal

    Raises
    ------
    ReadError
        If there are no atoms or too many, or a coordinate or the cell is not finite, or the
        cell has no volume, is too thin for an atom, or too long.
    """
    name = safe_text(name)
    where = ": ".join(filter(None, (visible(source), name)))
    positions = np.asarray(positions, dtype=float).reshape(-1, 3)
    if len(positions) == 0:
        raise ReadError("no atoms", where=where)
    refuse_too_many(len(positions), where)
    bad = ~np.isfinite(positions).all(axis=1)
    if bad.any():
        label = safe_text(labels[int(np.argmax(bad))], 20)
        raise ReadError(f"atom {label} has a coordinate that is not a number", where=where)
    far = abs(positions).max(axis=1) > limits.COORDINATE
    if far.any():
        label = safe_text(labels[int(np.argmax(far))], 20)
        raise ReadError(f"atom {label} is {abs(positions).max():.2g} Å away", where=where)
    warnings = tuple(warnings)
    if cell is None:
        warnings += (ISOLATED,)
    else:
        cell = np.asarray(cell, dtype=float)
        refuse_bad_cell(cell, where)
        fractional = positions @ np.linalg.inv(cell)
        # Atoms that drifted over many cells would make every search for images slow.
        if fractional.min() < -1.0 or fractional.max() > 2.0:
            positions = (fractional - np.floor(fractional)) @ cell
    return Crystal(
        elements=np.asarray(elements, dtype="<U2"),
        positions=positions,
        cell=cell,
        labels=tuple(safe_text(label, 20) for label in labels),
        source=str(source),
        name=name,
        warnings=warnings,
        **others,
    )
