"""What is larger than any crystal ends in one sentence, and soon; each of these once did not."""

import gzip
import os
import resource
import time

import numpy as np
import pytest

from shiftcli import limits
from shiftcli.density.environments import surroundings
from shiftcli.errors import ReadError, StructureError
from shiftcli.readers import find_files, iter_structures, read
from shiftcli.structure.checks import check
from shiftcli.structure.crystal import Crystal
from shiftcli.structure.neighbours import find_neighbours, periodic_images
from shiftcli.structure.symmetry import find_equivalent_atoms

CELL = [f"_cell_length_{a} 70" for a in "abc"] + [
    f"_cell_angle_{a} 90" for a in ("alpha", "beta", "gamma")
]


def cif(rows, columns="", operations=("x,y,z",), cell=CELL):
    names = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", *columns.split()]
    symmetry = ["loop_", "_symmetry_equiv_pos_as_xyz", *operations]
    return "\n".join(["data_x", *cell, *symmetry, "loop_", *(f"_atom_site_{n}" for n in names),
                      *rows, ""])  # fmt: skip


def random_rows(n, more=""):
    numbers = np.random.default_rng(0).random((n, 3))
    return [f"C{k} C {x:.4f} {y:.4f} {z:.4f} {more}" for k, (x, y, z) in enumerate(numbers)]


def failure(path, content, seconds=30.0):
    """The error of a file, which must come within some seconds of processor time."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.process_time()
    (error,) = iter_structures(path)
    assert time.process_time() - start < seconds
    assert isinstance(error, ReadError)
    assert str(error).startswith(str(path))
    return str(error)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("many.cif", lambda: cif(random_rows(limits.ATOMS + 1)), "20001 atoms; at most 20000"),
        (
            "many.xyz", lambda: f"{limits.ATOMS + 1}\n\n" + "H 0 0 0\n" * (limits.ATOMS + 1),
            "20001 atoms; at most 20000",
        ),
        (
            "many.pdb",
            lambda: "HETATM    1  H   UNK A   1       1.000   1.000   1.000  1.00  0.00\n"
            * (limits.ATOMS + 1),
            "20001 atoms; at most 20000",
        ),
        # Three thousand sites are few, their copies are not.
        (
            "copies.cif",
            lambda: cif(random_rows(6000), cell=[*CELL, "_space_group_name_H-M_alt 'F d -3 m'"],
                        operations=()),
            "192 symmetry operations of 6000 atom sites make 1152000 atoms",
        ),
        (
            "operations.cif",
            lambda: cif(["C1 C 0 0 0"], operations=[f"x+{i}/24,y+{j}/24,z+{k}/24"
                        for i in range(24) for j in range(24) for k in range(24)]),
            "13824 symmetry operations; no space group has more than 192",
        ),
        (
            "heap.cif", lambda: cif([f"C{k} C 0.5 0.5 0.5 0.5" for k in range(5000)], "occupancy"),
            "up to 5000 atoms within 1.3 Å of each other",
        ),
        (
            "alternatives.cif",
            lambda: cif([f"{row} A {k}" for k, row in enumerate(random_rows(3000, "0.5"))],
                        "occupancy disorder_assembly disorder_group"),
            "alternatives in one disordered region; at most 500",
        ),
        # No row is at least half there: nothing was left to make images of.
        (
            "partial.cif", lambda: cif(random_rows(4, "0.3"), "occupancy"),
            "no atom site is half occupied",
        ),
        (
            "long.cif", lambda: cif(["C1 C 0 0 0"], cell=[CELL[0] + "000", *CELL[1:]]),
            "a cell of 70000 Å; at most 1000 Å",
        ),
        (
            "overflow.cif", lambda: cif(["C1 C 0 0 0"], cell=[CELL[0] + "e306", *CELL[1:]]),
            "a cell of 7e+307 Å; at most 1000 Å",
        ),
        (
            "counts.vasp", lambda: "x\n1\n5 0 0\n0 5 0\n0 0 5\nC\n1000000000\nDirect\n0 0 0\n",
            "1000000000 atoms are announced",
        ),
        (
            "cancelling.vasp",
            lambda: "x\n1\n5 0 0\n0 5 0\n0 0 5\nC H\n1000000000 -999999999\nDirect\n0 0 0\n",
            "1999999999 atoms are announced",
        ),
        # ASE reads digits of other scripts in the title as a billion carbon atoms.
        (
            "title.vasp", lambda: "C９９９９９９９９９ H\n1\n5 0 0\n0 5 0\n0 0 5\n1 0\nD\n0 0 0\n",
            "no element symbols",
        ),
        (
            "wide.xyz", lambda: "1\nProperties=species:S:1:pos:R:3:x:R:100000000\nC 0 0 0\n",
            "100000004 columns; at most 1000",
        ),
        (
            "comment.xyz", lambda: "1\nProperties=pos:R:3 " + "a=1 " * 300_000 + "\nC 0 0 0\n",
            "characters; at most 1000000",
        ),
        # Blank to str.strip and to a regular expression, but not to int.
        ("blank.sdf", lambda: "x\n\n\n\x1c 2  0\n0 0 0 H\n", "cut off"),
        ("blank.xyz", lambda: "\x1c2\n\nH 0 0 0\n", "cut off"),
        # Digits to str.isdigit.
        ("square.xyz", lambda: "1\n\n² 0 0 0\n", "no element is called '²'"),
        (
            "square2.xyz", lambda: "1\nProperties=x:R:²:species:S:1:pos:R:3\n0 H 0 0 0\n",
            "not a readable XYZ frame",
        ),
        ("digits.xyz", lambda: f"1\n\n{'9' * 5000} 0 0 0\n", "no element is called"),
        ("far.xyz", lambda: "2\n\nC 0 0 0\nH 1e300 0 0\n", "atom no. 2 is 1e+300 Å away"),
        ("blocks.cif", lambda: "data_a\n" * (limits.STRUCTURES + 1), "100001 data blocks"),
    ],
)  # fmt: skip
def test_too_much(tmp_path, name, content, words):
    assert words in failure(tmp_path / name, content())


def test_the_rest_of_too_many_structures_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "STRUCTURES", 3)
    path = tmp_path / "many.xyz"
    path.write_text("1\n\nH 0 0 0\n" * 5)
    *structures, error = iter_structures(path)
    assert all(isinstance(s, Crystal) for s in structures)
    assert len(structures) == 3
    assert "more than 3 structures; the rest is not read" in str(error)
    path.write_text("1\n\nH 0 0 0\n" * 3)
    assert len(list(iter_structures(path))) == 3


@pytest.mark.parametrize("members", [1, 60])
def test_gzip_bombs(tmp_path, monkeypatch, members):
    """Also one of many small members, each of which is harmless."""
    monkeypatch.setattr("shiftcli.readers.load.__defaults__", (30_000_000,))
    zeros = gzip.compress(b"\n" * (60_000_000 // members))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "larger than 30 MB unpacked" in failure(tmp_path / "b.cif.gz", zeros * members)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000  # kB


def test_devices_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.cif")
    for path in ("/dev/zero", tmp_path / "pipe.cif"):
        (error,) = iter_structures(path)
        assert "a device or a pipe, not a file (- reads standard input)" in str(error)


def test_a_parsed_format_may_have_fewer_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "PARSED_BYTES", 1000)
    assert "larger than 0 MB of cif" in failure(tmp_path / "a.cif", cif(random_rows(50)))


def test_many_dummies_take_no_time(tmp_path):
    """They were looked up in a set made anew for each atom."""
    rows = [row.replace("C ", "X ", 1) for row in random_rows(10_000)]
    path = tmp_path / "dummies.cif"
    path.write_text(cif([*rows, "H1 H 0 0 0"]))
    start = time.process_time()
    (crystal,) = read(path)
    assert len(crystal) == 1
    assert time.process_time() - start < 10


def made(n, cell, positions):
    return Crystal(np.array(["H"] * n), positions, cell, tuple(f"H{k}" for k in range(n)))


def test_too_many_atoms_made_by_hand():
    n = limits.ATOMS + 1
    with pytest.raises(StructureError, match="20001 atoms"):
        check(made(n, None, np.random.default_rng(0).random((n, 3)) * 100))


def test_too_many_neighbours_of_a_site():
    """Within bonding distance there are few, within sight of the networks all."""
    axis = np.arange(24) * 0.9
    grid = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    crystal = made(len(grid), None, grid)
    middle = [made(1, None, grid[:1]).sites[0]]
    assert len(surroundings(crystal, middle, radius=5.0)) == 1
    with pytest.raises(StructureError, match=r"neighbours within 25\.0 Å; at most 10000 are seen"):
        surroundings(crystal, middle, radius=25.0)


def test_a_needle_of_a_cell_has_too_many_images():
    """Three nearly parallel vectors: every image lies within sight of every other."""
    cell = np.array([[1.0, 0, 900], [0, 1.0, 900], [-1, -1, 900]])
    positions = np.random.default_rng(0).random((2000, 3)) @ cell
    with pytest.raises(StructureError, match="reduced"):
        periodic_images(cell, positions, 14.5)


def test_pairs_are_counted_before_they_are_listed():
    heap = np.zeros((3000, 3))
    with pytest.raises(StructureError, match=r"up to 3000 atoms within 0\.6 Å"):
        find_neighbours(None, heap, 0.6)


def test_symmetry_is_searched_for_once():
    """A crystal is copied at every warning; the search for its symmetry is not repeated."""
    cell, rng = np.eye(3) * 20.0, np.random.default_rng(0)
    positions = rng.random((300, 3)) * 20
    elements = np.array(["C"] * 300)
    first = find_equivalent_atoms(cell, elements, positions)
    start = time.process_time()
    for _ in range(20):
        again = find_equivalent_atoms(cell, elements, positions)
    assert time.process_time() - start < 0.2
    assert again.tolist() == first.tolist()
    again[:] = 0  # a copy: nobody can spoil what the next one gets
    assert find_equivalent_atoms(cell, elements, positions).tolist() == first.tolist()


def test_a_file_called_like_standard_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_text("1\n\nH 0 0 0\n")
    assert find_files(["?"]) == [os.path.join(".", "-")]
    assert len(read("./-")) == 1
