"""Networks for a command: fetched where they are not here yet, and loaded."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shiftcli.cli.options import RunningOptions, StructureOptions
    from shiftcli.prediction.predictor import Predictor


def fetched(weights: Path | None) -> Path | None:
    """The networks that were named, downloaded with a progress bar where they are not here."""
    if weights is not None or "SHIFTCLI_WEIGHTS" in os.environ:
        from shiftcli.views.progress import downloads
        from shiftcli.weights import make_ready

        with downloads() as progress:
            make_ready(weights, progress)
    return weights


def make_predictor(
    options: RunningOptions,
    structures: StructureOptions | None = None,
    nuclei: tuple[str, ...] | None = None,
    work: Path | None = None,
) -> Predictor:
    """The predictor that the options ask for, of `nuclei` where they are known otherwise."""
    from shiftcli.pipeline.store import StoredPredictor
    from shiftcli.prediction.predictor import Predictor

    elements = nuclei or options.nuclei
    if getattr(options, "shieldings", "predicted") == "file":
        from shiftcli.nmr.stated import StatedShieldings

        return StatedShieldings(elements, allow=structures.allow if structures else ())
    make = Predictor if work is None else partial(StoredPredictor, work)
    return make(
        fetched(options.weights),
        nuclei=elements,
        device=options.device,
        orientations=getattr(options, "orientations", None),
        views=options.views,
        dtype=options.dtype,
        **({} if structures is None else structures.predicting),
    )
