"""What all pictures share: matplotlib (the extra ``plot``), panels, looks, the file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shiftcli.errors import UsageError, needing, shortened, visible
from shiftcli.files import whole
from shiftcli.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Formats that a picture can have.
SUFFIXES = (".png", ".svg", ".pdf")

#: Colours that people who see red and green alike can tell apart (Okabe and Ito, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Strokes of lines, the next where the colours have been used up.
_STROKES = ("-", "--", ":", "-.")

#: Names that stand inside a panel at most; more of them stand below it.
_MOST_NAMES = 4

#: A row of panels is as high as so many letters at least.
_LEAST_ROW = 16

#: Mean width of a letter as part of its size; letters that a line's sample takes in a legend.
_LETTER, _SAMPLE = 0.62, 8

_MM, _POINT = 1 / 25.4, 1 / 72


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
    letters = letters_of(look, width)
    is_free = height is None
    if height is None:
        own = size[1] * (width / size[0] if scaled else 1.0)
        height = rows * max(own, _LEAST_ROW * letters * _POINT / _MM)
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
            lines = textwrap.wrap(heading, _letters_across(figure))
            figure.suptitle("\n".join(lines), fontsize="medium")
        if is_free and figure.legends:  # the panels stay as large as without
            figure.set_layout_engine("none")
            figure.draw_without_rendering()
            figure.set_layout_engine("constrained")
            added = figure.legends[0].get_window_extent().height / figure.dpi
            figure.set_size_inches(width * _MM, height * _MM + added)
        if output is not None:
            figure.draw_without_rendering()  # labels beyond a panel move when the layout moves it
            save(figure, output, look.dpi)


def letters_of(look: Look, width: float) -> float:
    """Size in points of the letters of a picture of so many mm."""
    return look.font_size or min(10.0, max(7.0, width / 15))


def names_along(side: float, letters: float) -> int:
    """Labels of small letters that fit beside each other along so many mm."""
    return max(1, int(side * _MM / (0.85 * letters * _POINT)))


def save(figure: Figure, output: Path, dpi: int) -> None:
    """Write a picture; the same numbers are the same file."""
    form = output.suffix.lower().removeprefix(".")
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    with whole(output) as path:
        figure.savefig(path, format=form, dpi=dpi, metadata=undated)


def stroke(number: int) -> dict[str, Any]:
    """Colour and stroke of the line of one of several structures, counted from 0."""
    from matplotlib import rcParams

    colours = rcParams["axes.prop_cycle"].by_key().get("color", COLOURS)
    turn, place = divmod(number, len(colours))
    return {"color": colours[place], "linestyle": _STROKES[turn % len(_STROKES)]}


def name_lines(figure: Figure, panel: Axes, *, beside: bool = False) -> None:
    """Names of the lines: inside the panel where they are few and short, else below the panels."""
    handles, names = panel.get_legend_handles_labels()
    room, longest = _letters_across(figure, 0.83), max(map(len, names)) + _SAMPLE
    if len(names) <= _MOST_NAMES and 2 * longest < room and not beside:
        panel.legend(fontsize="small", loc="best")
    elif not figure.legends:
        columns = 2 if 2 * longest < room else 1
        figure.legend(
            handles, told_apart(names, room // columns - _SAMPLE), fontsize="small",
            loc="outside lower center", ncols=columns,
        )  # fmt: skip


def _letters_across(figure: Figure, size: float = 1.0) -> int:
    """Letters that fit side by side into a figure, `size` times as large as others."""
    from matplotlib import rcParams

    return int(figure.get_figwidth() / (_LETTER * size * rcParams["font.size"] * _POINT))


def _shared_end(names: Sequence[str]) -> int:
    """Characters at the end that are the same in all of several names."""
    ends = zip(*(reversed(name) for name in names), strict=False)
    same = sum(1 for _ in takewhile(lambda signs: len(set(signs)) == 1, ends))
    return same if len(names) > 1 else 0


def told_apart(names: Sequence[str], longest: int) -> list[str]:
    """Names of at most so many characters, without what all end or begin with."""
    if max(map(len, names)) <= longest:
        return list(names)
    tail = _shared_end(names)
    bare = [f"{name[:-tail]}…" if tail > 1 else name for name in names]
    ends = [name if len(name) <= longest else "…" + name[1 - longest :] for name in bare]
    return ends if len(set(ends)) == len(names) else [shortened(n, longest) for n in names]


def label_room(figure: Figure, rows: int = 1) -> tuple[float, float]:
    """Width and height of a small letter, as parts of those of a panel, one of `rows`."""
    from matplotlib import rcParams

    points = 0.7 * rcParams["font.size"]  # of letters that are x-small
    # Axes, their names and titles take about a fifth of the picture's sides.
    width, height = (0.8 * 72 * side for side in figure.get_size_inches())
    return 1.3 * points / width, 0.65 * points / (height / rows - 2 * points)


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
