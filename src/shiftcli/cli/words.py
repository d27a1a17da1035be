"""What is typed becomes the values of options: nuclei, exchange, refusals, errors, numbers."""

from __future__ import annotations

import typer

from shiftcli.errors import UsageError
from shiftcli.options import words_of
from shiftcli.structure.nuclei import ELEMENTS, find_element

#: No error of a method is as large as this (ppm).
_LARGEST_ERROR = 1000.0


def parse_nuclei(text: str, option: str = "--nucleus") -> tuple[str, ...]:
    """Read ``H,C`` or ``1H,13C`` or ``proton``.

    `UsageError` if a nucleus is unknown or there is none.
    """
    found = {word: find_element(word) for word in words_of(text)}
    elements = tuple(dict.fromkeys(element for element in found.values() if element))
    if None in found.values() or not elements:
        raise UsageError(f"{option}: '{text}' is not a list of {', '.join(ELEMENTS)}")
    return elements


def parse_pair(text: str) -> tuple[str, str]:
    """Read ``C,H`` or ``H,H``, two nuclei."""
    first, second, *more = (*map(find_element, words_of(text)), None, None)
    if first is None or second is None or len(more) != 2:
        raise UsageError(f"--correlate: '{text}' is not two nuclei, such as C,H or H,H")
    return first, second


def parse_exchange(text: str) -> tuple[str, ...]:
    """Read ``CH3,NH3`` or ``none``.

    `UsageError` if a word is not an exchange that is known.
    """
    from shiftcli.nmr.averaging import EXCHANGE, FRAMES

    words, known = words_of(text), (*EXCHANGE, FRAMES)
    if words == ("none",):
        return ()
    if not words or any(word not in known for word in words):
        raise UsageError(f"--average: '{text}' is not none or a list of {', '.join(known)}")
    return words


def parse_allow(text: str) -> tuple[str, ...]:
    """Read ``elements,hydrogens``.

    `UsageError` if a word is not one of the refusals that can be overridden.
    """
    from shiftcli.structure.checks import OVERRIDES

    unknown = [word for word in words_of(text) if word not in OVERRIDES]
    if unknown:
        raise UsageError(f"--allow: '{unknown[0]}' is none of {', '.join(OVERRIDES)}")
    return words_of(text)


def parse_theory_errors(text: str) -> dict[str, float]:
    """Read ``H:0.4,C:2.2`` or ``none``; the defaults where nothing was given, or not all.

    `UsageError` if an item is not ``element:number``, or negative.
    """
    from shiftcli.nmr.assignment import GIPAW_ERRORS

    if text.strip() == "none":
        return {}
    errors = dict(GIPAW_ERRORS)
    for item in words_of(text):
        name, _, number = item.partition(":")
        element = find_element(name)
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if element is None or not 0 <= value < _LARGEST_ERROR:
            raise UsageError(f"--theory-error: cannot read '{item}'", hint="write it like H:0.4")
        errors[element] = value
    return errors


def parse_reference_words(text: str) -> str:
    """The references as they were written; ``list`` shows the named sets and ends there."""
    if text.strip() != "list":
        return text
    from shiftcli.nmr.shifts import describe_named

    for name, values, source in describe_named():
        typer.echo(f"{name}: {values}\n    {source}")
    raise typer.Exit


def parse_counts(text: str, least: int = 2) -> tuple[int, ...]:
    """Read ``100,200``, numbers of crystals."""
    words = words_of(text)
    if not words:
        raise UsageError("--crystals names no number of crystals")
    if not all(w.isascii() and w.isdecimal() and least <= int(w[:9]) for w in words):
        raise UsageError(
            f"--crystals: '{text}' is not a list of numbers of crystals from {least} on"
        )
    return tuple(int(word[:9]) for word in words)
