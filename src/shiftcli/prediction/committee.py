"""The networks of one nucleus, as one: mean, variances, what they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from shiftcli.density.environments import Environments
from shiftcli.density.orientations import ORIENTATIONS
from shiftcli.errors import UsageError
from shiftcli.network.calibration import Calibration
from shiftcli.network.checkpoint import Metadata
from shiftcli.network.densenet import MR3DDenseNet
from shiftcli.network.folding import FoldedNet
from shiftcli.network.inference import (
    DEFAULT_VIEWS,
    prediction_views,
    share_left_out,
    view_statistics,
)
from shiftcli.structure.nuclei import SPECIES

#: Networks of one nucleus, each with its metadata.
Committee = Sequence[tuple[MR3DDenseNet | FoldedNet, Metadata]]


@dataclass(frozen=True, eq=False)
class CommitteePrediction:
    """What the networks of one nucleus say of some environments."""

    shielding: np.ndarray  #: Mean of the members in ppm, shape (n,).
    between: np.ndarray  #: Variance between the members in ppm², shape (n,); 0 where there is one.
    #: Variance between the orientations, averaged over the members, in ppm², shape (n,).
    within: np.ndarray
    #: Weight of the orientations that fewer views than usual leave out, 0 to 1, shape (n,).
    left_out: np.ndarray


def predict_committee(
    members: Committee,
    environments: Environments,
    device: torch.device,
    *,
    orientations: str | None = None,
    views: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> CommitteePrediction:
    """Run all networks of a nucleus, at least one, in evaluation mode on `device`, on n
    environments.

    `orientations`, ``frames``, ``octahedral`` or ``random``, are averaged over, without them those
    that each network was trained with; `views` of each atom at most, without it those of
    `DEFAULT_VIEWS`.
    """
    means, variances, left_out = [], [], np.zeros(len(environments))
    for orientation, group in _alike(members, orientations):
        most = views or DEFAULT_VIEWS[orientation]
        seen = prediction_views(environments, orientation, most)
        share = len(group) / len(members)
        left_out += share * share_left_out(environments, orientation, most)
        networks = [network for network, _ in group]
        mean, variance = view_statistics(networks, environments, seen, device, dtype)
        for (_, metadata), own_mean, own_variance in zip(group, mean, variance, strict=True):
            means.append(metadata.mean + metadata.scale * own_mean)
            variances.append(metadata.scale**2 * own_variance)
    spread = np.var(means, axis=0, ddof=1) if len(members) > 1 else np.zeros(len(environments))
    return CommitteePrediction(np.mean(means, axis=0), spread, np.mean(variances, axis=0), left_out)


def _alike(members: Committee, orientations: str | None) -> Iterator[tuple[str, Committee]]:
    """Members that see the same densities in the same orientations, with the latter."""
    groups: dict[tuple[Any, ...], list[tuple[MR3DDenseNet | FoldedNet, Metadata]]] = {}
    for network, metadata in members:
        orientation = orientations or metadata.orientation
        architecture = network.architecture
        key = (orientation, architecture.grids, architecture.kernel)
        groups.setdefault(key, []).append((network, metadata))
    for (orientation, *_), group in groups.items():
        yield orientation, group


def shared_calibration(members: Committee) -> Calibration | None:
    """The calibration of a committee; None unless all of it was calibrated, and together."""
    first, *others = (metadata.calibration for _, metadata in members)
    if not first or any(other != first for other in others):
        return None
    calibration = Calibration.from_dict(first)
    return calibration if calibration.members == len(members) else None


def shared_environments(members: Committee) -> dict[str, int]:
    """Bonded environments that all members know, with the fewest training crystals of one.

    Empty where one does not say what it has learned from.
    """
    first, *others = (metadata.environments for _, metadata in members)
    return {
        environment: min([count, *(other[environment] for other in others)])
        for environment, count in first.items()
        if all(environment in other for other in others)
    }


def check_orientations(networks: Mapping[str, Committee], orientations: str | None) -> None:
    """Refuse orientations that a network has never seen: `UsageError`.

    A network trained with random rotations takes any; one trained with local frames knows its
    environments in those alone.
    """
    if orientations not in (None, *ORIENTATIONS):
        raise UsageError(f"orientations '{orientations}' is none of {', '.join(ORIENTATIONS)}")
    if orientations is None or orientations == "frames":
        return
    for nucleus, members in networks.items():
        if any(metadata.orientation == "frames" for _, metadata in members):
            raise UsageError(
                f"the {SPECIES[nucleus]} network was trained with local frames and would be "
                f"wrong in {orientations} orientations",
                hint="leave --orientations out, or train with --orientation random",
            )
