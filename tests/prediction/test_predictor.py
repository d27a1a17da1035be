"""What must not change a shielding does not, and what must be refused is."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from scipy.spatial.transform import Rotation

from shiftcli.errors import StructureError, UsageError, WeightsError
from shiftcli.network.checkpoint import Metadata, save
from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.prediction.predictor import Failure, Prediction, Predictor
from shiftcli.readers import read
from shiftcli.structure.crystal import Crystal

ALANINE = Path(__file__).parents[2] / "examples" / "alanine.cif"

#: Largest change (ppm) that the same crystal described otherwise may make.
TOLERANCE = {"H": 0.02, "C": 0.2, "N": 0.5, "O": 0.5}


def per_atom(prediction, count):
    values = np.full(count, math.nan)
    for row in prediction.sites:
        values[row.site.atoms] = row.shielding
    return values


def assert_same(crystal, before, after):
    for element, tolerance in TOLERANCE.items():
        chosen = crystal.elements == element
        difference = np.abs(before[chosen] - after[chosen]).max(initial=0.0)
        assert difference < tolerance, (element, difference)


def unlabelled(crystal):
    """The same crystal without stated symmetry, as an extended XYZ file gives it."""
    return replace(crystal, site_ids=None, flags={})


@pytest.fixture(scope="module")
def crystals(urea, request):
    try:
        published = request.getfixturevalue("published")
    except pytest.skip.Exception:
        return [urea]
    small = sorted(published, key=len)[:40:20]
    return [urea, *small]


@pytest.fixture(scope="module")
def expected(crystals, predictor):
    return [per_atom(predictor.predict(c), len(c)) for c in crystals]


@pytest.mark.parametrize("seed", [0, 1])
def test_rotation_and_translation(crystals, expected, predictor, seed):
    turn = Rotation.random(random_state=seed).as_matrix()
    for crystal, before in zip(crystals, expected, strict=True):
        moved = replace(
            crystal,
            positions=crystal.positions @ turn.T + [3.1, -20.7, 0.4],
            cell=crystal.cell @ turn.T,
        )
        assert_same(crystal, before, per_atom(predictor.predict(moved), len(crystal)))


def test_reflection(crystals, expected, predictor):
    """Copies of a site are often mirror images of each other: they must agree."""
    for crystal, before in zip(crystals, expected, strict=True):
        mirrored = replace(crystal, positions=-crystal.positions, cell=-crystal.cell)
        assert_same(crystal, before, per_atom(predictor.predict(mirrored), len(crystal)))


def test_copies_of_a_site_agree(crystals, expected, predictor):
    for crystal, before in zip(crystals, expected, strict=True):
        alone = replace(crystal, site_ids=np.arange(len(crystal)), flags={})
        assert_same(crystal, before, per_atom(predictor.predict(alone), len(crystal)))


def test_doubled_cell(crystals, expected, predictor):
    for crystal, before in zip(crystals, expected, strict=True):
        n = len(crystal)
        doubled = Crystal(
            elements=np.tile(crystal.elements, 2),
            positions=np.concatenate([crystal.positions, crystal.positions + crystal.cell[1]]),
            cell=crystal.cell * [[1], [2], [1]],
            labels=crystal.labels * 2,
        )
        after = per_atom(predictor.predict(doubled), 2 * n)
        assert_same(crystal, before, after[:n])
        assert_same(crystal, before, after[n:])


def test_permuted_atoms(crystals, expected, predictor):
    rng = np.random.default_rng(3)
    for crystal, before in zip(crystals, expected, strict=True):
        order = rng.permutation(len(crystal))
        shuffled = replace(
            unlabelled(crystal),
            elements=crystal.elements[order],
            positions=crystal.positions[order],
            labels=tuple(np.array(crystal.labels)[order]),
        )
        after = np.empty(len(crystal))
        after[order] = per_atom(predictor.predict(shuffled), len(crystal))
        assert_same(crystal, before, after)


def test_cif_and_extended_xyz_agree(urea, expected, predictor, tmp_path):
    from ase import Atoms
    from ase.io import write

    path = tmp_path / "urea.xyz"
    write(path, Atoms(urea.elements.tolist(), urea.positions, cell=urea.cell, pbc=True))
    (again,) = read(path)
    assert len(again.sites) == len(urea.sites) == 5
    assert_same(urea, expected[0], per_atom(predictor.predict(again), len(urea)))


def test_same_input_same_output_bit_for_bit(urea, urea_path, predictor):
    # Ways to the same numbers in one run, and no digest that was stored once: processors and
    # versions of torch round sums differently, so that it would hold on one machine alone. Several
    # processes are held to one in tests/pipeline/test_workers.py.
    first = predictor.predict(urea)
    for other in (
        Predictor(device="cpu").predict(urea),
        predictor.predict(urea_path),
        next(predictor.predict_files([str(urea_path)])),
    ):
        for name in ("shielding", "uncertainty", "uncertainty95"):
            own = [getattr(row, name) for row in first.sites]
            assert [getattr(row, name) for row in other.sites] == own


@pytest.mark.parametrize("threads", [1, 3])
def test_any_number_of_threads_gives_the_same_bit_for_bit(urea, threads):
    # Copies of a site one by one, so that there are several batches.
    many = replace(urea, site_ids=np.arange(len(urea)))
    wide = Predictor(device="cpu", nuclei=["H"]).predict(many).sites
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        other = Predictor(device="cpu", nuclei=["H"]).predict(many).sites
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert [row.shielding for row in other] == [row.shielding for row in wide]
    assert [row.uncertainty for row in other] == [row.uncertainty for row in wide]


def test_urea_is_chemically_sane(urea, predictor):
    rows = {r.site.label: r for r in predictor.predict(urea).sites}
    assert list(rows) == ["C1", "O1", "N1", "H1", "H2"]
    assert [r.site.multiplicity for r in rows.values()] == [2, 2, 4, 4, 4]
    # GIPAW-PBE shieldings of carbonyl carbons, amide nitrogens and N–H protons.
    assert -5 < rows["C1"].shielding < 35
    assert 60 < rows["N1"].shielding < 170
    assert 18 < rows["H1"].shielding < 29


def test_without_calibration_the_uncertainty_is_the_validation_error(urea, rotating):
    model = Predictor(rotating, device="cpu")
    assert model.calibrations == {"H": None}
    for row in model.predict(urea).sites:
        assert row.uncertainty == pytest.approx(0.5)
        assert row.uncertainty95 == pytest.approx(1.96 * 0.5)
    single = Predictor(rotating, device="cpu", views=1).predict(urea).sites[0]
    assert single.uncertainty > 0.5


def test_bfloat16_is_close(urea, expected):
    fast = Predictor(device="cpu", dtype="bfloat16").predict(urea)
    difference = per_atom(fast, len(urea)) - expected[0]
    assert np.abs(difference[urea.elements == "H"]).max() < 0.06


@pytest.mark.parametrize("views", [1, 2, 3])
def test_fewer_views_make_no_interval_narrower(urea, predictor, views):
    everything = [predictor.predict(crystal) for crystal in (urea, *read(ALANINE))]
    for whole in everything:
        assert "--views" not in "".join(whole.crystal.warnings)
        less = Predictor(device="cpu", views=views).predict(whole.crystal)
        assert "(--views): intervals are wider" in less.crystal.warnings[-1]
        for row, more in zip(less.sites, whole.sites, strict=True):
            # The networks disagree a little more or less by chance.
            assert row.uncertainty >= 0.95 * more.uncertainty
            assert row.uncertainty95 >= 0.95 * more.uncertainty95


def test_one_nucleus(urea):
    rows = Predictor(device="cpu", nuclei=["N"]).predict(urea).sites
    assert {r.site.element for r in rows} == {"N"}


def test_isolated_molecule(urea, predictor):
    carbon = int(np.argmax(urea.elements == "C"))
    offset = urea.positions - urea.positions[carbon]
    offset -= np.rint(offset @ np.linalg.inv(urea.cell)) @ urea.cell
    near = np.argsort(np.linalg.norm(offset, axis=1))[:8]
    molecule = Crystal(urea.elements[near], offset[near], None, tuple(np.array(urea.labels)[near]))
    assert sorted(molecule.elements) == ["C", "H", "H", "H", "H", "N", "N", "O"]
    rows = predictor.predict(molecule).sites
    assert len(rows) == 8
    assert all(math.isfinite(r.shielding) for r in rows)


def test_refusals_and_their_overrides(urea, predictor):
    bare = replace(
        urea,
        elements=np.where(urea.elements == "H", "F", urea.elements),
        site_ids=None,
        expected={},
    )
    with pytest.raises(StructureError, match="contains F") as caught:
        predictor.predict(bare)
    assert "--allow elements" in str(caught.value)
    allowed = Predictor(device="cpu", allow=("elements", "hydrogens", "overlaps")).predict(bare)
    assert {r.site.element for r in allowed.sites} == {"C", "N", "O"}
    assert all("other-elements-ignored" in r.flags for r in allowed.sites)
    assert all("near-other-element" in r.flags for r in allowed.sites)
    assert all(math.isnan(r.shielding) and math.isnan(r.uncertainty95) for r in allowed.sites)
    assert allowed.crystal.elements.tolist() == bare.elements.tolist()


def test_atoms_far_from_other_elements_are_predicted_with_more_uncertainty(predictor):
    from ase.build import molecule

    atoms = molecule("CH3CH2OH")
    alone = predictor.predict(atoms)
    far = atoms.positions[atoms.numbers == 8] + [[0.0, 0.0, 3.3]]
    atoms.extend(Atoms("Cl", far))
    found = predictor.predict(atoms)
    assert found.crystal.elements[-1] == "Cl"
    assert len(found.sites) == len(alone.sites)
    known = [k for k, r in enumerate(found.sites) if math.isfinite(r.shielding)]
    distances = np.linalg.norm(atoms.positions[:-1] - far, axis=1)
    assert known == np.flatnonzero(distances >= 3.4).tolist()
    for k in known:
        row, other = found.sites[k], alone.sites[k]
        assert row.shielding == pytest.approx(other.shielding, abs=1e-3)
        assert row.uncertainty > other.uncertainty
        assert row.uncertainty95 > other.uncertainty95
        assert "other-elements-ignored" in row.flags


def test_files_that_fail_do_not_stop_the_rest(urea_path, predictor, tmp_path):
    broken = tmp_path / "broken.cif"
    broken.write_text("data_x\nloop_\n_atom_site_label\n")
    outcomes = list(predictor.predict_files([str(broken), str(urea_path), "nowhere.cif"]))
    assert [type(o) for o in outcomes] == [Failure, Prediction, Failure]


@pytest.mark.parametrize("orientations", ["octahedral", "random"])
def test_frames_networks_refuse_other_orientations(orientations):
    with pytest.raises(UsageError, match="trained with local frames"):
        Predictor(device="cpu", orientations=orientations)


def test_network_under_a_wrong_name(rotating, tmp_path):
    (tmp_path / "compact-C.safetensors").write_bytes(
        (rotating / "compact-H.safetensors").read_bytes()
    )
    with pytest.raises(WeightsError, match="a network of H named as one of C"):
        Predictor(tmp_path, device="cpu")


def test_a_fault_of_ours_loses_no_other_structure(urea_path, predictor, monkeypatch):
    calls = []

    def fail_once(self, crystal):
        calls.append(crystal)
        if len(calls) == 1:
            raise ZeroDivisionError("unforeseen")
        return Prediction(crystal, ())

    monkeypatch.setattr(Predictor, "predict_crystal", fail_once)
    monkeypatch.delenv("SHIFTCLI_DEBUG", raising=False)
    outcomes = list(predictor.predict_files([str(urea_path)] * 2))
    assert [type(o) for o in outcomes] == [Failure, Prediction]
    assert "a fault in shiftcli: ZeroDivisionError" in str(outcomes[0].error)


def test_unknown_options():
    with pytest.raises(UsageError, match="'upright' is none of"):
        Predictor(device="cpu", orientations="upright")
    with pytest.raises(UsageError, match="at least one"):
        Predictor(device="cpu", views=0)
    with pytest.raises(UsageError, match="float16"):
        Predictor(device="cpu", dtype="float16")


@pytest.fixture(scope="module")
def rotating(tmp_path_factory):
    """An untrained network that says it was trained with random rotations."""
    import torch

    torch.manual_seed(0)
    network = MR3DDenseNet(PRESETS["compact"])
    for _ in range(20):  # statistics of the normalisation, so that outputs differ at all
        network(torch.rand(4, 20, 16, 16, 16))
    folder = tmp_path_factory.mktemp("random")
    metadata = Metadata("H", 25.0, 1.0, PRESETS["compact"], "random", {"rmse": 0.5})
    save(folder / "compact-H.safetensors", network, metadata)
    return folder


def test_missing_nucleus(rotating):
    with pytest.raises(WeightsError, match="no network for 13C"):
        Predictor(rotating, nuclei=["C"], device="cpu")


def test_octahedral_average_is_invariant_under_the_cube(urea, rotating):
    model = Predictor(rotating, device="cpu", orientations="octahedral", views=48)
    single = Predictor(rotating, device="cpu", orientations="octahedral", views=1)
    turn = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    turned = replace(urea, positions=urea.positions @ turn.T, cell=urea.cell @ turn.T)
    before, after = (per_atom(model.predict(c), 16) for c in (urea, turned))
    assert np.nanmax(np.abs(before - after)) < 1e-4
    before, after = (per_atom(single.predict(c), 16) for c in (urea, turned))
    assert np.nanmax(np.abs(before - after)) > 1e-3


def test_random_views_average(urea, rotating):
    values = [
        per_atom(Predictor(rotating, device="cpu", orientations=o, views=4).predict(urea), 16)
        for o in (None, "random", "frames")
    ]
    assert np.array_equal(values[0], values[1], equal_nan=True)
    assert np.nanmax(np.abs(values[0] - values[2])) > 1e-4


@pytest.mark.slow
def test_ten_thousand_atoms_in_four_gigabytes(urea_path, tmp_path):
    """A fresh process predicts 1,280 oxygens of a 10,240-atom cell; its peak memory is read."""
    import resource
    import subprocess
    import sys

    from ase.build import make_supercell
    from ase.io import read as ase_read
    from ase.io import write

    cell = make_supercell(ase_read(urea_path), np.diag([8, 8, 10]))
    cell.rattle(0.02, seed=1)
    path = tmp_path / "large.xyz"
    write(path, cell, columns=["symbols", "positions"])
    command = [sys.executable, "-m", "shiftcli", "predict", path, "--nucleus", "O"]
    done = subprocess.run(
        [*command, "--format", "csv", "--dtype", "bfloat16"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1281
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    assert peak < 4.0, f"{peak:.2f} GiB"
