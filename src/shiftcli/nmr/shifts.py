"""From shielding to chemical shift: σ_ref and gradients, given, named, or from a file."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shiftcli.errors import UsageError, visible
from shiftcli.options import read_toml, words_of
from shiftcli.structure.nuclei import ELEMENTS, SPECIES, find_element

#: No shielding, and no slope, is as large as this (ppm).
_LARGEST = 1e5

_HINT = "write it like C:168.64,H:30.96, or name a set ({}; list shows them) or a .toml file"


@dataclass(frozen=True)
class References:
    """Reference shieldings and gradients, by element.

    Attributes
    ----------
    references : mapping of str to float
        σ_ref in ppm for each element that is to be converted.
    gradients : mapping of str to float
        Slope m; −1 where an element is not named.
    sources : tuple of str
        Where the values are from: a citation, or a file; empty for those typed in.
    weights : frozenset of str
        SHA-256 of the networks that the values were fitted with; empty where nothing says so.
    """

    references: Mapping[str, float] = field(default_factory=dict)
    gradients: Mapping[str, float] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    weights: frozenset[str] = frozenset()

    def gradient(self, element: str) -> float:
        """Slope m of an element, −1 where it is not named."""
        return self.gradients.get(element, -1.0)

    def shift(self, element: str, shielding: float) -> float | None:
        """Chemical shift of one atom.

        Parameters
        ----------
        element : str
            H, C, N or O.
        shielding : float
            Isotropic shielding in ppm.

        Returns
        -------
        float or None
            δ = (σ_ref + m·σ) / (1 − σ_ref·10⁻⁶) in ppm (Soprano's form); None where the
            element has no reference.
        """
        if element not in self.references:
            return None
        offset, slope = self.line(element)
        return offset + slope * shielding

    def line(self, element: str) -> tuple[float, float]:
        """Offset a in ppm and slope b of δ = a + b·σ, for an element that has a reference."""
        scale = 1.0 - self.references[element] * 1e-6
        return self.references[element] / scale, self.gradient(element) / scale

    def notes(self, hashes: Collection[str]) -> tuple[str, ...]:
        """What the user should know of these references.

        Parameters
        ----------
        hashes : collection of str
            SHA-256 of the networks that the shieldings are from.

        Returns
        -------
        tuple of str
            Where the references are from, and whether that was with other networks.
        """
        notes = [f"references: {source}" for source in self.sources]
        if self.weights and not self.weights <= set(hashes):
            notes.append("these references were fitted with other networks than these: fit anew")
        for element, (low, high) in _USUAL_REFERENCES.items():
            value = self.references.get(element, low)
            if not low <= value <= high:
                notes.append(
                    f"a reference of {value:g} ppm for {SPECIES[element]} is unusual "
                    f"({low:g} to {high:g} ppm): swapped with another nucleus?"
                )
        return tuple(notes)


def from_line(offset: float, slope: float) -> tuple[float, float]:
    """σ_ref in ppm and m of δ = offset + slope·σ; what `References.line` undoes."""
    reference = offset / (1.0 + offset * 1e-6)
    return reference, slope * (1.0 - reference * 1e-6)


#: Shifts in ppm that are usual for a nucleus, with room, and shieldings of usual references.
_USUAL = {"H": (-10.0, 25.0), "C": (-30.0, 260.0), "N": (-450.0, 1000.0), "O": (-100.0, 1300.0)}
_USUAL_REFERENCES = {"H": (20.0, 40.0), "C": (130.0, 210.0)}


def odd_shift(element: str, shift: float) -> str:
    """What is unusual about a shift (ppm) of an element; empty where nothing is."""
    low, high = _USUAL[element]
    return "" if low <= shift <= high else f"{SPECIES[element]} at {shift:.4g} ppm is unusual"


_PROBASN = "ProbAsn's defaults for GIPAW-PBE, Cordova et al., Sci. Adv. 7, eabk2341 (2021)"

#: σ_ref and m of published lines δ = a + b·σ.
_KELLNER = {"H": from_line(28.05, -0.9024), "C": from_line(166.23, -0.9732)}

#: Sets that can be named; coefficients belong to one shielding model and one way of relaxing
#: geometries. What their authors call indicative (N and O) has a set of its own.
NAMED = {
    "probasn": References({"H": 30.96, "C": 168.64}, sources=(_PROBASN,)),
    "probasn-all": References(
        {"H": 30.96, "C": 168.64, "N": 185.99, "O": 205.08},
        sources=(f"{_PROBASN}; 15N and 17O are only indicative: others use 275.69 for 17O",),
    ),
    "nmrx": References({"H": 30.36}, sources=("NMRX, for ShiftML1 shieldings of 1H",)),
    "cocaine": References({"H": 30.83}, sources=("GIPAW on the correct structure of cocaine",)),
    "gipaw-pbe": References(
        {"H": _KELLNER["H"][0], "C": _KELLNER["C"][0]},
        {"H": _KELLNER["H"][1], "C": _KELLNER["C"][1]},
        sources=(
            "lines for GIPAW-PBE on PBE-D3 geometries, 1H 28.05 - 0.9024 sigma, 13C 166.23 - "
            "0.9732 sigma: Kellner et al. (2025), in the atomistic cookbook",
        ),
    ),
}


def describe_named() -> list[tuple[str, str, str]]:
    """Name, values and source of each set of `NAMED`, for a list of them."""
    return [
        (
            name,
            ", ".join(
                f"{SPECIES[e]} {value:.2f}"
                + (f" slope {own.gradient(e):.4f}" if e in own.gradients else "")
                for e, value in own.references.items()
            ),
            "; ".join(own.sources),
        )
        for name, own in NAMED.items()
    ]


def parse_references(
    references: str = "", gradients: str = "", *, alone: bool = False
) -> References:
    """Read the command line's ``C:168.64,H:30.96``, ``probasn`` or ``refs.toml``.

    Parameters
    ----------
    references : str
        Reference shieldings in ppm by element, names out of `NAMED`, and files that
        ``shiftcli calibrate`` wrote, with commas between them.
    gradients : str
        Slopes by element; they go before those of a file.
    alone : bool
        Whether a gradient may stand without a reference, as it may where the offset is fitted.

    Raises
    ------
    UsageError
        If an item is none of these, an element is unknown or named twice, a file cannot be
        read, or a gradient has no reference.
    """
    made = References()
    for item in words_of(references):
        made = _join(made, _read_item(item), item)
    given = words_of(gradients)
    slopes = dict(_pair(item, "--gradients") for item in given)
    if len(slopes) < len(given):
        raise UsageError(f"--gradients: an element is named twice in '{gradients}'")
    for element in slopes:
        if element not in made.references and not alone:
            raise UsageError(f"--gradients names {element}, --references does not")
    return References(made.references, {**made.gradients, **slopes}, made.sources, made.weights)


def _read_item(item: str) -> References:
    if item.lower() in NAMED:
        return NAMED[item.lower()]
    if item.lower().endswith(".toml"):
        return read_references(item)
    return References(dict([_pair(item, "--references")]))


def _join(one: References, other: References, item: str) -> References:
    twice = set(one.references) & set(other.references)
    if twice:
        again = ", ".join(sorted(twice))
        raise UsageError(f"--references: cannot read '{item}': {again} is named twice")
    return References(
        {**one.references, **other.references},
        {**one.gradients, **other.gradients},
        one.sources + other.sources,
        one.weights | other.weights,
    )


def _pair(item: str, option: str) -> tuple[str, float]:
    name, _, number = item.partition(":")
    element = find_element(name)
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if element is None or not abs(value) < _LARGEST:
        names = ", ".join(NAMED)
        hint = _HINT.format(names) if option == "--references" else "write it like C:-0.97"
        raise UsageError(f"{option}: cannot read '{item.strip()}'", hint=hint)
    return element, value


#: What `calibrate` writes of an element; only the first two are read again.
_WRITTEN = frozenset(
    ("reference", "gradient", "reference_error", "gradient_error", "n", "structures", "rmse")
)


def read_references(path: str | Path) -> References:
    """Read a file of references.

    Parameters
    ----------
    path : str or pathlib.Path
        TOML, as ``shiftcli calibrate --output`` writes it: a table ``[nucleus.H]`` for each
        element, with ``reference`` (σ_ref in ppm) and perhaps ``gradient`` (m); and perhaps
        ``weights``, a table of the hashes of the networks.

    Raises
    ------
    UsageError
        If it cannot be read, is not TOML or holds anything else.
    """
    document = read_toml(path)
    tables = document.get("nucleus")
    if not isinstance(tables, dict) or not tables:
        raise UsageError(f"{path}: no table [nucleus.H] or of another element")
    references: dict[str, float] = {}
    gradients: dict[str, float] = {}
    for name, table in tables.items():
        element = find_element(name)
        if element is None or not isinstance(table, dict):
            raise UsageError(f"{path}: [nucleus.{name}] is none of {', '.join(ELEMENTS)}")
        if unknown := sorted(set(table) - _WRITTEN):
            raise UsageError(
                f"{path}: [nucleus.{name}] has no '{visible(unknown[0], 50)}'",
                hint="reference and gradient are read",
            )
        if element in references:
            raise UsageError(f"{path}: [nucleus.{name}] names {element} twice")
        references[element] = _number(table, "reference", None, path, name)
        gradients[element] = _number(table, "gradient", -1.0, path, name)
    weights = document.get("weights", {})
    hashes = weights.values() if isinstance(weights, dict) else ()
    return References(references, gradients, (str(path),), frozenset(map(str, hashes)))


def _number(
    table: Mapping[str, Any], key: str, default: float | None, path: str | Path, name: str
) -> float:
    value = table.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise UsageError(f"{path}: [nucleus.{name}] has no {key} that is a number in ppm")
    return float(value)
