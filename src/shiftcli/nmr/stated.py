"""Shieldings that the files hold, such as GIPAW's, in place of predicted ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from shiftcli.errors import StructureError
from shiftcli.network.devices import resolve_device
from shiftcli.prediction.predictor import Prediction, Predictor, SitePrediction, prepare
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.nuclei import ELEMENTS


class StatedShieldings(Predictor):
    """Takes the shieldings that came with a structure for its prediction.

    Their uncertainty is 0: what GIPAW errs against experiment is added where shifts are compared
    (`shiftcli.nmr.assignment.GIPAW_ERRORS`).

    Parameters
    ----------
    nuclei : sequence of str, optional
        Elements; without it all that the networks would know.
    allow : collection of str
        Refusals to override, see `shiftcli.structure.checks.check`.
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

        Raises
        ------
        StructureError
            If the crystal is no structure, or came without shieldings.
        """
        crystal = prepare(crystal, self.allow, "keep")
        stated = crystal.shieldings
        rows = []
        for k, site in enumerate(crystal.sites):
            values = np.empty(0) if stated is None else stated[site.atoms]
            known = values[np.isfinite(values)]
            if site.element in self.nuclei and len(known):
                flags = crystal.flags.get(k, ())
                rows.append(SitePrediction(site, float(known.mean()), 0.0, 0.0, flags))
        if not rows:
            raise StructureError(
                "no shieldings are in the file", where=crystal.where,
                hint="of magres, extended XYZ or CIF; --shieldings predicted predicts them",
            )  # fmt: skip
        return Prediction(crystal, tuple(rows))
