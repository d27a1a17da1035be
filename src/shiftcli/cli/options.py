"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from shiftcli.errors import UsageError

#: No error of a method is as large as this (ppm).
_LARGEST_ERROR = 1000.0

NucleusOption = Annotated[
    str | None,
    typer.Option(
        "--nucleus", metavar="H,C,N,O", help="Nuclei, as symbols or species (1H,13C).",
        show_default="all",
    ),
]  # fmt: skip
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:N.")
]


def _downloaded(context: typer.Context, weights: Path | None) -> Path | None:
    """Fetch a model that is named and not here, with a progress bar, before all else."""
    is_default = weights is None and "SHIFTCLI_WEIGHTS" not in os.environ
    # `env` reports what is wrong with the networks, so it must come so far.
    if is_default or context.resilient_parsing or context.info_name == "env":
        return weights
    from shiftcli.views.terminal.weights import downloads
    from shiftcli.weights import make_ready

    with downloads() as progress:
        make_ready(weights, progress)
    return weights


WeightsOption = Annotated[
    Path | None,
    typer.Option(
        "--weights", metavar="DIR|MODEL", help="Directory of networks, or name of a model.",
        show_default="the networks in the package", callback=_downloaded,
    ),
]  # fmt: skip
DtypeOption = Annotated[
    Literal["float32", "bfloat16"],
    typer.Option(help="Precision of the network; bfloat16 is faster and moves 1H by 0.01 ppm."),
]
ViewsOption = Annotated[
    int | None,
    typer.Option(
        "--views",
        min=1,
        help="Orientations per atom at most.",
        show_default="frames 12, octahedral 48, random 8",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write here.", show_default="stdout"),
]
AverageOption = Annotated[
    str,
    typer.Option(
        "--average", metavar="WORDS",
        help="Sites that exchange fast, as one: CH3,NH3,phenyl, or none.",
    ),
]  # fmt: skip
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE",
        help="Also a page to send: structure, tables, spectra (.html).", show_default="none",
    ),
]  # fmt: skip
TheoryErrorOption = Annotated[
    str,
    typer.Option(
        "--theory-error", metavar="H:0.4,...",
        help="Errors of GIPAW against experiment in ppm; none where the experiment is GIPAW.",
        show_default="H:0.4,C:2.2,N:5.4,O:7.2",
    ),
]  # fmt: skip


def parse_exchange(text: str) -> tuple[str, ...]:
    """Read ``CH3,NH3`` or ``none``.

    Raises
    ------
    UsageError
        If a word is not an exchange that is known.
    """
    from shiftcli.nmr.averaging import EXCHANGE

    words = tuple(part.strip() for part in text.split(",") if part.strip())
    if words == ("none",):
        return ()
    unknown = [word for word in words if word not in EXCHANGE]
    if unknown or not words:
        raise UsageError(f"--average: '{text}' is not none or a list of {', '.join(EXCHANGE)}")
    return words


def parse_nuclei(text: str | None, option: str = "--nucleus") -> tuple[str, ...] | None:
    """Read ``H,C`` or ``1H,13C``; None where nothing was given.

    Raises
    ------
    UsageError
        If a nucleus is unknown or there is none.
    """
    if text is None:
        return None
    from shiftcli.structure.crystal import ELEMENTS, SPECIES

    known = {e: e for e in ELEMENTS} | {s: e for e, s in SPECIES.items()}
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [part for part in wanted if part not in known]
    if unknown or not wanted:
        raise UsageError(f"{option}: '{text}' is not a list of {', '.join(ELEMENTS)}")
    return tuple(dict.fromkeys(known[part] for part in wanted))


def parse_allow(text: str) -> tuple[str, ...]:
    """Read ``elements,hydrogens``.

    Raises
    ------
    UsageError
        If a word is not one of the refusals that can be overridden.
    """
    from shiftcli.structure.checks import OVERRIDES

    words = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [word for word in words if word not in OVERRIDES]
    if unknown:
        raise UsageError(f"--allow: '{unknown[0]}' is none of {', '.join(OVERRIDES)}")
    return words


def parse_theory_errors(text: str) -> dict[str, float]:
    """Read ``H:0.4,C:2.2`` or ``none``; the defaults where nothing was given, or not all.

    Raises
    ------
    UsageError
        If an item is not ``element:number``, or negative.
    """
    from shiftcli.nmr.assignment import GIPAW_ERRORS
    from shiftcli.structure.crystal import ELEMENTS

    if text.strip() == "none":
        return {}
    errors = dict(GIPAW_ERRORS)
    for item in filter(None, (part.strip() for part in text.split(","))):
        element, _, number = (piece.strip() for piece in item.partition(":"))
        try:
            value = float(number)
        except ValueError:
            value = -1.0
        if element not in ELEMENTS or not 0 <= value < _LARGEST_ERROR:
            raise UsageError(f"--theory-error: cannot read '{item}'", hint="write it like H:0.4")
        errors[element] = value
    return errors
