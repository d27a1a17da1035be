"""Shieldings that the files hold, such as GIPAW's, in place of predicted ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from shiftcli.errors import StructureError
from shiftcli.network.devices import resolve_device
from shiftcli.prediction.predictor import Prediction, Predictor, SitePrediction, prepare
from shiftcli.structure.crystal import PREDICTED_BY, Crystal
from shiftcli.structure.nuclei import ELEMENTS


class StatedShieldings(Predictor):
    """Takes the shieldings that came with a structure for its prediction.

    Of some nuclei, else of all that the networks would know; `allow` is as for
    `shiftcli.structure.checks.check`. Their uncertainty is 0: what GIPAW errs against experiment is
    added where shifts are compared (`shiftcli.nmr.assignment.GIPAW_ERRORS`).
    """

    def __init__(self, nuclei: Sequence[str] | None = None, *, allow: Collection[str] = ()) -> None:
        # No network is loaded, so the initialiser of the base class is not called.
        self.settings = {"nuclei": nuclei, "allow": allow}
        self.files, self.networks, self.calibrations, self.environments = [], {}, {}, {}
        self.nuclei = tuple(nuclei or ELEMENTS)
        self.device = resolve_device("cpu")
        self.orientations, self.views = None, None
        self.hydrogens, self.allow, self.symmetry_tolerance = "keep", allow, None

    @property
    def model(self) -> str:
        """Where the shieldings are from."""
        return "shieldings of the files"

    def predict_crystal(self, crystal: Crystal) -> Prediction:
        """The shieldings of a crystal, each the mean over the symmetry copies of its site.

        `StructureError` if the crystal is no structure, or came without shieldings.
        """
        return _stated(prepare(crystal, self.allow, "keep"), self.nuclei)


def stated_or_refused(prediction: Prediction) -> Prediction:
    """The shieldings of the same nuclei that came with a crystal that was predicted, not averaged
    yet.

    `StructureError` if the file has none.
    """
    return _stated(prediction.crystal, {row.site.element for row in prediction.sites})


def stated_beside(prediction: Prediction) -> Prediction | None:
    """The same, or None where the file has none."""
    try:
        return stated_or_refused(prediction)
    except StructureError:
        return None


def with_stated(predictions: Iterable[Prediction]) -> Iterator[Prediction]:
    """Predictions, each followed by what its file says, named ``(file)``, where it says any."""
    for prediction in predictions:
        yield prediction
        if (stated := stated_beside(prediction)) is not None:
            crystal = stated.crystal
            yield replace(stated, crystal=replace(crystal, name=f"{crystal.name} (file)".strip()))


def _stated(crystal: Crystal, nuclei: Collection[str]) -> Prediction:
    if maker := crystal.info.get(PREDICTED_BY, ""):
        raise StructureError(
            f"the shieldings in the file were predicted by {maker}, not calculated",
            where=crystal.where, hint="--shieldings predicted predicts them anew",
        )  # fmt: skip
    stated = crystal.shieldings
    rows = []
    for k, site in enumerate(crystal.sites):
        values = np.empty(0) if stated is None else stated[site.atoms]
        known = values[np.isfinite(values)]
        if site.element in nuclei and len(known):
            flags = crystal.flags.get(k, ())
            rows.append(SitePrediction(site, float(known.mean()), 0.0, 0.0, flags))
    if not rows:
        raise StructureError(
            "no shieldings are in the file", where=crystal.where,
            hint="of magres, extended XYZ, CIF, CASTEP or QE-GIPAW; --shieldings predicted "
            "predicts them",
        )  # fmt: skip
    return Prediction(crystal, tuple(rows))
