"""From a crystal to the shielding of every distinct atom, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from shiftcli.density.environments import Environments, surroundings
from shiftcli.errors import Failure as Failure
from shiftcli.errors import ReadError, UsageError, WeightsError, attempt, counted
from shiftcli.network.calibration import UNSEEN, Evidence
from shiftcli.network.checkpoint import Metadata, load_folded
from shiftcli.network.devices import resolve_device, resolve_dtype
from shiftcli.network.folding import FoldedNet
from shiftcli.network.inference import DEFAULT_VIEWS, WATCHER
from shiftcli.prediction.committee import (
    check_orientations,
    predict_committee,
    shared_calibration,
    shared_environments,
)
from shiftcli.prediction.evidence import Assessment, assess, doubt_symbols
from shiftcli.prediction.inputs import Structure, as_crystal
from shiftcli.prediction.records import Prediction, SitePrediction
from shiftcli.readers import iter_structures
from shiftcli.structure.checks import check
from shiftcli.structure.copies import find_copies
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.structure.hydrogens import Hydrogens, normalise_hydrogens
from shiftcli.weights import find_networks

__all__ = [
    "Failure",
    "Prediction",
    "Predictor",
    "SitePrediction",
    "prepare",
]

#: Sites of a large cell whose surroundings are held at once.
_SITES_AT_ONCE = 1024

#: Standard deviation (ppm) between orientations that 98 of 100 atoms do not exceed, of 1,194 atoms
#: of published, displaced and deposited crystals and of molecules: what the views that are left
#: out may add to the spread. The mean of the others is half as far from the mean of all (rms), for
#: each part of the weight left out.
_BETWEEN_VIEWS = {"H": 0.5, "C": 5.0, "N": 10.0, "O": 14.0}

#: Half width of the 95 % interval of normal errors, in standard deviations.
_NORMAL_95 = 1.96


class Predictor:
    """Predicts the shieldings of crystals.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Directory of networks; without it the ones in the package.
    nuclei : sequence of str, optional
        Elements to predict; without it all that the networks know.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    orientations : {"frames", "octahedral", "random"}, optional
        What to average over; without it what the networks were trained with.
    views : int, optional
        Orientations of each atom at most; without it those of `DEFAULT_VIEWS`. The weight of
        those that are left out widens the intervals, see `predict_environments`.
    hydrogens : {"auto", "neutron", "keep"}
        What to do with X–H bonds of X-ray length.
    symmetry_tolerance : float, optional
        Å within which atoms are copies where no file says so, see
        `shiftcli.structure.copies.find_copies`.
    allow : collection of str
        Refusals to override, see `shiftcli.structure.checks.check`.
    dtype : {"float32", "bfloat16", "auto"}
        Precision of the network, see `shiftcli.network.devices.resolve_dtype`.

    Raises
    ------
    WeightsError
        If the networks are missing or damaged, or know none of the nuclei.
    UsageError
        If the networks cannot be used with these orientations.
    DeviceError
        If the device is not there.
    """

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        nuclei: Sequence[str] | None = None,
        device: str = "auto",
        orientations: str | None = None,
        views: int | None = None,
        hydrogens: Hydrogens = "auto",
        symmetry_tolerance: float | None = None,
        allow: Collection[str] = (),
        dtype: str = "float32",
    ) -> None:
        #: The arguments, from which another process makes the same predictor.
        self.settings: dict[str, Any] = {
            "weights": weights, "nuclei": nuclei, "device": device, "orientations": orientations,
            "views": views, "hydrogens": hydrogens, "allow": allow, "dtype": dtype,
            "symmetry_tolerance": symmetry_tolerance,
        }  # fmt: skip
        self.device = resolve_device(device)
        self.dtype = resolve_dtype(dtype, self.device)
        if self.device.type == "cuda" and self.dtype == torch.float32:
            torch.backends.cudnn.allow_tf32 = False  # else float32 would be 10 bits there
        self.files = find_networks(weights)
        wanted = ELEMENTS if nuclei is None else tuple(nuclei)
        self.networks: dict[str, list[tuple[FoldedNet, Metadata]]] = {}
        for file in self.files:
            if file.nucleus not in wanted:
                continue
            network, metadata = load_folded(file.path, self.device, self.dtype)
            if metadata.nucleus != file.nucleus:
                raise WeightsError(
                    f"a network of {metadata.nucleus} named as one of {file.nucleus}",
                    where=str(file.path),
                )
            self.networks.setdefault(file.nucleus, []).append((network, metadata))
        for nucleus in wanted:
            if nuclei is not None and nucleus not in self.networks:
                raise WeightsError(f"no network for {SPECIES.get(nucleus, nucleus)}")
        self.calibrations = {n: shared_calibration(m) for n, m in self.networks.items()}
        self.environments = {n: shared_environments(m) for n, m in self.networks.items()}
        check_orientations(self.networks, orientations)
        if views is not None and views < 1:
            raise UsageError(f"{views} views: at least one is needed")
        self.orientations, self.views = orientations, views
        self.hydrogens: Hydrogens = hydrogens
        self.symmetry_tolerance = symmetry_tolerance
        self.allow = allow

    def again(self) -> Callable[[], Predictor]:
        """What makes the same predictor in another process."""
        return partial(type(self), **self.settings)

    def __repr__(self) -> str:
        nuclei = " ".join(SPECIES[nucleus] for nucleus in self.networks)
        return f"<Predictor {self.model} of {nuclei} on {self.device}>"

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.files[0].model

    @overload
    def predict(self, structure: Structure) -> Prediction: ...
    @overload
    def predict(self, structure: Sequence[Structure]) -> list[Prediction]: ...
    def predict(self, structure: Structure | Sequence[Structure]) -> Prediction | list[Prediction]:
        """Predict all distinct atoms of a structure, or of several.

        Parameters
        ----------
        structure : str, pathlib.Path, Crystal, ase.Atoms or pymatgen structure, or a list of them
            A path is a file with one structure.

        Raises
        ------
        StructureError
            If the networks cannot know this structure and nothing allows it.
        ReadError
            If a file cannot be read.
        UsageError
            If it is something else, or a file holds several structures.
        """
        if isinstance(structure, list | tuple):
            return [self.predict_crystal(as_crystal(item)) for item in structure]
        return self.predict_crystal(as_crystal(structure))

    def predict_crystal(self, crystal: Crystal) -> Prediction:
        """Predict all distinct atoms of a crystal; `predict` without a choice of inputs."""
        crystal = prepare(crystal, self.allow, self.hydrogens, self.symmetry_tolerance)
        rows, assessment = self._assess(crystal)
        found = list(rows)
        elements = np.array([row.site.element for row in rows])
        places = np.flatnonzero(assessment.predictable)
        if (watcher := WATCHER.get()) is not None:
            watcher.begin(len(places))
        for start in range(0, len(places), _SITES_AT_ONCE):
            part = places[start : start + _SITES_AT_ONCE]
            environments = surroundings(crystal, [rows[place].site for place in part])
            for nucleus in dict.fromkeys(elements[part].tolist()):
                chosen = elements[part] == nucleus
                predicted = self.predict_environments(
                    nucleus, environments[chosen], assessment.evidence[part[chosen]]
                )
                for place, value, half68, half95 in zip(part[chosen], *predicted, strict=True):
                    noise = assessment.noise[place]
                    found[place] = replace(
                        rows[place],
                        shielding=value,
                        uncertainty=math.hypot(half68, noise),
                        uncertainty95=math.hypot(half95, _NORMAL_95 * noise),
                    )
        return self.noted(crystal, found)

    def noted(self, crystal: Crystal, sites: Sequence[SitePrediction]) -> Prediction:
        """The prediction of a crystal that was prepared, with notes of what makes it uncertain."""
        members = chain.from_iterable(self.networks.values())
        usual = {DEFAULT_VIEWS[self.orientations or m.orientation] for _, m in members}
        if self.views is not None and self.views < max(usual, default=0):
            crystal = crystal.with_warning(
                f"{counted(self.views, 'orientation')} of each atom at most (--views): intervals "
                "are wider"
            )
        return Prediction(doubt_symbols(crystal, [row.flags for row in sites]), tuple(sites))

    def describe(self, crystal: Crystal) -> tuple[SitePrediction, ...]:
        """Rows of a crystal without numbers: sites, flags, training crystals.

        Parameters
        ----------
        crystal : Crystal
            As `prepare` leaves it.
        """
        return self._assess(crystal)[0]

    def _assess(self, crystal: Crystal) -> tuple[tuple[SitePrediction, ...], Assessment]:
        chosen = [k for k, site in enumerate(crystal.sites) if site.element in self.networks]
        assessment = assess(crystal, chosen, self.environments)
        counts = assessment.evidence.precedents.tolist()
        rows = tuple(
            SitePrediction(
                crystal.sites[k],
                math.nan,
                math.nan,
                math.nan,
                flags,
                training_crystals=None if count < 0 else count,
            )
            for k, flags, count in zip(chosen, assessment.flags, counts, strict=True)
        )
        return rows, assessment

    def predict_files(
        self,
        files: Iterable[str],
        *,
        before: Callable[[Predictor, Crystal], None] | None = None,
        **reading: Any,
    ) -> Iterator[Prediction | Failure]:
        """Predict every structure of several files; one that fails does not stop the rest.

        Parameters
        ----------
        files : iterable of str
            Files, as `shiftcli.readers.find_files` lists them.
        before : callable, optional
            Looks at each crystal; one for which it raises has failed and costs no prediction.
        **reading
            As for `shiftcli.readers.iter_structures`.

        Yields
        ------
        Prediction or Failure
            One for each structure, in order.
        """
        for file in files:
            items = iter_structures(file, **reading)
            while (item := attempt(partial(next, items, None), file)) is not None:
                if isinstance(item, ReadError):
                    item = Failure(file, item)
                if not isinstance(item, Failure):
                    item = attempt(partial(self._predict_one, item, before), file, item.where)
                yield item

    def _predict_one(
        self, crystal: Crystal, before: Callable[[Predictor, Crystal], None] | None
    ) -> Prediction:
        if before is not None:
            before(self, crystal)
        return self.predict_crystal(crystal)

    def predict_environments(
        self, nucleus: str, environments: Environments, evidence: Evidence | None = None
    ) -> tuple[list[float], list[float], list[float]]:
        """Shieldings of some environments of one nucleus, and their intervals.

        Parameters
        ----------
        nucleus : str
            One that the networks know.
        environments : Environments
            n environments.
        evidence : Evidence, optional
            What the structures say of the n atoms (`prediction.evidence.describe_atoms`);
            without it they are of no known kind.

        Returns
        -------
        shielding : list of float
            Mean of the committee in ppm, n of them.
        uncertainty, uncertainty95 : list of float
            Half widths of the 68 % and the 95 % interval in ppm, n of each.

        Notes
        -----
        A committee that was calibrated as a whole gives each atom widths of its own
        (`prediction.uncertainty`); orientations that `views` leaves out count as different as 98
        of 100 atoms have them, so that less work makes no interval narrower. Otherwise widths are
        the same for all atoms: the root mean square over the members of their validation RMSE,
        and 1.96 times that, as if errors were normal; NaN where a network does not say it. Atoms
        whose environment no training crystal holds have them wider in any case.
        """
        members = self.networks[nucleus]
        found = predict_committee(
            members,
            environments,
            self.device,
            orientations=self.orientations,
            views=self.views,
            dtype=self.dtype,
        )
        calibration = self.calibrations[nucleus]
        if calibration is not None:
            within = found.within + _BETWEEN_VIEWS[nucleus] ** 2 * found.left_out
            half68, half95 = calibration.half_widths(found.between, within, evidence)
        else:
            squares = [m.validation.get("rmse", math.nan) ** 2 for _, m in members]
            half68 = np.full(len(environments), math.sqrt(sum(squares) / len(squares)))
            if evidence is not None:
                half68[evidence.precedents == 0] *= UNSEEN
            half95 = _NORMAL_95 * half68
        noise = 0.5 * _BETWEEN_VIEWS[nucleus] * found.left_out
        half68, half95 = np.hypot(half68, noise), np.hypot(half95, _NORMAL_95 * noise)
        return found.shielding.tolist(), half68.tolist(), half95.tolist()


def prepare(
    crystal: Crystal,
    allow: Collection[str] = (),
    hydrogens: Hydrogens = "auto",
    symmetry_tolerance: float | None = None,
) -> Crystal:
    """Check a crystal and put its hydrogens right, as every prediction does first.

    Parameters
    ----------
    crystal : Crystal
        As it was read.
    allow : collection of str
        Refusals to override, see `shiftcli.structure.checks.check`.
    hydrogens : {"auto", "neutron", "keep"}
        See `shiftcli.structure.hydrogens.normalise_hydrogens`.
    symmetry_tolerance : float, optional
        See `shiftcli.structure.copies.find_copies`.

    Returns
    -------
    Crystal
        With flags and warnings for what was allowed or changed.

    Raises
    ------
    StructureError
        If the networks cannot know this structure and nothing allows it.
    """
    crystal = find_copies(crystal, symmetry_tolerance)
    return normalise_hydrogens(check(crystal, allow), hydrogens)
