"""SOAP-KRR, trained on the same crystals as the networks, beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from shiftcli.benchmark.accuracy import Accuracy
from shiftcli.benchmark.regression import (
    L_MAX,
    N_MAX,
    SIGMA,
    Hyperparameters,
    all_cutoffs,
    check_extra,
    choose_hyperparameters,
    fit,
    soap,
)
from shiftcli.errors import TrainingError, UsageError
from shiftcli.results.statistics import Errors, Versus, compare_errors, summarise
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.training.atoms import LabelledAtoms, PredictedAtoms, collect_atoms
from shiftcli.training.config import Configuration
from shiftcli.training.data import is_usual, is_validation, split_crystals
from shiftcli.training.sources import load_levels

#: Without a choice of the user's the learning curve has so many points, each half the next.
_HALVINGS = 3


@dataclass(frozen=True)
class Seconds:
    """What the parts of the baseline took: seconds of one process."""

    descriptors: float  #: SOAP of the training atoms, chosen cut-offs.
    selection: float  #: Cross-validation of the hyperparameters.
    training: float  #: Kernel and regression with the chosen ones.
    prediction: float  #: SOAP of the validation atoms, kernel and prediction.


@dataclass(frozen=True)
class CurvePoint:
    """The baseline trained on a number of crystals."""

    crystals: int  #: Training crystals drawn, those without this nucleus among them.
    samples: int  #: Distinct training atoms.
    chosen: Hyperparameters  #: By cross-validation over these crystals alone.
    errors: Errors  #: On the validation crystals.
    margin: Versus  #: The networks against it, on the same atoms.
    seconds: Seconds  #: Time.


@dataclass(frozen=True)
class NucleusBaseline:
    """Baseline and networks on one nucleus."""

    ours: Errors  #: Of the networks on the validation crystals.
    ours_seconds: float  #: What their predictions took.
    curve: tuple[CurvePoint, ...]  #: By number of training crystals, ascending; at least one.


@dataclass(frozen=True)
class Baseline:
    """SOAP-KRR beside the networks."""

    source: str  #: The data.
    validation_crystals: int  #: Crystals that the errors are counted on.
    nuclei: dict[str, NucleusBaseline]  #: By species.

    def to_dict(self) -> dict[str, Any]:
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
        return {"soap_krr": {
            "data": self.source, "validation_crystals": self.validation_crystals,
            "descriptor": {"n_max": N_MAX, "l_max": L_MAX, "sigma": SIGMA}, "nuclei": nuclei,
        }}  # fmt: skip


def measure_baseline(
    ours: Accuracy,
    data: Sequence[str | Path],
    crystals: Sequence[int] = (),
    *,
    format: str | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Baseline:
    """Train SOAP-KRR on the training crystals and test it where the networks (`ours`) were tested.

    `crystals` are numbers of training crystals, the points of the learning curve, the same crystals
    as ``shiftcli train --crystals`` takes; without it all, a half, a quarter, an eighth. Distinct
    atoms are learned from once; 1H labels that are not usual are not, as with the networks. Memory
    grows with the square of the training atoms: 2 GB at 7,500 of one nucleus.

    `UsageError` if DScribe or scikit-learn is missing, or `ours` is not of the validation crystals;
    `TrainingError` if there are fewer training crystals than wanted, or none to learn from.
    """
    check_extra()
    if ours.split != "validation":
        raise UsageError("the baseline is tested on the validation crystals: --split validation")
    if ours.seen:
        on_note(f"the networks have learned from {ours.seen} of these crystals, SOAP-KRR from none")
    labelled = load_levels(data, format=format)
    known = labelled.main
    training = {k: c for k, c in known.items() if not is_validation(labelled.families[k])}
    halved = (len(training) // 2**k for k in range(_HALVINGS + 1))
    sizes = sorted(set(crystals) or {size for size in halved if size >= 2})
    subsets = {
        size: split_crystals(labelled.families, replace(Configuration(), crystals=size))[0]
        for size in sizes
    }
    nuclei = {}
    for species, predicted in ours.predicted.items():
        curve = _learning_curve(predicted, training, subsets, on_note)
        if curve:
            nuclei[species] = NucleusBaseline(ours.nuclei[species], predicted.seconds, curve)
    if not nuclei:
        raise TrainingError("no nucleus is in two training crystals: nothing to cross-validate")
    return Baseline(ours.source, ours.crystals, nuclei)


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
    whole = _describe(atoms, is_usual(atoms.reference, atoms.element))
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
    start = time.perf_counter()
    chosen = choose_hyperparameters(part.features, part.reference, part.weights, part.crystals)
    selected = time.perf_counter()
    predict = fit(part.features, part.reference, chosen)
    trained = time.perf_counter()
    shielding = predict(test.features)
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


def _describe(atoms: LabelledAtoms, keep: np.ndarray) -> _Described:
    """Descriptors of atoms (n,) with all cut-offs that may be chosen, of those kept (n,)."""
    features, seconds = {}, {}
    for cutoff in all_cutoffs():
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
