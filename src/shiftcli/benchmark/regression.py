"""Kernel ridge regression on SOAP descriptors.

The method that the paper stands beside (Paruzzo et al., Nat. Commun. 9, 4501 (2018)): smooth
overlap of atomic positions (Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115 (2013)) by
DScribe, the ridge regression by scikit-learn. The kernel of two environments is

    k(A, B) = (mean over cut-offs of p_A · p_B / (|p_A| |p_B|)) ^ ζ

where the mean over several cut-offs, as in 2018, is one of the choices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from shiftcli.errors import UsageError, install
from shiftcli.results.statistics import rmse
from shiftcli.structure.crystal import ELEMENTS, Crystal, Site

#: Parameters of the descriptor: radial functions, angular momenta, σ (Å) of the densities.
N_MAX, L_MAX, SIGMA = 8, 6, 0.3

#: What is chosen from: cut-offs (Å) whose kernels are averaged, exponents ζ, and the ridge λ,
#: beside a kernel that is 1 for equal environments.
CUTOFFS = ((3.0,), (5.0,), (3.0, 5.0))
ZETAS = (1, 2, 4)
REGULARISATIONS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)

#: Parts that the training crystals are split into for the choice.
_FOLDS = 5

#: Atoms that cut-offs and exponent are chosen on, more or less, and the seed of their drawing;
#: time grows with the cube of the number.
_ENOUGH, _SEED = 2000, 2018


@dataclass(frozen=True)
class Hyperparameters:
    """What cross-validation over the training crystals chose."""

    cutoffs: tuple[float, ...]  #: Cut-off radii in Å whose kernels are averaged.
    zeta: int  #: Exponent of the kernel.
    regularisation: float  #: Ridge λ.
    rmse: float  #: Cross-validated RMSE in ppm.


def all_cutoffs() -> list[float]:
    """Every cut-off (Å) that may be chosen, ascending."""
    return sorted({cutoff for choice in CUTOFFS for cutoff in choice})


def check_extra() -> None:
    """Refuse with the command that installs them where DScribe or scikit-learn is missing."""
    found = (("dscribe", "DScribe"), ("sklearn", "scikit-learn"))
    if missing := [name for module, name in found if find_spec(module) is None]:
        raise UsageError(f"the baseline needs {' and '.join(missing)}", hint=install(*missing))


def soap(crystal: Crystal, sites: Sequence[Site], cutoff: float) -> np.ndarray:
    """Smooth overlap of atomic positions about m sites; the first copy of each stands for all.

    Power spectra as unit vectors, float32, shape (m, f): for H, C, N and O and every pair of them,
    `N_MAX` radial functions and angular momenta up to `L_MAX`, within `cutoff` in Å.
    """
    from ase import Atoms

    periodic = crystal.cell is not None
    atoms = Atoms(
        crystal.elements.tolist(),
        crystal.positions,
        cell=crystal.cell if periodic else None,
        pbc=periodic,
    )
    centers = [int(site.atoms[0]) for site in sites]
    spectra = _descriptor(cutoff, periodic).create(atoms, centers=centers)
    return spectra / np.linalg.norm(spectra, axis=1, keepdims=True)


@cache
def _descriptor(cutoff: float, periodic: bool) -> Any:
    """DScribe's object, which prepares its radial functions when it is made."""
    from dscribe.descriptors import SOAP

    return SOAP(
        species=list(ELEMENTS), periodic=periodic, r_cut=cutoff, n_max=N_MAX, l_max=L_MAX,
        sigma=SIGMA, dtype="float32",
    )  # fmt: skip


def fit(
    features: Mapping[float, np.ndarray], reference: np.ndarray, chosen: Hyperparameters
) -> Callable[[Mapping[float, np.ndarray]], np.ndarray]:
    """Train on n atoms: by cut-off their descriptors as unit vectors (n, f), shieldings in ppm
    (n,).

    Gives what makes of the descriptors of m atoms their shieldings in ppm, shape (m,).
    """
    from sklearn.kernel_ridge import KernelRidge

    mean = float(reference.mean())
    model = KernelRidge(alpha=chosen.regularisation, kernel="precomputed")
    model.fit(similarity(features, features, chosen.cutoffs) ** chosen.zeta, reference - mean)

    def predict(others: Mapping[float, np.ndarray]) -> np.ndarray:
        kernel = similarity(others, features, chosen.cutoffs) ** chosen.zeta
        return mean + model.predict(kernel)

    return predict


def choose_hyperparameters(
    features: Mapping[float, np.ndarray],
    reference: np.ndarray,
    weights: np.ndarray,
    crystals: np.ndarray,
) -> Hyperparameters:
    """Choose cut-offs, exponent and ridge by cross-validation over crystals.

    `features` holds by cut-off the descriptors of n atoms as unit vectors, shape (n, f);
    `reference` their shieldings in ppm, `weights` how often the error of each counts, `crystals`
    the number of the crystal of each, at least two different ones, shape (n,): no crystal is on
    both sides of a split. Of many atoms, cut-offs and exponent are chosen on a part of the
    crystals, and the ridge, whose best value falls with their number, on all.
    """
    rows = _some(crystals)
    grid = [(cutoffs, zeta) for cutoffs in CUTOFFS for zeta in ZETAS]
    chosen = _best(features, reference, weights, crystals, rows, grid)
    if len(rows) == len(crystals):
        return chosen
    kernel = [(chosen.cutoffs, chosen.zeta)]
    return _best(features, reference, weights, crystals, np.arange(len(crystals)), kernel)


def _some(crystals: np.ndarray) -> np.ndarray:
    """Rows of crystals drawn at random, at least two, until they hold `_ENOUGH` atoms."""
    numbers, counts = np.unique(crystals, return_counts=True)
    order = np.random.default_rng(_SEED).permutation(len(numbers))
    needed = int(np.searchsorted(np.cumsum(counts[order]), _ENOUGH)) + 1
    return np.flatnonzero(np.isin(crystals, numbers[order[: max(needed, 2)]]))


def _best(
    features: Mapping[float, np.ndarray],
    reference: np.ndarray,
    weights: np.ndarray,
    crystals: np.ndarray,
    rows: np.ndarray,
    grid: Sequence[tuple[tuple[float, ...], int]],
) -> Hyperparameters:
    """The best cut-offs and ζ of a grid, and the best λ, on some rows (m,)."""
    used = {cutoff for cutoffs, _ in grid for cutoff in cutoffs}
    part = {cutoff: features[cutoff][rows] for cutoff in used}
    found = []
    for cutoffs, zeta in grid:
        kernel = similarity(part, part, cutoffs) ** zeta
        errors = _cross_validate(kernel, reference[rows], crystals[rows])
        for regularisation, error in zip(REGULARISATIONS, errors, strict=True):
            root = rmse(error, weights[rows])
            found.append(Hyperparameters(cutoffs, zeta, regularisation, root))
    return min(found, key=lambda hyperparameters: hyperparameters.rmse)


def _cross_validate(kernel: np.ndarray, reference: np.ndarray, crystals: np.ndarray) -> np.ndarray:
    """Errors in ppm of every λ on crystals that were left out, shape (λ, n)."""
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.model_selection import GroupKFold

    folds = GroupKFold(min(_FOLDS, len(np.unique(crystals))))
    errors = np.empty((len(REGULARISATIONS), len(reference)))
    for rest, left_out in folds.split(reference, groups=crystals):
        inner, outer = kernel[np.ix_(rest, rest)], kernel[np.ix_(left_out, rest)]
        mean = reference[rest].mean()
        for row, regularisation in zip(errors, REGULARISATIONS, strict=True):
            model = KernelRidge(alpha=regularisation, kernel="precomputed")
            model.fit(inner, reference[rest] - mean)
            row[left_out] = mean + model.predict(outer) - reference[left_out]
    return errors


def similarity(
    left: Mapping[float, np.ndarray], right: Mapping[float, np.ndarray], cutoffs: Sequence[float]
) -> np.ndarray:
    """Mean over cut-offs of the normalised dot products, float64, shape (n, m)."""
    total = np.zeros((len(left[cutoffs[0]]), len(right[cutoffs[0]])))
    for cutoff in cutoffs:
        total += left[cutoff] @ right[cutoff].T
    return total / len(cutoffs)
