"""The nuclei that the networks know, and every way in which people write them."""

from __future__ import annotations

import unicodedata

#: Elements the networks know, in the order of the density channels.
ELEMENTS = ("H", "C", "N", "O")

#: Nuclide that each element's shielding is reported for.
SPECIES = {"H": "1H", "C": "13C", "N": "15N", "O": "17O"}

#: What TeX has about a mass: ``$^{13}$C``.
_TEX = str.maketrans("", "", "^{}$")

_NAMES = {"hydrogen": "H", "proton": "H", "carbon": "C", "nitrogen": "N", "oxygen": "O"}


def find_element(text: str) -> str | None:
    """Element that a nucleus belongs to: ``1h``, ``H-1``, ``¹³C``, ``proton``, ``carbon-13``,
    ``^13C``.

    H, C, N or O; None for anything else, another nuclide (``2H``, ``14N``) included.
    """
    word = unicodedata.normalize("NFKC", text).lower()  # superscripts become digits
    word = word.translate(_TEX).strip()
    name = word.strip("0123456789- ")
    element = _NAMES.get(name.removesuffix("s"), name.upper())
    mass = word.replace(name, "", 1).strip("- ") if name else word
    if element not in ELEMENTS or mass not in ("", SPECIES[element][:-1]):
        return None
    return element
