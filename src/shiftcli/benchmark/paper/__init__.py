"""The paper's tables and figures, made again with this program's numbers."""

from __future__ import annotations

from collections.abc import Callable

from shiftcli.benchmark.paper.components import figure5
from shiftcli.benchmark.paper.densities import figure1
from shiftcli.benchmark.paper.errors import figure4
from shiftcli.benchmark.paper.geometry import geometry
from shiftcli.benchmark.paper.learning import figure3a, figure3b
from shiftcli.benchmark.paper.rankings import ranking
from shiftcli.benchmark.paper.result import Result
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.benchmark.paper.tables import table1, table2, table3, table4
from shiftcli.errors import UsageError

#: Each table and figure of the paper by its name, and what the paper does not have.
REPRODUCTIONS: dict[str, Callable[[Setting], Result]] = {
    f.__name__: f
    for f in (
        table1, table2, table3, table4, figure1, figure3a, figure3b, figure4, figure5, geometry,
        ranking,
    )
}  # fmt: skip


#: Those that are made of errors alone, which may be those of a cross-validation.
_OF_ERRORS = ("table2", "figure4", "geometry")


def reproduce(what: str, setting: Setting) -> Result:
    """Make a table or figure of the paper again, beside the paper's numbers.

    Parameters
    ----------
    what : str
        One of `REPRODUCTIONS`.
    setting : Setting
        Data, networks, and how thorough it may be.

    Raises
    ------
    UsageError
        If there is no such table or figure, it needs data that were not given, or predictions
        were given that it has no use for.
    """
    if what not in REPRODUCTIONS:
        raise UsageError(f"no reproduction '{what}'", hint=f"one of {', '.join(REPRODUCTIONS)}")
    if setting.predictions is not None and what not in _OF_ERRORS:
        raise UsageError(
            f"{what} is not made of errors: it takes no predictions",
            hint=f"those of {', '.join(_OF_ERRORS)} can come from a table",
        )
    return REPRODUCTIONS[what](setting)


__all__ = ["REPRODUCTIONS", "Result", "Setting", "reproduce"]
