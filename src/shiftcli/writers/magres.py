"""Predictions as magres."""

from __future__ import annotations

import io

import numpy as np

from shiftcli import __version__
from shiftcli.errors import UsageError
from shiftcli.writers.ase_atoms import ase_atoms
from shiftcli.writers.results import COLUMNS, Results, per_atom


def write_magres(results: Results) -> str:
    if not results.predictions:
        return ""  # everything failed, which is reported by itself
    if len(results.predictions) != 1:
        raise UsageError(
            f"a magres file holds one structure, not {len(results.predictions)}",
            hint="predict them one by one, or use --format json",
        )
    from ase.io import magres

    prediction = results.predictions[0]
    atoms = ase_atoms(prediction)
    shielding = per_atom(results, prediction)[COLUMNS[5]]
    if np.isnan(shielding).any():
        known = np.flatnonzero(~np.isnan(shielding))
        raise UsageError(
            f"a magres file needs the shielding of all {len(atoms)} atoms, "
            f"{len(known)} were predicted",
            hint="leave --nucleus out",
        )
    # The networks know the isotropic part; the tensors written are multiples of the unit.
    atoms.set_array("ms", shielding[:, None, None] * np.eye(3))
    symbols = np.array(atoms.get_chemical_symbols())
    atoms.set_array("labels", symbols)
    counts = {s: np.cumsum(symbols == s) for s in set(symbols.tolist())}
    atoms.set_array("indices", np.array([counts[s][k] for k, s in enumerate(symbols.tolist())]))
    atoms.info["magres_units"] = {"ms": "ppm"}
    stream = io.StringIO()
    magres.write_magres(stream, atoms)
    note = f"# isotropic shieldings only, predicted by shiftcli {__version__}\n"
    head, newline, rest = stream.getvalue().partition("\n")
    return head + newline + note + rest
