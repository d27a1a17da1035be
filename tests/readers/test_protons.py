"""Half-occupied hydrogens: every molecule has its own, or the file is refused."""

from pathlib import Path

import numpy as np
import pytest

from shiftcli.errors import ReadError
from shiftcli.readers import read
from shiftcli.structure.bonds import find_bonds

CASES = Path(__file__).parents[3] / "shared" / "cases" / "half-hydrogens"


def cif(rows, edges, operations=("x,y,z",), group=""):
    lines = ["data_x", *(f"_cell_length_{a} {x}" for a, x in zip("abc", edges, strict=True))]
    lines += [f"_cell_angle_{a} 90" for a in ("alpha", "beta", "gamma")]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{o}'" for o in operations), "loop_"]
    names = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", group)
    return "\n".join([*lines, *(f"_atom_site_{n}" for n in names if n), *rows, ""])


#: A chain of water along a: a full hydrogen across it, two half ones along it.
CHAIN = ["O1 O 0.25 0.5 0.5 1 .", "H1 H 0.25 0.5 0.75 1 .", "H2 H 0.08 0.47 0.5 0.5 .",
         "H3 H 0.42 0.47 0.5 0.5 ."]  # fmt: skip
CENTRE = ("x,y,z", "-x,-y+1,z")


def hydrogens_on_oxygens(path):
    (crystal,) = read(path)
    counts = find_bonds(crystal).count("H")
    return crystal, counts[crystal.elements == "O"].tolist()


@pytest.mark.parametrize("groups", ["...", ".12", ".21", ".11"])
def test_each_water_of_a_chain_has_two(tmp_path, groups):
    marks = dict(zip(("H1", "H2", "H3"), groups, strict=True))
    rows = [f"{row[:-1]}{marks.get(row[:2], '.')}" for row in CHAIN]
    path = tmp_path / "chain.cif"
    path.write_text(cif(rows, (5.5, 4.0, 4.0), CENTRE, "disorder_group"))
    crystal, counts = hydrogens_on_oxygens(path)
    assert counts == [2, 2]
    assert "one arrangement with whole molecules taken for H2, H3" in " ".join(crystal.warnings)
    assert len({site.label for site in crystal.sites}) == len(crystal.sites)


@pytest.mark.parametrize(
    ("share", "rows", "count"),
    [("0.67", ["H1 H 0.25 0.5 0.74", "H2 H 0.06 0.5 0.4", "H3 H 0.44 0.5 0.4"], 2),
     ("0.33", ["C1 C 0.25 0.22 0.33", "H4 H 0.25 0.42 0.04", "H5 H 0.06 0.05 0.42",
               "H6 H 0.44 0.05 0.42", "H1 H 0.25 0.5 0.74", "H2 H 0.06 0.6 0.4",
               "H3 H 0.44 0.6 0.4"], 1)],
)  # fmt: skip
def test_thirds_of_hydrogens(tmp_path, share, rows, count):
    rows = [f"{row} {1 if row[:2] not in ('H1', 'H2', 'H3') else share}" for row in rows]
    path = tmp_path / "thirds.cif"
    path.write_text(cif(["O1 O 0.25 0.5 0.5 1", *rows], (5.0, 5.0, 4.0)))
    crystal, counts = hydrogens_on_oxygens(path)
    assert counts == [count]
    assert "one arrangement with whole molecules" in " ".join(crystal.warnings)


def test_an_acid_keeps_one_of_two(tmp_path):
    """A dimer of formic acid whose proton is half on each oxygen."""
    rows = ["C1 C 0.5 0.3 0.5 1", "H1 H 0.5 0.192 0.5 1", "O1 O 0.614 0.358 0.5 1",
            "O2 O 0.386 0.358 0.5 1", "H2 H 0.614 0.456 0.5 0.5",
            "H3 H 0.386 0.456 0.5 0.5"]  # fmt: skip
    path = tmp_path / "acid.cif"
    path.write_text(cif(rows, (10, 10, 4), ("x,y,z", "-x+1,-y+1,-z+1")))
    crystal, counts = hydrogens_on_oxygens(path)
    assert crystal.formula == "C2 H4 O4"
    assert sorted(counts) == [0, 0, 1, 1]


def test_what_cannot_be_placed_is_refused(tmp_path):
    """Two half hydrogens on one oxygen, side by side: it should have one, and has room for none."""
    rows = [CHAIN[0], "H1 H 0.25 0.5 0.75 1 .", "H2 H 0.27 0.52 0.74 0.5 .",
            "H3 H 0.23 0.48 0.74 0.5 ."]  # fmt: skip
    path = tmp_path / "odd.cif"
    path.write_text(cif([row.removesuffix(" .") for row in rows], (5.5, 4.0, 4.0)))
    with pytest.raises(ReadError, match=r"half-occupied hydrogens H2, H3 cannot be placed"):
        read(path)


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize("name", ["a_half_no_groups", "ice_ih", "ice_vii"])
def test_shared_cases(name):
    crystal, counts = hydrogens_on_oxygens(CASES / f"{name}.cif")
    water = [n for n in counts if n != 1]  # beside the hydroxyl of a_half_no_groups
    assert water == [2] * len(water)
    assert water
    assert np.isfinite(crystal.positions).all()
