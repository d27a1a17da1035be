"""Files to structures: formats, compression, encodings, folders."""

import errno
import gzip
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shiftcli.readers as readers
from shiftcli.errors import ReadError, UsageError
from shiftcli.readers import find_files, iter_structures, read, read_text
from shiftcli.readers.registry import format_of_name, format_of_text
from shiftcli.readers.sources import safe_text

XYZ = '2\nLattice="5 0 0 0 5 0 0 0 5"\nO 0 0 0\nH 1 0 0\n'
CIF = """data_a
_cell_length_a 5
_cell_length_b 5
_cell_length_c 5
_space_group_name_H-M_alt 'P 1'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
O1 0 0 0
H1 0.2 0 0
"""
PDB = "HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00           O\n"
MAGRES = "#$magres-abinitio-v1.0\n[atoms]\nunits atom Angstrom\natom O O 1 0 0 0\n[/atoms]\n"
SDF = """7
  by hand

  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 O   0  0
    1.0000    0.0000    0.0000 H   0  0
  1  2  1  0
M  END
"""
POSCAR = "x\n1.0\n5 0 0\n0 5 0\n0 0 5\nO H\n1 1\nDirect\n0 0 0\n0.2 0 0\n"


def failure(path, **options):
    (item,) = iter_structures(path, **options)
    assert isinstance(item, ReadError)
    assert "\n" not in str(item)
    return str(item)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.cif", CIF), ("a.CIF", CIF), ("a.xyz", XYZ), ("a.extxyz", XYZ), ("a.pdb", PDB),
        ("a.ent", PDB), ("a.magres", MAGRES), ("a.vasp", POSCAR), ("POSCAR", POSCAR),
        ("CONTCAR_1", POSCAR), ("noname", CIF), ("noname.txt", XYZ), ("noname", PDB),
        ("noname", MAGRES), ("noname", POSCAR), ("a.cif", CIF.replace("\n", "\r\n")),
        ("a.cif", "\ufeff" + CIF), ("a.sdf", SDF), ("a.mol", SDF), ("noname", SDF),
    ],
)  # fmt: skip
def test_format_by_suffix_or_content_plain_or_gzipped(tmp_path, name, text, packed):
    path = tmp_path / (name + ".gz" * packed)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    (crystal,) = read(path)
    assert crystal.elements[0] == "O"
    assert crystal.source == str(path)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(CIF.encode()))))
    (crystal,) = read("-")
    assert crystal.where == "-: a"


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "the file is empty"),
        (b"  \n\t\n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (CIF.encode("utf-16"), "binary"),
        (f"# M\xfcller\n{CIF}".encode("latin1"), "not UTF-8 text: byte 0xfc in line 1"),
        (gzip.compress(CIF.encode())[:-20], "gzip"),
        (b"\x1f\x8bnonsense", "gzip"),
        (b"what is this?\n", "not a CIF|broken"),
    ],
)  # fmt: skip
def test_files_that_are_no_text(tmp_path, data, match):
    path = tmp_path / "a.cif"
    path.write_bytes(data)
    with pytest.raises(ReadError, match=match):
        read(path)
    failure(path)


def test_other_failures(tmp_path):
    assert "No such file" in failure(tmp_path / "missing.cif")
    assert "no structure files in this folder" in failure(tmp_path)
    assert "no file matches this pattern" in failure(tmp_path / "*.cif")
    assert "cannot be read: File name too long" in failure("x" * 300 + ".cif")
    assert "no file matches this pattern" in failure("*" * 300 + ".cif")
    assert "cannot be read" in failure("a\0b")
    path = tmp_path / "a.cif"
    path.write_text(CIF)
    assert "a folder, not a file" in failure(tmp_path)
    assert "a pattern, not a file" in failure(tmp_path / "*.cif")
    path = tmp_path / "a.txt"
    path.write_text("hello\n")
    assert "no known structure format" in failure(path)
    with pytest.raises(UsageError, match="'major' or 'error'"):
        read(path, disorder="minor")


@pytest.mark.parametrize(
    ("name", "text"), [("POSCAR", POSCAR[:-9]), ("a.magres", MAGRES[:-5]), ("a.pdb", "END\n")]
)
def test_errors_of_any_reader_are_items(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert name in failure(tmp_path / name)


def test_several_gzip_members_and_structures(tmp_path):
    path = tmp_path / "a.xyz.gz"
    path.write_bytes(gzip.compress(XYZ.encode()) + gzip.compress(XYZ.encode()))
    assert [c.name for c in read(path)] == ["#1", "#2"]


def test_read_stops_where_iter_structures_goes_on(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text(XYZ + XYZ.replace("H", "Jq") + XYZ)
    assert [isinstance(item, ReadError) for item in iter_structures(path)] == [False, True, False]
    with pytest.raises(ReadError, match="frame 2"):
        read(path)


def test_find_files(tmp_path):
    for name in ("b.cif", "a.xyz", "sub/POSCAR", "sub/c.pdb.gz", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    names = ["a.xyz", "b.cif", "sub/POSCAR", "sub/c.pdb.gz"]
    assert find_files([tmp_path]) == [str(tmp_path / name) for name in names]
    assert find_files([tmp_path / "*.cif", "-", tmp_path / "b.cif"]) == [
        str(tmp_path / "b.cif"),
        "-",
    ]
    (tmp_path / "empty").mkdir()
    (tmp_path / "a[1].cif").write_text("x")
    hopeless = ["missing.cif", str(tmp_path / "*.magres"), str(tmp_path / "empty"), "x" * 300]
    assert find_files([*hopeless, tmp_path / "a[1].cif"]) == [
        *hopeless,
        str(tmp_path / "a[1].cif"),
    ]


def test_a_folder_that_cannot_be_read_is_a_failure(tmp_path, monkeypatch):
    (tmp_path / "locked").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open/a.xyz").write_text(XYZ)
    scandir, locked = os.scandir, str(tmp_path / "locked")

    def refuse(path="."):  # root may read everything, so modes say nothing
        if str(path) == locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_files([tmp_path]) == [locked, str(tmp_path / "open/a.xyz")]
    assert find_files([locked]) == [locked]
    (error,) = iter_structures(locked)
    assert str(error) == f"{locked}: cannot be read: Permission denied"


def test_no_structure_of_a_folder_is_passed_over(tmp_path, monkeypatch):
    """Behind links, behind a link to nothing, in folders that a pattern may not look into."""
    monkeypatch.chdir(tmp_path)
    for name in ("tree/a/m.xyz", "tree/locked/m.xyz", "away/m.xyz"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(XYZ)
    os.symlink("../away", "tree/linked")
    os.symlink("..", "tree/a/up")
    os.symlink("gone", "tree/gone.cif")
    whole = ["tree/a/m.xyz", "tree/gone.cif", "tree/linked/m.xyz", "tree/locked/m.xyz"]
    assert find_files(["tree"]) == whole
    (error,) = iter_structures("tree/gone.cif")
    assert str(error) == "tree/gone.cif: cannot be read: No such file or directory"
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: "locked" not in str(p) and access(p, mode))
    for pattern in ("tree/*/nothing.xyz", "tree/**/nothing.xyz"):
        assert find_files([pattern]) == ["tree/locked/m.xyz"]


def test_safe_text():
    assert safe_text("a\x1b[31m\nb\u202e") == "a [31m b"
    assert len(safe_text("x" * 500)) == 60
    assert format_of_name("x.cif.gz").name == "cif"
    assert format_of_name("cif") is format_of_text("") is None


def test_lazy_imports():
    import subprocess

    code = "import sys, shiftcli.readers; print({'ase', 'gemmi', 'scipy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
    assert readers.__all__


coordinate = st.integers(-1500, 1500).map(lambda k: k / 1000)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=5, unique=True))
def test_cif_and_xyz_of_a_crystal_hold_the_same_atoms(tmp_path_factory, sites):
    """A P-1 crystal as a CIF with symmetry and as the list of all its atoms."""
    folder = tmp_path_factory.mktemp("p-1")
    rows = "".join(f"C{k} {x} {y} {z}\n" for k, (x, y, z) in enumerate(sites))
    text = CIF.split("O1 0")[0].replace("'P 1'", "'P -1'") + rows
    (folder / "a.cif").write_text(text)
    (crystal,) = read(folder / "a.cif")
    assert sum(site.multiplicity for site in crystal.sites) == len(crystal)
    assert set(np.unique([s.multiplicity for s in crystal.sites])) <= {1, 2}
    lines = [f"C {x!r} {y!r} {z!r}" for x, y, z in crystal.positions.tolist()]
    head = f'{len(crystal)}\nLattice="5 0 0 0 5 0 0 0 5"\n'
    (folder / "a.xyz").write_text(head + "\n".join(lines) + "\n")
    (copy,) = read(folder / "a.xyz")
    np.testing.assert_allclose(copy.positions, crystal.positions, atol=1e-7)
    # Each site of the file is there, and so is its image, in some unit cell.
    for x, y, z in sites:
        for sign in (1, -1):
            away = crystal.positions / 5 - sign * np.array([x, y, z])
            assert (np.linalg.norm((away - np.round(away)) * 5, axis=1) < 0.31).any()


BOX = "%BLOCK LATTICE_CART\n5 0 0\n0 5 0\n0 0 5\n%ENDBLOCK LATTICE_CART\n"
PLACES = "%BLOCK POSITIONS_FRAC\nH 0 0 0\nH 0.15 0 0\n%ENDBLOCK POSITIONS_FRAC\n"
SHELX = "TITL a\nCELL 1.5 4 5 6 90 90 90\nLATT -1\nSFAC H\nH 1 0 0 0 1.0\nEND\n"
RECORD = "HETATM    1  H1  UNK A   1       0.000   2.782   1.527  1.00  0.00           H\nEND\n"
MOL = "H\n\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0 0.0 0.0 H   0\nM  END\n"


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("castep-cell", BOX + PLACES + PLACES), ("castep-cell", BOX + PLACES + BOX),
        ("res", SHELX + SHELX), ("pdb", RECORD + RECORD), ("sdf", MOL + MOL),
        ("pdb", 2 * f"CRYST1    5.565    5.565    4.684  90.00  90.00  90.00 P 1\n{RECORD[:-4]}"),
    ],
)  # fmt: skip
def test_several_structures_where_one_is_read(format, text):
    """As where files were joined: none of them is dropped unseen."""
    (error,) = read_text(text, format, "f")
    assert isinstance(error, ReadError)
    assert "several" in str(error)
