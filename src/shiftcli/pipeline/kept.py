"""A prediction as a line of a list, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from shiftcli.prediction.records import Prediction, SitePrediction
from shiftcli.readers.atoms import SYMBOLS
from shiftcli.structure.crystal import Crystal

#: No shielding, no width (ppm) and no coordinate (Å) is as large as this.
_LARGEST = 1e5

#: Smallest volume of a cell in Å³.
_SMALLEST_CELL = 1.0


def line_of(prediction: Prediction) -> dict[str, Any]:
    """What is listed of a prediction: its numbers, and the crystal as files are written of it."""
    crystal, numbers = prediction.crystal, prediction.crystal.site_numbers
    values = [
        [v if math.isfinite(v) else None for v in (r.shielding, r.uncertainty, r.uncertainty95)]
        for r in prediction.sites
    ]
    return {
        "source": crystal.source, "name": crystal.name, "formula": crystal.formula,
        "sites": [
            [int(numbers[r.site.atoms[0]]), " ".join(r.flags), r.training_crystals]
            for r in prediction.sites
        ],
        "values": values, "warnings": list(crystal.warnings),
        "elements": crystal.elements.tolist(), "labels": list(crystal.labels),
        "site_ids": numbers.tolist(), "operations": list(crystal.operations),
        "numbered": crystal.numbered,
        "cell": None if crystal.cell is None else crystal.cell.tolist(),
        "positions": crystal.positions.tolist(),
    }  # fmt: skip


def prediction_of(line: Mapping[str, Any]) -> Prediction | None:
    """The prediction that a line lists; None where it is no whole one."""
    values = numbers_of(line)
    try:
        crystal = _crystal(line)
        rows = [
            SitePrediction(
                crystal.sites[place], *numbers, tuple(str(flags).split()),
                training_crystals=count if isinstance(count, int) else None,
            )
            for (place, flags, count), numbers in zip(line["sites"], values or (), strict=True)
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None
    return Prediction(crystal, tuple(rows))


def _crystal(line: Mapping[str, Any]) -> Crystal:
    """The crystal of a line; raises as what it calls does for one that is none."""
    elements, positions = np.array(line["elements"]), np.array(line["positions"], dtype=float)
    cell = None if line["cell"] is None else np.array(line["cell"], dtype=float)
    labels, ids = tuple(map(str, line["labels"])), np.array(line["site_ids"], dtype=int)
    n, shapes = len(elements), (positions.shape, len(labels), ids.shape)
    places = positions if cell is None else np.vstack([positions, cell.reshape(3, 3)])
    is_flat = cell is not None and not abs(np.linalg.det(places[-3:])) > _SMALLEST_CELL
    known = SYMBOLS.difference("DT").issuperset(elements)
    is_far = not (abs(places) < _LARGEST).all()
    if shapes != ((n, 3), n, (n,)) or is_far or is_flat or not known:
        raise ValueError
    return Crystal(
        elements, positions, cell, labels, ids, str(line["name"]), source=str(line["source"]),
        warnings=tuple(map(str, line["warnings"])), numbered=line["numbered"] is True,
        operations=tuple(map(str, line["operations"])),
    )  # fmt: skip


def numbers_of(line: Mapping[str, Any]) -> list[tuple[float, float, float]] | None:
    """Shieldings and half widths (ppm) of a listed structure; None where they are absurd."""
    values = line.get("values")
    if not isinstance(values, list):
        return None
    rows = []
    for row in values:
        if not isinstance(row, list) or len(row) != 3:
            return None
        if not all(v is None or (type(v) in (int, float) and abs(v) < _LARGEST) for v in row):
            return None
        rows.append(tuple(math.nan if v is None else float(v) for v in row))
    return rows  # type: ignore[return-value]
