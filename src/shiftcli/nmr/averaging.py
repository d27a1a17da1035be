"""Sites that exchange faster than NMR can see are averaged: CH3, NH3+, flipping phenyl rings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.errors import UsageError
from shiftcli.structure.bonds import Bonds, find_bonds, rotors
from shiftcli.structure.crystal import Crystal, Site

if TYPE_CHECKING:
    from shiftcli.prediction.predictor import Prediction, SitePrediction

#: Exchange that can be averaged, and what is averaged unless the user chooses.
EXCHANGE = ("CH3", "NH3", "phenyl")
DEFAULT_EXCHANGE = ("CH3", "NH3")

#: Word beside those of `EXCHANGE` for an average over frames (`shiftcli.nmr.frames`), which is
#: made before exchange is.
FRAMES = "frames"

#: Longest bond (Å) of an aromatic ring: those of quinones, 1.47 Å, do not flip as phenyl does.
_LONGEST_AROMATIC = 1.45

#: Correlation between the errors of the sites of one group. Measured with the networks in the
#: package on the validation crystals, errors in units of their uncertainties: 0.52 (bootstrap
#: over crystals 0.38 to 0.64) for 85 CH3 groups, 0.60 (0.35 to 0.74) for 78 pairs of phenyl
#: hydrogens. With it 66 and 74 % of the means lie within their 68 % intervals.
CORRELATION = 0.5


def average(
    prediction: Prediction, exchange: Collection[str] = DEFAULT_EXCHANGE
) -> tuple[SitePrediction, ...]:
    """Average the sites that exchange.

    Parameters
    ----------
    prediction : Prediction
        Predicted shieldings of a crystal.
    exchange : collection of str
        What exchanges, out of `EXCHANGE`: the hydrogens of CH3, of NH3+, and with ``phenyl``
        the two ortho and the two meta atoms (C and H) of six-membered aromatic rings that
        have a substituent in one place, or in two opposite ones.

    Returns
    -------
    tuple of SitePrediction
        Every site of `prediction` in one of them, in the order of their first sites.

    Raises
    ------
    UsageError
        If an exchange is unknown.

    Notes
    -----
    The mean is over atoms, so a site on a symmetry element weighs less. Groups are found atom
    by atom, so symmetry-distinct molecules never share one.

    The errors of the sites of a group are correlated (ρ = `CORRELATION`), so a mean is not √n
    times more certain: `mean_uncertainty`.
    """
    unknown = [word for word in exchange if word not in (*EXCHANGE, FRAMES)]
    if unknown:
        raise UsageError(f"no exchange is called '{unknown[0]}'; there are {', '.join(EXCHANGE)}")
    kinds = dict(_exchanging(prediction.crystal, exchange))
    place = {int(a): k for k, row in enumerate(prediction.sites) for a in row.site.atoms}
    sets = [({place[a] for a in atoms if a in place}, kind) for atoms, kind in kinds.items()]
    merged = _merge(sets, len(prediction.sites))
    return tuple(_mean(prediction, sites, kind) for sites, kind in merged)


def mean_uncertainty(counts: Sequence[int], widths: Sequence[float]) -> float:
    """Uncertainty in ppm of a mean shielding, whose terms have correlated errors.

    √(ρ·(Σ w·s)² + (1 − ρ)·Σ w²·s²), with w the atoms that each site stands for as fractions and s
    the uncertainties of the sites in ppm.
    """
    parts = np.asarray(counts) / np.sum(counts) * np.asarray(widths)
    return math.sqrt(CORRELATION * parts.sum() ** 2 + (1 - CORRELATION) * (parts**2).sum())


def known_rows(rows: Iterable[SitePrediction]) -> tuple[SitePrediction, ...]:
    """Rows that could be predicted; near other elements they have no number."""
    return tuple(row for row in rows if math.isfinite(row.shielding))


def average_prediction(prediction: Prediction, exchange: Collection[str]) -> Prediction:
    """The same prediction with one row for each of `average`'s, for tables and files."""
    return replace(prediction, sites=average(prediction, exchange)) if exchange else prediction


def _exchanging(
    crystal: Crystal, exchange: Collection[str]
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Atoms that exchange with each other, and why."""
    if not exchange:
        return
    bonds = find_bonds(crystal)
    for kind, centre in (("CH3", "C"), ("NH3", "N")):
        if kind in exchange:
            for _, hydrogens in rotors(bonds, centre):
                yield tuple(hydrogens.tolist()), kind
    if "phenyl" in exchange:
        for pair in _flipping_pairs(bonds):
            yield pair, "phenyl"


def _flipping_pairs(bonds: Bonds) -> Iterator[tuple[int, int]]:
    """Ortho and meta pairs, C and H, of phenyl and para-phenylene rings."""
    elements, neighbours = bonds.elements, bonds.neighbours
    hydrogens = bonds.count("H")
    is_ch = (elements == "C") & (bonds.coordination == 3) & (hydrogens == 1)
    is_end = np.isin(elements, ("C", "N")) & (bonds.coordination <= 3)

    def onward(atom: int, before: int) -> int:
        """The other heavy neighbour of a CH of the ring."""
        heavy = [k for k in neighbours[atom].tolist() if elements[k] != "H" and k != before]
        return heavy[0] if heavy else -1

    for ipso in np.flatnonzero(is_end & (hydrogens == 0) & (bonds.coordination == 3)).tolist():
        near = [k for k in neighbours[ipso].tolist() if is_ch[k]]
        for ortho in itertools.combinations(near, 2):
            meta = [onward(k, ipso) for k in ortho]
            if min(meta) < 0 or not is_ch[meta].all() or meta[0] == meta[1]:
                continue
            para = [onward(m, o) for m, o in zip(meta, ortho, strict=True)]
            if para[0] != para[1] or para[0] < 0 or para[0] == ipso or not is_end[para[0]]:
                continue
            if not _is_aromatic(bonds, [ipso, ortho[0], meta[0], para[0], meta[1], ortho[1]]):
                continue
            for pair in (ortho, tuple(meta)):
                yield pair  # type: ignore[misc]
                first, second = (
                    next(k for k in neighbours[c].tolist() if elements[k] == "H") for c in pair
                )
                yield first, second


def _is_aromatic(bonds: Bonds, ring: Sequence[int]) -> bool:
    """Whether bonds are short, and the ring closes in itself and not in the next cell."""
    around = np.zeros(3)
    for here, there in itertools.pairwise([*ring, ring[0]]):
        step = bonds.vectors[here][bonds.neighbours[here].tolist().index(there)]
        if np.linalg.norm(step) > _LONGEST_AROMATIC:
            return False
        around += step
    return bool(np.linalg.norm(around) < 0.1)


def _merge(sets: Iterable[tuple[set[int], str]], count: int) -> list[tuple[tuple[int, ...], str]]:
    """Join sets that overlap; every number up to `count` is in one result."""
    owner = [({k}, "") for k in range(count)]
    for members, kind in sets:
        joined = set().union(*(owner[k][0] for k in members))
        for k in joined:
            owner[k] = (joined, kind)
    return [(tuple(sorted(own)), kind) for k, (own, kind) in enumerate(owner) if min(own) == k]


def _mean(prediction: Prediction, sites: tuple[int, ...], kind: str) -> SitePrediction:
    """Sites as one row, or a single one as it was."""
    rows = [prediction.sites[k] for k in sites]
    atoms = np.sort(np.concatenate([row.site.atoms for row in rows]))
    aliases = frozenset(prediction.crystal.labels[atom] for atom in atoms.tolist())
    if len(rows) == 1:
        return replace(rows[0], kind=kind, aliases=aliases)
    counts = [row.site.multiplicity for row in rows]
    names = [row.site.label for row in rows]
    if prediction.crystal.numbered:  # in any order of atoms the same
        names.sort(key=lambda name: (len(name), name))
    labels = ",".join(names)
    return replace(
        rows[0],
        site=Site(labels, rows[0].site.element, atoms),
        shielding=float(np.average([row.shielding for row in rows], weights=counts)),
        uncertainty=mean_uncertainty(counts, [row.uncertainty for row in rows]),
        uncertainty95=mean_uncertainty(counts, [row.uncertainty95 for row in rows]),
        flags=tuple(dict.fromkeys(flag for row in rows for flag in row.flags)),
        kind=kind,
        members=tuple(row.site for row in rows),
        aliases=aliases,
    )
