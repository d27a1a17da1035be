"""Predictions as extended XYZ."""

from __future__ import annotations

import io

import numpy as np

from shiftcli import __version__
from shiftcli.errors import visible
from shiftcli.results.predictions import Results, flags_of_atoms, per_atom
from shiftcli.structure.crystal import PREDICTED_BY
from shiftcli.views.labels import BLANKS, as_words


def write_xyz(results: Results) -> str:
    """Write predictions as extended XYZ, for OVITO, chemiscope, ASE and shiftcli itself.

    One frame a prediction: all atoms with their labels (blanks become ``_``) and, as columns, the
    numbers of `Results.table` in ppm, NaN where an atom was not predicted, and flags. Notes, and
    that these are predictions, stand in the header.
    """
    from ase.io.extxyz import write_extxyz

    stream = io.StringIO()
    for prediction in results.predictions:
        crystal = prediction.crystal
        atoms = crystal.to_ase()
        # A blank inside a label would shift the columns behind it.
        atoms.set_array("labels", np.array(as_words(crystal.labels, BLANKS)))
        for name, values in per_atom(results, prediction).items():
            atoms.set_array(name.removesuffix("/ppm"), values)
        if any(row.flags for row in prediction.sites):
            marks = flags_of_atoms(prediction)
            atoms.set_array("flags", np.array([",".join(own) or "-" for own in marks]))
        if name := _word(crystal.name or crystal.source):  # an empty one swallows what follows it
            atoms.info["name"] = name
        atoms.info.update(model=results.predictor.model, units="ppm")
        atoms.info[PREDICTED_BY] = f"shiftcli {__version__}"
        if crystal.warnings:
            atoms.info["notes"] = _word("; ".join(crystal.warnings))
        write_extxyz(stream, [atoms])
    return stream.getvalue()


def _word(text: str) -> str:
    """Text for a header on one line: ASE escapes quotes but not backslashes."""
    return visible(text, 10_000).replace("\\", "\\\\")
