"""Figure 1: the density of an environment on a small and on a large grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from shiftcli.benchmark.paper.result import Result
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.density.environments import surroundings
from shiftcli.density.voxelizer import VOXELS, grid_axis, voxelize
from shiftcli.errors import UsageError, needing
from shiftcli.readers import read
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.weights import packaged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The two grids (Å) and the channel that the paper shows.
_GRIDS, _CHANNEL = (4.0, 10.0), "C"

#: Density of the isosurface.
_LEVEL = 0.25


def figure1(setting: Setting) -> Result:
    """Projections and isosurfaces of the carbon density about one atom, on two grids.

    Of the first crystal of the data, or the example crystal without data.
    """
    crystal = _crystal(setting)
    site = next(s for s in crystal.sites if s.element == _CHANNEL)
    environments = surroundings(crystal, [site])
    channel = ELEMENTS.index(_CHANNEL)
    volumes = {}
    for edge in _GRIDS:
        density = voxelize(
            torch.from_numpy(environments.positions),
            torch.from_numpy(environments.channels).long(),
            grids=(edge,),
        )
        volumes[edge] = density[0, channel].numpy()
    rows, voxels = [], []
    for edge, volume in volumes.items():
        spacing = edge / (VOXELS - 1)
        rows.append((edge, spacing, float(volume.max()), float(volume.sum() * spacing**3)))
        axis = grid_axis(edge, dtype=torch.float64).numpy()
        voxels += [
            (edge, *(axis[k] for k in index), float(value))
            for index, value in np.ndenumerate(volume)
            if value > 1e-3
        ]
    return Result(
        "figure1", f"Carbon density about {site.label} of {crystal.name or crystal.source}",
        ("grid/Å", "spacing/Å", "largest density", "integral/Å³"), tuple(rows),
        ("another molecule: the paper shows (Z)-2-hydroxy-3,3',4'-trimethoxystilbene",),
        {"density": (("grid/Å", "x/Å", "y/Å", "z/Å", "density"), voxels)},
        draw=lambda figure: _draw(figure, volumes), size=(9.0, 8.0),
    )  # fmt: skip


def _crystal(setting: Setting) -> Crystal:
    if setting.data:
        for crystal in setting.labelled.main.values():
            if _CHANNEL in crystal.elements:
                return crystal
        raise UsageError("no crystal of the data has a carbon atom")
    return read(packaged("examples") / "alanine.cif")[0]


def _draw(figure: Figure, volumes: dict[float, np.ndarray]) -> None:
    with needing("scikit-image", "isosurfaces need"):
        from skimage.measure import marching_cubes

    for row, (edge, volume) in enumerate(volumes.items()):
        axis = grid_axis(edge, dtype=torch.float64).numpy()
        half, spacing = edge / 2, edge / (VOXELS - 1)
        panel = figure.add_subplot(2, 2, 2 * row + 1)
        along = volume.max(axis=2)
        image = panel.pcolormesh(axis, axis, along.T, cmap="viridis", shading="nearest")
        figure.colorbar(image, ax=panel, label="density")
        panel.set(xlabel="x/Å", ylabel="y/Å", title=f"{edge:g} Å grid, largest along z")
        panel.set_aspect("equal")
        solid = figure.add_subplot(2, 2, 2 * row + 2, projection="3d")
        if volume.min() < _LEVEL < volume.max():
            points, faces, *_ = marching_cubes(volume, _LEVEL)
            points = half - points * spacing
            solid.plot_trisurf(*points.T, triangles=faces, color="#4C72B0", alpha=0.6)
        solid.set(
            xlabel="x/Å", ylabel="y/Å", zlabel="z/Å", title=f"isosurface at {_LEVEL}",
            xlim=(-half, half), ylim=(-half, half), zlim=(-half, half),
        )  # fmt: skip
        solid.set_box_aspect(None, zoom=0.8)  # room for the name of the third axis
