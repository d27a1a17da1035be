"""Axes of spectra: shielding or shift in ppm, or frequency in Hz from the reference."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Literal

from shiftcli.errors import UsageError
from shiftcli.nmr.shifts import References
from shiftcli.structure.crystal import SPECIES

#: Gyromagnetic ratio of 1H in rad s⁻¹ T⁻¹ (Harris et al., Pure Appl. Chem. 73, 1795, 2001).
PROTON_GYROMAGNETIC_RATIO = 26.7522128e7

#: Frequencies Ξ of the nuclides in the substances that their shifts count from, in per cent of
#: that of 1H in TMS: ratios of gyromagnetic ratios as IUPAC fixes them. 13C in TMS, 15N in
#: nitromethane, 17O in D2O (Harris et al. 2001, as above, Table 1).
FREQUENCY_RATIOS = {"H": 100.0, "C": 25.145020, "N": 10.136767, "O": 13.556457}

#: No magnet is as strong as this (T); a larger number is one in another unit.
_STRONGEST = 100.0

_FIELD = re.compile(r"(?P<value>[0-9.eE+-]+)\s*(?P<unit>T|MHz|GHz)", re.IGNORECASE)


def proton_frequency(tesla: float) -> float:
    """Larmor frequency of 1H in MHz, ν = γ·B/2π, with `PROTON_GYROMAGNETIC_RATIO`."""
    return PROTON_GYROMAGNETIC_RATIO * tesla / (2e6 * math.pi)


def larmor_frequency(element: str, tesla: float) -> float:
    """Frequency in MHz of 1H, 13C, 15N or 17O in its reference substance.

    Ξ times that of 1H, with `FREQUENCY_RATIOS`; its magnitude, 15N and 17O turn the other way.
    """
    return FREQUENCY_RATIOS[element] / 100 * proton_frequency(tesla)


def parse_field(text: str) -> float:
    """Read a magnetic field, ``9.4T`` or, as spectrometers are called, ``400MHz`` of 1H; in T.

    `UsageError` if it is no number, has no unit or is no field of a magnet.
    """
    match = _FIELD.fullmatch(text.strip())
    try:
        value = float(match["value"]) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or math.isnan(value):
        raise UsageError(f"--field: cannot read '{text}'", hint="write it like 9.4T or 400MHz")
    unit = match["unit"].lower()
    tesla = value if unit == "t" else value * {"mhz": 1.0, "ghz": 1e3}[unit] / proton_frequency(1)
    return check_field(tesla)


def check_field(tesla: float) -> float:
    """The same field (T); `UsageError` if it is not positive or beyond any magnet."""
    if not 0 < tesla < _STRONGEST:
        raise UsageError(f"a field of {tesla:g} T is that of no magnet")
    return tesla


@dataclasses.dataclass(frozen=True)
class Axis:
    """The axis of one nucleus.

    Attributes
    ----------
    element : str
        H, C, N or O.
    references : References
        How shieldings become shifts; without one for the element the axis is of shieldings.
    field : float or None
        Magnetic field in T for an axis in Hz from the reference; None for one in ppm.
    quanta : {1, 2}
        2 where the sums of the shifts of two nuclei stand, as in double-quantum spectra.
    """

    element: str
    references: References = dataclasses.field(default_factory=References)
    field: float | None = None
    quanta: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.field is None:
            return
        check_field(self.field)
        if self.quantity == "shielding":
            species = SPECIES[self.element]
            raise UsageError(
                f"frequencies of {species} count from its reference, which is not given",
                hint=f"--references {self.element}:VALUE, or leave --field out",
            )

    @property
    def species(self) -> str:
        """Nuclide, such as ``13C``."""
        return SPECIES[self.element]

    @property
    def quantity(self) -> Literal["shielding", "shift", "frequency"]:
        """What the axis shows."""
        if self.references.shift(self.element, 0.0) is None:
            return "shielding"
        return "shift" if self.field is None else "frequency"

    @property
    def column(self) -> str:
        """Name of the quantity with its unit, as in tables and CSV."""
        names = {
            "shielding": "MS_shielding/ppm",
            "shift": "MS_shift/ppm",
            "frequency": "frequency/Hz",
        }
        return names[self.quantity]

    @property
    def title(self) -> str:
        """Nuclide and quantity, to stand beside the axis."""
        unit = "Hz" if self.quantity == "frequency" else "ppm"
        sums = " double-quantum" if self.quanta == 2 else ""
        return f"{self.species}{sums} {self.quantity}/{unit}"

    @property
    def unit(self) -> float:
        """Length of one ppm on the axis: 1, or the Larmor frequency in MHz."""
        return 1.0 if self.field is None else larmor_frequency(self.element, self.field)

    @property
    def falls(self) -> bool:
        """Whether values fall from left to right, as shifts do and shieldings do not."""
        return self.quantity != "shielding"

    def position(self, shielding: float) -> float:
        """Where a nucleus of this shielding (ppm) stands.

        Shielding or shift in ppm, or shift times Larmor frequency in Hz.
        """
        shift = self.references.shift(self.element, shielding)
        return shielding if shift is None else shift * self.unit
