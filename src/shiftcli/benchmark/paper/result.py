"""What a reproduced table or figure is: rows, remarks, perhaps a picture; and its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftcli.files import write_rows
from shiftcli.views.plots.figure import check_matplotlib, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A value in a table.
Value = str | int | float | None


@dataclass(frozen=True)
class Result:
    """A table or figure of the paper, made again.

    Attributes
    ----------
    name : str
        ``table1`` … ``figure5``, ``geometry``.
    title : str
        What it shows.
    columns : tuple of str
        Heads of the columns, with units.
    rows : tuple of tuple
        Our numbers beside the paper's.
    differs : tuple of str
        What is not as in the paper: data, sizes, networks.
    series : dict of str to (columns, rows)
        The figure's data, each for a CSV file of its own.
    draw : callable or None
        Draws into an empty matplotlib figure.
    size : tuple of float
        Width and height of the picture in inches.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    differs: tuple[str, ...] = ()
    series: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]] = field(default_factory=dict)
    draw: Callable[[Figure], None] | None = None
    size: tuple[float, float] = (8.0, 4.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "differs": list(self.differs),
        }

    def save(self, folder: Path) -> list[Path]:
        """Write the table and the figure's data as CSV, the picture as PNG and SVG; the files.

        `UsageError` if matplotlib is missing where there is a picture.
        """
        folder.mkdir(parents=True, exist_ok=True)
        tables = {self.name: (self.columns, self.rows)} | {
            f"{self.name}-{key}": series for key, series in self.series.items()
        }
        written = [folder / f"{name}.csv" for name in tables]
        for path, (columns, rows) in zip(written, tables.values(), strict=True):
            write_rows(path, columns, rows)
        if self.draw is not None:
            check_matplotlib()
            from matplotlib.figure import Figure

            figure = Figure(figsize=self.size, layout="constrained")
            self.draw(figure)
            pictures = [folder / f"{self.name}.{suffix}" for suffix in ("png", "svg")]
            for path in pictures:
                save(figure, path, dpi=130)
            written += pictures
        return written
