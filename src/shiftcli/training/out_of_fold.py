"""The table of a cross-validation: every atom as networks predicted it that never saw its family.

Folds write their parts, their sum is ``out-of-fold.csv``; calibrations and reproductions read it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from shiftcli.errors import TrainingError
from shiftcli.files import read_rows, write_rows
from shiftcli.network.calibration import Evidence
from shiftcli.structure.crystal import ELEMENTS, SPECIES
from shiftcli.training.atoms import PredictedAtoms, collect_atoms
from shiftcli.training.committee import Judged
from shiftcli.training.config import Configuration
from shiftcli.training.run import watched_atoms
from shiftcli.training.sources import Labelled

_Made = TypeVar("_Made")

#: Columns of a table of out-of-fold predictions; shieldings in ppm, variances in ppm², H···A of
#: hydrogen bonds in Å.
COLUMNS = (
    "species", "fold", "source", "name", "crystal", "family", "label", "atom", "multiplicity",
    "kind", "training_crystals", "hydrogen_bond", "reference", "baseline", "shielding", "between",
    "within",
)  # fmt: skip


def write_table(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write such a table."""
    write_rows(path, COLUMNS, ([row[name] for name in COLUMNS] for row in rows))


def table_rows(judged: Judged, fold: int) -> list[dict[str, Any]]:
    """A row for each atom."""
    atoms = judged.atoms
    sites = [(crystal, site) for crystal, own in atoms.parts for site in own]
    evidence = judged.evidence
    assert evidence is not None  # where there are atoms
    return [
        {
            "species": SPECIES[atoms.element], "fold": fold + 1, "source": crystal.source,
            "name": crystal.name, "crystal": int(atoms.crystals[k]),
            "family": int(atoms.families[k]), "label": site.label, "atom": int(site.atoms[0]),
            "multiplicity": site.multiplicity, "kind": evidence.kinds[k],
            "training_crystals": int(evidence.precedents[k]),
            "hydrogen_bond": float(evidence.hydrogen_bonds[k]),
            "reference": float(atoms.reference[k]), "baseline": float(atoms.baseline[k]),
            "shielding": float(judged.shielding[k]), "between": float(judged.between[k]),
            "within": float(judged.within[k]),
        }
        for k, (crystal, site) in enumerate(sites)
    ]  # fmt: skip


def read_fold(path: Path, configuration: Configuration, labelled: Labelled) -> dict[str, Judged]:
    """Predictions that a fold wrote, by element, beside the atoms that they are of."""
    rows = read_rows(path)
    found = {}
    for element in ELEMENTS:
        own = [row for row in rows if row["species"] == SPECIES[element]]
        if not own:
            continue
        atoms = watched_atoms(labelled, element, configuration.for_element(element))
        if [int(row["crystal"]) for row in own] != atoms.crystals.tolist():
            raise TrainingError(
                "these predictions are not of the crystals that the fold watches",
                where=str(path),
                hint="delete the file: it is made anew",
            )
        found[element] = Judged(atoms, *predicted_columns(own))
    return found


def parse_table(path: Path, parse: Callable[[list[dict[str, str]]], _Made]) -> _Made:
    """What is made of the rows of a table; `TrainingError` where it is none."""
    try:
        return parse(read_rows(path))
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise TrainingError("not a table of out-of-fold predictions", where=str(path)) from error


def read_table(path: Path, labelled: Labelled) -> dict[str, PredictedAtoms]:
    """All out-of-fold predictions of the atoms of some data, by element; without intervals.

    `TrainingError` if the file is no such table, or of other data.
    """
    known = parse_table(path, lambda rows: {
        (row["species"], int(row["crystal"]), int(row["atom"])): (
            float(row["reference"]), float(row["shielding"])
        )
        for row in rows
    })  # fmt: skip
    found = {}
    for element in ELEMENTS:
        atoms = collect_atoms(labelled.main, element, families=labelled.families)
        sites = (site for _, own in atoms.parts for site in own)
        keys = [
            (SPECIES[element], int(crystal), int(site.atoms[0]))
            for crystal, site in zip(atoms.crystals, sites, strict=True)
        ]
        if not any(key in known for key in keys):
            continue
        nothing = (math.nan, math.nan)
        reference, shielding = np.array([known.get(key, nothing) for key in keys]).T
        if not np.allclose(reference, atoms.reference, rtol=0, atol=1e-3):
            raise TrainingError(
                "these predictions are of other crystals than the data",
                where=str(path),
                hint="give the --data of the cross-validation, in the same order",
            )
        unknown = np.full(len(atoms), math.nan)
        found[element] = PredictedAtoms(atoms, shielding, unknown, unknown)
    if not found:
        raise TrainingError("no out-of-fold predictions of these data", where=str(path))
    return found


def predicted_columns(
    rows: Sequence[Mapping[str, str]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Evidence]:
    """Shieldings, variances between members and between orientations, and what structures say.

    Of n rows of an out-of-fold table; in ppm and ppm², shape (n,) each. ValueError, KeyError.
    """
    names = ("shielding", "between", "within", "hydrogen_bond")
    columns = (np.array([float(row[name]) for row in rows]) for name in names)
    shielding, between, within, bonds = columns
    kinds = np.array([row["kind"] for row in rows], dtype=object)
    seen = np.array([int(row["training_crystals"]) for row in rows])
    return shielding, between, within, Evidence(kinds, seen, bonds)
