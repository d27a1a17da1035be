"""Tables 1 to 4 of the paper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from shiftcli.benchmark.paper.result import Result
from shiftcli.benchmark.paper.setting import PAPER_KRR, PAPER_R2, PAPER_RMSE, Setting
from shiftcli.results.statistics import rmse
from shiftcli.structure.crystal import ELEMENTS, SPECIES
from shiftcli.training.config import SCALES, make_configuration
from shiftcli.training.folder import Task
from shiftcli.training.report import describe
from shiftcli.training.studies import Variation, study

#: Table 1: atoms for training and testing, without augmentation.
_PAPER_ATOMS = {
    "H": (76_174, 29_913), "C": (58_148, 26_607), "N": (27_814, 2_713), "O": (25_924, 5_404),
}  # fmt: skip

#: Orientations of each sample in the paper.
_FOLD = 8

#: Table 3: RMSE of MR-Arch with the grid it is best on (Å), and of MR-Input.
_PAPER_ARCH = {"H": (0.38, 10.0), "C": (3.5, 6.0), "N": (10.2, 8.0), "O": (16.3, 6.0)}
_PAPER_INPUT = {"H": 0.38, "C": 3.5, "N": 10.3, "O": 15.6}

#: Table 4: epochs and decay rate α.
_PAPER_SCHEDULE = {"H": (12, 0.6), "C": (15, 0.5), "N": (24, 0.25), "O": (24, 0.25)}

#: Epochs and nuclei of Table 3 where it has to be quick.
_QUICK_TABLE3 = {"N": 12, "O": 6}
_QUICK_BATCH = 64


def table1(setting: Setting) -> Result:
    """Atoms to learn from and to test on, with and without augmentation."""
    counts: dict[tuple[str, str], int] = {}
    distinct: dict[str, int] = {}
    for row in describe(setting.labelled).rows:
        if row.part != "all":
            counts[row.species, row.part] = row.atoms
        if row.part == "training":
            distinct[row.species] = row.labelled - row.outliers
    rows = []
    for element in ELEMENTS:
        species = SPECIES[element]
        learned, tested = (counts.get((species, part), 0) for part in ("training", "validation"))
        paper_learned, paper_tested = _PAPER_ATOMS[element]
        rows.append(
            (species, learned, learned * _FOLD, paper_learned, tested, tested * _FOLD,
             paper_tested, distinct.get(species, 0))
        )  # fmt: skip
    return Result(
        "table1", "Samples for training and testing",
        ("nucleus", "training", "8-fold", "paper", "testing", "8-fold", "paper",
         "distinct, training"),
        tuple(rows), (setting.size_note(trained=True),),
    )  # fmt: skip


def table2(setting: Setting) -> Result:
    """Errors of the networks, and how far below those of the KRR, the data's second label, they
    are.
    """
    rows = []
    for element, tested, error in setting.tested():
        weights, reference = tested.atoms.weights, tested.atoms.reference
        root, krr = rmse(error, weights), rmse(tested.atoms.baseline - reference, weights)
        spread = rmse(reference - np.average(reference, weights=weights), weights)
        paper = PAPER_RMSE[element]
        rows.append((
            SPECIES[element], root, None if math.isnan(krr) else 1.0 - root / krr,
            1.0 - (root / spread) ** 2, paper, 1.0 - paper / PAPER_KRR[element], PAPER_R2[element],
        ))  # fmt: skip
    return Result(
        "table2", "Testing RMSE, improvement on the KRR of 2018, and R²",
        ("nucleus", "RMSE/ppm", "below KRR", "R²", "paper RMSE/ppm", "paper below KRR",
         "paper R²"),
        tuple(rows), (setting.size_note(), "the KRR learned from 2,000 crystals in both"),
    )  # fmt: skip


def table3(setting: Setting) -> Result:
    """The network without its many grids, and without its cropping.

    Quick, two nuclei and the compact network for a few epochs.
    """
    nuclei = setting.nuclei or (tuple(_QUICK_TABLE3) if setting.quick else ELEMENTS)
    rows = []
    for element in nuclei:
        arch_rmse, grid = _PAPER_ARCH[element]
        found = {
            name: _trained_rmse(setting, element, name, changes)
            for name, changes in (
                ("MR-Arch", {"grid": grid}), ("MR-Input", {"crop": False}), ("full", {}),
            )
        }  # fmt: skip
        rows.append(
            (SPECIES[element], grid, found["MR-Arch"], found["MR-Input"], found["full"],
             PAPER_KRR[element], arch_rmse, _PAPER_INPUT[element], PAPER_RMSE[element])
        )  # fmt: skip
    differs = [setting.size_note(trained=True)]
    if setting.quick:
        epochs = ", ".join(f"{_QUICK_TABLE3.get(e, 6)} for {SPECIES[e]}" for e in nuclei)
        differs.append(f"the compact network in local frames, few epochs ({epochs})")
    return Result(
        "table3", "Testing RMSE/ppm of what the network is made of",
        ("nucleus", "grid/Å", "MR-Arch", "MR-Input", "MR-3D-DenseNet", "paper KRR",
         "paper MR-Arch", "paper MR-Input", "paper MR-3D-DenseNet"),
        tuple(rows), tuple(differs),
    )  # fmt: skip


def _trained_rmse(setting: Setting, element: str, name: str, changes: dict[str, Any]) -> float:
    """Validation RMSE of one ablation, trained for this purpose."""
    if setting.quick:
        quick = {"epochs": _QUICK_TABLE3.get(element, 6), "batch_size": _QUICK_BATCH}
        layers = (quick, changes)
        configuration = make_configuration("default", *layers)
    else:
        configuration = make_configuration("paper", changes)
    rows = study(
        Task(tuple(map(str, setting.data)), (element,), configuration),
        setting.folder / "runs" / f"table3-{element}-{name}",
        Variation(seeds=1 if setting.quick else 3),
        device=setting.device, on_epoch=setting.epoch, on_note=setting.note,
    )  # fmt: skip
    return next(row.rmse for row in rows if row.augmentation == "training and testing")


def table4(setting: Setting) -> Result:
    """Epochs and decay of the learning rate, as ``--protocol paper`` has them."""
    rows = []
    for element in ELEMENTS:
        own = make_configuration("paper").for_element(element)
        epochs, decay = _PAPER_SCHEDULE[element]
        rows.append((SPECIES[element], own.epochs, own.decay, SCALES[element], epochs, decay))
    return Result(
        "table4", "Epochs and decay rate of the learning rate",
        ("nucleus", "epochs", "decay α", "divisor/ppm", "paper epochs", "paper decay α"),
        tuple(rows),
    )  # fmt: skip
