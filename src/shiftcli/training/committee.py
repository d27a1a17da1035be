"""The networks of one nucleus, judged together on the validation crystals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from shiftcli.errors import TrainingError, WeightsError
from shiftcli.network.calibration import Calibration
from shiftcli.network.checkpoint import amend, load
from shiftcli.prediction.predictor import predict_committee
from shiftcli.prediction.uncertainty import fit
from shiftcli.training.data import Samples


def calibrate(
    files: Sequence[Path],
    validation: Samples,
    device: torch.device,
    *,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[Calibration, float]:
    """Measure a committee on its validation samples and calibrate its intervals.

    Parameters
    ----------
    files : sequence of pathlib.Path
        The networks of one nucleus, all that will predict together.
    validation : Samples
        Atoms of crystals that none of the networks learned from.
    device : torch.device
        Where to work.
    dtype : torch.dtype
        Precision of the networks, bfloat16 or float32.

    Returns
    -------
    calibration : Calibration
        For the default orientations and views; `store_calibration` puts it into the files.
    rmse : float
        RMSE of the committee's mean in ppm, atoms counted with their multiplicity.

    Raises
    ------
    WeightsError
        If a file is no network, or they are of several nuclei.
    TrainingError
        If there are no samples, or a prediction is not finite.
    """
    members = [load(path) for path in files]
    if len({metadata.nucleus for _, metadata in members}) != 1:
        raise WeightsError("a committee is of networks of one nucleus")
    for network, _ in members:
        # torch's stubs do not know memory_format.
        network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    found = predict_committee(members, validation.environments, device, dtype=dtype)
    error = found.shielding - validation.targets
    calibration = fit(
        error,
        found.between,
        found.within,
        validation.weights,
        validation.crystals,
        members=len(members),
    )
    return calibration, math.sqrt(np.average(error**2, weights=validation.weights))


def store_calibration(files: Sequence[Path], calibration: Calibration) -> None:
    """Write a calibration into the files of its committee; the tensors stay bit for bit.

    Each file is replaced whole. Where only some were, the predictor sees that they differ
    and does without. A manifest beside them has to be written again.

    Parameters
    ----------
    files : sequence of pathlib.Path
        The networks that were calibrated together.
    calibration : Calibration
        From `calibrate`.

    Raises
    ------
    WeightsError
        If a file is no network, or there are more or fewer than were calibrated.
    TrainingError
        If one cannot be written.
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
