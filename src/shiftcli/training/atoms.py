"""The atoms of one nucleus whose shieldings are known, as columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftcli.density.environments import Environments, surroundings
from shiftcli.network.calibration import Evidence
from shiftcli.prediction.evidence import describe_atoms
from shiftcli.prediction.uncertainty import covered
from shiftcli.results.statistics import Errors, compare_errors, summarise
from shiftcli.structure.crystal import Crystal, Site
from shiftcli.structure.kinds import CLASSES, environment_classes

#: Attributes of `LabelledAtoms` that are columns.
_COLUMNS = ("reference", "baseline", "weights", "crystals", "families")


@dataclass(frozen=True, eq=False)
class LabelledAtoms:
    """Symmetry-distinct atoms of one nucleus with known shieldings."""

    element: str  #: H, C, N or O.
    #: The crystals that have such atoms, and those atoms, in the order of the columns.
    parts: tuple[tuple[Crystal, tuple[Site, ...]], ...]
    reference: np.ndarray  #: Known shieldings in ppm, averaged over symmetry copies, shape (n,).
    #: A second prediction that came with the data, in ppm, NaN where absent, shape (n,).
    baseline: np.ndarray
    weights: np.ndarray  #: Multiplicities, shape (n,).
    #: Number of the crystal of each, and of its family, shape (n,).
    crystals: np.ndarray
    families: np.ndarray

    def __len__(self) -> int:
        return len(self.reference)

    @staticmethod
    def concatenate(parts: Sequence[LabelledAtoms]) -> LabelledAtoms:
        """Join atoms of one nucleus in other crystals; at least one set."""
        columns = ([getattr(p, name) for p in parts] for name in _COLUMNS)
        pairs = tuple(pair for p in parts for pair in p.parts)
        return LabelledAtoms(parts[0].element, pairs, *map(np.concatenate, columns))

    def of(self, crystals: Collection[int]) -> LabelledAtoms:
        """Those in some crystals, named by their numbers."""
        rows = np.isin(self.crystals, list(crystals))
        numbers = dict.fromkeys(self.crystals.tolist())
        return LabelledAtoms(
            self.element,
            tuple(p for k, p in zip(numbers, self.parts, strict=True) if k in crystals),
            *(getattr(self, name)[rows] for name in _COLUMNS),
        )

    def kinds(self) -> np.ndarray:
        """Kind of the environment of each (`shiftcli.structure.kinds`), shape (n,)."""
        found = [
            environment_classes(crystal)[[site.atoms[0] for site in sites]]
            for crystal, sites in self.parts
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=object)

    def evidence(self, environments: Mapping[str, int]) -> Evidence:
        """What the structures say of each, beside the bonded environments that networks have seen.

        Those are the training crystals that hold each environment, as the networks' files say.
        """
        known = {self.element: environments}
        found = [
            describe_atoms(crystal, known)[[site.atoms[0] for site in sites]]
            for crystal, sites in self.parts
        ]
        return Evidence.concatenate(found)

    def environments(self) -> Environments:
        """Surroundings of each, as the networks see them."""
        return Environments.concatenate([surroundings(c, sites) for c, sites in self.parts])


@dataclass(frozen=True, eq=False)
class PredictedAtoms:
    """Labelled atoms of one nucleus, predicted."""

    atoms: LabelledAtoms  #: n of them.
    shielding: np.ndarray  #: Predictions in ppm, shape (n,).
    #: Half widths of their intervals in ppm, NaN where the networks give none, shape (n,).
    half68: np.ndarray
    half95: np.ndarray
    #: What predicting took, environments included; NaN where nobody looked.
    seconds: float = math.nan

    def of(self, crystals: Collection[int]) -> PredictedAtoms:
        """Those in some crystals, named by their numbers."""
        rows = np.isin(self.atoms.crystals, list(crystals))
        return PredictedAtoms(
            self.atoms.of(crystals), self.shielding[rows], self.half68[rows], self.half95[rows]
        )


def collect_atoms(
    crystals: Mapping[int, Crystal],
    element: str,
    copies: str = "distinct",
    families: Mapping[int, int] | None = None,
) -> LabelledAtoms:
    """Gather the labelled atoms of one element of crystals that are given by their number in the
    data.

    `copies` says ``distinct``, one entry for each distinct site, or ``all``, one for each atom of
    the cell; `families` holds the number of the family of each crystal, without it each is its own.
    Atoms whose label, or that of a copy, is NaN are left out.
    """
    parts = []
    reference: list[float] = []
    baseline: list[float] = []
    weights: list[int] = []
    numbers: list[int] = []
    for number, crystal in crystals.items():
        sites, labels = labelled_sites(crystal, element, copies)
        if not sites:
            continue
        other = crystal.baseline
        parts.append((crystal, tuple(sites)))
        reference += labels
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
        np.array([(families or {}).get(k, k) for k in numbers], dtype=int),
    )


def labelled_sites(
    crystal: Crystal, element: str, copies: str = "distinct"
) -> tuple[list[Site], list[float]]:
    """Atoms of one element that have a shielding, and these in ppm; see `collect_atoms`."""
    if crystal.shieldings is None:
        return [], []
    sites = [s for s in crystal.sites if s.element == element]
    if copies == "all":
        sites = [Site(s.label, element, np.array([k])) for s in sites for k in s.atoms]
    labels = [float(np.mean(crystal.shieldings[s.atoms])) for s in sites]
    known = [k for k, label in enumerate(labels) if np.isfinite(label)]
    return [sites[k] for k in known], [labels[k] for k in known]


def measure_errors(predicted: PredictedAtoms) -> Errors:
    """Errors on the atoms of one nucleus, at least one, and on each kind of environment."""
    kinds = predicted.atoms.kinds()
    classes = {
        name: _measure(predicted, kinds == name)
        for name in CLASSES[predicted.atoms.element]
        if (kinds == name).any()
    }
    return replace(_measure(predicted, np.full(len(kinds), True)), classes=classes)


def _measure(predicted: PredictedAtoms, rows: np.ndarray) -> Errors:
    """Errors on some of the atoms, rows of shape (n,), bool."""
    atoms = predicted.atoms
    reference, weights = atoms.reference[rows], atoms.weights[rows]
    crystals, families = atoms.crystals[rows], atoms.families[rows]
    error, second = predicted.shielding[rows] - reference, atoms.baseline[rows] - reference
    widths = (predicted.half68[rows], predicted.half95[rows])
    inside = [covered(error, w, weights) if np.isfinite(w).all() else None for w in widths]
    has_baseline = np.isfinite(second).all()
    return replace(
        summarise(predicted.shielding[rows], reference, weights, crystals, families),
        baseline=compare_errors(error, second, weights, families) if has_baseline else None,
        coverage68=inside[0],
        coverage95=inside[1],
    )
