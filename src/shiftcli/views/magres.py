"""Predictions as magres, which ASE, Soprano and MagresView read.

Format: https://www.ccpnc.ac.uk/docs/magres. Written here and not by ASE, which knows no comments
and no site labels.
"""

from __future__ import annotations

import numpy as np

from shiftcli import __version__
from shiftcli.errors import UsageError, visible
from shiftcli.prediction.predictor import Prediction
from shiftcli.results.predictions import Results, flags_of_atoms, only_prediction, per_atom
from shiftcli.views.labels import UNUSUAL, as_words

_COMMENT = "isotropic shieldings only: each tensor is the isotropic shielding times the unit matrix"


def write_magres(results: Results) -> str:
    """Write one prediction of all atoms as magres; notes and flags are comments.

    An atom's label is that of its site, its index counts the copies of that label from 1.
    Characters of a label that the format cannot hold are replaced by ``_``. `UsageError` if there
    are several predictions, or one without the shieldings of all atoms: the readers refuse a file
    in which an atom has no tensor.
    """
    prediction = only_prediction(results, "magres")
    if prediction is None:
        return ""  # everything failed, which is reported by itself
    shielding = _all_shieldings(results, prediction)
    crystal = prediction.crystal
    labels = as_words(crystal.labels, UNUSUAL)
    keys = [f"{label} {index}" for label, index in zip(labels, _counted(labels), strict=True)]
    atoms = ["  units atom Angstrom"]
    if crystal.cell is not None:
        atoms = ["  units lattice Angstrom", f"  lattice {_numbers(crystal.cell)}", *atoms]
    atoms += [
        f"  atom {element} {key} {_numbers(xyz)}"
        for element, key, xyz in zip(crystal.elements, keys, crystal.positions, strict=True)
    ]
    tensors = [
        f"  ms {key} {_numbers(value * np.eye(3))}"
        for key, value in zip(keys, shielding, strict=True)
    ]
    (name,) = as_words([crystal.name or "crystal"], UNUSUAL)
    calculation = (
        "  calc_code shiftcli",
        f"  calc_code_version {__version__}",
        f"  calc_name {name}",
        f"  calc_comment {_COMMENT}",
    )
    blocks = {
        "calculation": calculation,
        "atoms": atoms,
        "magres": ["  units ms ppm", *tensors],
    }
    lines = ["#$magres-abinitio-v1.0", f"# {_COMMENT}"]
    lines += [f"# note: {visible(text, 10_000)}" for text in crystal.warnings]
    lines += [
        f"# flags of {key}: {' '.join(flags)}"
        for key, flags in zip(keys, flags_of_atoms(prediction), strict=True)
        if flags
    ]
    for block, content in blocks.items():
        lines += [f"[{block}]", *content, f"[/{block}]"]
    return "\n".join(lines) + "\n"


def _all_shieldings(results: Results, prediction: Prediction) -> np.ndarray:
    shielding = per_atom(results, prediction)["MS_shielding/ppm"]
    known = int(np.isfinite(shielding).sum())
    if known < len(shielding):
        raise UsageError(
            f"a magres file needs the shielding of all {len(shielding)} atoms, "
            f"{known} were predicted",
            hint="leave --nucleus out",
        )
    return shielding


def _counted(labels: list[str]) -> list[int]:
    """Running number of each label among its like, from 1."""
    seen: dict[str, int] = {}
    numbers = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        numbers.append(seen[label])
    return numbers


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value + 0.0:.10g}" for value in np.ravel(values))  # + 0.0: no -0
