"""How an option is declared: once, with its type, default, limits, words and purpose.

A group of options is a frozen dataclass whose fields are made by `option`. The command line
makes its signatures and its help from such groups, configuration files are checked against
them, and so are values that come through the Python API (`check`).
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from shiftcli.errors import UsageError, visible

#: What to do with X–H bonds: lengthen those of X-ray structures to the lengths of relaxed
#: crystals, move all to neutron lengths, or nothing.
Hydrogens = Literal["auto", "neutron", "keep"]

#: Formats that hold any table.
TableFormat = Literal["table", "csv", "json", "md", "tex", "html", "xlsx", "parquet"]

#: Formats that hold atoms with their shieldings.
AtomFormat = Literal["xyz", "magres", "cif", "chemiscope", "simpson", "mrsimulator"]

#: All of them.
AnyFormat = Literal[TableFormat, AtomFormat]

#: Density kernels, and presets of the network.
Kernel = Literal["gaussian", "slater", "form-factor"]
Preset = Literal["paper", "medium", "compact", "mr-arch", "mr-input", "cnn"]

#: What to do with disorder: keep the major component, or refuse.
Disorder = Literal["major", "error"]

#: Bytes of a file of options or references; ours have some thousand.
_LARGEST_FILE = 1_000_000

#: Dots in a line of it: a name of 20,000 parts takes ten seconds.
_MOST_DOTS = 2_000


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its type and default."""

    help: str  #: What it does, in a sentence.
    panel: str = "Options"  #: Heading in ``--help`` under which it stands.
    limits: tuple[float, float] | None = None  #: Smallest and largest number.
    metavar: str = ""  #: Stands for the value in ``--help``.
    shown: str = ""  #: Stands for the default in ``--help`` where its value says nothing.
    name: str = ""  #: Long name, without dashes, where it is not the field's.
    short: str = ""  #: One letter.
    parse: Callable[[str], Any] | None = None  #: Makes the value out of text.


def option(default: Any, help: str, **more: Any) -> Any:
    """Declare an option as a field of a dataclass; `Option` has the keywords."""
    return field(default=default, metadata={"option": Option(help, **more)})


def options_of(group: type) -> dict[str, Option]:
    """Options of a group by field."""
    found = {f.name: f.metadata.get("option") for f in fields(group)}
    return {name: declared for name, declared in found.items() if declared is not None}


def words_of(text: str) -> tuple[str, ...]:
    """Read ``a,b``, words with nothing around them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def choices(kind: Any) -> tuple[str, ...]:
    """Words of a `Literal`, alone or beside None; none for other types."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    inner = [one for one in get_args(kind) if one is not type(None)]
    return choices(inner[0]) if len(inner) == 1 and get_origin(inner[0]) is Literal else ()


def check(group: Any) -> None:
    """Hold the values of a group against their choices and limits; `UsageError` where they leave
    them.
    """
    kinds = get_type_hints(type(group))
    for name, declared in options_of(type(group)).items():
        value, known = getattr(group, name), choices(kinds[name])
        if known and value not in known:
            raise UsageError(f"{name} '{visible(value, 50)}' is none of {', '.join(known)}")
        if declared.limits is None or value is None:
            continue
        low, high = declared.limits
        if not low <= value <= high:
            raise UsageError(f"{name} {visible(value, 50)} is not within {low:g} to {high:g}")


def typed(group: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Values of a file as those of a group's fields, after a look at their names and types.

    `UsageError` if the group has no such field, or a value is of another type.
    """
    kinds = get_type_hints(group)
    made = dict(values)
    for name, value in made.items():
        if name not in kinds:
            raise UsageError(
                f"{where} has no '{visible(name, 50)}'", hint=f"known: {', '.join(kinds)}"
            )
        kind = str if choices(kinds[name]) else kinds[name]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            made[name] = value = float(value) if abs(value) < 2**1000 else math.inf
        allowed = kind if kind in (str, int, float, bool) else Mapping
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            wanted = getattr(kind, "__name__", str(kind)).lower()
            raise UsageError(f"{where}: {name} = {visible(repr(value), 50)} is not a {wanted}")
    return made


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a file of options, references or a run; `UsageError` if it cannot be, is too large or
    not TOML.
    """
    where = visible(path)
    try:
        if (given := Path(path)).exists() and not (given.is_file() or given.is_dir()):
            raise UsageError(f"{where}: a pipe or a device, not a file")
        with open(path, "rb") as handle:
            content = handle.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise UsageError(f"{where}: more than {_LARGEST_FILE} bytes, which no such file has")
        if max(line.count(b".") for line in content.split(b"\n")) > _MOST_DOTS:
            raise UsageError(f"{where} is not TOML: absurd numbers or nesting")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # numbers of 5,000 digits, endless brackets
        reason = visible(error, 100) if isinstance(error, tomllib.TOMLDecodeError) else (
            "absurd numbers or nesting" if not isinstance(error, UnicodeDecodeError)
            else "not UTF-8"
        )  # fmt: skip
        raise UsageError(f"{where} is not TOML: {reason}") from error
