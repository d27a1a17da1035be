"""Predictions as extended XYZ."""

from __future__ import annotations

import io

import numpy as np

from shiftcli.writers.ase_atoms import ase_atoms
from shiftcli.writers.results import Results, per_atom


def write_xyz(results: Results) -> str:
    from ase.io.extxyz import write_extxyz

    stream = io.StringIO()
    for prediction in results.predictions:
        atoms = ase_atoms(prediction)
        crystal = prediction.crystal
        # A blank inside a label would shift the columns behind it.
        labels = ["_".join(label.split()) or "?" for label in crystal.labels]
        atoms.set_array("labels", np.array(labels))
        for name, values in per_atom(results, prediction).items():
            atoms.set_array(name.removesuffix("/ppm"), values)
        atoms.info.update(name=crystal.name or crystal.source, model=results.predictor.model)
        atoms.info["units"] = "ppm"
        write_extxyz(stream, [atoms])
    return stream.getvalue()
