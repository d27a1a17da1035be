"""How wide the intervals about predictions must be, learned from known errors.

The errors of a committee grow with the variance between its members and with the variance
between the orientations of one environment, have a floor that neither sees, and differ by the
kind of atom and by what the structure says (`shiftcli.network.calibration.TERMS`):

    s² = (floor² + between · V_members + within · V_views) · (factor of the kind · Π factors)²

The weights and factors are those of the greatest likelihood (Musil et al., J. Chem. Theory
Comput. 15, 906 (2019), for committees and NMR shieldings), under Student's t, which outliers do
not drag along (Lange, Little and Taylor, J. Am. Stat. Assoc. 84, 881 (1989)); the logarithms of
the factors are shrunk to what was known before, so that a kind with few atoms is treated much
like all. Half widths are q · s: the factors q are quantiles of |error|/s, so coverage rests on no
law of the errors: locally weighted conformal intervals (Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018)) with weighted quantiles (Tibshirani et al., NeurIPS 2019, arXiv 1904.06019), for each kind
by itself (Vovk, Mach. Learn. 92, 349 (2013)), the other kinds counting as a few of its atoms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftcli.errors import TrainingError
from shiftcli.network.calibration import TERMS, UNSEEN, Calibration, Evidence, KindWidths

#: Probabilities of the two intervals.
LEVELS = (0.68, 0.95)

#: Degrees of freedom of Student's t: few, so that outliers weigh little.
_FREEDOM = 4.0

#: Least floor, as a fraction of the median error: members that agree still share the errors
#: of their data.
_LEAST_FLOOR = 0.1

#: Fewer crystals than this cannot say what the two variances and the kinds weigh; the floor is
#: fitted alone.
_LEAST_CRYSTALS = 8

#: Least median error (ppm) and score, so that a set without any error still has a width;
#: least mean variance, in squares of the median error, that can say something.
_TINY = 1e-6

#: Logarithms of factors expected before any error is seen, and how far they may be off. Atoms
#: without precedent: 1.6 times the scale in ordinary crystals (26 atoms of three families), five
#: times in ten odd molecules (58 % beyond three half widths of 68 %); `UNSEEN` is between.
_EXPECTED = np.array([{"unseen": math.log(UNSEEN)}.get(name, 0.0) for name in TERMS])
_OFF_BY = 0.5

#: So many of `TERMS`, the first, are of unseen and rare environments, which count in any case.
_RARE = 2

#: Atoms of one family of crystals err alike: at most so many of them count as independent.
_INDEPENDENT = 10

#: As how many atoms of a kind all others count for its quantiles.
_OTHERS = 10

#: What the scale may follow, the simplest first; the errors of left-out families choose. An
#: environment without precedent widens it in any case, and the quantiles are those of the kinds.
FORMS = ("constant", "spread", "kinds")

#: Parts that the families are split into to choose and to count, and the seed of the split.
_FOLDS, _SEED = 10, 20190530


@dataclass(frozen=True)
class _Errors:
    """Errors, both variances, weights, families and evidence of some atoms, n of each."""

    error: np.ndarray
    between: np.ndarray
    within: np.ndarray
    weights: np.ndarray
    families: np.ndarray
    evidence: Evidence | None

    def __getitem__(self, rows: np.ndarray) -> _Errors:
        return _Errors(
            self.error[rows],
            self.between[rows],
            self.within[rows],
            self.weights[rows],
            self.families[rows],
            None if self.evidence is None else self.evidence[rows],
        )


def fit(
    error: Sequence[float] | np.ndarray,
    between_variance: Sequence[float] | np.ndarray,
    within_variance: Sequence[float] | np.ndarray,
    weights: Sequence[float] | np.ndarray,
    families: Sequence[int] | np.ndarray,
    *,
    members: int,
    evidence: Evidence | None = None,
) -> Calibration:
    """Calibrate the intervals of a committee of so many `members` on n atoms of known shieldings.

    `error` is prediction − reference in ppm, `between_variance` the variance between members, 0 of
    one, and `within_variance` that between orientations in ppm², `weights` how often each atom
    counts (its multiplicity), and `families` the number of the family of crystals of each, all of
    shape (n,). Errors within a family are alike, so coverage and likelihood are judged on families
    that were left out whole, a tenth at a time. Without `evidence` (`shiftcli.prediction.evidence`)
    kinds are not told apart. Of the forms in `FORMS` that is taken under which left-out errors are
    likeliest.

    `TrainingError` if there are no atoms, or their values are not finite.
    """
    columns = (error, between_variance, within_variance, weights)
    e, between, within, weight = (np.asarray(c, dtype=float) for c in columns)
    atoms = _Errors(e, between, within, weight, np.asarray(families), evidence)
    if not len(atoms.error):
        raise TrainingError("no atoms to calibrate the uncertainty on")
    if not all(np.isfinite(c).all() for c in (atoms.error, atoms.between, atoms.within)):
        raise TrainingError("predictions that are not finite: nothing to calibrate")
    enough = len(np.unique(atoms.families)) >= _LEAST_CRYSTALS
    forms = FORMS[: 2 if evidence is None or not enough else 3]
    judged = {form: _left_out(atoms, members, form) for form in forms}
    likelihoods = {
        form: float(np.average(_log_loss(atoms.error, scale), weights=atoms.weights))
        for form, (scale, _) in judged.items()
        if np.isfinite(scale).all()
    }
    best = min(likelihoods, key=likelihoods.__getitem__) if likelihoods else forms[0]
    made = _fit_once(atoms, members, best)
    return _with_coverage(replace(made, likelihoods=likelihoods), atoms, judged[best][1])


def covered(error: np.ndarray, half_width: np.ndarray, weights: np.ndarray) -> float:
    """Fraction of the atoms, by weight, whose error (ppm) lies inside their half width; shape (n,)
    each.
    """
    return float(np.average(np.abs(error) <= half_width, weights=weights))


def _fit_once(atoms: _Errors, members: int, form: str) -> Calibration:
    """Scale by likelihood, factors by quantiles; says nothing of the coverage."""
    families = len(np.unique(atoms.families))
    enough = families >= _LEAST_CRYSTALS
    kinds: list[str] = []
    columns, expected = np.zeros((len(atoms.error), 0)), np.zeros(0)
    if atoms.evidence is not None:
        kinds = sorted(set(atoms.evidence.kinds.tolist()))
        columns, expected = atoms.evidence.terms(), _EXPECTED
    if form == "kinds":
        assert atoms.evidence is not None
        own = atoms.evidence.kinds[:, None] == np.array(kinds, dtype=object)
        columns = np.concatenate([columns, own.astype(float)], axis=1)
        expected = np.concatenate([expected, np.zeros(len(kinds))])
    else:
        columns, expected = columns[:, :_RARE], expected[:_RARE]
    (floor, between, within), logs = _likeliest_scale(
        atoms, columns, expected, with_spread=form != "constant" and enough
    )
    made = Calibration(members, floor, between, within, 1, 1, len(atoms.error), families)
    if kinds:
        factors = np.exp(logs[len(TERMS) :]).tolist() or [1.0] * len(kinds)
        made = replace(
            made,
            terms=dict(zip(TERMS, logs[: len(TERMS)].tolist(), strict=False)),
            kinds={k: KindWidths(f, 1, 1, 0) for k, f in zip(kinds, factors, strict=True)},
        )
    return _with_quantiles(made, atoms)


def _with_quantiles(made: Calibration, atoms: _Errors) -> Calibration:
    """The calibration with the quantiles of all atoms and of each kind."""
    score = np.abs(atoms.error) / made.scale(atoms.between, atoms.within, atoms.evidence)
    q68, q95 = _quantiles(score, atoms.weights)
    if atoms.evidence is None or not made.kinds:
        return replace(made, q68=q68, q95=q95)
    kinds = {}
    for kind, widths in made.kinds.items():
        own = atoms.evidence.kinds == kind
        n = int(own.sum())
        weights = atoms.weights.copy()
        if not own.all():
            # All others together weigh as much as a few atoms of this kind.
            others = _OTHERS * float(weights[own].mean()) / float(weights[~own].sum())
            weights[~own] *= min(1.0, others)
        kinds[kind] = KindWidths(widths.factor, *_quantiles(score, weights), n)
    return replace(made, q68=q68, q95=q95, kinds=kinds)


def _likeliest_scale(
    atoms: _Errors, columns: np.ndarray, expected: np.ndarray, *, with_spread: bool
) -> tuple[tuple[float, float, float], np.ndarray]:
    """Floor in ppm, weights of both variances and logarithms of factors: the likeliest.

    `columns`, shape (n, k), say which factor works on which atom; `expected`, shape (k,), are
    the logarithms to which few data shrink.
    """
    from scipy.optimize import minimize

    share = atoms.weights / atoms.weights.sum()
    # All terms in units of the median error squared, so that the unknowns are about 1.
    square = _quantile(np.abs(atoms.error), atoms.weights, 0.5) ** 2
    typical = [float(share @ v) if with_spread else 0.0 for v in (atoms.between, atoms.within)]
    used = [k for k in (0, 1) if typical[k] > _TINY * square]  # less is rounding
    variances = (atoms.between, atoms.within)
    terms = np.stack([np.ones_like(share), *(variances[k] / typical[k] for k in used)], axis=1)
    count, factors = terms.shape[1], columns.shape[1]
    independent = min(len(share), _INDEPENDENT * len(np.unique(atoms.families)))
    shrink = 1.0 / (independent * _OFF_BY**2)

    def loss(unknowns: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the mean log-likelihood of Student's t, the shrinkage, and their gradient."""
        parts, logs = unknowns[:count], unknowns[count:]
        spread = terms @ parts
        scale = spread * np.exp(2.0 * (columns @ logs))
        ratio = atoms.error**2 / (square * _FREEDOM * scale)
        value = 0.5 * np.log(scale) + 0.5 * (_FREEDOM + 1) * np.log1p(ratio)
        slope = share * (0.5 - 0.5 * (_FREEDOM + 1) * ratio / (1 + ratio))
        off = logs - expected
        gradient = [(slope / spread) @ terms, 2.0 * (slope @ columns) + shrink * off]
        return float(share @ value + 0.5 * shrink * off @ off), np.concatenate(gradient)

    # What is unseen or rare makes no interval narrower.
    of_factors = ([(0.0, 4.0)] * _RARE + [(-4.0, 4.0)] * factors)[:factors]
    bounds = [(_LEAST_FLOOR**2, None), *[(0.0, None)] * (count - 1), *of_factors]
    starts = [np.full(count, 1 / count), *(0.1 + 0.8 * np.eye(count))]
    runs = [
        minimize(loss, np.concatenate([s, expected]), jac=True, method="L-BFGS-B", bounds=bounds)
        for s in starts
    ]
    best = min(runs, key=lambda run: run.fun).x
    weights = [0.0, 0.0]
    for k, value in zip(used, square * best[1:count], strict=True):
        weights[k] = float(value) / typical[k]
    return (math.sqrt(square * best[0]), weights[0], weights[1]), best[count:]


def _log_loss(error: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the likelihood of each error (ppm) under Student's t."""
    from scipy.stats import t

    return -np.asarray(t.logpdf(error / scale, _FREEDOM)) + np.log(scale)


def _quantiles(score: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    q68, q95 = (_quantile(score, weights, level) for level in LEVELS)
    return q68, max(q68, q95)


def _quantile(score: np.ndarray, weights: np.ndarray, level: float) -> float:
    """Weighted conformal quantile of scores, here |error|/s.

    The atom to come stands at infinity, with the weight that an atom drawn by weight has
    on average. Where that leaves too few atoms for the level, it is the largest score or
    the quantile of Student's t, whichever is wider.
    """
    from scipy.stats import t

    order = np.argsort(score)
    total = weights.sum() + (weights**2).sum() / weights.sum()
    reached = np.cumsum(weights[order]) / total >= level
    if reached.any():
        quantile = score[order[np.argmax(reached)]]
    else:
        quantile = max(score.max(), t.ppf(0.5 * (1 + level), _FREEDOM))
    return max(float(quantile), _TINY)


def _left_out(atoms: _Errors, members: int, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Scale, shape (n,), and both half widths, shape (2, n), of atoms of left-out families.

    NaN where there is but one family.
    """
    numbers, own = np.unique(atoms.families, return_inverse=True)
    folds = min(_FOLDS, len(numbers))
    n = len(atoms.error)
    scale, half_widths = np.full(n, np.nan), np.full((2, n), np.nan)
    if folds < 2:
        return scale, half_widths
    fold = np.random.default_rng(_SEED).permutation(len(numbers))[own] % folds
    for k in range(folds):
        rest, mine = _fit_once(atoms[fold != k], members, form), fold == k
        here = atoms[mine]
        scale[mine] = rest.scale(here.between, here.within, here.evidence)
        half_widths[:, mine] = rest.half_widths(here.between, here.within, here.evidence)
    return scale, half_widths


def _with_coverage(made: Calibration, atoms: _Errors, half_widths: np.ndarray) -> Calibration:
    """The calibration with the share of left-out atoms inside, of all and of each kind."""
    if np.isnan(half_widths).any():
        return made

    def inside(rows: np.ndarray) -> list[float]:
        return [covered(atoms.error[rows], w[rows], atoms.weights[rows]) for w in half_widths]

    of_all = inside(np.full(len(atoms.error), True))
    kinds = {}
    for kind, widths in made.kinds.items():
        assert atoms.evidence is not None
        own = inside(atoms.evidence.kinds == kind)
        kinds[kind] = replace(widths, coverage68=own[0], coverage95=own[1])
    return replace(made, coverage68=of_all[0], coverage95=of_all[1], kinds=kinds)
