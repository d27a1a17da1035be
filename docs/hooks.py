"""What mkdocs puts into the pages while it builds them, so that it cannot go out of date.

`<!-- made: NAME -->` in a page becomes the table of that name, and equations become MathML, which
browsers show without any script.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

#: Files of `docs/notebooks`, in the order of the page.
NOTEBOOKS = ("predict", "compare", "train")

_MADE = re.compile(r"<!-- made: (\w+) -->")
_EQUATION = re.compile(
    r'<(?P<tag>div|span) class="arithmatex">\\[\[(](?P<tex>.*?)\\[\])]</(?P=tag)>', re.DOTALL
)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables in."""
    return _MADE.sub(lambda found: TABLES[found[1]](), markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Turn TeX into MathML."""
    return _EQUATION.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    from latex2mathml.converter import convert

    display = "block" if found["tag"] == "div" else "inline"
    return convert(html.unescape(found["tex"]).strip(), display=display)


def _out_of_fold() -> list[dict[str, Any]]:
    """Figures of the relaxed crystals, then of the displaced ones, by species."""
    document = json.loads((ROOT / "docs" / "out-of-fold.json").read_text())
    return [figures for file, figures in document.items() if file != "all"]


def accuracy() -> str:
    """Errors on the relaxed crystals, of `docs/out-of-fold.json`."""
    relaxed, _ = _out_of_fold()
    rows = []
    for species, f in relaxed.items():
        digits = 2 if species == "1H" else 1
        low, high = f["rmse_interval"]
        rows.append(
            [
                species, f"{f['n']:,}", f"{f['rmse']:.{digits}f}",
                f"{low:.{digits}f} to {high:.{digits}f}", f"{f['mae']:.{digits}f}",
                f"{f['p95']:.{digits}f}", f"{f['baseline']['rmse']:.{digits}f}",
            ]
        )  # fmt: skip
    head = ["nucleus", "atoms", "RMSE / ppm", "its 95 % interval", "MAE / ppm",
            "95 % of errors below", "RMSE of the KRR of 2018"]  # fmt: skip
    return _table(head, rows)


def classes() -> str:
    """Errors by kind of environment, of relaxed and displaced crystals."""
    relaxed, displaced = _out_of_fold()
    rows = []
    for species, nucleus in relaxed.items():
        digits = 2 if species == "1H" else 1
        for name, f in nucleus["classes"].items():
            other = displaced[species]["classes"][name]
            rows.append(
                [species, name, f"{f['n']:,}", f"{f['crystals']}",
                 f"{f['rmse']:.{digits}f}", f"{other['rmse']:.{digits}f}"]
            )  # fmt: skip
    head = ["nucleus", "environment", "atoms", "crystals", "RMSE / ppm, relaxed", "displaced"]
    return _table(head, rows)


def commands() -> str:
    """What `--help` says of every command."""
    from typer.main import get_command

    from shiftcli.cli.app import app

    app.rich_markup_mode = None  # plain text
    try:
        command = get_command(app)
        return "\n\n".join(
            f"## {' '.join(names)}\n\n```text\n{_help(command, names)}\n```"
            for names in _names("shiftcli", command)
        )
    finally:
        app.rich_markup_mode = "rich"


def notebooks() -> str:
    """The cells of the notebooks."""
    parts = []
    for name in NOTEBOOKS:
        cells = json.loads((ROOT / "docs" / "notebooks" / f"{name}.ipynb").read_text())["cells"]
        for cell in cells:
            text = "".join(cell["source"])
            is_code = cell["cell_type"] == "code"
            parts.append(f"```python\n{text}\n```" if is_code else re.sub("^# ", "## ", text))
    return "\n\n".join(parts)


def _names(name: str, command: Any) -> Iterator[list[str]]:
    """A command, then those below it, as what is typed."""
    yield name.split()
    for one, below in getattr(command, "commands", {}).items():
        yield from _names(f"{name} {one}", below)


def _help(command: Any, names: list[str]) -> str:
    said = StringIO()
    with redirect_stdout(said):
        command.main([*names[1:], "--help"], prog_name=names[0], standalone_mode=False)
    return said.getvalue().strip()


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


#: By the name in a page.
TABLES = {"accuracy": accuracy, "classes": classes, "commands": commands, "notebooks": notebooks}
