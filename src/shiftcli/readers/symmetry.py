"""Space-group operations: where a file states them, and all atoms they make."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from shiftcli import limits
from shiftcli.errors import ReadError

if TYPE_CHECKING:
    import gemmi

#: Images of one atom closer than this (Å) are one atom on a special position.
SPECIAL_POSITION_TOLERANCE = 0.3

#: Relative change of the metric up to which a cell counts as obeying its symmetry.
METRIC_TOLERANCE = 0.03

#: The same, up to which lengths and angles are only rounded; more is told.
METRIC_ROUNDING = 0.003

#: Origin of operations that the file lists itself.
LISTED = "the file's operations"


@dataclass(frozen=True)
class Symmetry:
    """The operations of a space group."""

    rotations: np.ndarray  #: Rotation parts in fractional coordinates, shape (m, 3, 3).
    translations: np.ndarray  #: Translation parts, shape (m, 3).
    origin: str  #: Where the operations come from, for messages.
    number: int = 0  #: Number of the space group, 0 where it was not looked for.
    #: Its name in this setting, without the choice of the origin or of rhombohedral axes.
    setting: str = ""

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def triplets(self) -> tuple[str, ...]:
        """The operations as text, such as ``-x,y+1/2,-z``."""
        import gemmi

        texts = []
        for rotation, translation in zip(self.rotations, self.translations, strict=True):
            operation = gemmi.Op()
            operation.rot = np.rint(rotation * gemmi.Op.DEN).astype(int).tolist()
            operation.tran = np.rint(translation * gemmi.Op.DEN).astype(int).tolist()
            texts.append(operation.triplet())
        return tuple(texts)

    @cached_property
    def keys(self) -> frozenset[bytes]:
        """The operations as a set that can be compared."""
        rotations = np.rint(self.rotations.reshape(-1, 9)).astype(int)
        translations = np.rint(self.translations * 24).astype(int) % 24
        rows = np.concatenate([rotations, translations], axis=1)
        return frozenset(row.tobytes() for row in rows)

    def images(self, fractional: np.ndarray) -> np.ndarray:
        """Images of sites, shape (sites, operations, 3), wrapped into the cell.

        `ReadError` if there would be more copies than `shiftcli.limits` allows.
        """
        if len(fractional) * len(self) > limits.COPIES:
            raise ReadError(
                f"{len(self)} symmetry operations of {len(fractional)} atom sites make "
                f"{len(fractional) * len(self)} atoms; at most {limits.ATOMS} are read"
            )
        images = np.einsum("mij,nj->nmi", self.rotations, fractional) + self.translations
        return images - np.floor(images)


#: The symmetry of a crystal of which none is known.
IDENTITY = Symmetry(np.eye(3)[None], np.zeros((1, 3)), "no operations")


def from_operations(
    operations: list[gemmi.Op], origin: str, number: int = 0, setting: str = ""
) -> Symmetry:
    """Make a `Symmetry` of gemmi's operations; repeated ones count once."""
    unique = {op.wrap().triplet(): op for op in operations}
    den = 24.0  # gemmi.Op.DEN
    return Symmetry(
        np.array([op.rot for op in unique.values()]) / den,
        np.array([op.tran for op in unique.values()]) / den,
        origin,
        number,
        setting,
    )


def group_number(symmetry: Symmetry, cell: np.ndarray | None) -> int:
    """Number of the space group in any setting, 0 where the operations are none."""
    import spglib

    rotations = np.rint(symmetry.rotations).astype(np.intc)
    with warnings.catch_warnings():
        # spglib announces its next interface at every call; as an error it would hide the answer.
        warnings.simplefilter("ignore")
        try:
            found = spglib.get_spacegroup_type_from_symmetry(rotations, symmetry.translations, cell)
        except Exception:  # spglib's own errors differ between its versions
            found = None
    return 0 if found is None else int(found.number)


def multiplicities(
    fractional: np.ndarray, cell: np.ndarray | None, symmetry: Symmetry
) -> np.ndarray:
    """Copies of each site in the cell, shape (n,): fewer than operations on special positions."""
    images = symmetry.images(fractional)
    distance = np.linalg.norm(_shortest(images - fractional[:, None]) @ cell, axis=2)
    return len(symmetry) / (distance < SPECIAL_POSITION_TOLERANCE).sum(axis=1)


def missing_operation(operations: list[gemmi.Op]) -> str:
    """First product of two operations that is not among them, empty for a group.

    `ReadError` if there are more operations than any space group has.
    """
    unique = {op.wrap().triplet(): op for op in operations}
    known, operations = set(unique), list(unique.values())
    if len(known) > limits.OPERATIONS:
        raise ReadError(
            f"{len(known)} symmetry operations; no space group has more than {limits.OPERATIONS}"
        )
    for a, b in product(operations, operations):
        triplet = (a * b).wrap().triplet()
        if triplet not in known:
            return triplet
    return ""


def metric_misfit(symmetry: Symmetry, cell: np.ndarray | None) -> float:
    """Largest relative change of the cell's metric under the operations."""
    assert cell is not None  # a molecule has no symmetry to be told
    metric = cell @ cell.T
    lengths = np.sqrt(np.diag(metric))
    turned = symmetry.rotations.transpose(0, 2, 1) @ metric @ symmetry.rotations
    return float((abs(turned - metric) / np.outer(lengths, lengths)).max())


def fits_cell(symmetry: Symmetry, cell: np.ndarray | None) -> bool:
    """Whether all operations leave the cell's metric as it is."""
    return metric_misfit(symmetry, cell) < METRIC_TOLERANCE


def expand(
    fractional: np.ndarray, cell: np.ndarray, symmetry: Symmetry
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Apply all operations to all sites.

    Parameters
    ----------
    fractional : numpy.ndarray
        Sites in fractional coordinates, shape (n, 3).
    cell : numpy.ndarray
        Lattice vectors as rows in Å, shape (3, 3).
    symmetry : Symmetry
        The operations.

    Returns
    -------
    images : numpy.ndarray
        Fractional coordinates of all atoms, shape (atoms, 3), the copies of a site
        after each other. Images within `SPECIAL_POSITION_TOLERANCE` of each other are
        one atom at their mean.
    site : numpy.ndarray
        Site of each atom, shape (atoms,).
    operation : numpy.ndarray
        The first operation that makes the atom, shape (atoms,).

    Raises
    ------
    ReadError
        If the operations would make more copies than `shiftcli.limits` allows.
    """
    images = symmetry.images(fractional)
    n, m = images.shape[:2]
    distance = np.linalg.norm(_shortest(images - fractional[:, None]) @ cell, axis=2)
    is_special = (distance < SPECIAL_POSITION_TOLERANCE).sum(axis=1) > 1
    atoms, sites, operations = [], [], []
    for k in range(n):
        if is_special[k]:
            merged, first = _merge(images[k], cell)
        else:
            merged, first = images[k], np.arange(m)
        atoms.append(merged)
        operations.append(first)
        sites.append(np.full(len(merged), k))
    return np.concatenate(atoms), np.concatenate(sites), np.concatenate(operations)


def _merge(images: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    left = np.arange(len(images))
    merged, first = [], []
    while len(left):
        offsets = _shortest(images[left] - images[left[0]])
        same = np.linalg.norm(offsets @ cell, axis=1) < SPECIAL_POSITION_TOLERANCE
        mean = images[left[0]] + offsets[same].mean(axis=0)
        merged.append(mean - np.floor(mean))
        first.append(left[0])
        left = left[~same]
    return np.array(merged), np.array(first)


def _shortest(offsets: np.ndarray) -> np.ndarray:
    """Fractional differences without whole cells; right for atoms that are close."""
    return offsets - np.round(offsets)
