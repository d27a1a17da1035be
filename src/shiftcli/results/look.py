"""How a picture looks: its size, letters and style."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from shiftcli.errors import UsageError, visible
from shiftcli.options import option

_PANEL = "Picture"

#: Millimetres, and the smallest and largest side of a picture in it.
_MM = {"mm": 1.0, "cm": 10.0, "in": 25.4}
_LEAST, _MOST = 20.0, 2000.0


def parse_size(text: str) -> tuple[float, float | None]:
    """Read ``85mm`` or ``85x60mm``: width, and perhaps height, in mm; `UsageError` else."""
    match = re.fullmatch(r"([\d.]{1,9})(?:x([\d.]{1,9}))?\s*(mm|cm|in)", text.strip().lower())
    try:
        sides = [float(side) * _MM[match[3]] for side in match.groups()[:2] if side]  # type: ignore[index, union-attr]
    except (TypeError, AttributeError, ValueError):
        sides = []
    if not sides or not all(_LEAST <= side <= _MOST for side in sides):
        raise UsageError(
            f"--size: '{visible(text, 40)}' is no size of a picture",
            hint="write it like 85mm or 85x60mm",
        )
    return sides[0], sides[1] if len(sides) > 1 else None


@dataclass(frozen=True)
class Look:
    """How a picture looks."""

    size: tuple[float, float | None] | None = option(
        None, "Width, or width and height: 85mm, 170x100mm.", parse=parse_size, metavar="SIZE",
        shown="about 150mm", panel=_PANEL,
    )  # fmt: skip
    dpi: int = option(300, "Dots per inch of a PNG.", limits=(30, 2400), panel=_PANEL, metavar="N")
    font_size: float | None = option(
        None, "Letters in points.", limits=(2.0, 40.0), panel=_PANEL, metavar="PT",
        shown="7 to 10, by the width",
    )  # fmt: skip
    title: str | None = option(
        None, "Title; '' for none.", panel=_PANEL, metavar="TEXT", shown="the structure's name"
    )
    style: Path | None = option(
        None, "Style sheet of matplotlib.", panel=_PANEL, metavar="FILE", shown="none"
    )
