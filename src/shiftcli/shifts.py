"""From shielding to chemical shift."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from shiftcli.crystal import ELEMENTS
from shiftcli.errors import UsageError

#: No shielding, and no slope, is as large as this (ppm).
_LARGEST = 1e5


@dataclass(frozen=True)
class References:
    """Reference shieldings and gradients, by element.

    Attributes
    ----------
    references : mapping of str to float
        σ_ref in ppm for each element that is to be converted.
    gradients : mapping of str to float
        Slope m; −1 where an element is not named.
    """

    references: Mapping[str, float] = field(default_factory=dict)
    gradients: Mapping[str, float] = field(default_factory=dict)

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
        reference = self.references[element]
        gradient = self.gradients.get(element, -1.0)
        return (reference + gradient * shielding) / (1.0 - reference * 1e-6)


def parse_references(references: str = "", gradients: str = "") -> References:
    """Read the command line's ``C:168.64,H:30.96``.

    Parameters
    ----------
    references : str
        Reference shieldings in ppm by element.
    gradients : str
        Slopes by element.

    Returns
    -------
    References

    Raises
    ------
    UsageError
        If an item is not ``element:number``, an element is unknown or named twice, or a
        gradient has no reference.
    """
    made = References(_parse(references, "--references"), _parse(gradients, "--gradients"))
    for element in made.gradients:
        if element not in made.references:
            raise UsageError(f"--gradients names {element}, --references does not")
    return made


def _parse(text: str, option: str) -> dict[str, float]:
    values: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        element, _, number = (piece.strip() for piece in item.partition(":"))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if element not in ELEMENTS or not abs(value) < _LARGEST or element in values:
            raise UsageError(
                f"{option}: cannot read '{item}'", hint="write it like C:168.64,H:30.96"
            )
        values[element] = value
    return values
