"""What a prediction is: rows of atoms with shieldings, uncertainties and flags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftcli.errors import shortened
from shiftcli.notebook import Result
from shiftcli.structure.crystal import Crystal, Site

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class SitePrediction:
    """Predicted shielding of one symmetry-distinct atom, or of several that exchange.

    Attributes
    ----------
    site : Site
        The atom: label, element, multiplicity, its copies in the crystal. Of several their
        labels with commas, ``H11,H12,H13``, and the copies of all.
    shielding : float
        Isotropic shielding in ppm; NaN, like the uncertainties, where the flags say why none
        can be given.
    uncertainty : float
        Half width in ppm of the interval about it that holds the GIPAW shielding with 68 %
        probability, see `Predictor.predict_environments`.
    uncertainty95 : float
        The same for 95 %.
    flags : tuple of str
        What makes this row less certain than the uncertainty says, or was changed.
    kind : str
        ``CH3``, ``NH3``, ``phenyl``, or empty for a site that does not exchange.
    members : tuple of Site
        The sites that exchange; empty for a single one.
    aliases : frozenset of str
        Labels of all its atoms, symmetry copies with labels of their own included, where
        `shiftcli.nmr.averaging.average` made it.
    training_crystals : int or None
        Training crystals that hold the atom's bonded environment
        (`shiftcli.structure.bonded`); None where the networks' files do not say.
    """

    site: Site
    shielding: float
    uncertainty: float
    uncertainty95: float
    flags: tuple[str, ...] = ()
    kind: str = ""
    members: tuple[Site, ...] = ()
    aliases: frozenset[str] = frozenset()
    training_crystals: int | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Label of the site, or of each that exchanges."""
        return tuple(site.label for site in self.members) or (self.site.label,)


def shielding_columns(rows: Sequence[SitePrediction]) -> dict[str, list[Any]]:
    """The columns that every table of sites begins with, by the names of the CSV, unrounded."""
    return {
        "labels": [row.site.label for row in rows],
        "species": [row.site.species for row in rows],
        "multiplicity": [row.site.multiplicity for row in rows],
        "MS_shielding/ppm": [row.shielding for row in rows],
        "MS_shielding_uncertainty/ppm": [row.uncertainty for row in rows],
    }


@dataclass(frozen=True, repr=False)
class Prediction(Result):
    """Predicted shieldings of one crystal.

    Attributes
    ----------
    crystal : Crystal
        The crystal as it was predicted, hydrogens moved if they were.
    sites : tuple of SitePrediction
        In the order of the file.
    """

    crystal: Crystal
    sites: tuple[SitePrediction, ...]

    def __repr__(self) -> str:
        counts = Counter(row.site.species for row in self.sites)
        found = ", ".join(f"{n} {species}" for species, n in counts.items())
        return f"<Prediction of {shortened(self.crystal.where) or self.crystal.formula}: {found}>"

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by the names of the CSV, one value a site, shieldings in ppm unrounded."""
        rows = self.sites
        return {
            **shielding_columns(rows),
            "MS_shielding_uncertainty95/ppm": [row.uncertainty95 for row in rows],
            "training_crystals": [row.training_crystals for row in rows],
            "flags": [" ".join(row.flags) for row in rows],
        }

    def to_ase(self) -> Atoms:
        """All atoms of the cell as `ase.Atoms`, with the arrays below where atoms have them.

        ``labels``; ``MS_shielding``, ``MS_shielding_uncertainty`` and
        ``MS_shielding_uncertainty95`` in ppm, NaN where an atom was not predicted.
        """
        crystal = self.crystal
        atoms = crystal.to_ase()
        for name, values in self.to_dict().items():
            if name.endswith("/ppm"):
                array = np.full(len(crystal), np.nan)
                for row, value in zip(self.sites, values, strict=True):
                    array[row.site.atoms] = value
                atoms.set_array(name.removesuffix("/ppm"), array)
        return atoms
