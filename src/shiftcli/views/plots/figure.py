"""What all pictures share: matplotlib (the extra ``plot``), panels, formats, the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shiftcli.errors import UsageError, visible
from shiftcli.views.files import whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Formats that a picture can have.
SUFFIXES = (".png", ".svg", ".pdf")


def panels(columns: int, size: tuple[float, float] = (4.5, 3.5)) -> tuple[Figure, list[Axes]]:
    """A figure with some panels side by side.

    Parameters
    ----------
    columns : int
        Number of panels.
    size : tuple of float
        Width and height of one in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure, not tied to any window.
    axes : list of matplotlib.axes.Axes
        Its panels from left to right.

    Raises
    ------
    UsageError
        If matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures need matplotlib", hint="pip install 'shiftcli[plot]'") from error
    width, height = size
    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def plain(text: str) -> str:
    """Text of a user for a legend or a title, where matplotlib would read ``$`` as formulas.

    Parameters
    ----------
    text : str
        A name of a file or a structure.

    Returns
    -------
    str
        The same with every ``$`` escaped, and controls shown.
    """
    return visible(text).replace("$", r"\$")


def check_picture(path: Path) -> None:
    """Refuse a picture that cannot be drawn, before the work begins.

    Parameters
    ----------
    path : pathlib.Path
        The picture.

    Raises
    ------
    UsageError
        If matplotlib is missing or the suffix is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"'{path.name}' should end in {', '.join(SUFFIXES)}")
    panels(1)


def save(figure: Figure, output: Path) -> None:
    """Write a picture whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From `panels`.
    output : pathlib.Path
        Picture; its suffix names the format. Its folder is made where it is missing.

    Raises
    ------
    UsageError
        If it cannot be written.
    """
    with whole(output) as path:
        figure.savefig(path, dpi=150, format=output.suffix.lower().removeprefix("."))
