"""Widths and ranges as the command line writes them, one for all nuclei or one for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from shiftcli.errors import UsageError
from shiftcli.nmr.spectrum.axes import larmor_frequency
from shiftcli.nmr.spectrum.lineshapes import DEFAULT_WIDTHS
from shiftcli.options import words_of
from shiftcli.structure.nuclei import find_element

T = TypeVar("T")

#: An interval on an axis, lower end first.
Range = tuple[float, float]


def parse_widths(text: str, elements: Sequence[str], field: float | None) -> dict[str, float]:
    """Read full widths at half maximum, ``0.5``, ``100Hz`` or ``H:0.3,C:100Hz``, in ppm by element.

    ppm where no unit stands; a width without a nucleus is that of every nucleus that is not named,
    an empty text means the defaults. `field` in T is for widths in Hz. `UsageError` if a width
    cannot be read, is not positive, names a nucleus that is not drawn, or is in Hz without a field.
    """
    hint = "write it like 0.5, 100Hz or H:0.3,C:1"

    def width(element: str, value: str) -> float:
        number = value.lower().removesuffix("hz").removesuffix("ppm")
        made = float(number)
        if not 0 < made < math.inf:
            raise ValueError
        if not value.lower().endswith("hz"):
            return made
        if field is None:
            raise UsageError(f"--width {value}: a width in Hz needs --field")
        return made / larmor_frequency(element, field)

    return {e: DEFAULT_WIDTHS[e] for e in elements} | _parse(text, "--width", hint, elements, width)


def parse_ranges(text: str, elements: Sequence[str]) -> dict[str, Range]:
    """Read ``0:12`` or ``H:0:12,C:0:200``, ends of axes in their units, either end first.

    Lower and upper end of each of `elements` that has them; `UsageError` if one cannot be read, is
    empty or names a nucleus that is not drawn.
    """

    def ends(_: str, value: str) -> Range:
        low, high = sorted(float(end) for end in value.split(":"))
        if not (low < high and math.isfinite(low) and math.isfinite(high)):
            raise ValueError
        return low, high

    return _parse(text, "--range", "write it like 0:12 or H:0:12,C:0:200", elements, ends)


def _parse(
    text: str, option: str, hint: str, elements: Sequence[str], read: Callable[[str, str], T]
) -> dict[str, T]:
    """Items ``element:value``, or one value alone for all elements."""
    items = words_of(text)
    values: dict[str, T] = {}
    for item in items:
        word, _, value = (part.strip() for part in item.partition(":"))
        element = find_element(word) or word
        named = element.isalpha()
        if named and element not in elements:
            raise UsageError(f"{option}: {element} is none of {', '.join(elements)}", hint=hint)
        if element in values or (not named and len(items) > 1):
            raise UsageError(f"{option}: cannot read '{text}'", hint=hint)
        try:
            for own in [element] if named else elements:
                values[own] = read(own, value if named else item)
        except ValueError:
            raise UsageError(f"{option}: cannot read '{item}'", hint=hint) from None
    return values
