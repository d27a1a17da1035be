"""Intervals of finished networks, fitted anew on crystals that they have not learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from shiftcli.errors import TrainingError, WeightsError
from shiftcli.network.calibration import Calibration, KindWidths
from shiftcli.network.devices import resolve_device
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.structure.kinds import environment_classes
from shiftcli.training.atoms import LabelledAtoms, collect_atoms
from shiftcli.training.committee import calibrate, judge, store_calibration
from shiftcli.training.data import is_validation
from shiftcli.training.families import family_name
from shiftcli.training.sources import load_levels
from shiftcli.weights.manifest import networks_in

#: Distinct atoms of one kind that are predicted in each file at most.
MOST_OF_A_KIND = 60


def recalibrate(
    folder: str | Path,
    data: str | Path,
    copies: Sequence[str | Path] = (),
    *,
    device: str = "auto",
    most: int = MOST_OF_A_KIND,
    on_note: Callable[[str], None] = print,
) -> dict[str, Calibration]:
    """Predict the validation crystals, fit the intervals, write them into the networks' files.

    The files of the directory are rewritten; their tensors stay bit for bit. A manifest beside them
    has to be written again. Of `data`, crystals with shieldings, every eighth from the first on is
    taken; of `copies`, displaced copies of the same crystals, of the same names and order of atoms,
    one atom of each distinct site. `most` distinct atoms of one kind are predicted in each file,
    spread evenly over the crystals and counted for all of it. `on_note` is told of the coverage by
    kind and of the likelihoods. Calibrations come back by element.

    `WeightsError` if there are no networks, `TrainingError` if the data hold no labelled crystals,
    or a file cannot be written.
    """
    crystals = {k: c for k, c in load_levels([data]).main.items() if is_validation(k)}
    if not crystals:
        raise TrainingError("no validation crystals", where=str(data))
    # The copies of a crystal are of its family; their sites are those of the crystal itself.
    groups = [(crystals, crystals)]
    numbers = {family_name(c) or f"#{k}": k for k, c in crystals.items()}
    for path in copies:
        own = load_levels([path]).main.values()
        found = {numbers[n]: c for c in own if (n := family_name(c)) in numbers}
        groups.append((found, {k: crystals[k] for k in found}))
    files: dict[str, list[Path]] = {}
    for file in networks_in(Path(folder)):  # a manifest need not know what was written since
        files.setdefault(file.nucleus, []).append(file.path)
    if not files:
        raise WeightsError("no networks", where=str(folder))
    made = {}
    for element, paths in files.items():
        parts = [_sample(own, symmetric, element, most) for own, symmetric in groups]
        judged = judge(
            paths, LabelledAtoms.concatenate([p for p in parts if len(p)]), resolve_device(device)
        )
        made[element] = calibrate(judged, len(paths))
        store_calibration(paths, made[element])
        on_note(coverage_text(element, made[element]))
    return made


def _sample(
    crystals: Mapping[int, Crystal], symmetric: Mapping[int, Crystal], element: str, most: int
) -> LabelledAtoms:
    """Labelled atoms of one element, at most so many of a kind, their weights those of all.

    `symmetric` holds, by the same numbers, the crystals whose sites say which atoms are alike.
    """
    sites = [
        (number, site)
        for number, crystal in symmetric.items()
        for site in crystal.sites
        if site.element == element
    ]
    classes = {number: environment_classes(crystal) for number, crystal in symmetric.items()}
    kinds = np.array([classes[number][site.atoms[0]] for number, site in sites], dtype=object)
    chosen: dict[int, float] = {}
    counts = np.array([site.multiplicity for _, site in sites], dtype=float)
    for kind in dict.fromkeys(kinds.tolist()):
        rows = np.flatnonzero(kinds == kind)
        picked = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
        share = counts[rows].sum() / counts[picked].sum()
        chosen.update(zip(picked.tolist(), (share * counts[picked]).tolist(), strict=True))
    masked: dict[int, Crystal] = {}
    weights = []
    for row in sorted(chosen):
        number, site = sites[row]
        crystal = crystals[number]
        # In a displaced copy no two atoms are alike.
        atoms = site.atoms if crystal is symmetric[number] else site.atoms[:1]
        assert crystal.shieldings is not None
        labels = crystal.shieldings[atoms]
        if not np.isfinite(labels).all():
            continue
        if number not in masked:
            nothing = np.full(len(crystal), np.nan)
            masked[number] = replace(crystal, shieldings=nothing)
        shieldings = masked[number].shieldings
        assert shieldings is not None
        shieldings[atoms] = labels
        weights.append(chosen[row])
    found = collect_atoms(masked, element)
    return replace(found, weights=np.array(weights))


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
