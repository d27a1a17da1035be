"""Kernel ridge regression on SOAP descriptors, trained on the same crystals as the networks.

The method that the paper stands beside (Paruzzo et al., Nat. Commun. 9, 4501 (2018)): smooth
overlap of atomic positions (Bartók, Kondor and Csányi, Phys. Rev. B 87, 184115 (2013)) by
DScribe, the ridge regression by scikit-learn. The kernel of two environments is

    k(A, B) = (mean over cut-offs of p_A · p_B / (|p_A| |p_B|)) ^ ζ

where the mean over several cut-offs, as in 2018, is one of the choices.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.benchmark.accuracy import Accuracy, PredictedAtoms
from shiftcli.benchmark.atoms import LabelledAtoms, collect_atoms
from shiftcli.benchmark.statistics import Errors, Versus, compare_errors, rmse, summarise
from shiftcli.crystal import ELEMENTS, SPECIES, Crystal, Site
from shiftcli.errors import TrainingError, UsageError
from shiftcli.training import is_validation, load_labelled
from shiftcli.training.config import Configuration
from shiftcli.training.data import H_RANGE, split_crystals

#: Parameters of the descriptor: radial functions, angular momenta, σ (Å) of the densities.
N_MAX, L_MAX, SIGMA = 8, 6, 0.3

#: What is chosen from: cut-offs (Å) whose kernels are averaged, exponents ζ, and the ridge λ,
#: beside a kernel that is 1 for equal environments.
CUTOFFS = ((3.0,), (5.0,), (3.0, 5.0))
ZETAS = (1, 2, 4)
REGULARISATIONS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)

#: Parts that the training crystals are split into for the choice.
_FOLDS = 5

#: Without a choice of the user's the learning curve has so many points, each half the next.
_HALVINGS = 3


@dataclass(frozen=True)
class Hyperparameters:
    """What cross-validation over the training crystals chose.

    Attributes
    ----------
    cutoffs : tuple of float
        Cut-off radii in Å whose kernels are averaged.
    zeta : int
        Exponent of the kernel.
    regularisation : float
        Ridge λ.
    rmse : float
        Cross-validated RMSE in ppm.
    """

    cutoffs: tuple[float, ...]
    zeta: int
    regularisation: float
    rmse: float


@dataclass(frozen=True)
class Seconds:
    """What the parts of the baseline took: seconds of one process.

    Attributes
    ----------
    descriptors : float
        SOAP of the training atoms, chosen cut-offs.
    selection : float
        Cross-validation of the hyperparameters.
    training : float
        Kernel and regression with the chosen ones.
    prediction : float
        SOAP of the validation atoms, kernel and prediction.
    """

    descriptors: float
    selection: float
    training: float
    prediction: float


@dataclass(frozen=True)
class CurvePoint:
    """The baseline trained on a number of crystals.

    Attributes
    ----------
    crystals : int
        Training crystals drawn, those without this nucleus among them.
    samples : int
        Distinct training atoms.
    chosen : Hyperparameters
        By cross-validation over these crystals alone.
    errors : Errors
        On the validation crystals.
    margin : Versus
        The networks against it, on the same atoms.
    seconds : Seconds
        Time.
    """

    crystals: int
    samples: int
    chosen: Hyperparameters
    errors: Errors
    margin: Versus
    seconds: Seconds


@dataclass(frozen=True)
class NucleusBaseline:
    """Baseline and networks on one nucleus.

    Attributes
    ----------
    ours : Errors
        Of the networks on the validation crystals.
    ours_seconds : float
        What their predictions took.
    curve : tuple of CurvePoint
        By number of training crystals, ascending; at least one.
    """

    ours: Errors
    ours_seconds: float
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Baseline:
    """SOAP-KRR beside the networks.

    Attributes
    ----------
    source : str
        The data.
    validation_crystals : int
        Crystals that the errors are counted on.
    nuclei : dict of str to NucleusBaseline
        By species.
    """

    source: str
    validation_crystals: int
    nuclei: dict[str, NucleusBaseline]

    def to_dict(self) -> dict:
        """Plain values under the key ``soap_krr``, for JSON; times in seconds."""
        nuclei = {}
        for species, nucleus in self.nuclei.items():
            curve = {
                str(p.crystals): {
                    "samples": p.samples,
                    "errors": p.errors.to_dict(),
                    "margin": {
                        "rmse": p.margin.difference,
                        "interval": p.margin.to_dict()["difference_interval"],
                    },
                    "chosen": asdict(p.chosen),
                    "seconds": asdict(p.seconds),
                }
                for p in nucleus.curve
            }
            ours = {**nucleus.ours.to_dict(), "seconds": nucleus.ours_seconds}
            nuclei[species] = {"ours": ours, "curve": curve}
        return {
            "soap_krr": {
                "data": self.source,
                "validation_crystals": self.validation_crystals,
                "descriptor": {"n_max": N_MAX, "l_max": L_MAX, "sigma": SIGMA},
                "nuclei": nuclei,
            }
        }


def check_extra() -> None:
    """Refuse where DScribe or scikit-learn is missing.

    Raises
    ------
    UsageError
        Naming the command that installs them.
    """
    missing = [
        name
        for module, name in (("dscribe", "DScribe"), ("sklearn", "scikit-learn"))
        if find_spec(module) is None
    ]
    if missing:
        raise UsageError(
            f"the baseline needs {' and '.join(missing)}",
            hint="pip install 'shiftcli[benchmark]'",
        )


def measure_baseline(
    ours: Accuracy,
    data: Sequence[str | Path],
    crystals: Sequence[int] = (),
    *,
    on_note: Callable[[str], None] = lambda text: None,
) -> Baseline:
    """Train SOAP-KRR on the training crystals and test it where the networks were tested.

    Parameters
    ----------
    ours : Accuracy
        Of the networks on the validation crystals of the same data.
    data : sequence of str or pathlib.Path
        Files or directories of structures with shieldings.
    crystals : sequence of int
        Numbers of training crystals, the points of the learning curve, the same crystals as
        ``shiftcli train --crystals`` takes; without it all, a half, a quarter, an eighth.
    on_note : callable
        Told of each point as it is done.

    Returns
    -------
    Baseline

    Raises
    ------
    UsageError
        If DScribe or scikit-learn is missing, or `ours` is not of the validation crystals.
    TrainingError
        If there are fewer training crystals than wanted, or none to learn from.

    Notes
    -----
    Distinct atoms are learned from once; 1H labels outside `H_RANGE` are not, as with the
    networks. Memory grows with the square of the training atoms: 2 GB at 7,500 of one nucleus.
    """
    check_extra()
    if ours.split != "validation":
        raise UsageError("the baseline is tested on the validation crystals: --split validation")
    known = load_labelled(data)
    training = {k: c for k, c in known.items() if not is_validation(k)}
    numbers = np.array(sorted(known))
    sizes = sorted(set(crystals)) or _halved(len(training))
    subsets = {
        size: split_crystals(numbers, replace(Configuration(), crystals=size))[0] for size in sizes
    }
    nuclei = {}
    for species, predicted in ours.predicted.items():
        curve = _learning_curve(predicted, training, subsets, on_note)
        if curve:
            nuclei[species] = NucleusBaseline(ours.nuclei[species], predicted.seconds, curve)
    if not nuclei:
        raise TrainingError("no nucleus is in two training crystals: nothing to cross-validate")
    return Baseline(ours.source, ours.crystals, nuclei)


def _halved(count: int) -> list[int]:
    """All crystals, a half, a quarter and so on, ascending, at least two."""
    return sorted({count // 2**k for k in range(_HALVINGS + 1) if count // 2**k >= 2})


@dataclass(frozen=True, eq=False)
class _Described:
    """Atoms with their descriptors.

    `features` holds by cut-off unit vectors, shape (n, f); `seconds` what they took, shape
    (crystals,), in the order of `numbers`, the crystals' numbers.
    """

    features: dict[float, np.ndarray]
    seconds: dict[float, np.ndarray]
    reference: np.ndarray
    weights: np.ndarray
    crystals: np.ndarray
    numbers: np.ndarray

    def of(self, crystals: np.ndarray) -> _Described:
        """Those in some crystals, shape (m,)."""
        rows, parts = np.isin(self.crystals, crystals), np.isin(self.numbers, crystals)
        return _Described(
            {cutoff: x[rows] for cutoff, x in self.features.items()},
            {cutoff: s[parts] for cutoff, s in self.seconds.items()},
            self.reference[rows],
            self.weights[rows],
            self.crystals[rows],
            self.numbers[parts],
        )

    def took(self, cutoffs: Sequence[float]) -> float:
        """Seconds of the descriptors of some cut-offs."""
        return float(sum(self.seconds[cutoff].sum() for cutoff in cutoffs))


def _learning_curve(
    predicted: PredictedAtoms,
    training: Mapping[int, Crystal],
    subsets: Mapping[int, np.ndarray],
    on_note: Callable[[str], None],
) -> tuple[CurvePoint, ...]:
    """Points of one nucleus; those whose crystals hold it less than twice are left out."""
    atoms = collect_atoms(training, predicted.atoms.element)
    if not len(atoms):
        return ()
    low, high = H_RANGE if atoms.element == "H" else (-np.inf, np.inf)
    whole = _describe(atoms, (atoms.reference >= low) & (atoms.reference <= high))
    test = _describe(predicted.atoms, np.full(len(predicted.atoms), True))
    points = []
    for size, numbers in subsets.items():
        part = whole.of(numbers)
        if len(np.unique(part.crystals)) < 2:
            continue
        points.append(_point(size, part, test, predicted))
        last, species = points[-1], SPECIES[atoms.element]
        on_note(
            f"{species}: SOAP-KRR of {size} crystals, {last.samples} samples: "
            f"{last.errors.rmse:.3f} ppm, {last.seconds.selection + last.seconds.training:.0f} s"
        )
    return tuple(points)


def _point(size: int, part: _Described, test: _Described, predicted: PredictedAtoms) -> CurvePoint:
    """Choose, train and test on one number of crystals."""
    from sklearn.kernel_ridge import KernelRidge  # type: ignore[import]

    start = time.perf_counter()
    chosen = choose_hyperparameters(part.features, part.reference, part.weights, part.crystals)
    selected = time.perf_counter()
    mean = float(part.reference.mean())
    kernel = _similarity(part.features, part.features, chosen.cutoffs) ** chosen.zeta
    model = KernelRidge(alpha=chosen.regularisation, kernel="precomputed")
    model.fit(kernel, part.reference - mean)
    trained = time.perf_counter()
    kernel = _similarity(test.features, part.features, chosen.cutoffs) ** chosen.zeta
    shielding = mean + model.predict(kernel)
    done = time.perf_counter()
    ours = predicted.shielding - test.reference
    return CurvePoint(
        crystals=size,
        samples=len(part.reference),
        chosen=chosen,
        errors=summarise(shielding, test.reference, test.weights, test.crystals),
        margin=compare_errors(ours, shielding - test.reference, test.weights, test.crystals),
        seconds=Seconds(
            descriptors=part.took(chosen.cutoffs),
            selection=selected - start,
            training=trained - selected,
            prediction=test.took(chosen.cutoffs) + done - trained,
        ),
    )


def choose_hyperparameters(
    features: Mapping[float, np.ndarray],
    reference: np.ndarray,
    weights: np.ndarray,
    crystals: np.ndarray,
) -> Hyperparameters:
    """Choose cut-offs, exponent and ridge by cross-validation over crystals.

    Parameters
    ----------
    features : mapping of float to numpy.ndarray
        By cut-off the descriptors of n atoms as unit vectors, shape (n, f).
    reference : numpy.ndarray
        Shieldings in ppm, shape (n,).
    weights : numpy.ndarray
        How often the error of each atom counts, shape (n,).
    crystals : numpy.ndarray
        Number of the crystal of each, shape (n,), at least two different ones: no crystal is
        on both sides of a split.

    Returns
    -------
    Hyperparameters
        Of the least RMSE.
    """
    best = None
    for cutoffs in CUTOFFS:
        similarity = _similarity(features, features, cutoffs)
        for zeta in ZETAS:
            errors = _cross_validate(similarity**zeta, reference, crystals)
            for regularisation, error in zip(REGULARISATIONS, errors, strict=True):
                found = Hyperparameters(cutoffs, zeta, regularisation, rmse(error, weights))
                if best is None or found.rmse < best.rmse:
                    best = found
    assert best is not None
    return best


def _cross_validate(kernel: np.ndarray, reference: np.ndarray, crystals: np.ndarray) -> np.ndarray:
    """Errors in ppm of every λ on crystals that were left out, shape (λ, n)."""
    from sklearn.kernel_ridge import KernelRidge  # type: ignore[import]
    from sklearn.model_selection import GroupKFold  # type: ignore[import]

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


def _similarity(
    left: Mapping[float, np.ndarray], right: Mapping[float, np.ndarray], cutoffs: Sequence[float]
) -> np.ndarray:
    """Mean over cut-offs of the normalised dot products, float64, shape (n, m)."""
    total = np.zeros((len(left[cutoffs[0]]), len(right[cutoffs[0]])))
    for cutoff in cutoffs:
        total += left[cutoff] @ right[cutoff].T
    return total / len(cutoffs)


def _describe(atoms: LabelledAtoms, keep: np.ndarray) -> _Described:
    """Descriptors of atoms (n,) with all cut-offs that may be chosen, of those kept (n,)."""
    features, seconds = {}, {}
    for cutoff in sorted({c for choice in CUTOFFS for c in choice}):
        parts, times = [], []
        for crystal, sites in atoms.parts:
            start = time.perf_counter()
            parts.append(soap(crystal, sites, cutoff))
            times.append(time.perf_counter() - start)
        features[cutoff] = np.concatenate(parts)[keep]
        seconds[cutoff] = np.array(times)
    # Crystals stand in the order of their numbers, as their parts do.
    numbers = np.unique(atoms.crystals)
    columns = (atoms.reference[keep], atoms.weights[keep], atoms.crystals[keep])
    return _Described(features, seconds, *columns, numbers)


def soap(crystal: Crystal, sites: Sequence[Site], cutoff: float) -> np.ndarray:
    """Smooth overlap of atomic positions about some atoms.

    Parameters
    ----------
    crystal : Crystal
        The crystal, or an isolated molecule.
    sites : sequence of Site
        m sites of it; the first copy of each stands for all.
    cutoff : float
        Radius in Å.

    Returns
    -------
    numpy.ndarray
        Power spectra as unit vectors, float32, shape (m, f): for H, C, N and O and every
        pair of them, `N_MAX` radial functions and angular momenta up to `L_MAX`.
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
    from dscribe.descriptors import SOAP  # type: ignore[import]

    return SOAP(
        species=list(ELEMENTS), periodic=periodic, r_cut=cutoff, n_max=N_MAX, l_max=L_MAX,
        sigma=SIGMA, dtype="float32",
    )  # fmt: skip
