"""What many runs have kept in a folder becomes one result."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from shiftcli import __version__
from shiftcli.errors import Failure, ReadError, ShiftcliError, UsageError, counted
from shiftcli.nmr.shifts import References
from shiftcli.pipeline.kept import prediction_of
from shiftcli.pipeline.spool import Spool
from shiftcli.pipeline.store import Entry, key_of, lines_of
from shiftcli.results.predictions import Results
from shiftcli.results.provenance import Origin
from shiftcli.weights.manifest import WeightFile


def collect(
    folder: str | Path, *, references: References | None = None, precision: int = 2, run: str = ""
) -> Results:
    """Put the predictions of all runs in a folder together.

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
    Results
        Of many its predictions lie in a file of the system's temporary folder, see `Spool`; its
        failures are the input files with structures that could not be predicted.

    Raises
    ------
    ReadError
        If the folder holds no shieldings, or cannot be read.
    UsageError
        If it holds those of several runs and `run` names none of them.
    """
    found: Counter[str] = Counter()
    heads: dict[str, dict[str, Any]] = {}
    files: dict[str, Entry] = {}
    for line in lines_of(Path(folder)):
        if key_of(line) is not None and isinstance(line.get("run"), str) and "site_ids" in line:
            found[line["run"]] += 1
        elif (entry := Entry.read(line)) is not None:
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
    failures = [
        Failure(file, ShiftcliError(text)) for file, one in files.items() for text in one.failures
    ]
    origin = _origin(heads.get(chosen[0], {}))
    spool = Spool()
    seen: set[int] = set()
    for line in lines_of(Path(folder)):
        # Shards may have seen the same file; 8 bytes tell millions apart.
        one = hash((key_of(line), str(line.get("structure"))))
        if key_of(line) is None or line.get("run") != chosen[0] or one in seen:
            continue
        if (prediction := prediction_of(line)) is not None:
            seen.add(one)
            spool.append(prediction)
    return Results(origin, spool, failures, references or References(), precision)


def _origin(head: dict[str, Any]) -> Origin:
    """What a list says of a run."""
    model, weights = str(head.get("model", "")), head.get("weights")
    pairs = weights.items() if isinstance(weights, dict) else ()
    return Origin(
        model, [WeightFile(Path(str(name)), model, "", str(sha)) for name, sha in pairs],
        str(head.get("version", __version__)),
    )  # fmt: skip
