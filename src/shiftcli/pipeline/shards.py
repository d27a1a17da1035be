"""A part of the files, so that several machines share a run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shiftcli.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """The k-th, from 1, of n parts of a run; every n-th file, from the k-th on."""

    #: Which part, from 1, of how many.
    k: int
    n: int

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n <= 100_000:
            raise UsageError(f"shard {self.k}/{self.n}: there is no such part")

    @property
    def word(self) -> str:
        """As it stands in names of files."""
        return f"{self.k}-of-{self.n}"

    def of(self, files: Sequence[str]) -> list[str]:
        """The files of this part."""
        return list(files[self.k - 1 :: self.n])


def parse_shard(text: str) -> Shard:
    """Read ``2/8``; `UsageError` if it is no such pair, or there is no such part."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text, re.ASCII)
    if found is None:
        raise UsageError(f"--shard: '{text}' is not a part and their number, such as 2/8")
    return Shard(int(found[1]), int(found[2]))


def shard_of_array(environment: Mapping[str, str] = os.environ) -> Shard | None:
    """The part of this task of a SLURM array; None outside of one."""
    try:
        count, task, first, step = (
            int(environment.get(f"SLURM_ARRAY_TASK_{name}", default))
            for name, default in (("COUNT", ""), ("ID", ""), ("MIN", ""), ("STEP", "1"))
        )
    except ValueError:
        return None
    if count < 2 or step < 1:
        return None
    return Shard((task - first) // step + 1, count)
