"""Measured shifts: peaks, and which of them are of nuclei that are bonded or near each other."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shiftcli.errors import ExperimentError
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.nuclei import find_element


@dataclass(frozen=True)
class Peak:
    """One measured shift.

    Attributes
    ----------
    labels : tuple of str
        Labels of the atoms it belongs to; empty where it is not assigned.
    species : str
        Nuclide, such as ``1H``.
    shift : float
        In ppm.
    uncertainty : float or None
        Standard deviation in ppm; None where it is not stated.
    line : int
        Line of the file, 0 where there is none.
    structure : str
        Structure that it was measured on, where a file holds shifts of several.
    protons : int
        Hydrogens of its site in a molecule: 3 for a methyl group, else 1; 0 where it is not known.
    kinds : tuple of str
        What its site may be, of `shiftcli.nmr.kinds.KINDS`; empty where it is not known.
    """

    labels: tuple[str, ...]
    species: str
    shift: float
    uncertainty: float | None = None
    line: int = 0
    structure: str = ""
    protons: int = 0
    kinds: tuple[str, ...] = ()

    @property
    def element(self) -> str:
        """Its chemical symbol; empty where the species is none of H, C, N and O."""
        return find_element(self.species) or ""

    def is_of(self, crystal: Crystal) -> bool:
        """Whether it was measured on a crystal.

        So it is if `structure` is empty, or is the crystal's name, its file, or the name of the
        file with or without suffixes.
        """
        file = os.path.basename(crystal.source)
        names = ("", crystal.name, crystal.source, file, file.split(".")[0], Path(file).stem)
        return self.structure in names


@dataclass(frozen=True)
class Experiment:
    """Measured shifts.

    Attributes
    ----------
    peaks : tuple of Peak
        In the order of the file.
    source : str
        The file, as the user named it.
    notes : tuple of str
        What the user should know of how it was read.
    bonded, near : tuple of (int, int)
        Positions of peaks whose sites are bonded, or near each other: cross peaks.
    """

    peaks: tuple[Peak, ...]
    source: str = ""
    notes: tuple[str, ...] = ()
    bonded: tuple[tuple[int, int], ...] = ()
    near: tuple[tuple[int, int], ...] = ()

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that shifts were measured of, each once."""
        return tuple(dict.fromkeys(peak.element for peak in self.peaks))

    @property
    def species(self) -> tuple[str, ...]:
        """Nuclides that shifts were measured of, each once."""
        return tuple(dict.fromkeys(peak.species for peak in self.peaks))

    def only(self, elements: Collection[str]) -> Experiment:
        """The shifts of some elements."""
        return self.keep([k for k, p in enumerate(self.peaks) if p.element in elements])

    def keep(self, places: Sequence[int]) -> Experiment:
        """The peaks at some positions, with the cross peaks between them."""
        new = {old: k for k, old in enumerate(places)}

        def kept(pairs: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
            return tuple((new[i], new[j]) for i, j in pairs if i in new and j in new)

        peaks = tuple(self.peaks[k] for k in places)
        return replace(self, peaks=peaks, bonded=kept(self.bonded), near=kept(self.near))

    def of(self, crystal: Crystal) -> Experiment:
        """The shifts of one structure, see `Peak.is_of`; `ExperimentError` if there are none."""
        places = [k for k, peak in enumerate(self.peaks) if peak.is_of(crystal)]
        if self.peaks and not places:
            raise ExperimentError(
                f"no row is for {crystal.where}",
                where=self.source,
                hint=f"the first is for structure '{self.peaks[0].structure}'",
            )
        return self.keep(places)
