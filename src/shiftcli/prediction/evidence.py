"""What a structure says, before any network is asked, of how well its atoms can be predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shiftcli.network.calibration import Evidence
from shiftcli.structure.bonded import bonded_environments
from shiftcli.structure.bonds import find_bonds
from shiftcli.structure.charges import ions_and_radicals
from shiftcli.structure.checks import NEAREST_OTHER
from shiftcli.structure.contacts import distances_to_others, hydrogen_bonds
from shiftcli.structure.crystal import Crystal, Site
from shiftcli.structure.kinds import environment_classes

#: Flags of sites: no training crystal holds the bonded environment; the molecule is an ion or a
#: radical; an atom of another element is so near that no shielding can be given.
UNSEEN, CHARGED, NEAR_OTHER = "unseen-environment", "ion-or-radical", "near-other-element"

#: Share of sites without precedent that no published crystal comes near: 0.13 of the heavy atoms in
#: 50 that were kept apart. With C and N exchanged it is 0.46 and more in each of the 400.
_MOST_UNSEEN = 0.25

#: By how much (ppm, rms) an atom of another element moves a shielding when it is left out, at
#: distances in Å: measured by leaving out one oxygen; for N and O no more than the same share of
#: the spread of their shieldings as for C.
_OTHER_AT = (2.5, 3.7, 5.5)
_OTHER = {
    "H": (0.60, 0.09, 0.02),
    "C": (4.8, 1.3, 0.3),
    "N": (14.4, 3.9, 0.9),
    "O": (19.2, 5.2, 1.2),
}

#: By how much (ppm, rms) a moved hydrogen's shielding is off because DFT would place it elsewhere:
#: errors of 1H on 50 crystals with hydrogens moved and as relaxed, their squares' difference.
_MOVED = {"N-H": 0.47, "O-H": 0.68}
_MOVED_ELSE = 0.18


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is known of n sites of one crystal."""

    evidence: Evidence  #: What their calibration asks for.
    #: Errors (ppm, rms) that no calibration has seen, to be added: moved hydrogens, other elements;
    #: shape (n,).
    noise: np.ndarray
    predictable: np.ndarray  #: Whether a shielding can be given, shape (n,), bool.
    flags: tuple[tuple[str, ...], ...]  #: Flags of each site, those of the crystal first.


def describe_atoms(
    crystal: Crystal,
    environments: Mapping[str, Mapping[str, int]],
) -> Evidence:
    """What a calibration asks for, of every atom of a crystal or of isolated molecules.

    `environments` holds for each element the training crystals that hold each bonded environment,
    as networks' files say; an element that is missing or has none is not known.
    """
    bonds = find_bonds(crystal)
    held = [environments.get(element) for element in crystal.elements.tolist()]
    names = bonded_environments(bonds)
    counts = [own.get(name, 0) if own else -1 for own, name in zip(held, names, strict=True)]
    return Evidence(
        kinds=environment_classes(crystal),
        precedents=np.array(counts, dtype=int),
        hydrogen_bonds=hydrogen_bonds(crystal, bonds),
    )


def assess(
    crystal: Crystal, chosen: Sequence[int], environments: Mapping[str, Mapping[str, int]]
) -> Assessment:
    """Say of some sites, numbers in ``crystal.sites``, how well they can be predicted.

    The crystal is as `shiftcli.prediction.predictor.prepare` leaves it, `environments` as for
    `describe_atoms`.
    """
    sites = [crystal.sites[k] for k in chosen]
    first = np.array([site.atoms[0] for site in sites], dtype=int)
    evidence = describe_atoms(crystal, environments)[first]
    distances = distances_to_others(crystal)
    nearest = np.array([distances[site.atoms].min() for site in sites])
    flags = [list(crystal.flags.get(k, ())) for k in chosen]
    marks = {
        NEAR_OTHER: nearest < NEAREST_OTHER,
        UNSEEN: evidence.precedents == 0,
        CHARGED: ions_and_radicals(crystal)[first],
    }
    for flag, marked in marks.items():
        for k in np.flatnonzero(marked):
            flags[k].append(flag)
    moved = np.zeros(len(sites)) if crystal.moved is None else crystal.moved[first]
    noise = [
        np.hypot(_other_noise(site, d), _MOVED.get(kind, _MOVED_ELSE) if step else 0.0)
        for site, d, kind, step in zip(sites, nearest, evidence.kinds, moved, strict=True)
    ]
    return Assessment(
        evidence,
        np.array(noise, dtype=float),
        nearest >= NEAREST_OTHER,
        tuple(tuple(own) for own in flags),
    )


def doubt_symbols(crystal: Crystal, flags: Sequence[tuple[str, ...]]) -> Crystal:
    """The crystal with a note where too many of its sites, with these flags, have no precedent.

    As where symbols are exchanged and the valences happen to be right.
    """
    unseen = sum(UNSEEN in own for own in flags)
    if unseen <= _MOST_UNSEEN * len(flags):
        return crystal
    return crystal.with_warning(
        f"{unseen} of {len(flags)} {'sites have' if flags[1:] else 'site has'} bonds that no "
        "training crystal has: "
        "are their symbols those of other atoms?"
    )


def _other_noise(site: Site, distance: float) -> float:
    """Effect in ppm of the nearest atom of another element at a distance in Å."""
    if site.element not in _OTHER or not np.isfinite(distance):
        return 0.0
    effect = np.interp(distance, _OTHER_AT, np.log(_OTHER[site.element]))
    return float(np.exp(effect))
