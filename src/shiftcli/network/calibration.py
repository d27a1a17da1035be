"""How a committee's spread becomes intervals: the record that stands in its networks' files.

`shiftcli.prediction.uncertainty` fits it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

#: What else than the kind makes errors of an atom larger or smaller, see `Evidence.terms`.
TERMS = ("unseen", "few", "hydrogen-bond")

#: By how much errors are larger without precedent, where no calibration says it.
UNSEEN = 3.0

#: No number of a network's file is as large, be it in ppm or in crystals.
LARGEST = 1e9

#: Hydrogen bonds with H···A longer than this (Å) count as none.
_LONGEST_BOND = 2.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the structure says of how well n atoms can be predicted."""

    kinds: np.ndarray  #: Kind of each atom (`shiftcli.structure.kinds`), shape (n,).
    #: Training crystals that hold its bonded environment, shape (n,); -1 where the networks' files
    #: do not say.
    precedents: np.ndarray
    #: H···A in Å of the shortest hydrogen bond that it takes part in, shape (n,); infinite where
    #: there is none.
    hydrogen_bonds: np.ndarray

    def __len__(self) -> int:
        return len(self.kinds)

    def __getitem__(self, rows: Any) -> Evidence:
        return Evidence(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @staticmethod
    def concatenate(parts: list[Evidence]) -> Evidence:
        """Join what is known of several sets of atoms."""
        nothing = np.zeros(0)
        parts = parts or [Evidence(nothing.astype(object), nothing.astype(int), nothing)]
        names = Evidence.__dataclass_fields__
        return Evidence(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))

    def terms(self) -> np.ndarray:
        """The columns of `TERMS`, shape (n, 3).

        Unseen: 1 without a training crystal, else 0. Few: 1/√k where k training crystals hold the
        bonded environment. Hydrogen bond: 2 Å − H···A, at least 0.
        """
        unseen = (self.precedents == 0).astype(float)
        few = np.where(self.precedents > 0, 1.0 / np.sqrt(np.maximum(self.precedents, 1)), 0.0)
        strength = np.maximum(0.0, _LONGEST_BOND - self.hydrogen_bonds)
        return np.stack([unseen, few, strength], axis=1)


@dataclass(frozen=True)
class KindWidths:
    """What a calibration says of one kind of atoms."""

    factor: float  #: By how much their scale differs from that of all.
    #: Half widths of the two intervals in units of the scale.
    q68: float
    q95: float
    n: int  #: Distinct atoms of this kind that it was fitted to.
    #: Fraction of them inside, judged as for `Calibration`.
    coverage68: float | None = None
    coverage95: float | None = None


@dataclass(frozen=True)
class Calibration:
    """How a committee's spread becomes intervals."""

    members: int  #: Networks in the committee.
    floor: float  #: Part of the scale that no spread shows, in ppm.
    #: Weights of the variance between members and between orientations.
    between: float
    within: float
    #: Half widths of the two intervals in units of the scale, for kinds not in `kinds`.
    q68: float
    q95: float
    #: Distinct atoms and families of crystals that it was fitted to.
    n: int
    crystals: int
    #: Fraction of the atoms inside, every atom judged by a calibration that never saw its family of
    #: crystals; None where there was but one.
    coverage68: float | None = None
    coverage95: float | None = None
    #: By kind of atom; empty where kinds were not told apart.
    kinds: Mapping[str, KindWidths] = field(default_factory=dict)
    #: Logarithms of factors of the scale, by the names in `TERMS`; without one the factor of atoms
    #: without precedent is `UNSEEN`.
    terms: Mapping[str, float] = field(default_factory=dict)
    #: Mean minus logarithm of the likelihood of an error (Student's t, four degrees of freedom,
    #: error in ppm), on families left out, of each ``form`` that was tried: ``constant``,
    #: ``spread``, ``kinds``. The least was taken.
    likelihoods: Mapping[str, float] = field(default_factory=dict)

    def scale(
        self,
        between_variance: np.ndarray,
        within_variance: np.ndarray,
        evidence: Evidence | None = None,
    ) -> np.ndarray:
        """Scale s of the error of each atom in ppm, shape (n,).

        From the variance between members, and between orientations, in ppm², shape (n,), and what
        the structure says of the atoms; without that all are of no known kind.
        """
        spread = self.between * np.asarray(between_variance, dtype=float)
        scale = np.sqrt(self.floor**2 + spread + self.within * np.asarray(within_variance))
        if evidence is None:
            return scale
        factors = [self.kinds[k].factor if k in self.kinds else 1.0 for k in evidence.kinds]
        terms = {"unseen": math.log(UNSEEN), **self.terms}
        weights = np.array([terms.get(name, 0.0) for name in TERMS])
        return scale * np.array(factors) * np.exp(evidence.terms() @ weights)

    def half_widths(
        self,
        between_variance: np.ndarray,
        within_variance: np.ndarray,
        evidence: Evidence | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Half widths of the 68 % and the 95 % interval of each atom in ppm, shape (n,) each.

        Arguments as of `scale`.
        """
        scale = self.scale(between_variance, within_variance, evidence)
        if evidence is None:
            return self.q68 * scale, self.q95 * scale
        own = [self.kinds.get(kind, self) for kind in evidence.kinds]
        return (
            np.array([k.q68 for k in own]) * scale,
            np.array([k.q95 for k in own]) * scale,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what is empty is left out."""
        return {name: value for name, value in asdict(self).items() if value != {}}

    @classmethod
    def from_dict(cls, values: Any) -> Calibration:
        """Rebuild from `to_dict`; raises ValueError on values that make no sense."""
        made: Calibration = _checked(cls, values, ("kinds", "terms", "likelihoods"))
        if not all(type(v) is int and v >= 1 for v in (made.members, made.n, made.crystals)):
            raise ValueError("a calibration whose counts are not whole and positive")
        _check_numbers([made.floor], [made.between, made.within])
        _check_widths(made)
        for mapping in (made.kinds, made.terms, made.likelihoods):
            if not isinstance(mapping, dict):
                raise ValueError("a calibration with other fields than this program knows")
        _check_numbers([], [], [*made.terms.values(), *made.likelihoods.values()])
        if not set(made.terms) <= set(TERMS):
            raise ValueError("a calibration with terms that this program does not know")
        kinds = {name: _checked(KindWidths, kind) for name, kind in made.kinds.items()}
        for kind in kinds.values():
            _check_numbers([kind.factor], [kind.n])
            _check_widths(kind)
        return replace(made, kinds=kinds)


def _checked(cls: Any, values: Any, optional: tuple[str, ...] = ()) -> Any:
    """An object of a class from its fields, all but the optional ones there and no others."""
    fields = set(cls.__dataclass_fields__)
    if not isinstance(values, dict) or not fields - set(optional) <= set(values) <= fields:
        raise ValueError("a calibration with other fields than this program knows")
    return cls(**values)


def _check_widths(widths: Calibration | KindWidths) -> None:
    """Raise ValueError where quantiles or coverages are none."""
    _check_numbers([widths.q68, widths.q95], [])
    if widths.q68 > widths.q95:
        raise ValueError("a calibration with impossible values")
    fractions = [f for f in (widths.coverage68, widths.coverage95) if f is not None]
    _check_numbers([], fractions)
    if any(f > 1 for f in fractions):
        raise ValueError("a calibration with an impossible coverage")


def is_number(value: object) -> bool:
    """Whether it is a number, and none so large that nothing can be calculated with it."""
    return type(value) in (int, float) and abs(value) < LARGEST  # type: ignore[arg-type]


def _check_numbers(
    positive: list[float], not_negative: list[float], any_sign: list[float] | None = None
) -> None:
    """Raise ValueError where one is no finite number, or has a sign that it must not have."""
    numbers = (*positive, *not_negative, *(any_sign or ()))
    if not all(map(is_number, numbers)):
        raise ValueError("a calibration with values that are not finite numbers")
    if any(v <= 0 for v in positive) or any(v < 0 for v in not_negative):
        raise ValueError("a calibration with impossible values")
