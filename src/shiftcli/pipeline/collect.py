"""What many runs have kept in a folder becomes one result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftcli.errors import Failure, ReadError, ShiftcliError, UsageError, counted
from shiftcli.nmr.shifts import References
from shiftcli.pipeline.store import Entry as FileEntry
from shiftcli.pipeline.store import key_of, lines_of
from shiftcli.pipeline.stored import numbers_of
from shiftcli.results.predictions import site_columns
from shiftcli.results.provenance import conversion
from shiftcli.results.tables import Document, Entry, Table
from shiftcli.structure.nuclei import ELEMENTS, SPECIES


def collect(
    folder: str | Path, *, references: References | None = None, precision: int = 2, run: str = ""
) -> Document:
    """Put the shieldings of all runs in a folder together.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of ``predict --output`` or of ``--work``, of any number of shards.
    references : References, optional
        Turn shieldings into shifts.
    precision : int
        Decimals of ppm.
    run : str
        Beginning of the hash of the options and networks whose results are wanted, where the
        folder holds those of several.

    Returns
    -------
    Document
        Read from the folder whenever it is asked for, not held in memory. Its failures are the
        input files with structures that could not be predicted.

    Raises
    ------
    ReadError
        If the folder holds no shieldings, or cannot be read.
    UsageError
        If it holds those of several runs and `run` names none of them.
    """
    found: Counter[str] = Counter()
    heads: dict[str, dict[str, Any]] = {}
    files: dict[str, FileEntry] = {}
    for line in lines_of(Path(folder)):
        if key_of(line) is not None and isinstance(line.get("run"), str):
            found[line["run"]] += 1
        elif (entry := FileEntry.read(line)) is not None:
            files[entry.file] = entry
        elif isinstance(line.get("run"), str) and isinstance(line.get("model"), str):
            heads[line["run"]] = line
    chosen = [name for name in found if name.startswith(run)]
    if not found:
        raise ReadError("no shieldings that a run has kept", where=str(folder))
    if len(chosen) != 1:
        listed = ", ".join(f"{name[:8]} ({counted(n, 'structure')})" for name, n in found.items())
        raise UsageError(
            f"'{folder}' holds results of {counted(len(found), 'set')} of options and networks",
            hint=f"--run one of {listed}",
        )
    (name,) = chosen
    failures = [
        Failure(file, ShiftcliError(text)) for file, one in files.items() for text in one.failures
    ]
    given = references or References()
    kept = {k: heads.get(name, {}).get(k) for k in ("program", "version", "model", "weights")}
    units = dict.fromkeys(("shielding", "uncertainty", "uncertainty95", "shift"), "ppm")
    head = {**kept, "run": name, "units": units, **conversion(given)}
    entries = _Entries(Path(folder), name, given, precision)
    return Document(head, entries, "structures", failures)


@dataclass(frozen=True)
class _Entries:
    folder: Path
    run: str
    references: References
    precision: int

    def __iter__(self) -> Iterator[Entry]:
        seen: set[int] = set()
        for line in lines_of(self.folder):
            key = key_of(line)
            if key is None or line.get("run") != self.run:
                continue
            # Shards may have seen the same file; 8 bytes tell millions apart.
            one = hash((key, str(line.get("structure"))))
            if one not in seen and (entry := self._entry(line)) is not None:
                seen.add(one)
                yield entry

    def _entry(self, line: Mapping[str, Any]) -> Entry | None:
        """The structure of a line; None where it is no whole one."""
        numbers, sites = numbers_of(line), line.get("sites")
        if numbers is None or not isinstance(sites, list) or len(sites) != len(numbers):
            return None
        columns, rows = site_columns(self.precision), []
        for site, values in zip(sites, numbers, strict=True):
            if not isinstance(site, list) or len(site) != 5 or site[1] not in ELEMENTS:
                return None
            label, element, multiplicity, flags, precedents = site
            row: dict[str, Any] = dict(
                zip(("shielding", "uncertainty", "uncertainty95"), values, strict=True)
            )
            row |= {
                "labels": str(label), "species": SPECIES[element],
                "multiplicity": multiplicity if isinstance(multiplicity, int) else None,
                "shift": self.references.shift(element, values[0]), "flags": (str(flags),),
                "training_crystals": precedents if isinstance(precedents, int) else None,
            }  # fmt: skip
            rows.append(tuple(row.get(column.key) for column in columns))
        about = {key: str(line.get(name, "")) for key, name in _ABOUT.items()}
        warnings = line.get("warnings")
        notes = tuple(map(str, warnings)) if isinstance(warnings, list) else ()
        title = str(line.get("structure", ""))
        table = Table("sites", columns, rows, title, about["formula"])
        return Entry({**about, "warnings": notes}, (table,))


#: What a document says of a structure, by the names of its line.
_ABOUT = {"file": "source", "name": "name", "formula": "formula"}
