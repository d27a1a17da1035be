"""Predictions as extended XYZ."""

from __future__ import annotations

import io

import numpy as np

from shiftcli.results.predictions import Results, per_atom
from shiftcli.views.ase_atoms import ase_atoms
from shiftcli.views.labels import BLANKS, as_words


def write_xyz(results: Results) -> str:
    """Write predictions as extended XYZ, for OVITO, chemiscope, ASE and shiftcli itself.

    Parameters
    ----------
    results : Results
        What was predicted.

    Returns
    -------
    str
        One frame a prediction: all atoms with their labels (blanks become ``_``) and, as
        columns, the numbers of `Results.row` in ppm, NaN where an atom was not predicted.
    """
    from ase.io.extxyz import write_extxyz

    stream = io.StringIO()
    for prediction in results.predictions:
        atoms = ase_atoms(prediction)
        crystal = prediction.crystal
        # A blank inside a label would shift the columns behind it.
        atoms.set_array("labels", np.array(as_words(crystal.labels, BLANKS)))
        for name, values in per_atom(results, prediction).items():
            atoms.set_array(name.removesuffix("/ppm"), values)
        # ASE escapes quotes but not backslashes, and an empty value swallows what follows it.
        if name := (crystal.name or crystal.source).replace("\\", "\\\\"):
            atoms.info["name"] = name
        atoms.info.update(model=results.predictor.model, units="ppm")
        write_extxyz(stream, [atoms])
    return stream.getvalue()
