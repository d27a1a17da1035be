"""What several tests share: the example crystal, the packaged networks, the published data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

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
    from shiftcli.predictor import Predictor

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
