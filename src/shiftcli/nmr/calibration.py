"""References fitted on structures whose measured shifts are assigned.

For each nucleus σ_ref and m of δ = (σ_ref + m·σ)/(1 − σ_ref·10⁻⁶) are fitted by ordinary
least squares, every measured shift counting once, or σ_ref alone with m = −1. Standard errors
are those of independent errors of one size.
The fit makes up for the shielding model as much as for the reference compound: it belongs to
these networks and to this way of relaxing geometries.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shiftcli.errors import ExperimentError, UsageError, counted
from shiftcli.nmr.averaging import DEFAULT_EXCHANGE, average, known_rows
from shiftcli.nmr.experiment import Experiment
from shiftcli.nmr.naming import match, merge_named
from shiftcli.nmr.shifts import References, from_line
from shiftcli.structure.crystal import SPECIES, Crystal

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Prediction, SitePrediction


#: A gradient further from −1 than this, or with a larger standard error, is not of the method.
_DOUBTFUL = 0.2


@dataclass(frozen=True)
class ReferenceFit:
    """References of one nucleus, as they were fitted.

    Attributes
    ----------
    element : str
        Chemical symbol.
    reference, gradient : float
        σ_ref in ppm, and m.
    reference_error, gradient_error : float or None
        Their standard errors; None where the gradient is fixed, or where no shift is left
        over to tell them from.
    n, structures : int
        Measured shifts, and structures that they are of.
    rmse, mae : float
        Of fitted minus measured shifts, in ppm.
    r2 : float or None
        1 − Σ(fitted − measured)²/Σ(measured − mean)²; None where all measured are equal.
    """

    element: str
    reference: float
    gradient: float
    reference_error: float | None
    gradient_error: float | None
    n: int
    structures: int
    rmse: float
    mae: float
    r2: float | None

    @property
    def species(self) -> str:
        """Nuclide."""
        return SPECIES[self.element]


@dataclass(frozen=True)
class ReferenceCalibration:
    """References fitted on known assignments.

    Attributes
    ----------
    fits : tuple of ReferenceFit
        One for each nucleus.
    notes : tuple of str
        What was left out.
    """

    fits: tuple[ReferenceFit, ...]
    notes: tuple[str, ...] = ()

    @property
    def references(self) -> References:
        """What turns shieldings into shifts."""
        return References(
            {fit.element: fit.reference for fit in self.fits},
            {fit.element: fit.gradient for fit in self.fits},
        )

    def to_toml(self, provenance: Mapping[str, Any]) -> str:
        """The references file, which `shiftcli.nmr.shifts.read_references` reads.

        Parameters
        ----------
        provenance : mapping
            Program, version, model and hashes of the networks.
        """
        import tomli_w

        tables = {}
        for fit in self.fits:
            values = {
                "reference": fit.reference,
                "gradient": fit.gradient,
                "reference_error": fit.reference_error,
                "gradient_error": fit.gradient_error,
                "n": fit.n,
                "structures": fit.structures,
                "rmse": fit.rmse,
            }
            tables[fit.element] = {k: v for k, v in values.items() if v is not None}
        return tomli_w.dumps({**provenance, "nucleus": tables})


def pair(
    crystals: Sequence[Crystal], experiments: Sequence[Experiment]
) -> list[tuple[int, Experiment]]:
    """Find which measured shifts are of which structure.

    Parameters
    ----------
    crystals : sequence of Crystal
        The structures.
    experiments : sequence of Experiment
        One for each structure in the same order, or any number whose rows name their
        structure in the column ``structure``.

    Returns
    -------
    list of (int, Experiment)
        Positions of structures, and shifts measured on them.

    Raises
    ------
    UsageError
        If there are as many of neither.
    ExperimentError
        If a row names no structure that is there, or more than one.
    """
    if any(peak.structure for experiment in experiments for peak in experiment.peaks):
        return _pair_by_name(crystals, experiments)
    if len(crystals) != len(experiments):
        raise UsageError(
            f"{len(experiments)} experiments for {len(crystals)} structures",
            hint="give one --experiment for each, in order, or a column structure in the CSV",
        )
    return list(enumerate(experiments))


def _pair_by_name(
    crystals: Sequence[Crystal], experiments: Sequence[Experiment]
) -> list[tuple[int, Experiment]]:
    pairs = []
    for experiment in experiments:
        holders: dict[str, list[int]] = {}
        for peak in experiment.peaks:
            if peak.structure in holders:
                continue
            own = [k for k, crystal in enumerate(crystals) if peak.is_of(crystal)]
            if len(own) != 1:
                named = f"structure '{peak.structure}'" if peak.structure else "no structure"
                raise ExperimentError(
                    f"line {peak.line} names {named}, which is {len(own) or 'none'} of those given",
                    where=experiment.source,
                )
            holders[peak.structure] = own
        for (k,) in dict.fromkeys(map(tuple, holders.values())):
            pairs.append((k, experiment.of(crystals[k])))
    return pairs


def calibrate(
    predictions: Sequence[Prediction],
    experiments: Sequence[Experiment],
    *,
    exchange: Collection[str] = DEFAULT_EXCHANGE,
    slope: Literal["fitted", "fixed"] = "fitted",
) -> ReferenceCalibration:
    """Fit references to measured shifts of predicted structures.

    Parameters
    ----------
    predictions : sequence of Prediction
        Predicted shieldings of the structures.
    experiments : sequence of Experiment
        Their measured shifts, see `pair`.
    exchange : collection of str
        What is averaged, see `shiftcli.nmr.averaging.average`.
    slope : {"fitted", "fixed"}
        Whether slopes are fitted, or −1.

    Raises
    ------
    UsageError, ExperimentError
        As `pair` and `fit_references` do.
    """
    pairs = pair([prediction.crystal for prediction in predictions], experiments)
    groups = {k: known_rows(average(predictions[k], exchange)) for k, _ in pairs}
    return fit_references([(groups[k], experiment) for k, experiment in pairs], slope=slope)


def fit_references(
    pairs: Sequence[tuple[Sequence[SitePrediction], Experiment]],
    *,
    slope: Literal["fitted", "fixed"] = "fitted",
) -> ReferenceCalibration:
    """Fit references to measured shifts whose assignment is known.

    Parameters
    ----------
    pairs : sequence of (sequence of SitePrediction, Experiment)
        Averaged shieldings of each structure, and its measured shifts.
    slope : {"fitted", "fixed"}
        Whether slopes are fitted, or −1.

    Returns
    -------
    ReferenceCalibration
        Nuclei with too few shifts (fewer than 3, or 1 with a fixed slope) are left out, and
        a note says so.

    Raises
    ------
    ExperimentError
        If a label is unknown, two shifts of a site contradict each other, or too few shifts
        of every nucleus are assigned.
    """
    points: dict[str, list[tuple[int, float, float]]] = {}
    notes: list[str] = []
    for number, (groups, experiment) in enumerate(pairs):
        merged = merge_named(groups, experiment)
        loose = sum(not peak.labels for peak in merged.peaks)
        if loose:
            notes.append(f"{experiment.source}: {loose} shifts name no site and are not used")
        for peak in merged.peaks:
            own = match(groups, peak, experiment.source)
            if own:
                counts = [groups[k].site.multiplicity for k in own]
                shielding = np.average([groups[k].shielding for k in own], weights=counts)
                points.setdefault(peak.element, []).append((number, float(shielding), peak.shift))
    if not points and notes:
        raise ExperimentError(notes[0], hint="the column site says which atoms a shift is of")
    fits = []
    for element, own_points in points.items():
        structures, shieldings, shifts = zip(*own_points, strict=True)
        problem = _too_little(shieldings, slope)
        if problem:
            notes.append(f"{SPECIES[element]} is left out: {problem}")
            continue
        count = len(set(structures))
        fits.append(_fit(element, np.array(shieldings), np.array(shifts), count, slope == "fixed"))
    if not fits:
        raise ExperimentError(
            notes[-1] if notes else "no measured shifts",
            where=pairs[0][1].source if pairs else "",
            hint="--slope fixed needs one assigned shift of a nucleus, a fitted slope three",
        )
    notes += [text for fit in fits if (text := _doubt(fit))]
    return ReferenceCalibration(tuple(fits), tuple(notes))


def _too_little(shieldings: Sequence[float], slope: str) -> str:
    if slope == "fixed":
        return ""
    if len(shieldings) < 3:
        return f"{counted(len(shieldings), 'assigned shift')}, a fitted slope needs 3"
    return "" if np.ptp(shieldings) > 0.01 else "its shieldings are all the same"


def _doubt(fit: ReferenceFit) -> str:
    """What speaks against a fitted gradient."""
    error = fit.gradient_error or 0.0
    if abs(fit.gradient + 1.0) <= _DOUBTFUL and error <= _DOUBTFUL:
        return ""
    return (
        f"{fit.species}: a gradient of {fit.gradient:.2f} ± {error:.2f} is no property of the "
        "networks: the shifts are too few or too alike; --slope fixed"
    )


def _fit(
    element: str, shieldings: np.ndarray, shifts: np.ndarray, structures: int, fixed: bool
) -> ReferenceFit:
    n = len(shifts)
    centred = shieldings - shieldings.mean()
    if fixed:
        reference = float((shifts.mean() + shieldings.mean()) / (1.0 + shifts.mean() * 1e-6))
        gradient, spread = -1.0, 0.0
    else:
        slope = float(centred @ shifts / (centred @ centred))
        reference, gradient = from_line(float(shifts.mean() - slope * shieldings.mean()), slope)
        spread = 1.0 / float(centred @ centred)
    # δ = (σ_ref + m·σ)/scale; the scale is 1 to a few parts in 10⁴.
    scale = 1.0 - reference * 1e-6
    differences = (reference + gradient * shieldings) / scale - shifts
    squares = float(differences @ differences)
    freedom = n - (1 if fixed else 2)
    deviation = scale * math.sqrt(squares / freedom) if freedom else None
    total = float(((shifts - shifts.mean()) ** 2).sum())
    return ReferenceFit(
        element=element,
        reference=reference,
        gradient=gradient,
        reference_error=None
        if deviation is None
        else deviation * math.sqrt(1 / n + shieldings.mean() ** 2 * spread),
        gradient_error=None if fixed or deviation is None else deviation * math.sqrt(spread),
        n=n,
        structures=structures,
        rmse=math.sqrt(squares / n),
        mae=float(np.abs(differences).mean()),
        r2=1.0 - squares / total if total > 0 else None,
    )
