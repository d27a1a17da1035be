"""Predicted crystals as ASE knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shiftcli.prediction.predictor import Prediction

if TYPE_CHECKING:
    from ase import Atoms


def ase_atoms(prediction: Prediction) -> Atoms:
    """All atoms of the cell, or of the molecule, without properties."""
    from ase import Atoms

    crystal = prediction.crystal
    periodic = crystal.cell is not None
    return Atoms(
        symbols=crystal.elements.tolist(),
        positions=crystal.positions,
        cell=crystal.cell if periodic else None,
        pbc=periodic,
    )
