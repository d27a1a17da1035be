"""What a notebook shows of a result: a table, a data frame, a picture."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from html import escape
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from shiftcli.errors import needing, visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: Rows that a notebook shows at most.
_MOST_ROWS = 200


class Tabular(ABC):
    """A result that is a table: columns by name, one value a row."""

    @abstractmethod
    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, numbers unrounded."""

    def to_dataframe(self) -> Any:
        """The columns of `to_dict` as a `pandas.DataFrame`; `UsageError` if pandas is not
        installed.
        """
        with needing("pandas", "a data frame needs"):
            pandas = import_module("pandas")
        return pandas.DataFrame(self.to_dict())

    def _repr_html_(self) -> str:
        columns = self.to_dict()
        head = "".join(f"<th>{escape(visible(name))}</th>" for name in columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(visible(_text(value)))}</td>" for value in row) + "</tr>"
            for row in islice(zip(*columns.values(), strict=True), _MOST_ROWS)
        )
        left = max((len(values) for values in columns.values()), default=0) - _MOST_ROWS
        more = f"<p>{left} rows more: to_dataframe()</p>" if left > 0 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


class Result(Tabular):
    """A table that can be drawn, too."""

    def plot(self, look: Any = None) -> Figure:
        """The picture that the command line makes of it, in a `shiftcli.results.look.Look`.

        `UsageError` if matplotlib is not installed, or there is nothing to draw.
        """
        # By name, as the pictures know the results and not the other way round.
        figure: Figure = import_module("shiftcli.views.plots").draw(self, look)
        return figure


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    return f"{value:.2f}" if isinstance(value, float) else str(value)
