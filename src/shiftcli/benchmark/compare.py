"""Figures of an earlier benchmark beside those of this one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shiftcli import limits
from shiftcli.errors import UsageError
from shiftcli.files import open_file

#: Parts of a document that hold figures; every other value says what they are figures of.
_FIGURES = ("accuracy", "soap_krr", "speed", "end_to_end")

#: Where two benchmarks should agree for their figures to be comparable.
_CONDITIONS = (
    ("data",), ("split",), ("crystals",), ("soap_krr", "data"), ("speed", "device"),
    ("speed", "dtype"), ("machine", "device"), ("machine", "gpu"), ("machine", "cpu"),
    ("machine", "cores"), ("machine", "threads"),
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One figure in two benchmarks."""

    #: Keys that lead to it in the documents, such as ``("accuracy", "1H", "rmse")``.
    name: tuple[str, ...]
    #: Its values.
    old: float
    new: float

    @property
    def change(self) -> float:
        """New − old."""
        return self.new - self.old

    @property
    def relative(self) -> float | None:
        """Change as a fraction of the old value; None where that is 0."""
        return self.change / abs(self.old) if self.old else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        own = {**asdict(self), "name": list(self.name)}
        return {**own, "change": self.change, "relative": self.relative}


@dataclass(frozen=True)
class Comparison:
    """All figures that two benchmarks have in common."""

    source: str  #: File of the old one.
    changes: tuple[Change, ...]  #: In the order of the new one.
    #: What makes them hard to compare: other data, another machine; one line each.
    differences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values under the key ``comparison``, for JSON."""
        changes = [change.to_dict() for change in self.changes]
        own = {"old": self.source, "differences": list(self.differences), "changes": changes}
        return {"comparison": own}


def load_benchmark(path: str | Path) -> dict[str, Any]:
    """Read what ``shiftcli benchmark --format json`` wrote; `UsageError` for anything else."""
    hint = "--compare takes what `shiftcli benchmark --format json` wrote"
    try:
        with open(path, "rb", opener=open_file) as handle:
            document = json.loads(handle.read(limits.PARSED_BYTES))
    except OSError as error:
        raise UsageError(error.strerror or str(error), where=str(path)) from None
    except (ValueError, RecursionError):
        raise UsageError("not JSON", where=str(path), hint=hint) from None
    if not isinstance(document, dict) or not any(key in document for key in _FIGURES):
        raise UsageError("no figures of a benchmark", where=str(path), hint=hint)
    return document


def compare(old: Mapping[str, Any], new: Mapping[str, Any], source: str = "") -> Comparison:
    """The figures that two benchmarks, documents of `load_benchmark`, have in common."""
    before = dict(_figures(old))
    changes = [Change(name, before[name], value) for name, value in _figures(new) if name in before]
    differences = []
    for keys in _CONDITIONS:
        values = _look_up(old, keys), _look_up(new, keys)
        if None not in values and values[0] != values[1]:
            differences.append(f"{' '.join(keys)}: {values[0]} then, {values[1]} now")
    return Comparison(source, tuple(changes), tuple(differences))


def _figures(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every finite number of the parts that hold figures, with the keys that lead to it."""

    def walk(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, (*keys, key))
        elif isinstance(value, (list, tuple)):
            for k, item in enumerate(value):
                # The two numbers of a list are the ends of an interval.
                ends = ("low", "high") if len(value) == 2 else map(str, range(len(value)))
                yield from walk(item, (*keys, tuple(ends)[k]))
        elif type(value) in (int, float) and math.isfinite(value):
            yield keys, float(value)

    for part in _FIGURES:
        yield from walk(document.get(part), (part,))


def _look_up(document: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
