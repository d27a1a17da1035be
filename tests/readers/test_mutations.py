"""Good crystals, damaged: what becomes of them is refused or told, not predicted in silence.

``SHIFTCLI_MUTATIONS=2000 pytest -s tests/readers/test_mutations.py`` makes more of them, and of
crystals on which no limit was set where they are: of the Crystallography Open Database, and
displaced copies of published ones, without symmetry; the table by kind is printed.
"""

import os
import re
from collections import Counter
from functools import cache
from itertools import islice
from pathlib import Path

import gemmi
import numpy as np
import pytest

from shiftcli.errors import ShiftcliError
from shiftcli.network.checkpoint import load
from shiftcli.prediction.evidence import UNSEEN, describe_atoms
from shiftcli.prediction.predictor import prepare
from shiftcli.readers import iter_structures, read
from shiftcli.readers.atoms import element_of
from shiftcli.structure.bonds import find_bonds

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SHORT = 64
COUNT = int(os.environ.get("SHIFTCLI_MUTATIONS", str(SHORT)))
GOOD = ("2007300", "2010359", "2100348-benzene", "2202108", "2300214-r274507", "7105573-no-Z")


@cache
def environments():
    """What the networks that ship have learned from."""
    networks = (load(file)[1] for file in (ROOT / "weights").glob("*.safetensors"))
    return {one.nucleus: one.environments for one in networks}


def outcome(path):
    """What is predicted of a file, its flags and kinds of its notes; None where it is refused."""
    try:
        (crystal,) = read(path)
        crystal = prepare(crystal)
    except ShiftcliError:
        return None
    volume = 0.0 if crystal.cell is None else round(abs(np.linalg.det(crystal.cell)), 1)
    bonds = tuple(sorted(Counter(find_bonds(crystal).coordination.tolist()).items()))
    # A note that was there may go: its kind counts, not how many there are.
    notes = {re.sub(r"[-+\d.]+", "#", note)[:40] for note in crystal.warnings}
    seen = describe_atoms(crystal, environments()).precedents
    return (crystal.formula, volume, bonds), notes | ({UNSEEN} if (seen == 0).any() else set())


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


def scale_cell(block, rng):
    factor = rng.choice([0.9, 0.95, 1.05, 1.1])
    for axis in "abc":
        tag = f"_cell_length_{axis}"
        value = gemmi.cif.as_number(block.find_value(tag))
        block.set_pair(tag, f"{value * factor:.4f}")


def exchange_symbols(block, rng):
    """As where the list of elements is in another order than the atoms."""
    loop = block.find(["_atom_site_label"]).loop
    if "_atom_site_type_symbol" not in loop.tags:
        loop.add_columns(["_atom_site_type_symbol"], "?")
    column, label = (loop.tags.index(f"_atom_site_{t}") for t in ("type_symbol", "label"))
    first, other = rng.choice([["H", "C"], ["H", "O"], ["N", "O"], ["C", "N"]]).tolist()
    for row in range(loop.length()):
        symbol = element_of(loop[row, label])
        loop[row, column] = {first: other, other: first}.get(symbol, symbol)


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
    "the cell scaled": scale_cell,
    "symbols exchanged": exchange_symbols,
    "an occupancy changed": change_occupancy,
}


#: What a file says beside its cell, operations and atoms.
STATEMENTS = (
    "_chemical_formula_sum", "_cell_volume", "_exptl_crystal_density_diffrn",
    "_symmetry_space_group_name_H-M", "_symmetry_space_group_name_Hall",
    "_space_group_name_H-M_alt", "_space_group_name_Hall", "_space_group_IT_number",
    "_symmetry_Int_Tables_number",
)  # fmt: skip


def damaged(text, kind, rng, forgets):
    """Text of a file with one thing wrong; with nothing to hold it against where it forgets."""
    document = gemmi.cif.read_string(text)
    block = next(b for b in document if b.find_loop("_atom_site_label"))
    for tag in STATEMENTS if forgets else ():
        if item := block.find_pair_item(tag):
            item.erase()
    if kind == "the end cut off":
        whole = document.as_string()
        first = whole.index("_atom_site_label")
        return whole[: int(rng.integers(first, len(whole)))]
    DAMAGE[kind](block, rng)
    return document.as_string()


def as_cif(crystal):
    """All atoms of a cell, in P 1."""
    lengths = np.linalg.norm(crystal.cell, axis=1)
    cosines = (crystal.cell @ crystal.cell.T) / np.outer(lengths, lengths)
    angles = np.degrees(np.arccos([cosines[1, 2], cosines[0, 2], cosines[0, 1]]))
    cell = [f"_cell_length_{a} {v:.6f}" for a, v in zip("abc", lengths, strict=True)]
    names = ("alpha", "beta", "gamma")
    cell += [f"_cell_angle_{a} {v:.6f}" for a, v in zip(names, angles, strict=True)]
    columns = [f"_atom_site_{c}" for c in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    places = crystal.positions @ np.linalg.inv(crystal.cell)
    rows = [
        f"{e}{k} {e} {x:.6f} {y:.6f} {z:.6f}"
        for k, (e, (x, y, z)) in enumerate(zip(crystal.elements, places.tolist(), strict=True))
    ]
    formula = f"_chemical_formula_sum '{crystal.formula}'\n_cell_formula_units_Z 1"
    cell.append(f"_cell_volume {abs(np.linalg.det(crystal.cell)):.2f}")
    symmetry = "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z"
    head = [f"data_{crystal.name}", *cell, formula, symmetry, "loop_"]
    return "\n".join([*head, *columns, *rows]) + "\n"


def originals():
    """Texts of good crystals."""
    files = [ROOT / "examples" / "urea.cif"]
    if COUNT == SHORT or not DATA.is_dir():
        return [file.read_text() for file in files]
    files += [DATA / "structures" / f"{name}.cif" for name in GOOD]
    displaced = islice(iter_structures(DATA / "csd-396-rattled.xyz"), 0, None, 40)
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    return texts + [as_cif(crystal) for crystal in displaced]


def test_damage_is_refused_or_told(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "mutant.cif"
    table = {kind: Counter() for kind in (*DAMAGE, "the end cut off")}
    texts = []
    for text in originals():
        path.write_text(text)
        texts += [(text, forgets, outcome(path)) for forgets in (False, True)]
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
        elif after[1] - notes:
            table[kind]["told"] += 1
        else:
            table[kind]["silent"] += 1
            silent.append(f"{k} {kind}: {before[0]} {before[1]} -> {after[0][0]} {after[0][1]}")
    for kind, counts in table.items():
        print(f"{kind:22}", dict(counts))
    print("silent:", *silent, sep="\n")
    changed = sum(sum(c.values()) - c["the same crystal"] for c in table.values())
    assert changed > COUNT / 2
    assert len(silent) <= 0.01 * changed, silent


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_damage_changes_the_text(kind):
    text = originals()[0]
    assert (
        damaged(text, kind, np.random.default_rng(1), False)
        != gemmi.cif.read_string(text).as_string()
    )
