"""The whole page: templates filled in, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from shiftcli import __version__
from shiftcli.errors import Failure, UsageError
from shiftcli.files import check_writable, write_text
from shiftcli.results.citations import find_citations
from shiftcli.results.pages import prediction_page
from shiftcli.results.predictions import Results
from shiftcli.results.sections import Page
from shiftcli.results.tables import Column, Table
from shiftcli.views.documents import html_table, plain
from shiftcli.views.report.sections import overview_section, structure_data, structure_section

#: Suffixes that a report can have.
SUFFIXES = (".html", ".htm")

#: The page's script, in this order.
_SCRIPTS = (
    "colours.js", "vectors.js", "copies.js", "picture.js", "tables.js", "downloads.js", "main.js",
)  # fmt: skip


def check_report(path: Path) -> None:
    """Refuse a report that cannot be written, before the work is done.

    `UsageError` if its suffix is none of `SUFFIXES` or its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--report: '{path.name}' should end in {' or '.join(SUFFIXES)}")
    check_writable(path)


def write_report(path: str | Path, page: Page | Results) -> None:
    """Write a result as one page that a browser opens without a network.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, ``.html``; replaced if it is there.
    page : Page or Results
        What was predicted, or a page of `shiftcli.results.pages`: comparisons, a ranking,
        spectra.

    Raises
    ------
    UsageError
        If it cannot be written.
    ShiftcliError
        If nothing was predicted, or more than a page can hold.
    """
    check_report(Path(path))
    if isinstance(page, Results):
        used = page.predictor.files
        page = prediction_page(page, find_citations(used[0].path.parent if used else None))
    write_text(render_report(page), Path(path))


def render_report(page: Page) -> str:
    """The page that `write_report` writes.

    Returns
    -------
    str
        HTML with style, script and data inside. All text that is a user's is escaped, and a
        content security policy admits the page's own style and script alone.
    """
    names, sections, drawn = [], [], []
    for k, section in enumerate(page.sections):
        names.append(section.title)
        sections.append(structure_section(k, section))
        drawn.append(structure_data(section))
    folder = files("shiftcli.views.report")
    style = folder.joinpath("style.css").read_text(encoding="utf-8")
    script = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    values = {
        "generator": plain(f"shiftcli {__version__}"),
        "title": plain(page.title),
        "summary": plain(page.summary),
        "style": style,
        "style-hash": _hash(style),
        "script": script,
        "script-hash": _hash(script),
        "overview": "" if page.overview is None else overview_section(page.overview, len(names)),
        "selector": _selector(names),
        "structures": "".join(sections),
        "failures": _failures(page.failures),
        "provenance": _provenance(page.sources),
        "data": _json(drawn),
    }
    template = folder.joinpath("page.html").read_text(encoding="utf-8")
    # In one pass, so that what a user's text holds is never taken for a place to fill in.
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda match: values[match[1]], template)


def _selector(names: Sequence[str]) -> str:
    if len(names) < 2:
        return ""
    options = "".join(f'<option value="{k}">{plain(n)}</option>' for k, n in enumerate(names))
    return (
        f'<p class="selector"><label>Structure <select id="structure" autocomplete="off">{options}'
        "</select></label></p>"
    )


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    rows = [(Path(f.file).name, f.error.message) for f in failures]
    table = Table("failures", (Column("file"), Column("why")), rows, "Not predicted")
    return html_table(table, "failures")


def _provenance(sources: Sequence[tuple[str, str]]) -> str:
    pairs = "".join(f"<dt>{plain(name)}</dt><dd>{plain(text)}</dd>" for name, text in sources)
    return f"<dl>{pairs}</dl>"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _json(data: object) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
