"""Predictions for chemiscope, the viewer at https://chemiscope.org.

Format: https://chemiscope.org/docs/data-loading/input-reference.html
"""

from __future__ import annotations

import json
from typing import Any

from shiftcli import __version__
from shiftcli.errors import UsageError
from shiftcli.results.predictions import Results
from shiftcli.structure.crystal import Crystal

#: Distance in Å around an atom that the viewer shows first.
_CUTOFF = 4.0


def write_chemiscope(results: Results) -> str:
    """Write predictions as a chemiscope data set, coloured by shielding.

    One structure a prediction, one environment an atom that was predicted (copies too). A quantity
    that some of them lack, such as a shift without a reference, is left out. `UsageError` if no
    atom was predicted.
    """
    if not results.predictions:
        return ""  # everything failed, which is reported by itself
    environments: list[dict[str, Any]] = []
    values: dict[str, list[Any]] = {}
    for k, entry in enumerate(results.document().entries):
        table = entry.tables[0]
        heads, rows = entry.flat()
        found = {atom: row for row, atoms in zip(rows, table.atoms, strict=True) for atom in atoms}
        for atom in sorted(found):
            environments.append({"structure": k, "center": atom, "cutoff": _CUTOFF})
            for head, value in zip(heads, found[atom], strict=True):
                values.setdefault(head, []).append(value)
    if not environments:
        raise UsageError("no atom of these nuclei is there to show in chemiscope")
    # JSON knows no NaN, and the viewer no gap.
    properties = {
        head.removesuffix("/ppm"): {"target": "atom", "values": found}
        | ({"units": "ppm"} if head.endswith("/ppm") else {})
        for head, found in values.items()
        if None not in found and any(value != "" for value in found)
    }
    document = {
        "meta": {
            "name": "NMR shieldings",
            "description": f"predicted by shiftcli {__version__}, model {results.predictor.model}",
        },
        "structures": [_structure(p.crystal) for p in results.predictions],
        "environments": environments,
        "properties": properties,
        "settings": _settings(properties),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def _structure(crystal: Crystal) -> dict[str, Any]:
    x, y, z = crystal.positions.T.tolist()
    names = crystal.elements.tolist()
    structure = {"size": len(crystal), "names": names, "x": x, "y": y, "z": z}
    return (
        structure if crystal.cell is None else structure | {"cell": crystal.cell.ravel().tolist()}
    )


def _settings(properties: dict[str, Any]) -> dict[str, Any]:
    """The shieldings against their uncertainties, both views coloured by shielding."""
    if "MS_shielding" not in properties:
        return {}
    shielding = {"property": "MS_shielding"}
    axes = {"x": shielding, "color": shielding}
    if "MS_shielding_uncertainty" in properties:
        axes["y"] = {"property": "MS_shielding_uncertainty"}
    return {
        "target": "atom",
        "map": {**axes, "symbol": "species"},
        "structure": [{"color": shielding, "unitCell": True}],
    }
