"""Whether the bonds of a crystal say that its cell is stretched or squeezed.

A wrong cell length moves all atoms apart along one axis, so bonds are too long there and nowhere
else. The strain is fitted to what is known of the lengths of bonds and of the distances between
atoms bonded to the same atom; X–H bonds, which X-rays show too short, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftcli.structure.bonds import Bonds
from shiftcli.structure.crystal import Crystal

#: Bond lengths in Å (medians) and their spread in per cent, by the kinds of both atoms (see
#: `_kinds`), where at least seven of the 400 relaxed crystals of Paruzzo et al., Nat. Commun. 9,
#: 4501 (2018), have such bonds.
LENGTHS = {
    "C4-C4": (1.535, 1.1), "C32-C4": (1.510, 1.0), "C31-C4": (1.502, 0.8), "C3=-C4": (1.520, 1.1),
    "C32-C32": (1.398, 0.8), "C32-C33": (1.410, 1.4), "C33-C33": (1.443, 1.9),
    "C31-C31": (1.339, 0.6), "C31-C32": (1.371, 1.5), "C31-C33": (1.394, 1.8),
    "C32-C3=": (1.460, 1.9), "C33-C3=": (1.486, 1.4),
    "C4-O2": (1.436, 1.3), "C31-O2": (1.360, 1.4), "C32-O2": (1.364, 1.0), "C3=-O2": (1.351, 1.7),
    "C3=-O1": (1.235, 1.4),
    "C4-N2": (1.472, 1.1), "C4-N3": (1.465, 0.9), "C4-N4": (1.492, 1.0),
    "C31-N2": (1.319, 1.7), "C32-N2": (1.339, 1.8), "C33-N2": (1.363, 2.3),
    "C31-N3": (1.366, 1.7), "C32-N3": (1.390, 2.0), "C3=-N3": (1.372, 1.9),
    "C32-N3=": (1.463, 1.6), "N3=-O1": (1.239, 0.9),
    "N2-N2": (1.299, 3.1), "N2-N3": (1.361, 1.2), "N3-N3": (1.389, 1.2), "N2-O2": (1.388, 1.2),
}  # fmt: skip
_LENGTHS = {tuple(key.split("-", 1)): value for key, value in LENGTHS.items()}

#: Angles (°) at an atom of a kind, and the spread in per cent of the distance across them; from
#: the same crystals.
ANGLES = {
    "C4": (110.5, 2.8), "C31": (121.0, 3.5), "C32": (120.2, 1.9), "C33": (119.8, 2.4),
    "C3=": (121.4, 2.9), "N2": (117.0, 3.0), "N3": (120.1, 3.6), "N3=": (118.8, 1.5),
    "O2": (115.8, 2.6),
}  # fmt: skip

#: Two atoms bonded to a third that are closer than this (Å) are a ring of three.
_RING_OF_THREE = 1.8

#: Spread (relative) of all distances beyond that of their kind: X-rays, temperature.
_NOISE = 0.01

#: Strain that is not excluded where no bond says anything.
_PRIOR = 0.05

#: Distances further than so many spreads from the fit weigh less (Huber): strained rings.
_OUTLYING = 2.0

#: Rounds of weighting, from equal weights.
_ROUNDS = 4

#: Strain, and its ratio to its standard error, that is told. None of the 400 relaxed crystals
#: and of their 396 rattled copies (0.041 Å) has both.
STRAIN, CERTAIN = 0.07, 4.0

#: The same for the mean of all directions, which is up to 0.016 in those crystals and, for bonds
#: look shorter to X-rays at room temperature, in benzene of the Crystallography Open Database.
MEAN_STRAIN, CERTAIN_MEAN = 0.024, 2.0


@dataclass(frozen=True, eq=False)
class Strain:
    """How much a crystal is longer than its bonds should be."""

    tensor: np.ndarray  #: Symmetric, relative, in Cartesian axes, shape (3, 3).
    largest: float  #: Its eigenvalue of the largest size.
    error: float  #: Standard error of `largest`.
    direction: np.ndarray  #: Unit vector along which it is, shape (3,).
    #: What is the same in all directions where nothing else is fitted, and its standard error.
    mean: float
    mean_error: float

    @property
    def is_certain(self) -> bool:
        """Whether it is more along one direction than any sound crystal has shown."""
        return abs(self.largest) > max(STRAIN, CERTAIN * self.error)

    @property
    def is_certain_in_mean(self) -> bool:
        """Whether it is more in the mean than any sound crystal has shown."""
        return abs(self.mean) > max(MEAN_STRAIN, CERTAIN_MEAN * self.mean_error)


def find_strain(bonds: Bonds) -> Strain:
    """Fit the strain that explains the lengths of bonds and the distances across angles.

    Parameters
    ----------
    bonds : Bonds
        From `find_bonds`.
    """
    vectors, expected, spread = _distances(bonds)
    lengths = np.linalg.norm(vectors, axis=1)
    excess, spread = np.log(lengths / expected), np.hypot(spread, _NOISE)
    # The prior is the same for each direction: products of two axes stand for two elements.
    prior = np.diag([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]) / _PRIOR**2
    fitted, covariance = _fit(_products(vectors / lengths[:, None]), excess, spread, prior)
    (mean,), ((variance,),) = _fit(
        np.ones((len(lengths), 1)), excess, spread, np.eye(1) / _PRIOR**2
    )
    xx, yy, zz, yz, xz, xy = fitted
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    values, axes = np.linalg.eigh(tensor)
    k = int(np.argmax(abs(values)))
    along = _products(axes[None, :, k])[0]
    error = float(np.sqrt(along @ covariance @ along))
    return Strain(
        tensor, float(values[k]), error, axes[:, k], float(mean), float(np.sqrt(variance))
    )


def _fit(
    design: np.ndarray, excess: np.ndarray, spread: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What explains the excess of lengths best, and its covariance; outliers weigh less."""
    weight = np.ones(len(excess))
    for _ in range(_ROUNDS):
        weighted = design.T * (weight / spread**2)
        covariance = np.linalg.inv(prior + weighted @ design)
        fitted = covariance @ (weighted @ excess)
        residual = (excess - design @ fitted) / spread
        weight = _OUTLYING / np.maximum(abs(residual), _OUTLYING)
    misfit = (weight * residual**2).sum() / max(len(excess) - design.shape[1], 1)
    return fitted, covariance * max(misfit, 1.0)


def odd_strain(crystal: Crystal, bonds: Bonds) -> str:
    """What the bonds say of a cell or of units that are wrong, empty for a sound crystal."""
    strain = find_strain(bonds)
    if not strain.is_certain and not strain.is_certain_in_mean:
        return ""
    values = np.linalg.eigvalsh(strain.tensor)
    alike = (np.sign(strain.largest) * values).min() > 0.5 * abs(strain.largest)
    if alike or not strain.is_certain:
        where = "in all directions" if alike else "in the mean"
        return f"bonds are {_size(strain.mean)} {where}: are the cell and the units right?"
    frame = np.eye(3) if crystal.cell is None else crystal.cell
    cosines = abs(frame @ strain.direction) / np.linalg.norm(frame, axis=1)
    axis = ("xyz" if crystal.cell is None else "abc")[int(np.argmax(cosines))]
    what = "coordinates" if crystal.cell is None else "lengths and angles of the cell"
    return f"bonds near the direction of {axis} are {_size(strain.largest)}: are the {what} right?"


def _size(strain: float) -> str:
    change = "longer" if strain > 0 else "shorter"
    return f"about {100 * abs(np.expm1(strain)):.0f} % {change} than usual"


def _products(directions: np.ndarray) -> np.ndarray:
    """What the six elements of a symmetric tensor add along unit vectors, shape (n, 6)."""
    x, y, z = directions.T
    return np.stack([x * x, y * y, z * z, 2 * y * z, 2 * x * z, 2 * x * y], axis=1)


def _distances(bonds: Bonds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors (Å) of bonds and across angles, their usual lengths (Å) and relative spreads."""
    names, kinds = np.unique(_kinds(bonds), return_inverse=True)
    table = np.zeros((len(names), len(names), 2))
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            table[i, j] = table[j, i] = _LENGTHS.get((first, second), table[i, j])
    centre = np.repeat(np.arange(len(kinds)), bonds.coordination)
    end = np.concatenate([np.arange(0), *bonds.neighbours]).astype(int)
    vectors = np.concatenate([np.empty((0, 3)), *bonds.vectors])
    length, spread = table[kinds[centre], kinds[end]].T
    known = length > 0
    centre, end, vectors, length, spread = (
        values[known] for values in (centre, end, vectors, length, spread)
    )
    once = centre <= end
    found = [(vectors[once], length[once], spread[once] / 100)]
    angle, across = np.array([ANGLES.get(str(name), (0.0, 0.0)) for name in names]).T
    for step in (1, 2, 3):  # the bonds of an atom follow each other
        pairs = np.flatnonzero(centre[step:] == centre[:-step])
        kind = kinds[centre[pairs]]
        ways = vectors[pairs + step] - vectors[pairs]
        use = (angle[kind] > 0) & (np.linalg.norm(ways, axis=1) > _RING_OF_THREE)
        pairs, kind = pairs[use], kind[use]
        a, b = length[pairs], length[pairs + step]
        usual = np.sqrt(a * a + b * b - 2 * a * b * np.cos(np.radians(angle[kind])))
        found.append((ways[use], usual, across[kind] / 100))
    vectors, length, spread = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return vectors, length, spread


def _kinds(bonds: Bonds) -> list[str]:
    """Element and number of bonds of each atom.

    With three bonds follows ``=`` with a bare oxygen (C=O, NO2), else for carbon the number of
    neighbours that can share a double bond: 1 in ethene, 2 in benzene, 3 where rings join.
    """
    number = bonds.coordination
    names = [f"{e}{k}" for e, k in zip(bonds.elements.tolist(), number.tolist(), strict=True)]
    can_share = np.isin(names, ("C2", "C3", "N1", "N2", "O1"))
    bare = np.isin(names, "O1")
    for k in np.flatnonzero(np.isin(names, ("C3", "N3"))).tolist():
        near = bonds.neighbours[k]
        if bare[near].any():
            names[k] += "="
        elif names[k] == "C3":
            names[k] += str(can_share[near].sum())
    return names
