"""What a data set holds before anything is trained on it: Table 1 of the paper, and more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from shiftcli.results.tables import Column, Table
from shiftcli.structure.crystal import ELEMENTS, SPECIES, Crystal
from shiftcli.training.data import is_usual, is_validation
from shiftcli.training.families import family_name, find_lookalikes
from shiftcli.training.sources import Labelled

#: Parts of a level: the main one is split, the others are learned from as a whole.
Part = Literal["training", "validation", "all"]


@dataclass(frozen=True)
class NucleusData:
    """Atoms of one nucleus in one part of the data."""

    level: str  #: Level of theory, may be empty for the main one.
    part: Part  #: Training or validation crystals of the main level, or all of another.
    species: str  #: Nuclide, such as ``13C``.
    crystals: int  #: Crystals with such atoms.
    atoms: int  #: Such atoms in their unit cells.
    distinct: int  #: Symmetry-distinct ones among them.
    labelled: int  #: Distinct atoms with a shielding.
    #: Distinct atoms that are skipped, since they or one of their copies have none.
    unlabelled: int
    #: Labelled distinct atoms that are dropped: 1H outside `H_RANGE`, training crystals of the main
    #: level only (paper, "Data").
    outliers: int
    #: Of the shieldings that remain, in ppm; mean and standard deviation count each distinct atom
    #: with its multiplicity. None where none remains.
    lowest: float | None
    highest: float | None
    mean: float | None
    std: float | None


@dataclass(frozen=True)
class Family:
    """Crystals that stay on one side of every split though a split by crystal would part them."""

    name: str  #: What they have in common.
    part: Part  #: Where they are.
    crystals: tuple[str, ...]  #: File and name of each.


@dataclass(frozen=True)
class DataReport:
    """What a data set holds."""

    main: str  #: Name of the main level of theory, may be empty.
    #: By level (the main one first), part, and nucleus in the order H, C, N, O; without rows for
    #: nuclei that a part does not hold.
    rows: tuple[NucleusData, ...]
    #: Those that a split by crystal, every eighth one, would have torn.
    families: tuple[Family, ...]
    problems: tuple[str, ...]  #: What was left out or is odd.


def describe(labelled: Labelled) -> DataReport:
    """Count the samples of a data set by level of theory, part and nucleus.

    The split is that of a run without ``folds``. Symmetry is searched for where the files state
    none; nothing else is computed.
    """
    rows: list[NucleusData] = []
    held_out = {k: c for k, c in labelled.main.items() if is_validation(labelled.families[k])}
    learned = {k: c for k, c in labelled.main.items() if k not in held_out}
    rows += _describe_part(labelled.level, "training", learned)
    rows += _describe_part(labelled.level, "validation", held_out)
    for level, crystals in labelled.auxiliary.items():
        rows += _describe_part(level, "all", crystals)
    problems = [*labelled.problems, *_lookalikes(labelled)]
    return DataReport(labelled.level, tuple(rows), _torn(labelled), tuple(problems))


def _torn(labelled: Labelled) -> tuple[Family, ...]:
    """Families of which some crystals would validate, and some train, if each stood alone."""
    members: dict[int, list[int]] = defaultdict(list)
    for number in labelled.main:
        members[labelled.families[number]].append(number)
    return tuple(
        Family(
            family_name(labelled.main[own[0]], labelled.family_key),
            "validation" if is_validation(family) else "training",
            tuple(labelled.main[k].where for k in own),
        )
        for family, own in members.items()
        if len({bool(is_validation(k)) for k in own}) > 1
    )


def _lookalikes(labelled: Labelled) -> list[str]:
    """A line on crystals that may be copies of one, though their names do not say so."""
    found = find_lookalikes(labelled.main, labelled.families)
    if not found:
        return []
    one, other = (labelled.main[k].where for k in found[0])
    return [
        f"crystals with formula and cell of one that is not of their family: {len(found)}, first "
        f"{one} and {other}; copies under one NAME, or one --family, keep to one side of a split"
    ]


def _describe_part(level: str, part: Part, crystals: Mapping[int, Crystal]) -> list[NucleusData]:
    sites: dict[str, list[tuple[float, ...]]] = {element: [] for element in ELEMENTS}
    for number, crystal in crystals.items():
        if crystal.shieldings is None:
            continue
        for site in crystal.sites:
            label = crystal.shieldings[site.atoms].mean()
            sites[site.element].append((number, site.multiplicity, label))
    return [
        _describe_nucleus(level, part, element, np.array(rows))
        for element, rows in sites.items()
        if rows
    ]


def _describe_nucleus(level: str, part: Part, element: str, sites: np.ndarray) -> NucleusData:
    """Count the distinct atoms of one nucleus.

    `sites` has a row of crystal, multiplicity and shielding (ppm) for each, shape (n, 3).
    """
    crystals, multiplicities, labels = sites.T
    kept = known = np.isfinite(labels)
    if part == "training":
        kept = known & is_usual(labels, element)
    values, weights = labels[kept], multiplicities[kept]
    spread: tuple[float, ...] | tuple[None, ...] = (None,) * 4
    if len(values):
        mean = np.average(values, weights=weights)
        std = np.average((values - mean) ** 2, weights=weights) ** 0.5
        spread = tuple(float(x) for x in (values.min(), values.max(), mean, std))
    return NucleusData(
        level=level,
        part=part,
        species=SPECIES[element],
        crystals=len(np.unique(crystals)),
        atoms=int(multiplicities.sum()),
        distinct=len(sites),
        labelled=int(known.sum()),
        unlabelled=int((~known).sum()),
        outliers=int((known & ~kept).sum()),
        **dict(zip(("lowest", "highest", "mean", "std"), spread, strict=True)),
    )


def data_tables(report: DataReport) -> list[Table]:
    """What a data set holds: a table for each level of theory, and one of its problems."""
    columns = (
        Column("part"), Column("species", "nucleus"), Column("crystals"), Column("atoms"),
        Column("distinct"), Column("labelled"), Column("unlabelled"), Column("outliers"),
        *(Column(key, unit="ppm", decimals=2) for key in ("lowest", "highest", "mean", "std")),
    )  # fmt: skip
    levels: dict[str, list[tuple[Any, ...]]] = {}
    for row in report.rows:
        values = tuple(getattr(row, column.key) for column in columns)
        levels.setdefault(row.level, []).append(values)
    tables = [
        Table(
            f"level {level}", columns, rows,
            f"{'main' if level == report.main else 'further'} level {level}".rstrip(),
            "shieldings in ppm",
        )
        for level, rows in levels.items()
    ]  # fmt: skip
    if report.families:
        shown = [(f.name, f.part, len(f.crystals)) for f in report.families]
        columns = (Column("family"), Column("part"), Column("crystals"))
        title = "families that a split by crystal would have torn"
        tables.append(Table("families", columns, shown, title))
    if report.problems:
        rows = [(problem,) for problem in report.problems]
        tables.append(Table("problems", (Column("problems"),), rows))
    return tables
