"""What all readers fill, `AtomTable`, and what they share: numbers, chemical symbols, labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError, visible
from shiftcli.readers.sources import safe_text

if TYPE_CHECKING:
    from shiftcli.readers.symmetry import Symmetry

#: Chemical symbols; D and T are hydrogens and come out as H.
SYMBOLS = frozenset(
    """H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se
    Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy
    Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf
    Es Fm Md No Lr D T""".split()  # noqa: SIM905 (a list of 105 strings would not be clearer)
)

#: Two capitals that mean an element and not, say, carbon alpha.
_CAPITAL_PAIRS = frozenset({"CL", "BR", "SI", "LI", "ZN", "FE", "CU"})

#: Columns known to hold shieldings, in lower case and without a unit, the first found counts.
SHIELDING_COLUMNS = (
    "ms_shielding", "shielding", "shieldings", "cs", "cs_iso", "ms_iso", "sigma_iso", "sigma",
    "ms", "nmr_shielding", "magnetic_shielding",
)  # fmt: skip

#: Columns of one value a site.
_TEXTS = ("labels", "assemblies", "groups")
_ARRAYS = ("elements", "coordinates", "occupancies", "shieldings", "baseline")

_WORD = re.compile(r"[^\s\"=]+")

ISOLATED = "no unit cell: predicted as an isolated molecule"


@dataclass(frozen=True, eq=False)
class AtomTable:
    """What a file says of one structure: the atom sites, and how they become a crystal.

    Attributes
    ----------
    elements : numpy.ndarray
        Chemical symbols, shape (n,); deuterium is ``H``.
    coordinates : numpy.ndarray
        Shape (n, 3): Cartesian in Å where the table is `whole` or has no cell, else fractional.
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); None for an isolated molecule.
    labels : sequence of str
        Labels of the sites. Without any the sites go by their numbers until the crystal is made.
    numbered : bool
        Whether that is so.
    whole : bool
        Whether the sites are all atoms, to which nothing is to be applied.
    symmetries : tuple of Symmetry
        What the file says about its symmetry, the most trusted first.
    occupancies : numpy.ndarray
        Shape (n,); ones where the file gives none.
    assemblies, groups : sequence of str
        Disorder assembly and group, empty where the file gives none.
    shieldings, baseline : numpy.ndarray or None
        As in `Crystal`, shape (n,).
    formula : str
        Formula of one unit as the file has it, or empty.
    z, volume, density : float
        Formula units in the cell, its volume in Å³ and density in g/cm³, NaN where not given.
    source, name : str
        The file, and the structure in it.
    level : str
        As in `Crystal`.
    info : mapping of str to str
        As in `Crystal`.
    warnings : tuple of str
        What the user should know.
    """

    elements: np.ndarray
    coordinates: np.ndarray
    cell: np.ndarray | None = None
    labels: Sequence[str] = ()
    whole: bool = False
    symmetries: tuple[Symmetry, ...] = ()
    occupancies: np.ndarray = field(default_factory=lambda: np.ones(0))
    assemblies: Sequence[str] = ()
    groups: Sequence[str] = ()
    shieldings: np.ndarray | None = None
    baseline: np.ndarray | None = None
    formula: str = ""
    z: float = float("nan")
    volume: float = float("nan")
    density: float = float("nan")
    source: str = ""
    name: str = ""
    level: str = ""
    info: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    numbered: bool = False

    def __post_init__(self) -> None:
        n = len(self.elements)
        given = {
            "elements": np.asarray(self.elements, dtype="<U2"),
            "coordinates": np.asarray(self.coordinates, dtype=float).reshape(n, 3),
            "numbered": self.numbered or not self.labels,
            "labels": self.labels or [f"no. {k}" for k in range(1, n + 1)],
            "occupancies": self.occupancies if len(self.occupancies) else np.ones(n),
            "assemblies": self.assemblies or ("",) * n,
            "groups": self.groups or ("",) * n,
            "name": safe_text(self.name),
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def where(self) -> str:
        """File and structure, for messages."""
        return ": ".join(filter(None, (visible(self.source), self.name)))

    def take(self, keep: np.ndarray) -> AtomTable:
        """The sites where `keep` is true."""
        taken: dict[str, Any] = {
            name: tuple(v for v, k in zip(getattr(self, name), keep, strict=True) if k)
            for name in _TEXTS
        }
        for name in _ARRAYS:
            taken[name] = None if (array := getattr(self, name)) is None else array[keep]
        return replace(self, **taken)

    def with_warning(self, *texts: str) -> AtomTable:
        """A copy with more warnings, empty ones left out."""
        return replace(self, warnings=(*self.warnings, *filter(None, texts)))


def element_of(text: str, formula: Collection[str] = ()) -> str:
    """Chemical symbol in an atom's type or label, such as ``C`` in ``C12A``, or an empty string.

    Deuterium and tritium are ``H``. Elements of the structure's formula decide what ``CA1`` or
    ``Ho2`` means.
    """
    word = text.strip().lower()
    if "W" not in formula and (word.startswith("wat") or (formula and re.match(r"w\W*\d", word))):
        return "O"  # the water's
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


def completed(labels: Sequence[str], elements: Sequence[str] | np.ndarray) -> list[str]:
    """Labels where some are empty: those are element and running number, C1, C2, H1, …

    None at all where all are empty: an `AtomTable` without labels is numbered by molecule.
    """
    counts: Counter[str] = Counter()
    made = []
    for label, element in zip(labels, elements, strict=True):
        counts[element] += 1
        made.append(label or f"{element}{counts[element]}")
    return made if any(labels) else []


def indexed(label: str, index: object) -> str:
    """Label and index as one, ``H`` and 7 as ``H7`` but ``H1`` and 7 as ``H1_7``."""
    return f"{label}{'_' if label[-1:].isdigit() else ''}{index}"


def number(text: str) -> float:
    """A finite number as files have it; `float` alone also takes ``1_0.7``, NaN and infinity.

    Raises
    ------
    ValueError
        If the text is something else.
    """
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?", text.strip(), re.ASCII):
        raise ValueError(f"'{safe_text(text, 20)}' is no number")
    value = float(text.upper().replace("D", "E"))
    if not np.isfinite(value):
        raise ValueError(f"'{safe_text(text, 20)}' is too large a number")
    return value


def refuse_odd_numbers(lines: Sequence[str], where: str) -> None:
    """Refuse words that Python takes for numbers and no other program does, such as ``1_0.7``."""
    for line in lines:
        # Few lines have what makes a number odd, so few are looked at word by word.
        for word in _WORD.findall(line) if "_" in line or not line.isascii() else ():
            if _is_odd_number(word):
                raise ReadError(f"'{safe_text(word, 20)}' is no number", where=where)


def _is_odd_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" in word or not word.isascii()


def distinct(labels: Sequence[str]) -> tuple[list[str], str]:
    """Make repeated labels distinguishable, the second of a name with ``_2`` and so on.

    Labels, and a warning which were repeated, empty when none was.
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


def refuse_too_many(atoms: int, where: str) -> None:
    """Raise `ReadError` for more atoms than a structure may have."""
    if atoms > limits.ATOMS:
        raise ReadError(f"{atoms} atoms; at most {limits.ATOMS} are read", where=where)
