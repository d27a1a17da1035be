"""Good crystals, damaged: what becomes of them is refused or told, not predicted in silence.

``SHIFTCLI_MUTATIONS=2000 pytest -s tests/readers/test_mutations.py`` makes more of them, and of
the published crystals where they are; the table by kind is printed.
"""

import os
from collections import Counter
from pathlib import Path

import gemmi
import numpy as np
import pytest

from shiftcli.errors import ShiftcliError
from shiftcli.prediction.predictor import prepare
from shiftcli.readers import read
from shiftcli.structure.bonds import find_bonds

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "structures"
COUNT = int(os.environ.get("SHIFTCLI_MUTATIONS", "60"))
GOOD = ("2007300", "2010359", "2100348-benzene", "2202108", "2300214-r274507", "7105573-no-Z")


def outcome(path):
    """What is predicted of a file, and its notes; None where it is refused."""
    try:
        (crystal,) = read(path)
        crystal = prepare(crystal)
    except ShiftcliError:
        return None
    volume = 0.0 if crystal.cell is None else round(abs(np.linalg.det(crystal.cell)), 1)
    bonds = tuple(sorted(Counter(find_bonds(crystal).coordination.tolist()).items()))
    return (crystal.formula, volume, bonds), crystal.warnings


def delete(block, rng, rows):
    table = block.find(["_atom_site_label"])
    loop = table.loop
    columns = [loop.values[k :: loop.width()] for k in range(loop.width())]
    start = int(rng.integers(len(columns[0])))
    gone = {(start + k) % len(columns[0]) for k in range(rows)}
    loop.set_all_values([[v for k, v in enumerate(c) if k not in gone] for c in columns])


def drop_operations(block, rng):
    for tag in ("_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"):
        if loop := block.find_loop(tag).get_loop():
            columns = [loop.values[k :: loop.width()] for k in range(loop.width())]
            left = max(1, len(columns[0]) // int(rng.integers(2, 5)))
            loop.set_all_values([c[:left] for c in columns])


def scale_axis(block, rng):
    tag = f"_cell_length_{rng.choice(list('abc'))}"
    value = gemmi.cif.as_number(block.find_value(tag))
    block.set_pair(tag, f"{value * rng.choice([0.85, 0.9, 1.1, 1.2, 2.0]):.4f}")


def change_occupancy(block, rng):
    loop = block.find(["_atom_site_label"]).loop
    if "_atom_site_occupancy" not in loop.tags:
        loop.add_columns(["_atom_site_occupancy"], "1")
    column = loop.tags.index("_atom_site_occupancy")
    loop[int(rng.integers(loop.length())), column] = str(rng.choice(["0.2", "0.4", "0"]))


DAMAGE = {
    "an atom deleted": lambda block, rng: delete(block, rng, 1),
    "three atoms deleted": lambda block, rng: delete(block, rng, 3),
    "operations dropped": drop_operations,
    "an axis scaled": scale_axis,
    "an occupancy changed": change_occupancy,
}


def damaged(text, kind, rng, forgets):
    """Text of a file with one thing wrong; without its formula where it is to be forgetful."""
    document = gemmi.cif.read_string(text)
    block = next(b for b in document if b.find_loop("_atom_site_label"))
    for tag in ("_chemical_formula_sum", "_cell_volume", "_exptl_crystal_density_diffrn"):
        if forgets and (item := block.find_pair_item(tag)):
            item.erase()
    if kind == "the end cut off":
        whole = document.as_string()
        first = whole.index("_atom_site_label")
        return whole[: int(rng.integers(first, len(whole)))]
    DAMAGE[kind](block, rng)
    return document.as_string()


def originals():
    files = [ROOT / "examples" / "urea.cif"]
    if COUNT > 60 and SHARED.is_dir():
        files += [SHARED / f"{name}.cif" for name in GOOD]
    return files


def test_damage_is_refused_or_told(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "mutant.cif"
    table = {kind: Counter() for kind in (*DAMAGE, "the end cut off")}
    texts = []
    for file in originals():
        text = file.read_text(encoding="utf-8", errors="replace")
        for forgets in (False, True):
            document = damaged(text, "an atom deleted", np.random.default_rng(0), forgets)
            assert document
            texts.append((text, forgets, outcome(file)))
    silent = []
    for k in range(COUNT):
        text, forgets, (before, notes) = texts[k % len(texts)]
        kind = list(table)[(k // len(texts)) % len(table)]
        path.write_text(damaged(text, kind, rng, forgets))
        after = outcome(path)
        if after is None:
            table[kind]["refused"] += 1
        elif after[0] == before:
            table[kind]["the same crystal"] += 1
        elif len(after[1]) > len(notes):
            table[kind]["told"] += 1
        else:
            table[kind]["silent"] += 1
            silent.append(f"{kind}: {before[0]} {before[1]} -> {after[0][0]} {after[0][1]}")
    for kind, counts in table.items():
        print(f"{kind:22}", dict(counts))
    changed = sum(sum(c.values()) - c["the same crystal"] for c in table.values())
    assert changed > COUNT / 2
    assert len(silent) <= 0.01 * changed, silent


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_damage_changes_the_text(kind):
    text = originals()[0].read_text()
    assert (
        damaged(text, kind, np.random.default_rng(1), False)
        != gemmi.cif.read_string(text).as_string()
    )
