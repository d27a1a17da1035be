"""Errors against how far the atoms are from where DFT would have them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from shiftcli.benchmark.paper.result import Result, Value
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.errors import TrainingError
from shiftcli.results.statistics import rmse
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.training.atoms import PredictedAtoms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Edges (Å) of the groups of displacements, and of changes of the distance to the nearest atom.
_DISPLACEMENTS = (0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, np.inf)
_STRETCHES = (-np.inf, -0.06, -0.03, -0.01, 0.01, 0.03, 0.06, np.inf)


@dataclass(frozen=True, eq=False)
class _Moved:
    """Displaced atoms of one nucleus, n of them: moves and stretches in Å, shieldings in ppm.

    `change` is by how much the known shielding differs from that of the relaxed crystal; `error`
    and `relaxed_error` are those of the predictions of both.
    """

    displacement: np.ndarray
    stretch: np.ndarray
    change: np.ndarray
    error: np.ndarray
    relaxed_error: np.ndarray


def geometry(setting: Setting) -> Result:
    """Errors on displaced copies of crystals, by how far each atom was moved.

    The data hold relaxed crystals, then displaced copies under the same names with their atoms in
    the same order. Testing crystals only; moves are counted without the drift of the crystal as
    a whole. `TrainingError` if no testing crystal has a displaced copy.
    """
    pairs = _pairs(setting)
    rows: list[tuple[Value, ...]] = []
    stretches: list[tuple[Value, ...]] = []
    shown: list[tuple[str, list[float], list[float]]] = []
    for element in setting.nuclei or ELEMENTS:
        moved = _measure(setting, pairs, element)
        if moved is None:
            continue
        own = _groups(element, moved, moved.displacement, _DISPLACEMENTS)
        relaxed = rmse(moved.relaxed_error)
        bias = float(moved.relaxed_error.mean())
        rows += [(SPECIES[element], "relaxed", len(moved.error), 0.0, relaxed, bias), *own]
        stretches += _groups(element, moved, moved.stretch, _STRETCHES)
        shown.append((element, *_curve(moved, relaxed)))
    columns = ("nucleus", "moved by/Å", "atoms", "change of σ/ppm", "RMSE/ppm", "bias/ppm")
    return Result(
        "geometry", "Errors against displacement of the atom", columns, tuple(rows),
        (f"{len(pairs)} testing crystals with displaced copies", setting.size_note(),
         "not in the paper"),
        {"stretch": (("nucleus", "nearest atom farther by/Å", *columns[2:]), stretches)},
        draw=lambda figure: _draw(figure, shown), size=(9.0, 6.5),
    )  # fmt: skip


def _pairs(setting: Setting) -> dict[int, tuple[int, int]]:
    """Numbers of relaxed and displaced crystals of each validation family that has both."""
    labelled = setting.labelled
    members: dict[int, list[int]] = defaultdict(list)
    for number in labelled.main:
        members[labelled.families[number]].append(number)
    found = {}
    for family, own in members.items():
        if own[0] not in setting.testing or len(own) < 2:
            continue
        first, *copies = (labelled.main[k] for k in own)
        alike = [
            k
            for k, copy in zip(own[1:], copies, strict=True)
            if (first.cell is None) == (copy.cell is None)
            and np.array_equal(first.elements, copy.elements)
        ]
        if alike:
            found[family] = own[0], alike[0]
        else:
            setting.note(f"{first.where}: its copies have other atoms, or in another order")
    if not found:
        raise TrainingError(
            "no testing crystal of the data has a displaced copy of the same name",
            hint="give --data relaxed.xyz --data rattled.xyz",
        )
    return found


def _measure(setting: Setting, pairs: dict[int, tuple[int, int]], element: str) -> _Moved | None:
    """Displaced atoms of one nucleus, beside the same atoms of the relaxed crystals."""
    predicted = setting.predicted(element)
    if predicted is None:
        return None
    crystals, known_of = setting.labelled.main, _by_atom(predicted)
    columns: list[tuple[float, ...]] = []
    for first, copy in pairs.values():
        displacement, stretch = _moves(crystals[first], crystals[copy])
        before = known_of.get(first, {})
        for atom, (reference, error) in known_of.get(copy, {}).items():
            if atom in before:
                known, own = before[atom]
                columns.append((displacement[atom], stretch[atom], reference - known, error, own))
    return _Moved(*np.array(columns).T) if columns else None


def _by_atom(predicted: PredictedAtoms) -> dict[int, dict[int, tuple[float, float]]]:
    """Known shielding and error in ppm of each labelled atom, by crystal and atom."""
    atoms = predicted.atoms
    error = predicted.shielding - atoms.reference
    sites = [site for _, own in atoms.parts for site in own]
    found: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    for number, site, *values in zip(atoms.crystals, sites, atoms.reference, error, strict=True):
        known, own = map(float, values)
        found[int(number)] |= dict.fromkeys(site.atoms.tolist(), (known, own))
    return found


def _moves(first: Crystal, copy: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """How far each atom is from its place, and from its nearest atom beside before, in Å."""
    moves = _shortest(copy.positions - first.positions, copy.cell)
    moves = np.linalg.norm(moves - moves.mean(axis=0), axis=1)
    between = [
        np.linalg.norm(_shortest(c.positions[:, None] - c.positions, c.cell), axis=-1)
        for c in (first, copy)
    ]
    np.fill_diagonal(between[0], np.inf)
    nearest = between[0].argmin(axis=1)
    rows = np.arange(len(first))
    return moves, between[1][rows, nearest] - between[0][rows, nearest]


def _shortest(vectors: np.ndarray, cell: np.ndarray | None) -> np.ndarray:
    """Vectors (Å) to the nearest periodic image, for those that are short beside the cell."""
    if cell is None:
        return vectors
    fractional = vectors @ np.linalg.inv(cell)
    return (fractional - np.round(fractional)) @ cell


def _groups(
    element: str, moved: _Moved, by: np.ndarray, edges: tuple[float, ...]
) -> list[tuple[Value, ...]]:
    """A row for each group that has atoms."""
    rows: list[tuple[Value, ...]] = []
    for low, high in pairwise(edges):
        own = (by >= low) & (by < high)
        if own.any():
            error, change = moved.error[own], moved.change[own]
            words = f"below {high:g}" if low in (0.0, -np.inf) else f"{low:g} to {high:g}"
            if high == np.inf:
                words = f"{low:g} and more"
            figures = (rmse(change), rmse(error), float(error.mean()))
            rows.append((SPECIES[element], words, int(own.sum()), *figures))
    return rows


def _curve(moved: _Moved, relaxed: float) -> tuple[list[float], list[float]]:
    """Mean displacement (Å) and RMSE (ppm) of each group, the relaxed crystals first."""
    x, y = [0.0], [relaxed]
    for low, high in pairwise(_DISPLACEMENTS):
        own = (moved.displacement >= low) & (moved.displacement < high)
        if own.any():
            x.append(float(moved.displacement[own].mean()))
            y.append(rmse(moved.error[own]))
    return x, y


def _draw(figure: Figure, shown: list[tuple[str, list[float], list[float]]]) -> None:
    panels = figure.subplots(2, 2).ravel()
    for panel, (element, x, y) in zip(panels, shown, strict=False):
        panel.plot(x, y, "o-", color="tab:blue")
        panel.set(title=SPECIES[element], xlabel="displacement/Å", ylabel="RMSE/ppm")
        panel.set_ylim(0, 1.1 * max(y))
    for panel in panels[len(shown) :]:
        panel.set_visible(False)
