"""Predictions that no network made: each site has a shielding of its own."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from shiftcli.errors import StructureError
from shiftcli.nmr.shifts import parse_references
from shiftcli.prediction.predictor import Failure, Prediction, SitePrediction
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.views import Results

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "structures"

STAND_IN = SimpleNamespace(
    model="compact",
    files=[SimpleNamespace(path=Path(f"compact-{e}.safetensors"), sha256="0" * 64)
           for e in ELEMENTS],
    calibrations=dict.fromkeys(ELEMENTS),
)  # fmt: skip


def _prediction(crystal):
    sites = tuple(
        SitePrediction(site, 10.0 + 1.37 * k, 0.4 + 0.01 * k, 1.1 + 0.01 * k)
        for k, site in enumerate(crystal.sites)
    )
    return Prediction(crystal, sites)


@pytest.fixture(scope="session")
def predicted():
    """Function from crystals to `Results`."""

    def make(*crystals, references="H:30.96,C:168.64", failures=(), precision=2):
        return Results(
            STAND_IN,
            [_prediction(crystal) for crystal in crystals],
            list(failures),
            parse_references(references),
            precision,
        )

    return make


@pytest.fixture(scope="session")
def results(predicted, urea):
    """Urea, and a file that failed."""
    failure = Failure("bad.cif", StructureError("no atoms", where="bad.cif"))
    return predicted(urea, failures=[failure])


@pytest.fixture(scope="session")
def molecule():
    """Formaldehyde without a cell."""
    positions = np.array([[0, 0, 0], [0, 0, 1.2], [0.94, 0, -0.54], [-0.94, 0, -0.54]])
    return Crystal(np.array(["C", "O", "H", "H"]), positions, None, ("C1", "O1", "H1", "H2"),
                   source="formaldehyde.xyz")  # fmt: skip


@pytest.fixture(scope="session")
def large(urea):
    """1,200 atoms, all distinct, by a supercell of urea."""
    counts = (5, 5, 3)
    shifts = np.stack(np.meshgrid(*map(range, counts), indexing="ij"), -1).reshape(-1, 3)
    positions = (urea.positions[None] + (shifts @ urea.cell)[:, None]).reshape(-1, 3)
    elements = np.tile(urea.elements, len(shifts))
    return replace(
        urea,
        elements=elements,
        positions=positions,
        cell=urea.cell * np.array(counts)[:, None],
        labels=tuple(f"{e}{k}" for k, e in enumerate(elements.tolist(), 1)),
        site_ids=np.arange(len(elements)),
        operations=(),
    )


@pytest.fixture(scope="session")
def labelled():
    """Function from labels to a crystal of hydrogens, each a site of its own."""

    def make(labels):
        n = len(labels)
        positions = np.zeros((n, 3))
        positions[:, 0] = 1.5 * np.arange(n) + 0.3
        return Crystal(np.array(["H"] * n), positions, np.diag([1.5 * n + 1, 5.0, 6.0]),
                       tuple(labels), site_ids=np.arange(n), source="row.xyz")  # fmt: skip

    return make


@pytest.fixture(scope="session")
def shared_structures():
    """The real CIFs, where they are."""
    if not FOLDER.is_dir():
        pytest.skip("the shared data are not here")
    return sorted(FOLDER.glob("*.cif"))
