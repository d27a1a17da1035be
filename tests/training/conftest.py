"""What the tests of training share: molecules whose shieldings are quickly learned."""

import numpy as np
import pytest

from shiftcli.network import PRESETS, Architecture
from shiftcli.training import load_levels

#: Slope and offset between the two levels of theory of `two_levels`.
SLOPE, OFFSET = 1.5, -40.0


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
def two_levels(molecules, tmp_path_factory):
    """The same molecules, and others whose shieldings are `SLOPE` · shielding + `OFFSET`."""
    folder = tmp_path_factory.mktemp("levels")
    other = write_molecules(folder / "other.xyz", 96, SLOPE, OFFSET, seed=1)
    return load_levels([molecules, f"PBE0={other}"])


@pytest.fixture(scope="module")
def narrow():
    """The compact preset with few channels: all that is trained here by the way takes no time."""
    made = Architecture("compact", 4, 4, stem_channels=32, units=(1,), bottleneck=32, growth=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "compact", made)
        yield made
