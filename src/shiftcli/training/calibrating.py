"""Intervals of finished networks, fitted anew to the errors of a cross-validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shiftcli.errors import WeightsError
from shiftcli.network.calibration import Calibration, KindWidths
from shiftcli.prediction.uncertainty import fit
from shiftcli.structure.crystal import SPECIES
from shiftcli.training.committee import store_calibration
from shiftcli.training.out_of_fold import parse_table, predicted_columns
from shiftcli.weights.manifest import networks_in


def recalibrate(
    folder: str | Path, table: str | Path, *, on_note: Callable[[str], None] = print
) -> dict[str, Calibration]:
    """Fit the intervals of networks to out-of-fold errors, and write them into their files.

    The files of the directory are rewritten; their tensors stay bit for bit. A manifest beside them
    has to be written again. `table` is the ``out-of-fold.csv`` of `shiftcli.training.refits.refit`:
    errors of networks of the same recipe, or of one that errs no less. Where a fold had one network
    of a nucleus, the spread between members does not count. `on_note` is told of the coverage by
    kind and of the likelihoods. Calibrations come back by element.

    `WeightsError` if there are no networks; `TrainingError` if the table is none, lacks a nucleus
    of theirs, or a file cannot be written.
    """
    files: dict[str, list[Path]] = {}
    for file in networks_in(Path(folder)):  # a manifest need not know what was written since
        files.setdefault(file.nucleus, []).append(file.path)
    if not files:
        raise WeightsError("no networks", where=str(folder))
    made = parse_table(Path(table), lambda rows: {
        element: _fit([row for row in rows if row["species"] == SPECIES[element]], len(paths))
        for element, paths in files.items()
    })  # fmt: skip
    for element, paths in files.items():
        store_calibration(paths, made[element])
        on_note(coverage_text(element, made[element]))
    return made


def _fit(rows: Sequence[Mapping[str, str]], members: int) -> Calibration:
    """The calibration of a committee by the rows of its nucleus."""
    shielding, between, within, evidence = predicted_columns(rows)
    error = shielding - [float(row["reference"]) for row in rows]
    weights, families = ([int(row[name]) for row in rows] for name in ("multiplicity", "family"))
    return fit(error, between, within, weights, families, members=members, evidence=evidence)


def coverage_text(element: str, calibration: Calibration) -> str:
    """Coverage by kind and likelihoods of a calibration, as lines of text."""
    rows: list[tuple[str, Calibration | KindWidths]] = [("all", calibration)]
    rows += calibration.kinds.items()
    lines = [f"{SPECIES[element]}: {calibration.crystals} families, in percent, cross-validated"]
    for name, widths in rows:
        inside = [
            "–" if value is None else f"{100 * value:.0f}"
            for value in (widths.coverage68, widths.coverage95)
        ]
        lines.append(f"  {name:22s} n {widths.n:5d}  inside {inside[0]:>3s} {inside[1]:>3s}")
    losses = ", ".join(f"{form} {value:.4f}" for form, value in calibration.likelihoods.items())
    return "\n".join([*lines, f"  mean −ln likelihood: {losses}"])
