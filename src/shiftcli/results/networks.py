"""Networks that can be had, and the state of their files, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from shiftcli.network.calibration import Calibration, KindWidths
from shiftcli.results.tables import Column, Document, Entry, Table
from shiftcli.structure.crystal import SPECIES
from shiftcli.weights import AvailableNetwork, Checked, find_networks
from shiftcli.weights.manifest import Network


def inventory_table(rows: Sequence[AvailableNetwork]) -> Table:
    """All networks."""
    shown = (
        Column("model"), Column("default", " ", show=lambda is_default: "*" if is_default else ""),
        Column("species"), Column("member", None), Column("megabytes", "MB", decimals=1),
        Column("rmse", "RMSE/ppm", decimals=3), Column("crystals"), Column("file"),
        Column("origin", "where"), Column("folder", None),
    )  # fmt: skip
    known = {column.key for column in shown}
    further = [field.name for field in fields(Network) if field.name not in known]
    values = []
    for row in rows:
        network, figures = row.network, row.network.validation
        stated = asdict(network)
        values.append((
            network.model, row.is_default, SPECIES[network.nucleus], network.member,
            network.bytes / 1e6, figures.get("rmse"), figures.get("crystals"), network.file,
            row.origin, str(row.folder) if row.folder else None,
            *(stated[name] for name in further),
        ))  # fmt: skip
    columns = (*shown, *(Column(name, None) for name in further))
    return Table("networks", columns, values, notes=("* predicts unless --weights names another",))


def knowledge_document(weights: str | Path | None = None) -> Document:
    """What a model's networks have learned from, and how their intervals were judged.

    Parameters
    ----------
    weights : str or pathlib.Path, optional
        Model or directory, as of `shiftcli.weights.find_networks`.

    Raises
    ------
    WeightsError
        If there are none, or a file is damaged.
    """
    from shiftcli.network.checkpoint import load

    files = find_networks(weights)
    # All members of a nucleus were calibrated together; they may have learned from other crystals.
    held: dict[str, dict[str, set[int]]] = {}
    crystals: dict[str, int] = {}
    intervals: list[tuple[Any, ...]] = []
    for file in files:
        _, metadata = load(file.path)
        species = SPECIES[file.nucleus]
        crystals[file.path.name] = len(metadata.fingerprints)
        for environment, count in metadata.environments.items():
            if environment.startswith(file.nucleus):
                held.setdefault(species, {}).setdefault(environment, set()).add(count)
        if metadata.calibration and not any(row[0] == species for row in intervals):
            own = Calibration.from_dict(metadata.calibration)
            kinds: dict[str, Calibration | KindWidths] = {"all": own, **own.kinds}
            intervals += [(species, k, w.n, w.coverage68, w.coverage95) for k, w in kinds.items()]
    seen = [
        (species, environment, min(counts))
        for species, own in held.items()
        for environment, counts in sorted(own.items(), key=lambda item: (-min(item[1]), item[0]))
    ]
    tables = (
        Table("environments", (
            Column("species"), Column("environment"),
            Column("training_crystals", "training crystals"),
        ), seen, "bonded environments of the training crystals"),
        Table("intervals", (
            Column("species"), Column("kind"), Column("n", "atoms"),
            Column("coverage68", "in 68 %", decimals=3),
            Column("coverage95", "in 95 %", decimals=3),
        ), intervals, "atoms inside their intervals, cross-validated over families of crystals"),
    )  # fmt: skip
    about: dict[str, Any] = {"model": files[0].model, "training_crystals": crystals}
    if not seen:
        about["notes"] = ("the files do not say what the networks have learned from",)
    return Document({}, [Entry(about, tables)])


def checked_table(rows: Sequence[Checked]) -> Table:
    """Files, and what is wrong with them."""
    columns = (
        Column("model"), Column("species"), Column("path", "file"), Column("state"),
        *(Column(name, None) for name in ("nucleus", "reason", "is_listed")),
    )  # fmt: skip
    values = []
    for row in rows:
        sound = "sound" if row.is_listed else "sound (no manifest gives its hash)"
        species = SPECIES[row.nucleus]
        values.append((
            row.model, species, str(row.path), row.reason or sound,
            row.nucleus, row.reason, row.is_listed,
        ))  # fmt: skip
    return Table("files", columns, values)
