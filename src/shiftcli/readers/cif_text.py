"""CIF as text: data blocks one by one, characters beyond ASCII, and the quotes of CIF 2.0.

gemmi parses CIF 1.1. What it does not know is put into its words before, line by line, so that
its messages name the right line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import gemmi

from shiftcli import limits
from shiftcli.errors import ReadError
from shiftcli.readers.sources import safe_text

#: Spaces and minus signs that word processors put in the place of the plain ones.
_PLAIN = {0xA0: " ", 0x2007: " ", 0x2009: " ", 0x202F: " ", 0x2212: "-"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")

#: What begins where a value of CIF 2.0 may: a comment, a text field, quotes, brackets.
_CIF2 = re.compile(
    r"(?P<skip>(?<!\S)#.*|^;(?:.*\n)*?;)"
    r"|(?<!\S)(?P<quote>'''|\"\"\")(?P<long>(?:.|\n)*?)(?P=quote)"
    r"|(?<!\S)(?P<string>'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?<!\S)(?P<open>[\[{])",
    re.MULTILINE,
)


class Block:
    """A data block, with names in lower case and dots as underscores, as in ``_cell_length_a``.

    Attributes
    ----------
    name : str
        What follows ``data_``.
    """

    def __init__(self, parsed: gemmi.cif.Block, where: str) -> None:
        self.name = _unescaped(parsed.name)
        #: By name its spelling, and the value, or the loop and the column in it: gemmi would look
        #: through the whole block for each.
        self._found: dict[str, tuple[str, Any]] = {}
        self._columns: dict[str, list[str]] = {}
        counts: Counter[str] = Counter()
        for item in parsed:
            pair: Any = item.pair  # gemmi's own types say object
            tags = [pair[0]] if pair else list(item.loop.tags) if item.loop else []
            for column, tag in enumerate(tags):
                key, found = tag.lower().replace(".", "_"), pair[1] if pair else (item.loop, column)
                first, other = self._found.setdefault(key, (tag, found))
                # The same in both spellings, as in files for two kinds of programs, is no repeat.
                if first.lower() == tag.lower() or _values(other) != _values(found):
                    counts[key] += 1
        repeated = [key for key, count in counts.items() if count > 1]
        if repeated:
            raise ReadError(
                f"broken CIF: {safe_text(repeated[0])} is given {counts[repeated[0]]} times",
                where=f"{where}: {safe_text(self.name)}",
                hint="leave one of them in the file",
            )

    def _raw(self, tag: str) -> list[str]:
        key = tag.lower()
        if key not in self._columns:
            self._columns[key] = _values(self._found[key][1]) if key in self._found else []
        return self._columns[key]

    def __contains__(self, tag: str) -> bool:
        return len(self._raw(tag)) > 0

    def having(self, start: str, ends: tuple[str, ...] = ("",)) -> list[str]:
        """The names that begin so, end in one of these ways, and have a value."""
        named = (tag for tag in self._found if tag.startswith(start) and tag.endswith(ends))
        return [tag for tag in named if self.value(tag)]

    def column(self, tag: str) -> list[str]:
        """The values of a name as text, ``?`` and ``.`` where unknown; none without it."""
        return [_text(raw) for raw in self._raw(tag)]

    def value(self, *tags: str) -> str:
        """The first known value among names, empty where all are missing, ``?`` or ``.``."""
        for tag in tags:
            for raw in self._raw(tag):
                if not gemmi.cif.is_null(raw) and (text := _text(raw)):
                    return text
                break
        return ""

    def number(self, *tags: str) -> float:
        """The same as a number without its standard uncertainty, NaN where there is none."""
        return gemmi.cif.as_number(text) if (text := self.value(*tags)) else float("nan")


def _values(found: Any) -> list[str]:
    """The values of a pair, or of a column of a loop."""
    if isinstance(found, str):
        return [found]
    loop, column = found
    return list(loop.values[column :: loop.width()])


def _text(raw: str) -> str:
    # A quoted `?` is one of the file's own words, a bare one says nothing.
    return raw if raw in ("?", ".") else _unescaped(gemmi.cif.as_string(raw)).strip()


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2] or m[3], 16)), text) if "\\" in text else text


def read_blocks(text: str, where: str) -> Iterator[Block | ReadError]:
    """Parse the data blocks of a CIF, each for itself: an error in one does not hide the others.

    `ReadError` if there are more blocks than `shiftcli.limits` allows, or none that holds a thing.
    """
    if text.startswith("#\\#CIF_2.0"):
        text = _as_cif1(text)
    if not text.isascii():
        text = text.translate(_PLAIN).encode("ascii", "backslashreplace").decode()
    lines = text.split("\n")
    starts = _starts(lines)
    if len(starts) > limits.STRUCTURES:
        raise ReadError(
            f"{len(starts)} data blocks; at most {limits.STRUCTURES} are read", where=where
        )
    filled = 0
    for start, end in pairwise([*starts, len(lines)]):
        is_header = re.fullmatch(r"\s*data_\S*\s*", lines[start], re.IGNORECASE)
        if is_header and not any(line.strip() for line in lines[start + 1 : end]):
            continue  # an empty block
        filled += 1
        try:
            yield _parse(lines[start:end], start, where)
        except ReadError as error:
            yield error
    if not filled:
        empty = f"{len(starts)} data blocks, all of them empty" if len(starts) > 1 else ""
        problem = empty or ("an empty data block" if starts else "no data block: not a CIF")
        raise ReadError(problem, where=where)


def _starts(lines: list[str]) -> list[int]:
    """Line (from 0) of each data block, and of items before the first one."""
    starts, in_text_field = [], False
    for number, line in enumerate(lines):
        if line.startswith(";"):
            in_text_field = not in_text_field
        elif not in_text_field and re.match(r"\s*data_", line, re.IGNORECASE):
            starts.append(number)
    first = starts[0] if starts else len(lines)
    # A letter's first lines are no CIF; items are, and their header is lost.
    items = (k for k, line in enumerate(lines[:first]) if re.match(r"\s*(_|loop_)", line))
    lost = next(items, None)
    if lost is None and not starts:
        lost = next((k for k, line in enumerate(lines) if re.match(r"\s*[^#\s]", line)), None)
    return starts if lost is None else [lost, *starts]


def _parse(lines: list[str], first_line: int, where: str) -> Block:
    try:
        # Level 0: gemmi's own check for repeats would count the tags of unused tables, too.
        document = gemmi.cif.read_string("\n".join(lines), 0)
    except (ValueError, RuntimeError, UnicodeError) as error:
        raise ReadError(_syntax_error(str(error), lines, first_line), where=where) from error
    if len(document) != 1:
        raise ReadError(f"no data block at line {first_line + 1}: not a CIF", where=where)
    return Block(document[0], where)


def _syntax_error(message: str, lines: list[str], first_line: int) -> str:
    match = re.match(r"[^:]*:(\d+)(?::(\d+)\(\d+\))?:? *(.*)", message, re.DOTALL)
    if not match:
        return f"broken CIF: {safe_text(message, 100)}"
    line = int(match[1])
    if "unterminated text field" in message:  # begun where the last semicolon stands
        line = max(k for k, text in enumerate(lines, 1) if text.startswith(";"))
    what = safe_text(match[3], 80).replace("parse error", "syntax error") or "syntax error"
    if what.startswith("Wrong number of values in loop") and (odd := _odd_row(lines, line - 1)):
        line, found, columns = odd
        what = f"{found} values for the {columns} names of a loop"
    shown = f"{what} at line {line + first_line}"
    beyond = re.search(r"\\[xuU][0-9a-f]{2,8}", lines[line - 1]) if line <= len(lines) else None
    return f"broken or cut-off CIF: {shown}" + (
        f" (with '{_unescaped(beyond[0])}')" if beyond else ""
    )


def _odd_row(lines: list[str], start: int) -> tuple[int, int, int] | None:
    """Line (from 1), values and names of the first row of a loop that has too few or many."""
    names, k = 0, start + 1
    while k < len(lines) and (found := re.findall(r"\s*(_\S+)", lines[k])):
        names, k = names + len(found), k + 1
    for number, line in enumerate(lines[k:], k + 1):
        values = re.findall(r"'.*?'(?!\S)|\".*?\"(?!\S)|[^\s'\"]\S*", line.split(" #")[0])
        if line.startswith(";") or re.match(r"\s*(_|loop_|data_)", line):
            return None
        if values and len(values) != names:
            return number, len(values), names
    return None


def _as_cif1(text: str) -> str:
    """Write the values that CIF 2.0 alone has in the way of CIF 1.1, each line in its place."""
    parts, at = [], 0
    while match := _CIF2.search(text, at):
        end = match.end()
        if match["open"]:
            end = _closing(text, match.start())
        value = match["long"] if match["quote"] else text[match.start() : end]
        parts.append(text[at : match.start()])
        if match["skip"] or match["string"]:
            parts.append(text[match.start() : end])
        else:
            plain = " ".join(value.split())
            quote = '"' if "'" in plain and '"' not in plain else "'"
            parts += [quote, plain.replace(quote, " "), quote, "\n" * value.count("\n")]
        at = end
    return "".join([*parts, text[at:]])


def _closing(text: str, start: int) -> int:
    """Where the list or table that begins here ends."""
    depth = 0
    for match in re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[\[\]{}]").finditer(text, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(text)  # not closed: all that follows is in it
