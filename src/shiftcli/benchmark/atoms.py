"""The atoms of one nucleus whose shieldings are known, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shiftcli.structure.crystal import Crystal, Site
from shiftcli.structure.kinds import environment_classes


@dataclass(frozen=True, eq=False)
class LabelledAtoms:
    """Symmetry-distinct atoms of one nucleus with known shieldings.

    Attributes
    ----------
    element : str
        H, C, N or O.
    parts : tuple of (Crystal, tuple of Site)
        The crystals that have such atoms, and those atoms, in the order of the columns.
    reference : numpy.ndarray
        Known shieldings in ppm, averaged over symmetry copies, shape (n,).
    baseline : numpy.ndarray
        A second prediction that came with the data, in ppm, NaN where absent, shape (n,).
    weights : numpy.ndarray
        Multiplicities, shape (n,).
    crystals : numpy.ndarray
        Number of the crystal of each, shape (n,).
    """

    element: str
    parts: tuple[tuple[Crystal, tuple[Site, ...]], ...]
    reference: np.ndarray
    baseline: np.ndarray
    weights: np.ndarray
    crystals: np.ndarray

    def __len__(self) -> int:
        return len(self.reference)

    def classes(self) -> np.ndarray:
        """Kind of the environment of each, shape (n,)."""
        found = [
            environment_classes(crystal)[[site.atoms[0] for site in sites]]
            for crystal, sites in self.parts
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=object)


def collect_atoms(crystals: Mapping[int, Crystal], element: str) -> LabelledAtoms:
    """Gather the labelled atoms of one element.

    Parameters
    ----------
    crystals : mapping of int to Crystal
        Crystals by their number in the data.
    element : str
        H, C, N or O.

    Returns
    -------
    LabelledAtoms
        Atoms whose label, or that of a copy, is NaN are left out.
    """
    parts = []
    reference: list[float] = []
    baseline: list[float] = []
    weights: list[int] = []
    numbers: list[int] = []
    for number, crystal in crystals.items():
        labels, other = crystal.shieldings, crystal.baseline
        if labels is None:
            continue
        own = [s for s in crystal.sites if s.element == element]
        sites = tuple(s for s in own if np.isfinite(labels[s.atoms]).all())
        if not sites:
            continue
        parts.append((crystal, sites))
        reference += [float(labels[s.atoms].mean()) for s in sites]
        baseline += [np.nan if other is None else float(other[s.atoms].mean()) for s in sites]
        weights += [s.multiplicity for s in sites]
        numbers += [number] * len(sites)
    return LabelledAtoms(
        element,
        tuple(parts),
        np.array(reference, dtype=float),
        np.array(baseline, dtype=float),
        np.array(weights, dtype=float),
        np.array(numbers, dtype=int),
    )
