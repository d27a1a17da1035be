"""Networks that can be had, and the state of their files, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from shiftcli.results.tables import Column, Table
from shiftcli.structure.crystal import SPECIES
from shiftcli.weights import Checked, Listed
from shiftcli.weights.manifest import Network


def inventory_table(rows: Sequence[Listed]) -> Table:
    """All networks."""
    shown = (
        Column("model"), Column("default", show=lambda is_default: "*" if is_default else ""),
        Column("species"), Column("member"), Column("megabytes", "MB", decimals=1),
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
