"""Whatever stands in a file: a structure or an error comes out, soon, and nothing else.

``SHIFTCLI_FUZZ=20000`` tries as many inputs for each test, other ones at every run.
"""

import gzip
import os
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shiftcli import limits
from shiftcli.density.environments import surroundings
from shiftcli.errors import ReadError, ShiftcliError
from shiftcli.readers import iter_structures
from shiftcli.structure.checks import OVERRIDES, check
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.structure.hydrogens import normalise_hydrogens

EXAMPLES = int(os.environ.get("SHIFTCLI_FUZZ", "0"))

#: Seconds that the smallest inputs may take, on a machine that is busy.
SOON = 20

fuzz = settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    database=None,
    deadline=timedelta(seconds=SOON),
    suppress_health_check=list(HealthCheck),
)

CIF = (Path(__file__).parents[2] / "examples" / "urea.cif").read_text()
XYZ = """4
Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:CS:R:1 NAME=x pbc="T T T"
C 0.0 0.0 0.0 10.5
O 1.2 0.0 0.0 20.5
H -0.5 0.9 0.0 30.5
H -0.5 -0.9 0.0 30.5
"""
PDB = """CRYST1    9.000    9.000    9.000  90.00  90.00  90.00 P 21 21 21    4
ATOM      1  C1  UNK A   1       1.000   1.000   1.000  1.00  0.00           C
HETATM    2  O1 AUNK A   1       2.200   1.000   1.000  0.60  0.00           O
HETATM    3  O1 BUNK A   1       2.100   1.200   1.000  0.40  0.00           O
HETATM    4  H1  UNK A   1       0.500   1.900   1.000  1.00  0.00           H
END
"""
MAGRES = """#$magres-abinitio-v1.0
[atoms]
units lattice Angstrom
lattice 6 0 0 0 6 0 0 0 6
units atom Angstrom
symmetry x,y,z
symmetry -x,-y,-z
atom C C 1 1.0 1.0 1.0
atom O O 1 2.2 1.0 1.0
atom H H 1 0.5 1.9 1.0
[/atoms]
[magres]
units ms ppm
ms C 1 1 0 0 0 1 0 0 0 1
[/magres]
"""
POSCAR = """water
1.0
5 0 0
0 5 0
0 0 5
O H
1 2
Direct
0.0 0.0 0.0
0.1 0.15 0.0
-0.1 0.15 0.0
"""
SDF = """formaldehyde
  program 3D

  4  3  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.2000    0.0000    0.0000 O   0  0
   -0.5500    0.9400    0.0000 H   0  0
   -0.5500   -0.9400    0.0000 H   0  0
  1  2  2  0
  1  3  1  0
  1  4  1  0
M  END
$$$$
"""
V3000 = """formaldehyde
  program 3D

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 2 1 0 0 0
M  V30 BEGIN ATOM
M  V30 1 C 0.0 0.0 0.0 0
M  V30 2 H 1.09 0.0 0.0 0
M  V30 END ATOM
M  V30 END CTAB
M  END
$$$$
"""
RES = """TITL formaldehyde
CELL 0.71 5 5 5 90 90 90
ZERR 1 0 0 0 0 0 0
LATT -1
SYMM -X, -Y, -Z
SFAC C O H
UNIT 2 2 4
FVAR 1.0 0.5
C1 1 0.1 0.1 0.1 11.0
PART 1
O1 2 0.3 0.1 0.1 21.0 =
 0.05
PART 0
H1 3 0.1 0.3 0.1 11.0
END
"""
VALID = {"res": RES, "cif": CIF, "xyz": XYZ, "pdb": PDB, "magres": MAGRES, "vasp": POSCAR,
         "sdf": SDF, "mol": V3000}  # fmt: skip

HOSTILE = st.sampled_from(
    ["1e308", "-1e308", "1e-308", "nan", "inf", "-inf", "-0", "0", "1", "-1", "1000000000",
     "99999999999999999999", "9" * 400, "1_000", "１２", "²", "?", ".", "'", '"', ";", "", " ",
     "x,y,z", "x+1/0,y,z", "999999x,y,z", "x/3,y,z", "=1+1", "[red]", "[/]", "\x1b[31m", "\u202e",
     "H-M", "loop_", "data_", "save_", "#", "_atom_site_label", "_cell_length_a", "C", "Xx", "D",
     "a" * 5000, "0.5(3)", "1.2.3", "--1", "$$$$", "M  END", "V3000", "[atoms]", "[/atoms]",
     "Lattice=", "Properties=pos:R:1000000000", "_JSON {", "\\", "pos:R:3", "MODEL", "END"]
)  # fmt: skip


def consume(path):
    """Do with a file what a prediction does before the networks; return what came of it."""
    found = []
    for item in iter_structures(path):
        found.append(item)
        if isinstance(item, ReadError):
            # One line, and nothing that a terminal would obey.
            assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e]", str(item)) is None
            continue
        assert 0 < len(item) <= limits.ATOMS
        assert len(item.labels) == len(item) == len(item.positions)
        assert np.isfinite(item.positions).all()
        for allow in ((), tuple(OVERRIDES)):
            try:
                crystal = normalise_hydrogens(check(item, allow))
                known = [site for site in crystal.sites if site.element in ELEMENTS]
                surroundings(crystal, known[:4])
            except ShiftcliError:
                continue
    assert found
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def put(place, suffix, data):
    path = place / f"input.{suffix}"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return path


@pytest.mark.parametrize("suffix", VALID)
def test_the_seeds_are_good(place, suffix):
    (crystal,) = consume(put(place, suffix, VALID[suffix]))
    assert not isinstance(crystal, ReadError), crystal


@fuzz
@given(st.binary(max_size=400), st.sampled_from([*VALID, "gz", "unknown"]))
def test_arbitrary_bytes(place, data, suffix):
    consume(put(place, suffix, data))


@fuzz
@given(st.text(max_size=400), st.sampled_from([*VALID, "unknown"]))
def test_arbitrary_text(place, text, suffix):
    consume(put(place, suffix, text))


@st.composite
def mutations(draw):
    """A valid file with some of its words and lines replaced, repeated, moved or taken away."""
    suffix = draw(st.sampled_from(list(VALID)))
    lines = [re.findall(r"\S+|\s+", line) for line in VALID[suffix].split("\n")]
    for _ in range(draw(st.integers(1, 4))):
        if not lines:
            break
        k = draw(st.integers(0, len(lines) - 1))
        what = draw(st.sampled_from(["word", "word", "word", "drop", "repeat", "swap", "cut"]))
        if what == "word" and lines[k]:
            at = draw(st.integers(0, len(lines[k]) - 1))
            lines[k] = [*lines[k][:at], draw(HOSTILE), *lines[k][at + 1 :]]
        elif what == "drop":
            del lines[k]
        elif what == "repeat":
            lines[k:k] = [lines[k]] * draw(st.sampled_from([1, 2, 200]))
        elif what == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[k], lines[other] = lines[other], lines[k]
        elif what == "cut":
            lines = lines[: k + 1]
    return suffix, "\n".join("".join(words) for words in lines)


@fuzz
@given(mutations())
def test_mutated_files(place, made):
    suffix, text = made
    consume(put(place, suffix, text))


@fuzz
@given(st.data())
def test_flipped_bytes(place, data):
    suffix = data.draw(st.sampled_from(list(VALID)))
    content = bytearray(VALID[suffix].encode())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    packed = data.draw(st.booleans())
    consume(put(place, suffix, gzip.compress(bytes(content)) if packed else bytes(content)))


NUMBER = st.one_of(HOSTILE, st.floats().map(str), st.floats(0, 1).map("{:.4f}".format))
LENGTH = st.one_of(HOSTILE, st.floats(1, 60).map("{:.3f}".format))
ANGLE = st.one_of(HOSTILE, st.floats(1, 179).map("{:.3f}".format))


@st.composite
def cifs(draw):
    """Grammatical CIFs, most of them senseless."""
    lines = [f"data_{draw(st.sampled_from(['x', '', 'global', '[red]']))}"]
    good = draw(st.booleans())
    lines += [f"_cell_length_{a} {draw(st.just('9.1') if good else LENGTH)}" for a in "abc"]
    angles = ("alpha", "beta", "gamma")
    lines += [f"_cell_angle_{a} {draw(st.just('91') if good else ANGLE)}" for a in angles]
    names = ["'P 1'", "'P -1'", "'F d -3 m'", "P21/c", "?", "'R -3 :H'"]
    lines.append(f"_symmetry_space_group_name_H-M {draw(st.sampled_from(names))}")
    lines.append(f"_cell_formula_units_Z {draw(NUMBER)}")
    formulas = ["'C H4'", "'C1e9 H4'", "'H999999999999'", "X", "'C0 H0'", "'C.5 H.5'"]
    lines.append(f"_chemical_formula_sum {draw(st.sampled_from(formulas))}")
    if draw(st.booleans()):
        element = st.sampled_from(["x", "-x", "y", "z+1/2", "-z", "1/3+y", "x-y", "2x", "9999x"])
        operations = draw(st.lists(st.tuples(element, element, element), max_size=8))
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", "'x,y,z'"]
        lines += [f"'{','.join(operation)}'" for operation in operations]
    columns = ["label", "type_symbol", "fract_x", "fract_y", "fract_z"]
    more = ["occupancy", "disorder_group", "disorder_assembly", "calc_flag"]
    columns += draw(st.lists(st.sampled_from(more), unique=True))
    lines += ["loop_", *(f"_atom_site_{column}" for column in columns)]
    group = st.sampled_from(["1", "2", "-1", ".", "?"])
    for k in range(draw(st.integers(0, 8))):
        xyz = [draw(st.floats(0, 1).map("{:.4f}".format) if good else NUMBER) for _ in range(3)]
        row = [f"A{k}", draw(st.sampled_from("HCNODX")), *xyz]
        row += [draw(st.sampled_from(["1", "0.5", "0.3", "0", "-1"]) if c == "occupancy" else group)
                for c in columns[5:]]  # fmt: skip
        lines.append(" ".join(word or "''" for word in row))
    if draw(st.integers(0, 9)) == 0:
        odd = ["save_x", "loop_", "loop_ loop_ _a _b 1 2 3", ";", "data_again", "#" + "x" * 10000]
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(odd)))
    return "\n".join(lines)


@fuzz
@given(cifs())
@example("data_x\nloop_\n_atom_site_label\nloop_\n_atom_site_fract_x\n1\n")
def test_generated_cifs(place, text):
    consume(put(place, "cif", text))
