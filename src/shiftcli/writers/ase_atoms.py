"""Predicted crystals as ASE knows them."""

from __future__ import annotations

from shiftcli.predictor import Prediction


def ase_atoms(prediction: Prediction):
    from ase import Atoms

    crystal = prediction.crystal
    periodic = crystal.cell is not None
    return Atoms(
        symbols=crystal.elements.tolist(),
        positions=crystal.positions,
        cell=crystal.cell if periodic else None,
        pbc=periodic,
    )
