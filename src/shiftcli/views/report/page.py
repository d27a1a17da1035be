"""The whole page: templates filled in, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from shiftcli import __version__
from shiftcli.errors import ShiftcliError, UsageError
from shiftcli.files import check_writable, write_text
from shiftcli.nmr.comparison import StructureComparison
from shiftcli.prediction.predictor import Failure, Predictor
from shiftcli.results.citations import PROGRAMS, Citation, Citations, find_citations
from shiftcli.results.predictions import Results
from shiftcli.results.provenance import provenance
from shiftcli.results.tables import Column, Table
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.documents import html_table, plain
from shiftcli.views.report.structures import (
    shift_references,
    shown_name,
    structure_data,
    structure_section,
)

#: Suffixes that a report can have.
SUFFIXES = (".html", ".htm")

#: Structures of a report at most: each takes some 100 kB of the page.
MOST_STRUCTURES = 500

#: The page's script, in this order.
_SCRIPTS = ("colours.js", "picture.js", "tables.js", "main.js")


def check_report(path: Path) -> None:
    """Refuse a report that cannot be written, before the work is done.

    `UsageError` if its suffix is none of `SUFFIXES` or its folder is not there.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--report: '{path.name}' should end in {' or '.join(SUFFIXES)}")
    check_writable(path)


def write_report(
    path: str | Path,
    results: Results,
    comparisons: Sequence[StructureComparison | None] = (),
    citations: Citations | None = None,
) -> None:
    """Write predictions as one page that a browser opens without a network.

    Parameters
    ----------
    path : str or pathlib.Path
        The file, ``.html``; replaced if it is there.
    results : Results
        What was predicted.
    comparisons : sequence of StructureComparison or None
        For each prediction its comparison with an experiment; empty where there is none.
    citations : Citations, optional
        What to cite; without it what `shiftcli.results.citations.find_citations` says of the folder
        of the networks.

    Raises
    ------
    UsageError
        If it cannot be written.
    ShiftcliError
        If nothing was predicted, or more than a page can hold.
    """
    check_report(Path(path))
    write_text(render_report(results, comparisons, citations), Path(path))


def render_report(
    results: Results,
    comparisons: Sequence[StructureComparison | None] = (),
    citations: Citations | None = None,
) -> str:
    """The page that `write_report` writes, with style, script and data inside.

    All text that is a user's is escaped, and a content security policy admits the page's own style
    and script alone.
    """
    if not results.predictions:
        raise ShiftcliError("no structure was predicted that a report could show")
    if len(results.predictions) > MOST_STRUCTURES:
        raise ShiftcliError(
            f"{len(results.predictions)} structures are too many for one report",
            hint=f"{MOST_STRUCTURES} at most",
        )
    if citations is None:
        citations = find_citations(results.predictor.files[0].path.parent)
    compared = comparisons or [None] * len(results.predictions)
    names, sections, drawn = [], [], []
    for k, (prediction, own) in enumerate(zip(results.predictions, compared, strict=True)):
        converted = replace(results, references=shift_references(results.references, own))
        names.append(shown_name(prediction.crystal))
        sections.append(structure_section(k, converted, prediction, own))
        drawn.append(structure_data(prediction, results.precision))
    folder = files("shiftcli.views.report")
    style = folder.joinpath("style.css").read_text(encoding="utf-8")
    script = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    values = {
        "generator": plain(f"shiftcli {__version__}"),
        "title": plain(_title(results, names)),
        "summary": plain(_summary(results)),
        "style": style,
        "style-hash": _hash(style),
        "script": script,
        "script-hash": _hash(script),
        "selector": _selector(names),
        "structures": "".join(sections),
        "failures": _failures(results.failures),
        "provenance": _provenance(results, citations.works),
        "data": _json(drawn),
    }
    page = folder.joinpath("page.html").read_text(encoding="utf-8")
    # In one pass, so that what a user's text holds is never taken for a place to fill in.
    return re.sub(r"\{\{([a-z-]+)\}\}", lambda match: values[match[1]], page)


def _title(results: Results, names: Sequence[str]) -> str:
    one = results.predictions[0].crystal.name or names[0]
    return f"NMR shieldings of {one if len(names) == 1 else f'{len(names)} structures'}"


def _summary(results: Results) -> str:
    species = ", ".join(SPECIES[nucleus] for nucleus in results.predictor.calibrations)
    return f"Predicted by shiftcli {__version__}: isotropic shieldings of {species}"


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
    return html_table(Table("failures", (Column("file"), Column("why")), rows, "Not predicted"))


def _provenance(results: Results, works: Sequence[Citation]) -> str:
    about = provenance(results.predictor)
    entries = [("Program", f"{about['program']} {about['version']}"), ("Model", about["model"])]
    entries += [(f"Network {name}", f"SHA-256 {sha}") for name, sha in about["weights"].items()]
    entries += [("Uncertainty", text) for text in _uncertainties(results.predictor)]
    entries += [("Shift references", text) for text in _references(results)]
    entries += [(work.reason, work.to_text()) for work in works if work.reason != PROGRAMS]
    pairs = "".join(f"<dt>{plain(name)}</dt><dd>{plain(text)}</dd>" for name, text in entries)
    return f"<dl>{pairs}</dl>"


def _uncertainties(predictor: Predictor) -> list[str]:
    own = ", ".join(SPECIES[n] for n, made in predictor.calibrations.items() if made is not None)
    same = ", ".join(SPECIES[n] for n, made in predictor.calibrations.items() if made is None)
    meaning = "± is the half width of the interval that holds the GIPAW shielding with 68 or 95 %"
    texts = [f"{meaning}, calibrated for each atom ({own})"] if own else []
    return texts + ([f"{meaning}, from the validation RMSE ({same})"] if same else [])


def _references(results: Results) -> list[str]:
    given = results.references
    values = [
        f"{SPECIES[e]} {value:g} ppm, gradient {given.gradient(e):g}"
        for e, value in given.references.items()
    ]
    return ["; ".join(values), *given.sources] if values else []


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _json(data: object) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
