"""The networks of one nucleus, judged together on the validation crystals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shiftcli.errors import TrainingError, WeightsError
from shiftcli.network.calibration import Calibration, Evidence
from shiftcli.network.checkpoint import amend, load_folded
from shiftcli.prediction.committee import predict_committee, shared_environments
from shiftcli.prediction.uncertainty import fit
from shiftcli.results.statistics import rmse
from shiftcli.training.atoms import LabelledAtoms


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled atoms of one nucleus, predicted by a committee that never saw their crystals."""

    atoms: LabelledAtoms  #: n of them.
    shielding: np.ndarray  #: Mean of the members in ppm, shape (n,).
    #: Variance between members, and between orientations, in ppm², shape (n,).
    between: np.ndarray
    within: np.ndarray
    evidence: Evidence | None  #: What their structures say of them; None for none of them.

    @staticmethod
    def concatenate(parts: Sequence[Judged]) -> Judged:
        """Join what was judged by several committees of one nucleus; at least one."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in ("shielding", "between", "within")
        }
        return Judged(
            LabelledAtoms.concatenate([p.atoms for p in parts]),
            evidence=Evidence.concatenate([p.evidence for p in parts if p.evidence is not None]),
            **columns,
        )

    @property
    def error(self) -> np.ndarray:
        """Prediction − reference in ppm, shape (n,)."""
        return self.shielding - self.atoms.reference

    @property
    def rmse(self) -> float:
        """RMSE in ppm, atoms counted with their multiplicity."""
        return rmse(self.error, self.atoms.weights)


def judge(
    files: Sequence[Path],
    atoms: LabelledAtoms,
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
) -> Judged:
    """Predict atoms, of crystals that no network has learned from, by all networks of one nucleus.

    In the default orientations and views, in bfloat16 or float32 (`dtype`). `WeightsError` if a
    file is no network, or they are of several nuclei.
    """
    members = [load_folded(path, device, dtype) for path in files]
    if len({metadata.nucleus for _, metadata in members}) != 1:
        raise WeightsError("a committee is of networks of one nucleus")
    found = predict_committee(members, atoms.environments(), device, dtype=dtype)
    evidence = atoms.evidence(shared_environments(members)) if len(atoms) else None
    return Judged(atoms, found.shielding, found.between, found.within, evidence)


def calibrate(judged: Judged, members: int) -> Calibration:
    """Calibrate the intervals of a committee of so many `members` for the default orientations and
    views.

    `judged` is what it, or one like it, says of atoms whose shieldings are known; where single
    networks were judged, the spread does not count. `TrainingError` if there are no atoms, or a
    prediction is not finite.
    """
    atoms = judged.atoms
    return fit(
        judged.error, judged.between, judged.within, atoms.weights, atoms.families,
        members=members, evidence=judged.evidence,
    )  # fmt: skip


def store_calibration(files: Sequence[Path], calibration: Calibration) -> None:
    """Write a calibration into the files of its committee; the tensors stay bit for bit.

    Each file is replaced whole. Where only some were, the predictor sees that they differ and does
    without. A manifest beside them has to be written again. `WeightsError` if a file is no network,
    or there are more or fewer than were calibrated; `TrainingError` if one cannot be written.
    """
    if len(files) != calibration.members:
        raise WeightsError(
            f"a calibration of {calibration.members} networks is not one of {len(files)}"
        )
    for path in files:
        try:
            amend(path, calibration=calibration.to_dict())
        except OSError as error:
            raise TrainingError(f"cannot write: {error.strerror}", where=str(path)) from error
