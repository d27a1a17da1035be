"""Tables as JSON, Markdown, LaTeX and HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from shiftcli.errors import visible
from shiftcli.results.tables import Column, Document, Table

#: What TeX would take for a command, and signs that its fonts lack outside of formulas.
_TEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "σ": r"$\sigma$", "δ": r"$\delta$", "Δ": r"$\Delta$", "ν": r"$\nu$",
    "²": r"$^2$", "−": "$-$", "<": "$<$", ">": "$>$", "·": r"$\cdot$", "λ": r"$\lambda$",
    "ζ": r"$\zeta$",
}  # fmt: skip


def write_json(document: Document) -> Iterator[str]:
    """Everything, with where it comes from, structure by structure."""
    failures = [{"file": f.file, "error": str(f.error)} for f in document.failures]
    if not document.key:
        (entry,) = document.entries
        yield _json({**document.head, **entry.record(), "failures": failures}) + "\n"
        return
    head, empty, tail = _json(
        {**document.head, document.key: [], "failures": failures}
    ).partition(f'"{document.key}": [')  # fmt: skip
    yield head + empty
    is_first = True
    for entry in document.entries:
        yield ("\n  " if is_first else ",\n  ") + _json(entry.record()).replace("\n", "\n  ")
        is_first = False
    yield ("" if is_first else "\n ") + tail + "\n"


def records_as_json(table: Table) -> str:
    """The rows of one table as a list."""
    return _json(table.records()) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def write_markdown(document: Document) -> Iterator[str]:
    """Tables as people see them, in Markdown."""

    def line(cells: list[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"

    for table in document.tables():
        columns, cells = table.shown()
        rule = ["---:" if table.is_numeric(c) else "---" for c in columns]
        title = " ".join(filter(None, (f"**{visible(table.title)}**", table.detail)))
        text = f"{title}\n\n" if table.title else ""
        text += line([column.head for column in columns]) + line(rule)
        yield text + "".join(map(line, cells)) + "\n"
        yield from (f"{visible(text)}\n\n" for text in table.lines)


def write_latex(document: Document) -> Iterator[str]:
    """Tables as people see them, in LaTeX with booktabs."""

    def line(cells: list[str]) -> str:
        return f"  {' & '.join(map(_tex, cells))} \\\\\n"

    yield "% needs \\usepackage{booktabs}\n"
    for table in document.tables():
        columns, cells = table.shown()
        places = "".join("r" if table.is_numeric(c) else "l" for c in columns)
        heading = " ".join(filter(None, (visible(table.title), table.detail)))
        yield f"\\begin{{table}}\n  \\caption{{{_tex(heading)}}}\n"
        yield f"  \\begin{{tabular}}{{{places}}}\n  \\toprule\n"
        yield line([column.head for column in columns]) + "  \\midrule\n"
        yield "".join(map(line, cells)) + "  \\bottomrule\n  \\end{tabular}\n"
        yield from (f"  \\par {_tex(visible(text))}\n" for text in table.lines)
        yield "\\end{table}\n\n"


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, sign) for sign in text)


def write_html(document: Document) -> Iterator[str]:
    """Tables as people see them, as a page without style; `--report` makes one to send."""
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield "<title>shiftcli</title></head><body>\n"
    for table in document.tables():
        title = " ".join(filter(None, (table.title, table.detail)))
        yield html_table(replace(table, title=title)) + "\n"
    yield "</body></html>\n"


def plain(text: str) -> str:
    """Text of a user for a page: no markup, no controls, no marks that turn its direction.

    HTML that shows it literally, also inside an attribute.
    """
    return escape(visible(text))


def html_table(table: Table, kind: str = "", marks: Sequence[str] = (), opens: int = 0) -> str:
    """A table that a page's script can sort by value, and whose rows choose atoms.

    Its title becomes the caption; `kind` is its class in the style sheet, `marks` are those of its
    rows, if they have any. The first `opens` rows open the section with their number.
    """
    columns, cells = table.shown()
    places = {column.key: k for k, column in enumerate(table.columns)}
    values = [[row[places[column.key]] for column in columns] for row in table.rows]
    numeric = [' class="number"' if table.is_numeric(column) else "" for column in columns]
    heads = "".join(
        f'<th scope="col" aria-sort="none"{mark}{_names(table, column)}>'
        f'<button type="button">{plain(column.head)}</button></th>'
        for column, mark in zip(columns, numeric, strict=True)
    )
    body = []
    for k, (row, shown) in enumerate(zip(values, cells, strict=True)):
        atoms = " ".join(map(str, table.atoms[k])) if table.atoms else ""
        named = f' data-atoms="{atoms}" tabindex="0"' if atoms else ""
        named += f' data-opens="{k}" tabindex="0"' if k < opens else ""
        named += f' class="{marks[k]}"' if marks and marks[k] else ""
        parts = zip(row, shown, numeric, strict=True)
        body.append(f"<tr{named}>{''.join(_cell(*part) for part in parts)}</tr>")
    notes = "".join(f'<p class="note">{plain(text)}</p>' for text in table.lines)
    return (
        f'<div class="scroll"><table class="{kind}" role="grid"><caption>{plain(table.title)}'
        f"</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        f"{notes}"
    )


def _names(table: Table, column: Column) -> str:
    """What a column, and the errors behind its values, are called in spreadsheets."""
    spreads = [c.label for c in table.columns if column.spread and c.key == column.spread]
    also = f' data-spread="{plain(spreads[0])}"' if spreads else ""
    return f' data-name="{plain(column.label)}"{also}'


def _cell(value: Any, text: str, mark: str) -> str:
    is_number = mark and isinstance(value, int | float) and text
    sorts = f' data-value="{value:.12g}"' if is_number else ""
    return f"<td{mark}{sorts}>{plain(text.replace('-', '−') if is_number else text)}</td>"
