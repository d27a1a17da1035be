"""Tables of the page: rows that name their atoms, cells that sort by value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from shiftcli.errors import visible


def plain(text: str) -> str:
    """Text of a user for the page: no markup, no controls, no marks that turn its direction.

    Parameters
    ----------
    text : str
        A label, a name, a message.

    Returns
    -------
    str
        HTML that shows it literally, also inside an attribute.
    """
    return escape(visible(text))


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What is shown.
    value : float or None
        What it sorts by, for numbers.
    """

    text: str
    value: float | None = None


def number(value: float | None, precision: int, *, signed: bool = False) -> Cell:
    """A cell with a number, empty for None and NaN.

    Parameters
    ----------
    value : float or None
        The number.
    precision : int
        Its decimals.
    signed : bool
        Whether a plus is shown.

    Returns
    -------
    Cell
    """
    if value is None or not math.isfinite(value):
        return Cell("")
    # Adding 0.0 turns −0.0 into 0.0.
    rounded = round(value, precision) + 0.0
    return Cell(f"{rounded:{'+' if signed else ''}.{precision}f}".replace("-", "−"), value)


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Sequence[int], Sequence[Cell]]],
    kind: str = "",
) -> str:
    """A table that the page's script can sort, and whose rows choose atoms.

    Parameters
    ----------
    caption : str
        Its title.
    columns : sequence of str
        Heads of its columns.
    rows : iterable of (sequence of int, sequence of Cell)
        Atoms of a row (none where it has none), and its cells.
    kind : str
        Class in the style sheet.

    Returns
    -------
    str
        HTML.
    """
    rows = list(rows)
    is_number = [any(cells[k].value is not None for _, cells in rows) for k in range(len(columns))]
    heads = "".join(
        f'<th scope="col" aria-sort="none"{_number_class(numeric)}>'
        f'<button type="button">{plain(name)}</button></th>'
        for name, numeric in zip(columns, is_number, strict=True)
    )
    body = "".join(_row(atoms, cells, is_number) for atoms, cells in rows)
    return (
        f'<div class="scroll"><table class="{kind}" role="grid"><caption>{plain(caption)}'
        f"</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(atoms: Sequence[int], cells: Sequence[Cell], is_number: Sequence[bool]) -> str:
    named = f' data-atoms="{" ".join(map(str, atoms))}" tabindex="0"' if atoms else ""
    shown = "".join(
        f"<td{_number_class(numeric)}"
        + (f' data-value="{cell.value:.12g}"' if cell.value is not None else "")
        + f">{plain(cell.text)}</td>"
        for cell, numeric in zip(cells, is_number, strict=True)
    )
    return f"<tr{named}>{shown}</tr>"


def _number_class(numeric: bool) -> str:
    return ' class="number"' if numeric else ""
