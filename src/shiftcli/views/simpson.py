"""Predictions as a spin system for SIMPSON.

Syntax: Bak, Rasmussen and Nielsen, J. Magn. Reson. 147, 296 (2000), section ``spinsys``.
"""

from __future__ import annotations

from collections.abc import Sequence

from shiftcli import __version__
from shiftcli.errors import UsageError, visible
from shiftcli.results.predictions import Results, only_prediction
from shiftcli.structure.crystal import SPECIES
from shiftcli.views.labels import UNUSUAL, as_words

#: Tcl counts braces in comments, too.
_BRACES = str.maketrans("{}", "()")


def write_simpson(results: Results) -> str:
    """Write one prediction, with references, as a ``spinsys`` block.

    One spin for each symmetry-distinct atom whose element has a reference: isotropic shifts in ppm,
    no anisotropy and no couplings. A comment names the spins; what has no reference is left out,
    and another comment says so. `UsageError` if there are several predictions, or no atom has a
    shift.
    """
    prediction = only_prediction(results, "SIMPSON")
    if prediction is None:
        return ""  # everything failed, which is reported by itself
    crystal = prediction.crystal
    rows = results.sites(prediction).records()
    spins = [row for row in rows if row["shift"] is not None]
    if not spins:
        raise UsageError(
            "a SIMPSON spin system holds shifts, and no predicted atom has a reference",
            hint="name the element in --references",
        )
    left_out = _ordered([row["species"] for row in rows if row["shift"] is None])
    nuclei = [row["species"] for row in spins]
    labels = as_words([row["labels"] for row in spins], UNUSUAL)
    # No braces in comments: Tcl counts them.
    lines = [
        f"# Isotropic shifts predicted by shiftcli {__version__}; no anisotropies, no couplings.",
        *([f"# Without a reference and left out: {' '.join(left_out)}"] if left_out else []),
        *(["# 17O is quadrupolar, and its coupling is not predicted."] if "17O" in nuclei else []),
        *(f"# {visible(text, 10_000)}".translate(_BRACES) for text in crystal.warnings),
        "# spin label multiplicity flags",
        *(
            " ".join([f"# {k} {label} {row['multiplicity']}", *row["flags"]])
            for k, (label, row) in enumerate(zip(labels, spins, strict=True), 1)
        ),
        "spinsys {",
        f"  channels {' '.join(_ordered(nuclei))}",
        f"  nuclei {' '.join(nuclei)}",
        *(
            f"  shift {k} {row['shift']:.{results.precision}f}p 0 0 0 0 0"
            for k, row in enumerate(spins, 1)
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _ordered(nuclei: Sequence[str]) -> list[str]:
    """Each nucleus once."""
    return [species for species in SPECIES.values() if species in nuclei]
