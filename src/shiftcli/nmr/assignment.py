"""Predicted shieldings held against measured shifts: which peak is which site, and how well.

The model is Gaussian. A peak differs from the shift of its site by offset + slope·σ − δ, with
the variance s² = (slope·u)² + t² + e² of the prediction (against GIPAW), of GIPAW (against
experiment), and of the measurement. Errors of different sites are taken for independent. The
assignment of peaks that name no site, and the offset of each nucleus unless references fix
it, are the most likely ones (`shiftcli.nmr.matching`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftcli.errors import ExperimentError, counted
from shiftcli.nmr.averaging import mean_uncertainty
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import Surrounding
from shiftcli.nmr.matching import Matching
from shiftcli.nmr.naming import match_all, merge_named, permitted, place_of
from shiftcli.nmr.shifts import References
from shiftcli.notebook import Result
from shiftcli.structure.crystal import SPECIES

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import SitePrediction

#: RMSE in ppm of GIPAW shieldings against experiment, Hartman et al. (2016).
GIPAW_ERRORS = {"H": 0.4, "C": 2.2, "N": 5.4, "O": 7.2}

#: Largest increase of −2 ln L of an alternative that is statistically as good: the 95 %
#: quantile of χ² with one degree of freedom.
ALTERNATIVE_LIMIT = 3.84

#: Least standard deviation (ppm) of a difference, so that exact numbers can be compared.
LEAST = 1e-3


@dataclass(frozen=True)
class Row:
    """One measured shift and the site it belongs to.

    Attributes
    ----------
    site : str
        Name of its group; of its groups joined by ``+`` where the peak names several.
    species : str
        Nuclide.
    groups : tuple of int
        Positions of those among the groups given.
    multiplicity : int
        Atoms in the unit cell.
    shielding : float
        Predicted, in ppm.
    predicted, uncertainty : float
        Predicted shift in ppm, and its standard deviation as a GIPAW shift.
    measured : float
        Shift in ppm.
    measured_uncertainty : float or None
        As the experiment states it.
    difference : float
        Predicted minus measured, in ppm.
    sigma : float
        Standard deviation in ppm that the difference should have, from prediction, GIPAW and
        measurement, less what the fitted offset takes away.
    flag : str
        ``>2σ`` or ``>3σ`` where the difference is larger than that, else empty.
    assigned : bool
        Whether the assignment was found here, and not stated.
    line : int
        Line of the experiment.
    flags : tuple of str
        What makes the prediction less certain than its uncertainty says.
    """

    site: str
    species: str
    groups: tuple[int, ...]
    multiplicity: int
    shielding: float
    predicted: float
    uncertainty: float
    measured: float
    measured_uncertainty: float | None
    difference: float
    sigma: float
    flag: str
    assigned: bool
    line: int
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fit:
    """How well the shifts of one nucleus agree; every peak counts once.

    Attributes
    ----------
    species : str
        Nuclide.
    n : int
        Peaks.
    offset, slope : float
        δ = offset + slope·σ, in ppm.
    offset_error : float or None
        Standard error in ppm of a fitted offset; None where references fix it.
    rmse, mae : float
        Of the differences, in ppm.
    r2 : float or None
        1 − Σ(predicted − measured)²/Σ(measured − mean)²; None where all measured are equal.
    chi2 : float
        Σ(difference/s)².
    """

    species: str
    n: int
    offset: float
    slope: float
    offset_error: float | None
    rmse: float
    mae: float
    r2: float | None
    chi2: float


@dataclass(frozen=True)
class Alternative:
    """Another assignment that is statistically as good: two peaks swapped, or one moved."""

    rows: tuple[int, ...]  #: Positions of the one or two rows that change.
    sites: tuple[str, ...]  #: The sites that they would have.
    #: Of −2 ln L, offsets fitted anew: at 0 it is as good, and at `ALTERNATIVE_LIMIT` the
    #: likelihood is 0.15 of the best.
    increase: float


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """A structure held against an experiment.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the experiment.
    fits : tuple of Fit
        One for each nucleus, in the order of the experiment.
    alternatives : tuple of Alternative
        Least increase first. Those that share no peak can be made together; their increases
        then add up but for the offset.
    unmatched : tuple of str
        Groups of the measured nuclei that no peak belongs to.
    chi2 : float
        Σ(difference/s)² over all rows.
    deviance : float
        −2 ln L with all constants, so that structures can be compared.
    notes : tuple of str
        What limits the comparison.
    """

    rows: tuple[Row, ...]
    fits: tuple[Fit, ...]
    alternatives: tuple[Alternative, ...]
    unmatched: tuple[str, ...]
    chi2: float
    deviance: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        errors = ", ".join(f"{fit.species} RMSE {fit.rmse:.2f} ppm" for fit in self.fits)
        return f"<Comparison of {counted(len(self.rows), 'peak')}: {errors}>"

    def to_dict(self) -> dict[str, list[Any]]:
        """The attributes of `Row` as columns, one value a peak."""
        names = [field.name for field in fields(Row) if field.name != "groups"]
        return {name: [getattr(row, name) for row in self.rows] for name in names}

    @property
    def fitted(self) -> int:
        """Number of fitted offsets."""
        return sum(fit.offset_error is not None for fit in self.fits)


def compare(
    groups: Sequence[SitePrediction],
    experiment: Experiment,
    *,
    references: References | None = None,
    theory_errors: Mapping[str, float] = GIPAW_ERRORS,
    surroundings: Sequence[Surrounding] | None = None,
    columns: Sequence[tuple[int, ...]] | None = None,
) -> Comparison:
    """Hold predicted shieldings against measured shifts.

    Parameters
    ----------
    groups : sequence of SitePrediction
        From `shiftcli.nmr.averaging.average`.
    experiment : Experiment
        From `shiftcli.read_experiment`. A peak without labels belongs to one group
        that no other peak belongs to; one that names several groups is at their mean.
    references : References, optional
        Elements with a reference have that offset. For the others the offset is fitted, with
        the gradient given here as slope, or −1.
    theory_errors : mapping of str to float
        Standard deviation in ppm of GIPAW shifts against experiment by element; 0 where an
        element is missing.
    surroundings : sequence of Surrounding, optional
        From `shiftcli.nmr.kinds.describe`; without them kinds and intensities of peaks do not
        count, nor do cross peaks.
    columns : sequence of tuple of int, optional
        For each peak the groups that it is of, empty where they are to be found; without it
        the labels say that.

    Raises
    ------
    ExperimentError
        If a peak names an unknown label, two peaks name one site and contradict each other,
        more peaks than sites are measured, or a peak is of a kind that no site is.
    """
    is_summed = columns is not None
    if columns is None:
        experiment = merge_named(groups, experiment)
        columns = match_all(groups, experiment, surroundings)
    references = references or References()
    described = _Described(groups, surroundings)
    parts = [
        _Nucleus(described, experiment, element, references, theory_errors, columns)
        for element in experiment.elements
    ]
    rows = {place: row for part in parts for place, row in part.rows().items()}
    alternatives = [a for part in parts for a in part.alternatives()]
    used = {k for row in rows.values() for k in row.groups}
    fits = tuple(part.fit(rows) for part in parts)
    return Comparison(
        rows=tuple(rows[k] for k in range(len(rows))),
        fits=fits,
        alternatives=tuple(sorted(alternatives, key=lambda a: a.increase)),
        unmatched=tuple(
            g.site.label
            for k, g in enumerate(groups)
            if k not in used and g.site.element in experiment.elements
        ),
        chi2=sum(fit.chi2 for fit in fits),
        deviance=sum(part.deviance for part in parts),
        notes=(*experiment.notes, *(note for part in parts for note in part.notes(is_summed))),
    )


@dataclass(frozen=True)
class _Described:
    """Groups of a crystal, and what is around them where that is known."""

    groups: Sequence[SitePrediction]
    surroundings: Sequence[Surrounding] | None

    def mean(self, own: Sequence[int]) -> tuple[float, float]:
        return mean_row(self.groups, own, self.surroundings)


class _Nucleus:
    """The peaks of one nucleus, and the columns (groups, or sets of them) they may take."""

    def __init__(
        self,
        described: _Described,
        experiment: Experiment,
        element: str,
        references: References,
        theory_errors: Mapping[str, float],
        columns: Sequence[tuple[int, ...]],
    ) -> None:
        self.groups = groups = described.groups
        self.species = SPECIES[element]
        self.places = [k for k, p in enumerate(experiment.peaks) if p.element == element]
        self.peaks = [experiment.peaks[k] for k in self.places]
        stated = {i: columns[place] for i, place in enumerate(self.places) if columns[place]}
        may = [permitted(groups, p, described.surroundings, experiment.source) for p in self.peaks]
        for i, own in stated.items():
            if not may[i][list(own)].all():
                raise ExperimentError(
                    f"{'+'.join(groups[k].site.label for k in own)} is not what its row says",
                    where=place_of(self.peaks[i], experiment.source),
                    hint=f"it is {_kind_of(described, own)}",
                )
        used = {k for own in stated.values() for k in own}
        own_groups = [k for k, group in enumerate(groups) if group.site.element == element]
        self.columns = [*stated.values(), *((k,) for k in own_groups if k not in used)]
        if len(self.columns) < len(self.peaks):
            merged = [groups[k].site.label for k in own_groups if groups[k].kind]
            hint = f"{merged[0]} count as one" if merged else ""
            raise ExperimentError(
                f"{len(self.peaks)} {self.species} shifts are measured, the structure has "
                f"{len(own_groups)} {self.species} sites",
                where=experiment.source,
                hint=hint if own_groups else f"no {self.species} was predicted",
            )
        fixed = element in references.references
        offset, self.slope = (
            references.line(element) if fixed else (None, references.gradient(element))
        )
        means = np.array([described.mean(own) for own in self.columns])
        self.shieldings, self.widths = means[:, 0], abs(self.slope) * means[:, 1]
        shifts = np.array([peak.shift for peak in self.peaks])
        measured = np.array([peak.uncertainty or 0.0 for peak in self.peaks])
        extra = theory_errors.get(element, 0.0) ** 2 + LEAST**2
        self.matching = Matching(
            shifts[:, None] - self.slope * self.shieldings,
            self.widths**2 + measured[:, None] ** 2 + extra,
            {i: column for column, i in enumerate(stated)},
            offset,
            np.array([[row[list(own)].all() for own in self.columns] for row in may]),
        )
        self.taken = self.matching.solve()
        if not self.matching.is_allowed(self.taken):
            raise ExperimentError(
                f"the {self.species} peaks cannot all have sites of their kinds and intensities",
                where=experiment.source,
            )
        self.offset = self.matching.best_offset(self.taken)
        self.variances = self.matching.variances[np.arange(len(self.taken)), self.taken]

    @property
    def deviance(self) -> float:
        constant = len(self.peaks) * math.log(2 * math.pi)
        return self.matching.deviance(self.taken, self.offset) + constant

    def rows(self) -> dict[int, Row]:
        """Rows by their places in the experiment."""
        variances = self.variances
        if self.matching.offset is None:
            # A fitted offset follows the differences, which are the smaller for it.
            weights = 1.0 / variances
            variances = np.maximum(0.0, variances - 1.0 / weights.sum())
        sigmas = np.sqrt(variances)
        triples = zip(self.places, self.peaks, self.taken.tolist(), sigmas.tolist(), strict=True)
        return {place: self._row(peak, column, sigma) for place, peak, column, sigma in triples}

    def _row(self, peak: Peak, column: int, sigma: float) -> Row:
        own = self.columns[column]
        shielding = float(self.shieldings[column])
        predicted = self.offset + self.slope * shielding
        return Row(
            site=self._name(column),
            species=self.species,
            groups=own,
            multiplicity=sum(self.groups[k].site.multiplicity for k in own),
            shielding=shielding,
            predicted=predicted,
            uncertainty=float(self.widths[column]),
            measured=peak.shift,
            measured_uncertainty=peak.uncertainty,
            difference=predicted - peak.shift,
            sigma=sigma,
            flag=_flag(predicted - peak.shift, sigma),
            assigned=not peak.labels,
            line=peak.line,
            flags=tuple(dict.fromkeys(flag for k in own for flag in self.groups[k].flags)),
        )

    def _name(self, column: int) -> str:
        return "+".join(self.groups[k].site.label for k in self.columns[column])

    def fit(self, rows: Mapping[int, Row]) -> Fit:
        """How well the rows agree."""
        own = [rows[k] for k in self.places]
        differences = np.array([row.difference for row in own])
        measured = np.array([row.measured for row in own])
        total = float(((measured - measured.mean()) ** 2).sum())
        error = float((1.0 / self.variances).sum() ** -0.5)
        return Fit(
            species=self.species,
            n=len(own),
            offset=self.offset,
            slope=self.slope,
            offset_error=error if self.matching.offset is None else None,
            rmse=float(np.sqrt((differences**2).mean())),
            mae=float(np.abs(differences).mean()),
            r2=1.0 - float((differences**2).sum()) / total if total > 0 else None,
            chi2=float((differences**2 / self.variances).sum()),
        )

    def alternatives(self) -> list[Alternative]:
        """Assignments that are as good."""
        return [
            Alternative(
                tuple(self.places[i] for i in peaks), tuple(map(self._name, columns)), increase
            )
            for peaks, columns, increase in self.matching.alternatives(
                self.taken, ALTERNATIVE_LIMIT
            )
        ]

    def notes(self, is_summed: bool) -> list[str]:
        """What limits this nucleus, unless all assignments are summed over."""
        if self.matching.offset is not None:
            return []
        if len(self.peaks) == 1:
            return [f"one {self.species} shift: the fitted offset takes up the whole difference"]
        loose, free = len(self.matching.loose), len(self.matching.free)
        if 0 < loose < free and not is_summed:
            return [
                f"{loose} {self.species} shifts that name no site for {free} sites, and a fitted "
                "offset: quite other assignments may fit, --references would exclude them"
            ]
        return []


def mean_row(
    groups: Sequence[SitePrediction],
    own: Sequence[int],
    surroundings: Sequence[Surrounding] | None = None,
) -> tuple[float, float]:
    """Mean shielding in ppm of some groups over their atoms, and its uncertainty; 0 where unknown.

    `own` are positions in `groups`; with the surroundings of all groups uncertainties are widened
    by kind.
    """
    counts = [groups[k].site.multiplicity for k in own]
    shielding = float(np.average([groups[k].shielding for k in own], weights=counts))
    widths = [
        groups[k].uncertainty * (surroundings[k].widening if surroundings else 1.0) for k in own
    ]
    width = mean_uncertainty(counts, widths)
    return shielding, width if math.isfinite(width) else 0.0


def _kind_of(described: _Described, own: Sequence[int]) -> str:
    around = [described.surroundings[k] for k in own] if described.surroundings else []
    words = " ".join(sorted(set().union(*(a.words for a in around))))
    return f"{words}, {sum(a.protons for a in around)} protons" if around else "another"


def _flag(difference: float, sigma: float) -> str:
    # A difference that the fitted offset has taken up whole has no sigma to be held against.
    limits = [n for n in (3, 2) if abs(difference) > n * max(sigma, LEAST)]
    return f">{limits[0]}σ" if limits else ""
