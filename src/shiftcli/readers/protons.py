"""Half-occupied hydrogens of water and acids: one arrangement that leaves molecules whole.

In ice, in chains of water and between acids a hydrogen is as often at one end of a hydrogen bond
as at the other, and a file gives both ends half. Each bond can hold one of them, and each
molecule must have its own number: that choice is made for all of a cell together.
"""

from __future__ import annotations

import numpy as np

from shiftcli.errors import ReadError
from shiftcli.readers.atoms import AtomTable, listed
from shiftcli.structure.neighbours import find_neighbours

#: Occupancies that are taken for one half.
HALF = (0.45, 0.55)

#: Farthest (Å) of a hydrogen from its oxygen, and of two oxygens' common neighbour.
_BOND, _HEAVY_BOND = 1.3, 1.75

#: Occupancies of a molecule add up to a whole number within this.
_SLACK = 0.11

#: Hydrogens closer (Å) than this are two ends of one hydrogen bond, or one in two places.
_CLASH = 1.25


def half_protons(rows: AtomTable, is_whole: np.ndarray) -> np.ndarray:
    """Rows of half-occupied hydrogens on oxygens that are there as a whole, shape (n,).

    Also of those of other shares of which an oxygen has whole hydrogens only by a choice.
    """
    low, high = HALF
    hydrogen = (rows.elements == "H") & (rows.occupancies < 1 - _SLACK)
    half = hydrogen & (rows.occupancies >= low) & (rows.occupancies <= high)
    if not hydrogen.any() or rows.cell is None:
        return np.zeros(len(rows), dtype=bool)
    near = find_neighbours(rows.cell, rows.coordinates @ rows.cell, _BOND)
    near = near.where(hydrogen[near.first] & (rows.elements[near.second] != "H"))
    is_carrier = (rows.elements == "O") & is_whole
    found = np.zeros(len(rows), dtype=bool)
    found[near.first] = True
    found[near.first[~is_carrier[near.second]]] = False
    for oxygen in np.unique(near.second):
        own = near.first[near.second == oxygen]
        total, most = rows.occupancies[own].sum(), (rows.occupancies[own] > high).sum()
        # Two of three that are there by two thirds each, one of three thirds; not 0.7 and 0.3.
        is_shared = abs(total - round(total)) < _SLACK and most != round(total)
        found[own] &= half[own] | is_shared
    return found


def place_protons(
    rows: AtomTable, images: np.ndarray, site: np.ndarray, is_half: np.ndarray
) -> np.ndarray:
    """Choose which copies of half-occupied hydrogens are there: atoms that stay, shape (atoms,).

    `images` and `site` are fractional coordinates of all atoms of the cell, shape (atoms, 3), and
    their rows; `is_half` are the rows of `half_protons`. `ReadError` if no choice gives every
    molecule the hydrogens that its occupancies add up to.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    assert rows.cell is not None  # as the rows were found in one
    positions, elements = images @ rows.cell, rows.elements[site]
    candidates = np.flatnonzero(is_half[site])
    column = np.full(len(site), -1)
    column[candidates] = np.arange(len(candidates))
    owner = _owners(rows.cell, positions, elements)[candidates]
    groups = np.unique(owner)
    shares = np.array([rows.occupancies[site[candidates[owner == g]]].sum() for g in groups])
    near = find_neighbours(rows.cell, positions, _CLASH)
    near = near.where((column[near.first] >= 0) & (elements[near.second] == "H"))
    first, second = column[near.first], column[near.second]
    most = np.ones(len(candidates))
    most[first[second < 0]] = 0.0  # beside a hydrogen that is there for certain
    clash = np.stack([first, second], axis=1)[(first < second) & (second >= 0)]
    sums = csr_array((owner == groups[:, None]).astype(float))
    either = np.zeros((len(clash), len(candidates)))
    either[np.arange(len(clash)), clash[:, 0]] = either[np.arange(len(clash)), clash[:, 1]] = 1.0
    # About a centre a proton is half on each of two molecules: whole numbers on either side.
    total = np.round(shares.sum())
    constraints = [
        LinearConstraint(sums, np.floor(shares + _SLACK), np.ceil(shares - _SLACK)),
        LinearConstraint(np.ones((1, len(candidates))), total, total),
    ]
    if len(clash):
        constraints.append(LinearConstraint(csr_array(either), -np.inf, 1.0))
    found = milp(
        # The likelier ones; the first ones, where all is equal.
        np.arange(len(candidates)) / len(candidates) ** 2 - rows.occupancies[site[candidates]],
        integrality=np.ones(len(candidates)),
        bounds=Bounds(0.0, most),
        constraints=constraints,
    )
    if found.x is None:
        names = dict.fromkeys(rows.labels[k] for k in site[candidates])
        raise ReadError(
            f"half-occupied hydrogens {listed(names)} cannot be placed so that every molecule "
            "has its own",
            where=rows.where,
            hint="leave one arrangement in the file",
        )
    keep = np.ones(len(site), dtype=bool)
    keep[candidates] = found.x > 0.5
    return keep


def _owners(cell: np.ndarray, positions: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """For each hydrogen its oxygen; for the two of an acid the first of them."""
    near = find_neighbours(cell, positions, _HEAVY_BOND)
    near = near.where(np.argsort(-near.distances, kind="stable"))  # the nearest are written last
    owner = np.arange(len(positions))
    hydrogen, oxygen = elements == "H", elements == "O"
    acid = np.arange(len(positions))
    joined = near.where(oxygen[near.second] & ~hydrogen[near.first] & ~oxygen[near.first])
    for centre in np.unique(joined.first):
        oxygens = joined.second[joined.first == centre]
        acid[oxygens] = oxygens.min()
    carried = near.where(hydrogen[near.first] & oxygen[near.second] & (near.distances < _BOND))
    owner[carried.first] = acid[carried.second]
    return owner
