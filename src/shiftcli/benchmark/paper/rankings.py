"""Stated against observed probabilities of rankings, and what other constants would do."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftcli.benchmark.accuracy import find_seen
from shiftcli.benchmark.packing import KINDS
from shiftcli.benchmark.paper.result import Result, Value
from shiftcli.benchmark.paper.setting import Setting
from shiftcli.benchmark.rankings import (
    CandidateSet,
    Constants,
    Tally,
    experiment_of,
    make_set,
    measure_rankings,
    pose_all,
)
from shiftcli.errors import TrainingError, counted
from shiftcli.nmr.kinds import widening
from shiftcli.nmr.ranking import rank
from shiftcli.pipeline.stored import StoredPredictor
from shiftcli.prediction.predictor import Predictor
from shiftcli.structure.crystal import SPECIES, Crystal
from shiftcli.training.data import is_validation


@dataclass(frozen=True)
class _Size:
    """Crystals; which candidates of each; draws of the noise by labels."""

    sets: int
    kinds: tuple[str, ...]
    draws: Mapping[str, int]
    timed: int


_FULL = _Size(16, (*KINDS[:4], "packing", KINDS[4]), {"all": 4, "half": 1, "none": 1}, 1000)
_QUICK = _Size(2, KINDS[::3], {"all": 1, "half": 1, "none": 1}, 10)

#: Most distinct hydrogens and carbons of a crystal, for time.
_MOST_SITES = 40

#: Constants of a prototype on 29 candidates of cocaine; those that the errors of 34 crystals gave
#: then; and no share in common, normal errors.
_PROTOTYPE = Constants(5.0, {"H": (0.0, 0.45), "C": (0.0, 0.65)}, {})
_BEFORE = Constants(10.0, {"H": (0.0, 0.15), "C": (0.0, 0.3)}, {})
_INDEPENDENT = Constants(1e6, {"H": (0.0, 0.0), "C": (0.0, 0.0)}, {})


def ranking(setting: Setting) -> Result:
    """Rankings of known crystals among other structures of their molecules.

    Of the data validation crystals are taken that no network has learned from; predictions are kept
    in ``candidates`` below the setting's folder. For each nucleus and share of labels how often the
    true family is first; stated against observed probabilities, and other constants of the model,
    as remarks and series. `TrainingError` if the data hold no such crystal.
    """
    size = _QUICK if setting.quick else _FULL
    predictor = StoredPredictor(
        setting.folder / "candidates", setting.weights, nuclei=("H", "C"),
        device=setting.device, dtype="auto", hydrogens="keep",
    )  # fmt: skip
    factors = widening(predictor)
    with predictor.store:
        sets = _make_sets(setting, predictor, size)
    tallies = measure_rankings(sets, size.draws, factors, setting.note)
    rows: list[tuple[Value, ...]] = [
        ("+".join(SPECIES[e] for e in elements), word, len(tally.outcomes), *tally.figures())
        for (elements, word), tally in tallies.items()
    ]
    every = Tally([o for tally in tallies.values() for o in tally.outcomes])
    bins = list(every.bins())
    constants = _try_constants(sets, size.draws["all"], factors) if len(sets) > 1 else []
    copies = [
        (s.crystal.name, *row)
        for s in sets
        for row in zip(s.kinds, s.distances, s.families[1:], strict=True)
    ]
    near = [family == 0 for _, kind, _, family in copies if kind == "near copy"]
    far = [family == 0 for _, kind, _, family in copies if kind != "near copy"]
    return Result(
        "ranking", "Known crystals among other structures of their molecules",
        ("nuclei", "labels", "rankings", "first", "stated", "in set", "size", "of", "ln P",
         "chance"),
        tuple(rows),
        (
            f"{len(sets)} crystals that no network has learned from, {len(copies)} other "
            "structures; shifts are GIPAW's with 0.4 (1H) and 2.2 ppm (13C) of noise",
            f"of near copies {sum(near)} of {len(near)} are in the family of their crystal, of "
            f"the others {sum(far)} of {len(far)}",
            "of the true family: how often it is first, and in the set that cannot be told apart, "
            "which is of so many families; ln P, and that of an even guess",
            *(
                f"stated {low:g} to {high:g}: {stated:.3f}, observed {observed:.3f}, "
                f"standard error {error:.3f} ({count} families)"
                for low, high, stated, observed, error, count in bins
            ),
            *(f"{words}: {figures}" for words, figures in constants),
            _time(sets[-1], size.timed, factors),
        ),
        {
            "bins": (("from", "to", "stated", "observed", "standard error", "families"), bins),
            "candidates": (
                ("crystal", "kind", "distance/Å", "family"), copies,
            ),
        },
    )  # fmt: skip


def _make_sets(setting: Setting, predictor: Predictor, size: _Size) -> list[CandidateSet]:
    """Crystals that no network has learned from, with other candidates."""
    labelled = setting.labelled
    crystals = {
        k: c for k, c in labelled.main.items()
        if is_validation(labelled.families[k]) and _size(c) <= _MOST_SITES
    }  # fmt: skip
    for k in find_seen(predictor, crystals) or ():
        del crystals[k]
    sets: list[CandidateSet] = []
    for k, crystal in crystals.items():
        if len(sets) == size.sets:
            break
        made = make_set(crystal, size.kinds, predictor, k)
        if made is not None:
            sets.append(made)
            setting.note(f"{crystal.name}: {counted(len(made.candidates), 'structure')} predicted")
    if not sets:
        raise TrainingError("no validation crystal of molecules that the networks do not know")
    return sets


def _size(crystal: Crystal) -> int:
    return sum(site.element in ("H", "C") for site in crystal.sites)


def _try_constants(
    sets: Sequence[CandidateSet], draws: int, factors: Mapping[str, float]
) -> list[tuple[str, str]]:
    """Mean ln P and coverage with labels: constants of today, and others."""
    experiments = {
        "1H": pose_all(sets, ("H",), draws, factors),
        "13C": pose_all(sets, ("C",), draws, factors),
        "1H+13C": pose_all(sets, ("H", "C"), draws, factors),
    }
    found = {
        "constants of today": Constants(),
        "differences between candidates as they are": Constants(resolved={}),
        "those before, from 34 crystals": _BEFORE,
        "the prototype's": _PROTOTYPE,
        "independent normal errors": _INDEPENDENT,
        "the same, power 0.4": replace(_INDEPENDENT, power=0.4),
    }
    rows = []
    for words, constants in found.items():
        figures = []
        for name, questions in experiments.items():
            tally = Tally([q.outcome(constants) for q in questions])
            _, _, inside, size, *_ = tally.figures()
            figures.append(f"{name} ln P {tally.mean_log:.3f}, {inside:.0%} in {size:.1f}")
        rows.append((words, "; ".join(figures)))
    return rows


def _time(own: CandidateSet, number: int, factors: Mapping[str, float]) -> str:
    """How long it takes to rank copies of a crystal with shieldings made up."""
    rng = np.random.default_rng(0)
    item = own.candidates[0]
    experiment = experiment_of(own.crystal, ("H", "C"), 1.0, (0, 0))
    copies = (
        replace(
            item,
            crystal=replace(item.crystal, name=str(k)),
            sites=tuple(
                replace(row, shielding=row.shielding + row.uncertainty * rng.normal())
                for row in item.sites
            ),
        )
        for k in range(number)
    )
    start = time.perf_counter()
    made = rank(copies, experiment, labels_from=own.crystal, factors=factors)
    seconds = time.perf_counter() - start
    return (
        f"{len(made.candidates)} candidates of {len(own.crystal)} atoms with "
        f"{len(experiment.peaks)} labelled peaks, once predicted, are ranked in {seconds:.1f} s"
    )
