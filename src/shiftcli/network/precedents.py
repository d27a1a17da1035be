"""What networks have learned from: the crystals, and how many hold each bonded environment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from shiftcli.errors import UsageError
from shiftcli.network.checkpoint import amend
from shiftcli.structure.bonded import count_families
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.fingerprint import Fingerprint, fingerprint


class Precedents(TypedDict):
    """Fields of `shiftcli.network.checkpoint.Metadata`, as `describe_training` makes them."""

    fingerprints: tuple[Fingerprint, ...]
    environments: dict[str, int]


def describe_training(
    crystals: Sequence[Crystal], families: Sequence[str] | None = None
) -> Precedents:
    """Describe training crystals for the files of the networks that learn from them.

    One fingerprint a family, and the families that hold each bonded environment. The crystals are
    of all families; displaced copies may be left out. Without `families` that of each is its name,
    or its place where it has none. `UsageError` if there are more or fewer families than crystals.
    """
    if families is None:
        families = [crystal.name or f"crystal {k}" for k, crystal in enumerate(crystals)]
    if len(families) != len(crystals):
        raise UsageError(f"{len(families)} families of {len(crystals)} crystals")
    first = {family: k for k, family in reversed(list(enumerate(families)))}
    prints = tuple(fingerprint(crystals[k]) for k in sorted(first.values()))
    return {"fingerprints": prints, "environments": count_families(crystals, families)}


def annotate(
    files: Sequence[Path], crystals: Sequence[Crystal], families: Sequence[str] | None = None
) -> None:
    """Write into networks' files what the networks have learned from; tensors stay bit for bit.

    As `describe_training` says it. A manifest beside them has to be written again. `WeightsError`
    if a file is no network, `OSError` if one cannot be written; the old file is still there.
    """
    described = describe_training(crystals, families)
    for path in files:
        amend(path, **described)
