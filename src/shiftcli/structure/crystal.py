"""A crystal as every room of shiftcli sees it.

`Crystal` holds all atoms of one unit cell (or of one isolated molecule). Readers
make it, `checks` and `hydrogens` may return a corrected copy, everything later only reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.errors import shortened, visible
from shiftcli.structure.nuclei import ELEMENTS as ELEMENTS
from shiftcli.structure.nuclei import SPECIES as SPECIES
from shiftcli.structure.symmetry import find_equivalent_atoms

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Site:
    """One symmetry-distinct atom.

    Attributes
    ----------
    label : str
        The atom's label in the file.
    element : str
        Chemical symbol.
    atoms : numpy.ndarray
        Indices of the site's copies in the crystal, shape (multiplicity,).
    """

    label: str
    element: str
    atoms: np.ndarray

    @property
    def multiplicity(self) -> int:
        """Number of copies of the site in the unit cell."""
        return len(self.atoms)

    @property
    def species(self) -> str:
        """Nuclide of the site, such as ``13C``; the bare symbol for other elements."""
        return SPECIES.get(self.element, self.element)


#: Key in `Crystal.info` of what made the shieldings, where that was a network and no calculation.
PREDICTED_BY = "predicted_by"


@dataclass(frozen=True, eq=False, repr=False)
class Crystal:
    """All atoms of one unit cell, or of one isolated molecule.

    Attributes
    ----------
    elements : numpy.ndarray
        Chemical symbols, shape (n,), dtype ``<U2``. Deuterium is ``H``.
    positions : numpy.ndarray
        Cartesian coordinates in Å, shape (n, 3), float64.
    cell : numpy.ndarray or None
        Lattice vectors as rows in Å, shape (3, 3); None for an isolated molecule.
    labels : tuple of str
        Label of each atom; symmetry copies share the label of their site.
    site_ids : numpy.ndarray or None
        Running number (from 0) of the distinct site of each atom, shape (n,), where
        the file states its symmetry; None where it has to be searched for.
    name : str
        Name of the structure inside its file (CIF block, ``NAME=``), may be empty.
    info : mapping of str to str
        What else the file says of the structure by a key, such as an extended XYZ header.
    source : str
        The file, as the user named it.
    expected : mapping of str to float
        Atoms of each element that one unit cell should hold by the file's own formula
        and Z; empty where the file does not say.
    warnings : tuple of str
        What the user should know: dropped disorder, moved hydrogens, odd counts.
    flags : mapping of int to tuple of str
        Flags of single sites, by site number in `sites`.
    shieldings : numpy.ndarray or None
        Isotropic shieldings in ppm that came with the file, shape (n,), NaN if absent.
    baseline : numpy.ndarray or None
        A second prediction that came with the file, in ppm, shape (n,).
    level : str
        Level of theory of `shieldings` where they cannot be compared with others; empty
        where nothing says so.
    operations : tuple of str
        The symmetry operations behind `site_ids`, such as ``-x,y+1/2,-z``; empty where
        they are not known.
    moved : numpy.ndarray or None
        How far each atom was moved along its bond in Å, shape (n,); None where none was.
    numbered : bool
        Whether the file names no atoms, and the labels are `label_by_molecule`'s, see
        `shiftcli.structure.numbering`.
    """

    elements: np.ndarray
    positions: np.ndarray
    cell: np.ndarray | None
    labels: tuple[str, ...]
    site_ids: np.ndarray | None = None
    name: str = ""
    info: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    expected: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    flags: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    shieldings: np.ndarray | None = None
    baseline: np.ndarray | None = None
    level: str = ""
    operations: tuple[str, ...] = ()
    moved: np.ndarray | None = None
    numbered: bool = False

    def __len__(self) -> int:
        return len(self.elements)

    def __repr__(self) -> str:
        kind = "molecule" if self.cell is None else "crystal"
        return f"<Crystal {shortened(self.where) or '(no file)'}: {kind} of {self.formula}>"

    @property
    def where(self) -> str:
        """File and block, for messages."""
        return ": ".join(visible(part) for part in (self.source, self.name) if part)

    def to_ase(self) -> Atoms:
        """All atoms of the cell, or of the molecule, as `ase.Atoms` with an array ``labels``."""
        from ase import Atoms

        atoms = Atoms(
            symbols=self.elements.tolist(),
            positions=self.positions,
            cell=self.cell,
            pbc=self.cell is not None,
        )
        atoms.set_array("labels", np.array(self.labels))
        return atoms

    @property
    def formula(self) -> str:
        """Atoms of the cell in Hill order, such as ``C8 H9 N O2``."""
        counts = Counter(self.elements.tolist())
        hill = [e for e in ("C", "H") if e in counts and "C" in counts]
        rest = sorted(set(counts) - set(hill))
        return " ".join(f"{e}{counts[e] if counts[e] > 1 else ''}" for e in hill + rest)

    def called(self, atom: int) -> str:
        """What a message calls an atom: its label, and its number where the file has none."""
        return f"{self.labels[atom]} (atom {atom + 1})" if self.numbered else self.labels[atom]

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Symmetry-distinct sites in the order of their first atoms, no two with one label.

        Where disorder lowers the symmetry of the file, a site of its becomes several: the second
        of ``C1`` is then ``C1_2``.
        """
        ids = self.site_ids
        if ids is None:
            ids = find_equivalent_atoms(self.cell, self.elements, self.positions)
        _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
        members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
        order = np.argsort(first)
        labels = _distinct([self.labels[first[k]] for k in order])
        return tuple(
            Site(label, str(self.elements[first[k]]), members[k])
            for label, k in zip(labels, order, strict=True)
        )

    @cached_property
    def site_numbers(self) -> np.ndarray:
        """Position in `sites` of the site of each atom, shape (n,)."""
        numbers = np.empty(len(self), dtype=int)
        for k, site in enumerate(self.sites):
            numbers[site.atoms] = k
        return numbers

    def with_warning(self, text: str) -> Crystal:
        """Return a copy with one more warning."""
        return replace(self, warnings=(*self.warnings, text))

    def with_flag(self, atoms: np.ndarray, flag: str) -> Crystal:
        """Return a copy with a flag on the sites of some atoms, given by their indices."""
        flags = dict(self.flags)
        for k in np.unique(self.site_numbers[atoms]).tolist():
            flags[k] = (*flags.get(k, ()), flag)
        return replace(self, flags=flags)

    def take(self, keep: np.ndarray) -> Crystal:
        """Return a copy with the atoms where `keep`, shape (n,), is true; sites stay whole."""
        kept_sites = np.unique(self.site_numbers[keep])

        def only(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[keep]

        return replace(
            self,
            elements=self.elements[keep],
            positions=self.positions[keep],
            labels=tuple(np.asarray(self.labels, dtype=object)[keep]),
            site_ids=np.searchsorted(kept_sites, self.site_numbers[keep]),
            flags={
                new: self.flags[old]
                for new, old in enumerate(kept_sites.tolist())
                if old in self.flags
            },
            shieldings=only(self.shieldings),
            baseline=only(self.baseline),
            moved=only(self.moved),
        )


def _distinct(labels: list[str]) -> list[str]:
    """Labels of which those that were there before get a number."""
    taken = set(labels)
    if len(taken) == len(labels):
        return labels
    seen: Counter[str] = Counter()
    result = []
    for label in labels:
        seen[label] += 1
        new = label
        while seen[label] > 1 and (new := f"{label}_{seen[label]}") in taken:
            seen[label] += 1
        taken.add(new)
        result.append(new)
    return result
