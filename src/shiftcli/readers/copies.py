"""Atoms that a file lists more than once: symmetry copies beside the operations, border atoms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shiftcli.readers.atoms import AtomTable, listed
from shiftcli.readers.symmetry import IDENTITY, Symmetry
from shiftcli.structure.neighbours import find_neighbours

#: Two sites of an element closer (Å) than this, after a symmetry operation, are one: coordinates
#: of three decimals are that good, and no disorder that is told apart is that small.
SAME_SITE = 0.1


def count_once(table: AtomTable, symmetry: Symmetry = IDENTITY) -> AtomTable:
    """Leave out the sites that are symmetry copies, or lattice translations, of earlier ones.

    With a warning where sites were left out; else the table itself.
    """
    cell = table.cell
    if cell is None:
        return table
    fractional = table.coordinates @ np.linalg.inv(cell) if table.whole else table.coordinates
    images = symmetry.images(fractional).reshape(-1, 3)
    near = find_neighbours(cell, images @ cell, SAME_SITE, table.where)
    first, copy = near.first // len(symmetry), near.second // len(symmetry)
    is_copy = (first < copy) & (table.elements[first] == table.elements[copy])
    if not is_copy.any():
        return table
    keep = np.ones(len(table), dtype=bool)
    for k, j in sorted(set(zip(copy[is_copy].tolist(), first[is_copy].tolist(), strict=True))):
        keep[k] &= not keep[j]  # a copy of a site that is kept; those before it are decided
    copies = [label for label, k in zip(table.labels, keep, strict=True) if not k]
    shieldings = table.shieldings
    if shieldings is not None:
        shieldings = shieldings.copy()
        for k, j in zip(copy[is_copy], first[is_copy], strict=True):
            if np.isnan(shieldings[j]):
                shieldings[j] = shieldings[k]
    warning = f"{len(copies)} of {len(table)} atom sites are copies of others, counted once"
    once = replace(table, shieldings=shieldings).take(keep)
    return once.with_warning(f"{warning}: {listed(copies)}")
