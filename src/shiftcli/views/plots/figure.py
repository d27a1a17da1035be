"""What all pictures share: matplotlib (the extra ``plot``), panels, looks, the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftcli.errors import UsageError, needing, visible
from shiftcli.files import whole
from shiftcli.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Formats that a picture can have.
SUFFIXES = (".png", ".svg", ".pdf")

#: Colours that people who see red and green alike can tell apart (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Names that stand inside a panel at most; more of them stand below it.
_MOST_NAMES = 4

_MM = 1 / 25.4

_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@contextmanager
def picture(
    output: Path | None,
    look: Look | None = None,
    *,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (150.0, 90.0),
    scaled: bool = True,
    title: str = "",
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with `rows` · `columns` panels, row by row, that is written to `output` when the
    block ends.

    Its suffix names the format; without an output the figure is made alone, not tied to any window.
    `size` is the width of the picture and the height of a row in mm, unless `look` says another
    width; heights then keep their proportion if `scaled`. `title` stands above all, unless `look`
    says another. `UsageError` if matplotlib is missing, the format or the style is unknown, or it
    cannot be written.
    """
    if output is not None:
        check_picture(output)
    check_matplotlib()
    from matplotlib import rc_context, style
    from matplotlib.figure import Figure
    from matplotlib.rcsetup import cycler

    look = look or Look()
    width, height = look.size or (size[0], None)
    if height is None:
        height = rows * size[1] * (width / size[0] if scaled else 1.0)
    letters = look.font_size or min(10.0, max(7.0, width / 15))
    settings: dict[Any, Any] = {
        "axes.prop_cycle": cycler(color=COLOURS),
        "font.size": letters,
        "axes.titlesize": "medium",
        "svg.hashsalt": "shiftcli",  # the same numbers are the same file
    }
    with rc_context(settings):
        if look.style is not None:
            try:
                style.use(look.style)
            except (OSError, ValueError) as error:
                raise UsageError(f"--style: {look.style} is no style of matplotlib") from error
        figure = Figure(figsize=(width * _MM, height * _MM), layout="constrained")
        yield figure, list(figure.subplots(rows, columns, squeeze=False).ravel())
        heading = plain(title if look.title is None else look.title)
        if heading:
            figure.suptitle(heading, fontsize="medium")
        if output is not None:
            figure.draw_without_rendering()  # labels beyond a panel move when the layout moves it
            save(figure, output, look.dpi)


def save(figure: Figure, output: Path, dpi: int) -> None:
    """Write a picture; the same numbers are the same file."""
    form = output.suffix.lower().removeprefix(".")
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    with whole(output) as path:
        figure.savefig(path, format=form, dpi=dpi, metadata=undated)


def name_lines(figure: Figure, panel: Axes) -> None:
    """Names of the lines: inside the panel where they are few, else below the panels."""
    handles, names = panel.get_legend_handles_labels()
    if len(names) <= _MOST_NAMES:
        panel.legend(fontsize="small", loc="best")
    elif not figure.legends:
        figure.legend(handles, names, fontsize="small", loc="outside lower center", ncols=2)


def label_room(figure: Figure, rows: int = 1) -> tuple[float, float]:
    """Width and height of a small letter, as parts of those of a panel, one of `rows`."""
    from matplotlib import rcParams

    points = 0.7 * rcParams["font.size"]  # of letters that are x-small
    # Axes, their names and titles take about a fifth of the picture's sides.
    width, height = (0.8 * 72 * side for side in figure.get_size_inches())
    return 1.3 * points / width, 0.65 * points / (height / rows - 2 * points)


def nuclide(text: str) -> str:
    """Text whose first word is a nuclide, its mass raised: ``¹³C shift/ppm``."""
    return re.sub(r"^\d+(?=[A-Z])", lambda mass: mass[0].translate(_SUPERSCRIPT), text)


def plain(text: str) -> str:
    """Text of a user for a legend or a title: every ``$`` escaped, and controls shown.

    matplotlib would read ``$`` as formulas.
    """
    return visible(text).replace("$", r"\$")


def check_picture(path: Path) -> None:
    """Refuse a picture that cannot be drawn, before the work begins.

    `UsageError` if matplotlib is missing or the suffix is none of `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"'{path.name}' should end in {', '.join(SUFFIXES)}")
    check_matplotlib()


def check_matplotlib() -> None:
    """Refuse pictures where matplotlib is missing."""
    with needing("matplotlib", "pictures need"):
        import matplotlib.figure  # noqa: F401
