"""Crystals of small molecules made by hand, and the same crystals written otherwise."""

from collections import Counter
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from shiftcli.prediction.predictor import Prediction, SitePrediction
from shiftcli.structure.crystal import Crystal

T = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)


def amino_alcohol():
    """1-Amino-2-propanol, NH2-CH2-CH(OH)-CH3: a centre, CH2, CH3, OH and NH2."""
    second, oxygen, third = 1.53 * T[1], 1.43 * T[2], 1.53 * T[3]
    nitrogen = third - 1.47 * T[2]
    atoms = [
        ("C1", [0, 0, 0]), ("H1", 1.09 * T[0]),
        ("C2", second), ("H2a", second - 1.09 * T[0]), ("H2b", second - 1.09 * T[2]),
        ("H2c", second - 1.09 * T[3]),
        ("O1", oxygen), ("H3", oxygen - 0.97 * T[0]),
        ("C3", third), ("H4a", third - 1.09 * T[0]), ("H4b", third - 1.09 * T[1]),
        ("N1", nitrogen), ("H5a", nitrogen + 1.01 * T[0]), ("H5b", nitrogen + 1.01 * T[1]),
    ]  # fmt: skip
    return [label for label, _ in atoms], np.array([place for _, place in atoms], dtype=float)


def crystal_of(labels, *molecules, size=11.0, name="made"):
    """Molecules, each with its inverse, in a triclinic cell (P -1)."""
    cell = size * np.array([[1.0, 0, 0], [0.1, 1.0, 0], [0.2, -0.1, 1.2]])
    centre = cell.sum(axis=0) / 4
    places = np.concatenate(
        [m + centre + k * np.array([0, 0, 5.0]) for k, m in enumerate(molecules)]
    )
    names = [*labels] * len(molecules)
    if len(molecules) > 1:
        names = [f"{label}{'ABCDEF'[k // len(labels)]}" for k, label in enumerate(names)]
    elements = np.array([label[0] for label in names] * 2)
    positions = np.concatenate([places, cell.sum(axis=0) - places])
    ids = np.tile(np.arange(len(names)), 2)
    return Crystal(elements, positions, cell, tuple(names * 2), ids, name=name, source="made.cif")


def numbered(elements):
    """Labels in the order of the file."""
    counts = Counter()
    labels = []
    for element in elements.tolist():
        counts[element] += 1
        labels.append(f"{element}{counts[element]}")
    return tuple(labels)


def rewrite(crystal, seed, values=None):
    """The same crystal: a larger or another cell, turned, mirrored, shuffled, without labels.

    Returns it, and values of its atoms.
    """
    rng = np.random.default_rng(seed)
    cell, positions, elements = crystal.cell, crystal.positions, crystal.elements
    values = np.arange(len(crystal)) if values is None else values
    if rng.random() < 0.5:  # twice the cell
        axis = rng.integers(3)
        positions = np.concatenate([positions, positions + cell[axis]])
        cell = cell * np.where(np.arange(3) == axis, 2, 1)[:, None]
        elements, values = np.tile(elements, 2), np.tile(values, 2)
    matrix = np.eye(3)
    matrix[tuple(rng.permutation(3)[:2])] = rng.choice([-1, 1])
    cell = matrix @ cell
    turn = Rotation.random(random_state=seed).as_matrix() * rng.choice([-1, 1])
    cell, positions = cell @ turn, (positions + rng.uniform(0, 9, 3)) @ turn
    inside = positions @ np.linalg.inv(cell)
    positions = (inside - np.floor(inside)) @ cell
    order = rng.permutation(len(elements))
    made = replace(
        crystal, elements=elements[order], positions=positions[order], cell=cell,
        labels=numbered(elements[order]), site_ids=None, shieldings=None, name=f"written {seed}",
    )  # fmt: skip
    return made, values[order]


def predicted(crystal, values, width=0.4):
    """A prediction with the mean of some values over the atoms of each site."""
    return Prediction(
        crystal,
        tuple(
            SitePrediction(site, float(np.mean(values[site.atoms])), width, 2 * width)
            for site in crystal.sites
        ),
    )
