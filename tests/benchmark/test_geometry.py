"""Errors by how far atoms were moved, on crystals whose moves are known."""

from dataclasses import replace

import numpy as np
import pytest

from shiftcli.benchmark.paper import REPRODUCTIONS, Setting
from shiftcli.benchmark.paper.geometry import _moves
from shiftcli.errors import TrainingError


def write(path, crystals, shieldings=None):
    from ase import Atoms
    from ase.io import write as write_atoms

    frames = []
    for number, crystal in enumerate(crystals):
        atoms = Atoms(crystal.elements.tolist(), crystal.positions, cell=crystal.cell, pbc=True)
        atoms.info["NAME"] = f"U{number}"
        atoms.set_array("CS", 100.0 + number + np.arange(len(crystal), dtype=float))
        frames.append(atoms)
    write_atoms(path, frames, format="extxyz")
    return str(path)


def displaced(urea, count, size, seed):
    rng = np.random.default_rng(seed)
    return [
        replace(urea, positions=urea.positions + rng.normal(0, size, (16, 3))) for _ in range(count)
    ]


def test_groups_hold_all_atoms(urea, predictor, tmp_path):
    relaxed = displaced(urea, 9, 0.005, 0)
    moved = [replace(c, positions=d.positions + 3.0) for c, d in zip(
        relaxed, displaced(urea, 9, 0.04, 1), strict=True)]  # fmt: skip
    files = [write(tmp_path / "relaxed.xyz", relaxed), write(tmp_path / "moved.xyz", moved)]
    result = REPRODUCTIONS["geometry"](Setting(files, tmp_path, device="cpu", nuclei=("C",)))
    first, *groups = result.rows
    assert first[:4] == ("13C", "relaxed", 4, 0.0)  # U0 and U8 have two carbons each
    assert sum(row[2] for row in groups) == 4
    assert all(row[3] == 0.0 for row in groups)  # the shieldings here are the same
    _, stretches = result.series["stretch"]
    assert sum(row[2] for row in stretches) == 4
    crystal = replace(moved[8], labels=relaxed[8].labels)
    sites = [s for s in predictor.predict(crystal).sites if s.site.element == "C"]
    error = [s.shielding - (108.0 + s.site.atoms[0]) for s in sites]
    whole = sum(row[4] ** 2 * row[2] for row in groups)
    other = whole - np.sum(np.square(error))
    assert other > 0  # the rest is that of U0
    assert {path.name for path in result.save(tmp_path)} >= {"geometry.csv", "geometry-stretch.csv"}


def test_moves_leave_the_drift_out_and_cross_the_border(urea):
    copy = replace(urea, positions=urea.positions + urea.cell[0] + 0.3)
    moves, stretch = _moves(urea, copy)
    assert moves == pytest.approx(np.zeros(16), abs=1e-9)
    assert stretch == pytest.approx(np.zeros(16), abs=1e-9)
    far = urea.positions.copy()
    far[0] += [0.0, 0.0, 0.16]
    moves, _ = _moves(urea, replace(urea, positions=far))
    assert moves == pytest.approx([0.15, *[0.01] * 15])


def test_no_copies(labelled_file, tmp_path):
    with pytest.raises(TrainingError, match="displaced copy"):
        REPRODUCTIONS["geometry"](Setting([str(labelled_file)], tmp_path, device="cpu"))
