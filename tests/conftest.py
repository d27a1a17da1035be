"""What several tests share: the example crystal, the packaged networks, the published data."""

import os
from dataclasses import replace
from pathlib import Path

# The tests run side by side, so each process, and each that it starts, keeps to one core;
# before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

# The same cases in every run: what fails here, fails for everybody, and CI does not fail by chance.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT.parent / "shared" / "data" / "csd-400.xyz"


@pytest.fixture(scope="session")
def urea_path():
    return ROOT / "examples" / "urea.cif"


@pytest.fixture(scope="session")
def urea(urea_path):
    from shiftcli.readers import read

    return read(urea_path)[0]


@pytest.fixture(scope="session")
def predictor():
    """The networks that ship, on the CPU."""
    from shiftcli.prediction.predictor import Predictor

    return Predictor(device="cpu")


@pytest.fixture(scope="session")
def published():
    """The crystals of the published test set, where they are."""
    from shiftcli.readers import read

    if not PUBLISHED.is_file():
        pytest.skip("the published crystals are not here")
    return read(PUBLISHED)


@pytest.fixture(scope="session")
def labelled_file(urea, tmp_path_factory):
    """Sixteen distorted ureas whose shieldings follow from their geometry, as extended XYZ."""
    from ase import Atoms
    from ase.io import write

    rng = np.random.default_rng(7)
    base = {"H": 25.0, "C": 10.0, "N": 100.0, "O": 30.0}
    frames = []
    for _ in range(16):
        moved = replace(urea, positions=urea.positions + rng.normal(0, 0.03, (16, 3)))
        atoms = Atoms(urea.elements.tolist(), moved.positions, cell=urea.cell, pbc=True)
        shift = 50.0 * (moved.positions - urea.positions)[:, 2]
        atoms.set_array("CS", np.array([base[e] for e in urea.elements]) + shift)
        frames.append(atoms)
    path = tmp_path_factory.mktemp("labelled") / "ureas.xyz"
    write(path, frames, format="extxyz")
    return path


def write_molecules(path, count, slope=1.0, offset=0.0, seed=0):
    """Carbon with an oxygen near (deshielded, the more so the nearer) or with hydrogens alone."""
    rng = np.random.default_rng(seed)
    lines = []
    for k in range(count):
        has_oxygen = bool(k % 2)
        distance = 1.2 + 0.15 * rng.random()
        atoms = [("C", 0.0, 0.0, 0.0), ("O" if has_oxygen else "H", 0.0, 0.0, distance)]
        atoms += [("H", *(rng.normal(0, 0.03, 3) + h)) for h in ([0, 1, -0.4], [0.9, -0.5, -0.4])]
        shielding = (20.0 if has_oxygen else 160.0) + 200.0 * (distance - 1.275)
        lines += [str(len(atoms)), 'Properties=species:S:1:pos:R:3:CS:R:1 pbc="F F F"']
        for symbol, *xyz in atoms:
            own = offset + slope * shielding if symbol == "C" else float("nan")
            lines.append(" ".join([symbol, *(f"{x:.6f}" for x in xyz), f"{own:.4f}"]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def molecules(tmp_path_factory):
    """A file of 64 molecules with one labelled carbon each."""
    return write_molecules(tmp_path_factory.mktemp("molecules") / "own.xyz", 64)


@pytest.fixture(scope="session")
def few_molecules(tmp_path_factory):
    """A file of 16 such molecules."""
    return write_molecules(tmp_path_factory.mktemp("few") / "few.xyz", 16, seed=2)


@pytest.fixture(scope="session")
def more_molecules(tmp_path_factory):
    """A file of 96 others, at another level of theory: 1.5 · shielding − 40 ppm."""
    path = tmp_path_factory.mktemp("more") / "more.xyz"
    return write_molecules(path, 96, slope=1.5, offset=-40.0, seed=1)


@pytest.fixture(scope="module")
def narrow():
    """The compact preset with few channels: all that is trained here by the way takes no time."""
    from shiftcli.network.densenet import PRESETS, Architecture

    made = Architecture("compact", 4, 4, stem_channels=32, units=(1,), bottleneck=32, growth=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "compact", made)
        yield made
