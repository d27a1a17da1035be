"""Figure 5: what the last hidden layer of the 1H network has learned of chemistry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from shiftcli.benchmark.paper.result import Result
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.density.environments import Environments
from shiftcli.errors import UsageError
from shiftcli.network.folding import FoldedNet
from shiftcli.network.inference import Held, densities, prediction_views
from shiftcli.structure.crystal import ELEMENTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A hydrogen bond D–H···A: H···A shorter than this (Å) and D–H···A wider than this (degrees).
_LONGEST, _NARROWEST = 2.4, 120.0

#: Longest X–H bond (Å).
_BOND = 1.3

#: Environments voxelized at once; components shown.
_BATCH, _SHOWN = 64, 3

_COLOURS = {"C–H": "tab:blue", "N–H": "tab:green", "O–H": "tab:red", "other": "tab:grey"}


def figure5(setting: Setting) -> Result:
    """Principal components of the last hidden layer, by bond and hydrogen bond.

    The first 1H network of the setting is looked into; `UsageError` without one, or without a
    proton.
    """
    if "H" not in setting.predictor.networks:
        raise UsageError("this figure needs a 1H network")
    network, metadata = setting.predictor.networks["H"][0]
    _, tested = setting.samples("H")
    if len(tested) <= _SHOWN:
        raise UsageError("this figure needs testing crystals with protons")
    hidden = _hidden(network, tested.environments, metadata.orientation, setting)
    centred = hidden - hidden.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    explained = singular**2 / float((singular**2).sum())
    scores = left[:, :_SHOWN] * singular[:_SHOWN]
    bonds, donors = classify(tested.environments)
    rows = [(f"PC{k + 1}", float(explained[k]), float(explained[: k + 1].sum())) for k in range(10)]
    separation = [
        (name, int((bonds == name).sum()), int((donors & (bonds == name)).sum()),
         _silhouette(scores, bonds == name))
        for name in dict.fromkeys(bonds.tolist())
    ]  # fmt: skip
    points = [
        (bond, bool(donor), *map(float, score))
        for bond, donor, score in zip(bonds, donors, scores, strict=True)
    ]
    three = float(explained[:_SHOWN].sum())
    return Result(
        "figure5", "Explained variance of the principal components of the last hidden layer",
        ("component", "explained", "together"), tuple(rows),
        (setting.size_note(), f"the first three explain {three:.1%}; the paper: more than 95 %"),
        {
            "scores": (
                ("bond", "donor", "PC1", "PC2", "PC3"), points
            ),
            "clusters": (
                ("bond", "protons", "hydrogen-bond donors", "nearest are alike"), separation
            ),
        },
        draw=lambda figure: _draw(figure, scores, bonds, donors), size=(9.0, 4.5),
    )  # fmt: skip


def _hidden(
    network: FoldedNet, environments: Environments, orientation: str, setting: Setting
) -> np.ndarray:
    """Last hidden layer in the heaviest orientation of each environment, shape (n, 128)."""
    turned, _ = prediction_views(environments, orientation, 1)
    held, parts = Held.on(setting.predictor.device, environments), []
    for rows in np.array_split(np.arange(len(environments)), len(environments) // _BATCH + 1):
        volume = densities(network, held[rows], turned.rotations[rows, 0], setting.predictor.dtype)
        with torch.inference_mode():
            parts.append(network.hidden(volume).double().cpu().numpy())
    return np.concatenate(parts)


def classify(environments: Environments) -> tuple[np.ndarray, np.ndarray]:
    """Bond and hydrogen-bond donor of each of n protons.

    Texts ``C–H``, ``N–H``, ``O–H`` or ``other``, and whether another N or O lies within 2.4 Å at
    more than 120°, shape (n,) each.
    """
    bonds, donors = [], []
    for vectors, channels in zip(environments.positions, environments.channels, strict=True):
        distance = np.linalg.norm(vectors, axis=1)
        heavy = np.flatnonzero(channels > ELEMENTS.index("H"))
        nearest = heavy[np.argmin(distance[heavy])] if len(heavy) else -1
        if nearest < 0 or distance[nearest] > _BOND:
            bonds.append("other")
            donors.append(False)
            continue
        bonds.append(f"{ELEMENTS[channels[nearest]]}–H")
        acceptor = (channels >= ELEMENTS.index("N")) & (distance < _LONGEST)
        acceptor[nearest] = False
        cosine = vectors[acceptor] @ vectors[nearest]
        cosine = cosine / (distance[acceptor] * distance[nearest])
        wide = bool((cosine < np.cos(np.radians(_NARROWEST))).any())
        donors.append(wide and bonds[-1] != "C–H")
    return np.array(bonds), np.array(donors)


def _silhouette(scores: np.ndarray, own: np.ndarray) -> float:
    """Fraction of a class's points whose nearest other point is of the same class."""
    from scipy.spatial import cKDTree

    if own.sum() < 2:
        return float("nan")
    _, nearest = cKDTree(scores).query(scores[own], k=2)
    return float(own[nearest[:, 1]].mean())


def _draw(figure: Figure, scores: np.ndarray, bonds: np.ndarray, donors: np.ndarray) -> None:
    left = figure.add_subplot(1, 2, 1, projection="3d")
    for name, colour in _COLOURS.items():
        own = bonds == name
        if own.any():
            left.scatter(*scores[own].T, s=4, color=colour, label=name)
    left.set_title("(a) chemical bonds")
    right = figure.add_subplot(1, 2, 2, projection="3d")
    right.scatter(*scores[bonds == "C–H"].T, s=2, color="0.85", label="C–H")
    for name in ("N–H", "O–H"):
        for donor, colour in ((True, _COLOURS[name]), (False, "k")):
            own = (bonds == name) & (donors == donor)
            if own.any():
                word = "hydrogen-bonded" if donor else "free"
                right.scatter(*scores[own].T, s=6, color=colour, label=f"{name}, {word}")
    right.set_title("(b) hydrogen bonds")
    for panel in (left, right):
        panel.set(xlabel="PC1", ylabel="PC2", zlabel="PC3")
        panel.set_box_aspect(None, zoom=0.8)  # room for the name of the third axis
        panel.legend(fontsize="x-small")
