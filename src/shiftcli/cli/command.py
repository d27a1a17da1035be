"""A function with groups of options becomes a command: signature, help and configuration files."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from shiftcli.errors import UsageError, visible
from shiftcli.files import refuse_inputs
from shiftcli.options import Option, choices, options_of, read_toml

#: Defaults in the working directory, and in the user's folder of configuration.
DEFAULTS = "shiftcli.toml"

#: Options that name what is written: a file that happens to lie about must not choose them.
_OUTPUTS = frozenset(("output", "plot", "report", "work"))


_NOTHING = inspect.Parameter.empty


class Command(TyperCommand):
    """A command that shows words it does not know escaped; Typer does so with most of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # Typer's own errors are of a private module
            if hasattr(error, "message"):
                error.message = visible(error.message)
            raise


def command(
    function: Callable[..., None], *, further: frozenset[str] = frozenset()
) -> Callable[..., None]:
    """Spread the groups among a function's parameters into options, and add ``--config``.

    A parameter whose type is a group of options becomes one option a field, with the values of the
    parameter's default where it has one. ``Annotated[dict, group]`` takes only those values that
    were given, for what has further defaults below. `further` are keys of a configuration file that
    the command takes as they are, out of ``context.meta["shiftcli.further"]``.
    """
    hints = get_type_hints(function, include_extras=True)
    own = inspect.signature(function).parameters
    groups = {name: found for name in own if (found := _group(hints[name])) is not None}
    given = {name: None if (d := own[name].default) is _NOTHING else d for name in groups}
    parameters: dict[str, inspect.Parameter] = {}
    for name, parameter in own.items():
        if name in groups:
            made = _parameters(*groups[name], given[name])
        else:
            made = iter([parameter.replace(annotation=hints[name])])
        parameters |= {one.name: one for one in made}
    parameters["config"] = _keyword("config", Annotated[Path | None, _CONFIG], None)
    parameters["context"] = _keyword("context", typer.Context, _NOTHING)

    @wraps(function)
    def run(context: typer.Context, **values: Any) -> None:
        _refuse_infinite(values)
        written = [Path(v) for name, v in values.items() if name in _OUTPUTS and v is not None]
        refuse_inputs(written, context.meta.get("shiftcli.read", ()))
        arguments: dict[str, Any] = {}
        for name in own:
            if name in groups:
                arguments[name] = _made(*groups[name], given[name], values)
            else:
                arguments[name] = context if name == "context" else values[name]
        function(**arguments)

    order = sorted(parameters.values(), key=lambda p: p.default is not _NOTHING)
    order = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in order]
    run.__signature__ = inspect.Signature(order)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in order}
    run.takes_more = further  # type: ignore[attr-defined]
    del run.__wrapped__  # typer would look through it
    return run


def _group(hint: Any) -> tuple[type, bool] | None:
    """The group that a parameter stands for, and whether only given values count."""
    if is_dataclass(hint) and isinstance(hint, type):
        return hint, False
    if get_origin(hint) is Annotated and is_dataclass(group := get_args(hint)[1]):
        return (group, True) if isinstance(group, type) else None
    return None


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _parameters(group: type, is_partial: bool, given: Any) -> Iterator[inspect.Parameter]:
    """One parameter a field, as Typer reads it."""
    kinds, declared = get_type_hints(group), options_of(group)
    for one in fields(group):
        if one.name not in declared:
            continue
        how = declared[one.name]
        default = getattr(given, one.name, one.default)
        kind = str | None if how.parse else kinds[one.name]
        shown: bool | str = how.shown or (
            "none" if default == () else (_text(default) or "") if is_partial else True
        )
        if default is ...:  # it has to be given
            value: Any = _NOTHING
        else:
            value = None if is_partial else _text(default) if how.parse else default
        if is_partial:
            kind = kind | None
        name = how.name or one.name.replace("_", "-")
        flags = [f"--{name}", *([f"-{how.short}"] if how.short else [])]
        if kinds[one.name] is bool and (default or is_partial):
            flags[0] += f"/--no-{name}"
        words = choices(kinds[one.name])
        low, high = how.limits if how.limits and not is_partial else (None, None)
        info = typer.Option(
            *flags, help=_sentence(how.help, words), show_default=shown, min=low,
            max=None if high in (None, math.inf) else high,
            metavar=how.metavar or (name.upper() if words else None),
            rich_help_panel=how.panel if how.panel != Option.panel else None,
        )  # fmt: skip
        yield _keyword(one.name, Annotated[kind, info], value)


def _text(default: Any) -> str | None:
    """A default as it would be typed."""
    if isinstance(default, tuple):
        return ",".join(default) or None
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, float):
        return f"{default:g}"
    return None if default is None else str(default)


def _sentence(help: str, words: tuple[str, ...]) -> str:
    """The help of an option, its choices at the end: beside its name they would be cut off."""
    if not words:
        return help
    return f"{help.rstrip('.')}: {', '.join(words[:-1])} or {words[-1]}."


def _refuse_infinite(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} {value}: a finite number is needed")


def _made(group: type, is_partial: bool, given: Any, values: Mapping[str, Any]) -> Any:
    """The group, or the values that were given for it."""
    made: dict[str, Any] = {}
    for name, how in options_of(group).items():
        value = values[name]
        if value is not None:
            made[name] = value if how.parse is None else how.parse(value)
    if is_partial:
        return made
    return group(**made) if given is None else replace(given, **made)


def _configure(context: typer.Context, config: Path | None) -> Path | None:
    """Defaults of this command, from files: the user's, the working directory's, ``--config``."""
    if context.resilient_parsing:
        return config
    from platformdirs import user_config_path

    found: dict[str, Any] = {}
    read = context.meta["shiftcli.read"] = [] if config is None else [config]
    for path in dict.fromkeys((user_config_path("shiftcli") / DEFAULTS, Path(DEFAULTS))):
        if path.is_file():
            read.append(path)
            values = _values(context, path, is_own=False)
            found |= values
            if values:
                flags = {one.name: one.opts[0].strip("-") for one in context.command.params}
                told = ", ".join(sorted(flags.get(name, "hyperparameters") for name in values))
                typer.echo(f"note: options from {visible(path)}: {told}", err=True)
    if config is not None:
        found |= _values(context, config, is_own=True)
    context.meta["shiftcli.further"] = found.pop("", {})
    context.default_map = {**(context.default_map or {}), **found}
    return config


_CONFIG = typer.Option(
    "--config", metavar="FILE", is_eager=True, callback=_configure,
    help="TOML file of options; shiftcli.toml here or in the user's configuration folder gives "
    "defaults.", show_default=False,
)  # fmt: skip


def _values(context: typer.Context, path: Path, *, is_own: bool) -> dict[str, Any]:
    """What a file says of this command's options, by parameter.

    ``[predict]`` is for that command alone, what stands above the tables for every command. A
    file named by ``--config`` is this command's: all of it has to be known.
    """
    document = read_toml(path)
    command, commands = context.command, getattr(context.find_root().command, "commands", {})
    top: Any = context
    while top.parent is not None and top.parent.parent is not None:
        top = top.parent
    own = document.get(top.info_name or "", {})
    if not isinstance(own, dict):
        raise UsageError(f"{visible(path)}: {top.info_name} is not a table")
    tables = {k for k, v in document.items() if isinstance(v, dict) and k in commands}
    general = {k: v for k, v in document.items() if k not in tables}
    params = {}
    for param in command.params:
        for flag in param.opts:
            if flag.startswith("--") and param.name not in (None, "config", "help"):
                params[flag[2:].replace("-", "_")] = param
    takes_more: frozenset[str] = getattr(command.callback, "takes_more", frozenset())
    made: dict[str, Any] = {}
    for key, value in ((k, v) for part in (general, own) for k, v in part.items()):
        name, where = key.replace("-", "_"), f"{visible(path)}: {visible(key, 50)}"
        if name in takes_more:
            made.setdefault("", {})[name] = value
        elif name in params and (is_own or name not in _OUTPUTS):
            made[params[name].name] = _typed_in(params[name], value, where)
        elif is_own or key in own:
            raise UsageError(f"{where}: no option of this command that a file may set")
    return made


def _typed_in(param: Any, value: Any, where: str) -> Any:
    """A value of a file as it would be typed, so that one check serves both."""
    is_flag = bool(getattr(param, "is_flag", False))
    if is_flag != isinstance(value, bool):
        wanted = "true or false" if is_flag else "a value"
        raise UsageError(f"{where} = {visible(repr(value), 50)}: {wanted} is needed")
    if is_flag:
        return value
    if getattr(param, "multiple", False):
        return [_scalar(one, where) for one in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        return ",".join(_scalar(one, where) for one in value)
    if isinstance(value, dict):
        return ",".join(f"{key}:{_scalar(one, where)}" for key, one in value.items())
    return _scalar(value, where)


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where} holds {visible(repr(value), 50)}, which is no text or number")
    return str(value)
