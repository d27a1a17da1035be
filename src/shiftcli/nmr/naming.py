"""Which rows of a prediction a peak of an experiment names, or may be."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.errors import ExperimentError
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import Surrounding
from shiftcli.structure.crystal import Crystal

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import SitePrediction


def match(groups: Sequence[SitePrediction], peak: Peak, source: str = "") -> tuple[int, ...]:
    """Positions of the groups that a peak's labels belong to, each once, ascending.

    Several where the peak stands for several sites, none where it has no labels. `source` is the
    file of the experiment, for messages. `ExperimentError` if a label is not that of an atom of
    this nucleus, or of several sites.
    """
    where = place_of(peak, source)
    found = set()
    for label in peak.labels:
        # A site goes by its own label first, then by those of its symmetry copies.
        holders = [k for k, g in enumerate(groups) if label in g.labels]
        holders = holders or [k for k, g in enumerate(groups) if label in g.aliases]
        own = [k for k in holders if groups[k].site.element == peak.element]
        if not holders:
            raise ExperimentError(
                f"no {peak.species} site is called {label}",
                where=where,
                hint=_near(label, groups, peak),
            )
        if not own:
            raise ExperimentError(
                f"{label} is {groups[holders[0]].site.species}, not {peak.species}", where=where
            )
        if len(own) > 1:
            raise ExperimentError(
                f"{len(own)} sites are called {label}", where=where,
                hint="leave the site empty, or give the atoms labels of their own",
            )  # fmt: skip
        found.add(own[0])
    return tuple(sorted(found))


def _near(label: str, groups: Sequence[SitePrediction], peak: Peak) -> str:
    own = (group for group in groups if group.site.element == peak.element)
    known = {name.lower(): name for group in own for name in group.labels}
    if not known:
        return f"no {peak.species} was predicted"
    near = difflib.get_close_matches(label.lower(), known, n=6, cutoff=0.5)
    names = [known[name] for name in known if name in near] or list(known.values())[:6]
    more = ", ..." if not near and len(known) > len(names) else ""
    return f"there is {', '.join(names)}{more}"


def merge_named(groups: Sequence[SitePrediction], experiment: Experiment) -> Experiment:
    """Join peaks that name atoms of the same group, such as the three hydrogens of a methyl group.

    Each group is then named by one peak at most. `ExperimentError` if their shifts differ, if one
    peak names a part of what another does, or a label is unknown.
    """
    peaks: list[Peak] = []
    kept: list[int] = []
    holder: dict[int, tuple[int, tuple[int, ...]]] = {}
    for number, peak in enumerate(experiment.peaks):
        own = match(groups, peak, experiment.source)
        before = {holder[k] for k in own if k in holder}
        if not before:
            holder.update(dict.fromkeys(own, (len(peaks), own)))
            peaks.append(peak)
            kept.append(number)
            continue
        place, others = min(before)
        first = peaks[place]
        if others != own or first.shift != peak.shift:
            exchanging = any(groups[k].kind for k in own)
            raise ExperimentError(
                f"{'+'.join(groups[k].site.label for k in own)} has two measured shifts: "
                f"{first.shift:g} ppm (line {first.line}) and {peak.shift:g} ppm "
                f"(line {peak.line})",
                where=experiment.source,
                hint="they exchange; --average none keeps them apart" if exchanging else "",
            )
        # An intensity may be that of one row, or of all of them.
        peaks[place] = replace(first, labels=first.labels + peak.labels, protons=0)
    return replace(experiment.keep(kept), peaks=tuple(peaks))


def with_label_note(experiment: Experiment, crystal: Crystal) -> Experiment:
    """The experiment, with a note where its labels are those made for a file that has none."""
    if not (crystal.numbered and any(peak.labels for peak in experiment.peaks)):
        return experiment
    note = f"{crystal.where} names no atoms: labels number those of its molecule, as predict shows"
    return replace(experiment, notes=(*experiment.notes, note))


def match_all(
    groups: Sequence[SitePrediction],
    experiment: Experiment,
    surroundings: Sequence[Surrounding] | None,
) -> list[tuple[int, ...]]:
    """`match` for every peak.

    `ExperimentError` also if atoms that a peak names are not as many protons as its row says, where
    `surroundings` are known.
    """
    found = [match(groups, peak, experiment.source) for peak in experiment.peaks]
    for peak, own in zip(experiment.peaks, found, strict=True):
        number = sum(surroundings[k].protons for k in own) if surroundings else 0
        if number and peak.protons and number != peak.protons:
            raise ExperimentError(
                f"{'+'.join(peak.labels)} is of {peak.protons} protons here, and of {number} in "
                "the structure",
                where=place_of(peak, experiment.source),
            )
    return found


def permitted(
    groups: Sequence[SitePrediction],
    peak: Peak,
    surroundings: Sequence[Surrounding] | None,
    source: str = "",
) -> np.ndarray:
    """Which groups, shape (groups,), a peak may be of by its nucleus, its intensity and its kind.

    Without `surroundings`, of `shiftcli.nmr.kinds.describe`, the nucleus alone counts.
    `ExperimentError` if it is none of them.
    """
    allowed = np.array([group.site.element == peak.element for group in groups], dtype=bool)
    protons = 0 if peak.labels else peak.protons  # `match_all` counts those of all its labels
    if surroundings is None or not (peak.kinds or protons):
        return allowed
    for k in np.flatnonzero(allowed).tolist():
        around = surroundings[k]
        fits = not peak.kinds or bool(around.words.intersection(peak.kinds))
        allowed[k] = fits and protons in (0, around.protons)
    if not allowed.any():
        said = [f"{protons} protons"] if protons > 1 else []
        said = [*(["/".join(peak.kinds)] if peak.kinds else []), *said]
        raise ExperimentError(
            f"{peak.shift:g} ppm is of {' of '.join(said) or 'one proton'}, and no {peak.species} "
            "site is that",
            where=place_of(peak, source),
        )
    return allowed


def place_of(peak: Peak, source: str) -> str:
    """File and line of a peak, for messages."""
    return f"{source}: line {peak.line}" if peak.line else source
