"""Makes folders full of structures: good, bad, huge, and with strange names."""

import gzip
import os

import numpy as np
import pytest

#: Small molecules in Å: cheap to predict, and with a hydrogen.
MOLECULES = {
    "water": ("OHH", [[0, 0, 0], [0, 0.757, 0.587], [0, -0.757, 0.587]]),
    "ammonia": ("NHHH", [[0, 0, 0], [0, 0.94, -0.38], [0.81, -0.47, -0.38], [-0.81, -0.47, -0.38]]),
    "hydrogen cyanide": ("HCN", [[0, 0, -1.07], [0, 0, 0], [0, 0, 1.16]]),
    "formaldehyde": ("COHH", [[0, 0, 0], [0, 0, 1.21], [0, 0.94, -0.59], [0, -0.94, -0.59]]),
}  # fmt: skip

#: Names of files, each with a place for a number that makes it the only one.
STRANGE = (
    "--help{}", "-x{}", "new\nline{}", "[red]{}", "[bold]{}[", "\x1b[31m{}", " blank {}", "a;b{}",
    "$(touch pwned){}", "'{}", '"{}', "*{}", "[a-z]{}", "=1+1{}", "ß日本{}", "\u202e{}", "%s{}",
    "a\\b{}", "{}" + "x" * 200, "\udcff{}", "UPPER{}", "upper{}", "tab\t{}", ".hidden{}", "#{}",
)  # fmt: skip


def molecule(rng):
    """Symbols and coordinates of a molecule, turned and shaken a little, and its name."""
    name = str(rng.choice(list(MOLECULES)))
    symbols, positions = MOLECULES[name]
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return list(symbols), np.array(positions) @ axes + rng.normal(0, 0.01, (len(symbols), 3)), name


def cif(symbols, fractional, edge=8.0, name="x"):
    lines = [f"data_{name}", *(f"_cell_length_{a} {edge}" for a in "abc")]
    lines += [f"_cell_angle_{a} 90" for a in ("alpha", "beta", "gamma")]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", "x,y,z", "loop_"]
    lines += [f"_atom_site_{c}" for c in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")]
    rows = zip(symbols, fractional, strict=True)
    lines += [f"{s}{k} {s} {x:.5f} {y:.5f} {z:.5f}" for k, (s, (x, y, z)) in enumerate(rows)]
    return "\n".join(lines) + "\n"


def xyz(symbols, positions, comment=""):
    rows = zip(symbols, positions, strict=True)
    lines = [f"{s} {x:.6f} {y:.6f} {z:.6f}" for s, (x, y, z) in rows]
    return "\n".join([str(len(lines)), comment, *lines, ""])


def good(rng):
    """Suffix and contents of a file that can be predicted."""
    symbols, positions, name = molecule(rng)
    edge = rng.uniform(6, 9)
    fractional = positions / edge + rng.random(3)
    kind = rng.integers(6)
    if kind == 0:
        return ".xyz", xyz(symbols, positions, name)
    if kind == 1:
        lattice = f'Lattice="{edge} 0 0 0 {edge} 0 0 0 {edge}" Properties=species:S:1:pos:R:3'
        return ".extxyz", xyz(symbols, positions, lattice)
    if kind == 2:
        order = np.argsort(symbols, kind="stable")
        kinds = sorted(set(symbols))
        rows = [" ".join(f"{x:.6f}" for x in fractional[k]) for k in order]
        cell = [f"{edge} 0 0", f"0 {edge} 0", f"0 0 {edge}"]
        counts = " ".join(str(symbols.count(k)) for k in kinds)
        return ".vasp", "\n".join(
            [name, "1.0", *cell, " ".join(kinds), counts, "Direct", *rows, ""]
        )
    if kind == 3:
        rows = [f"{x:10.4f}{y:10.4f}{z:10.4f} {s}   0" for s, (x, y, z)
                in zip(symbols, positions, strict=True)]  # fmt: skip
        head = [name, "  generated 3D", "", f"{len(rows):3d}  0  0  0  0  0  0  0  0  0999 V2000"]
        return ".sdf", "\n".join([*head, *rows, "M  END", "$$$$", ""])
    text = cif(symbols, fractional, edge, name="[red]" if kind == 4 else "x")
    return (".cif", text) if kind == 4 else (".cif.gz", gzip.compress(text.encode(), 1))


def _sites(rng, n):
    return [str(s) for s in rng.choice(list("CHON"), n)], rng.random((n, 3))


BAD = {
    "empty": lambda rng: (".cif", ""),
    "noise": lambda rng: (".cif", rng.bytes(500)),
    "prose": lambda rng: (".xyz", "this is no structure\n" * 5),
    "cut off": lambda rng: (".xyz", "12\n\nC 0 0 0\n"),
    "claims": lambda rng: (".vasp", "x\n1\n5 0 0\n0 5 0\n0 0 5\nC\n1000000000\nD\n0 0 0\n"),
    "cut gzip": lambda rng: (".cif.gz", gzip.compress(b"data_x\n" * 500)[:-9]),
    "no hydrogen": lambda rng: (".xyz", xyz("CO", [[0, 0, 0], [0, 0, 1.13]])),
    "chlorine": lambda rng: (".cif", cif(["C", "Cl", "H"], [[0, 0, 0], [0.2, 0, 0], [0, 0.13, 0]])),
    "overlap": lambda rng: (".cif", cif(["C", "H", "H"], [[0, 0, 0], [0.1, 0, 0], [0.1, 0, 0.01]])),
    "not a number": lambda rng: (".xyz", "2\n\nH nan 0 0\nC 0 0 inf\n"),
    "no cell": lambda rng: (".cif", cif("CH", np.eye(3)[:2]).replace("_cell_length_a", "_other")),
    "flat cell": lambda rng: (".cif", cif("CH", np.eye(3)[:2], edge="1e-9")),
    "huge cell": lambda rng: (".cif", cif("CH", np.eye(3)[:2], edge="1e308")),
    "utf-16": lambda rng: (".cif", "data_x\n".encode("utf-16")),
    "protein": lambda rng: (".cif", "data_1\nloop_\n_atom_site.id\n_atom_site.Cartn_x\n1 2\n"),
    "syntax": lambda rng: (".cif", "data_x\nloop_\n_a\n_b\n1 2 3\n"),
    "a heap": lambda rng: (".cif", cif(["C"] * 900 + ["H"], np.full((901, 3), 0.5))),
}  # fmt: skip

HUGE = {
    "atoms": lambda rng: (".cif", cif(*_sites(rng, 25_000), edge=65)),
    "line": lambda rng: (".cif", "data_x\n_y " + "9" * 1_000_000 + "\n"),
    "comment": lambda rng: (".xyz", xyz("CH", np.eye(3)[:2], "Properties=" + "a=1 " * 300_000)),
    "operations": lambda rng: (".cif", cif("CH", np.eye(3)[:2]).replace("x,y,z\n", "".join(
        f"x+{i}/24,y+{j}/24,z\n" for i in range(24) for j in range(24)))),
    "bomb": lambda rng: (".xyz.gz", gzip.compress(b"\n" * 100_000, 1) * 6_000),
    "blocks": lambda rng: (".cif", "data_x\n" * 3_000),
}  # fmt: skip


@pytest.fixture(scope="session")
def population():
    return populate


def populate(folder, count, seed=0):
    """Fill a folder; return which files are good and which bad, by path.

    Half are good. Of the rest one in 50 is huge. A quarter of all have a strange name.
    """
    rng = np.random.default_rng(seed)
    made = {True: [], False: []}
    for number in range(count):
        is_good = number % 2 == 0
        if is_good:
            suffix, content = good(rng)
        else:
            kinds = HUGE if number % 100 == 1 else BAD
            suffix, content = kinds[list(kinds)[rng.integers(len(kinds))]](rng)
        strange = STRANGE[rng.integers(len(STRANGE))] if rng.random() < 0.25 else "s{}"
        place = os.path.join(folder, f"part {number // 1000}")
        os.makedirs(place, exist_ok=True)
        path = os.path.join(place, strange.format(number) + suffix)
        data = content if isinstance(content, bytes) else content.encode()
        with open(os.fsencode(path), "wb") as handle:
            handle.write(data)
        made[is_good].append(path)
    return made[True], made[False]
