"""Nuclei on one trunk: what they share, what each step takes, starts, averages, resuming."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shiftcli.errors import TrainingError, UsageError
from shiftcli.network.checkpoint import load, read_tensors
from shiftcli.training.branch import Branch, choose_shares
from shiftcli.training.config import make_configuration
from shiftcli.training.data import collect_samples
from shiftcli.training.loop import Trainer
from shiftcli.training.processes import Processes
from shiftcli.training.run import train
from shiftcli.training.sources import load_levels

pytestmark = pytest.mark.usefixtures("narrow")

ALONE = Processes(0, 1, torch.device("cpu"))
QUICK = make_configuration(
    "shared", {"epochs": 2, "steps": 4, "batch_size": 8, "precision": "float32", "seed": 1}
)


@pytest.fixture(scope="module")
def samples(labelled_file):
    crystals = load_levels([labelled_file]).main
    return {element: collect_samples(crystals, element) for element in "CO"}


def trainer(samples, configuration=QUICK):
    branches = [
        Branch(e, own, own, configuration.for_element(e), ALONE) for e, own in samples.items()
    ]
    return Trainer(branches, branches[0].configuration, ALONE)


def tensors(network, *, convolutions):
    """Tensors of the shared convolutions, or all others."""
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        if (name.startswith("features") and tensor.ndim == 5) == convolutions
    }


@pytest.fixture(scope="module")
def trained(narrow, samples, tmp_path_factory):
    made = trainer(samples, replace(QUICK, ema=0.5))
    made.fit(tmp_path_factory.mktemp("trunk") / "state", lambda row: None)
    return made


def test_convolutions_are_shared_and_nothing_else(trained):
    carbon, oxygen = (branch.levelled.network for branch in trained.branches)
    shared = tensors(carbon, convolutions=True)
    assert len(shared) > 4
    others = tensors(oxygen, convolutions=True)
    assert all(shared[name].data_ptr() == others[name].data_ptr() for name in shared)
    own, other = (tensors(n, convolutions=False) for n in (carbon, oxygen))
    trained_ones = [name for name in own if own[name].ndim == 2 or "running" in name]
    assert not any(torch.equal(own[name], other[name]) for name in trained_ones)


def test_what_is_averaged_is_shared_too(trained):
    networks = [trained.network(branch) for branch in trained.branches]
    first, second = (tensors(n, convolutions=True) for n in networks)
    assert all(first[name].data_ptr() == second[name].data_ptr() for name in first)
    now = tensors(trained.branches[0].levelled.network, convolutions=True)
    assert not any(torch.equal(first[name], now[name]) for name in first)


def test_average_by_hand(samples):
    made = trainer(samples, replace(QUICK, ema=0.75, steps=3, epochs=1))
    weight = made.branches[0].levelled.network.features[0][0].weight
    seen = []
    step = made._step

    def watch(*arguments):
        result = step(*arguments)
        seen.append(weight.detach().clone())
        return result

    made._step = watch
    made._run_epoch()
    expected = seen[0]
    for later in seen[1:]:
        expected = 0.75 * expected + 0.25 * later
    averaged = made.network(made.branches[0]).features[0][0].weight
    torch.testing.assert_close(averaged, expected)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_stopped_run_goes_on_bit_for_bit(samples, tmp_path, ema):
    configuration = replace(QUICK, ema=ema)

    def stop(row):
        if row.epoch == 2:
            raise KeyboardInterrupt

    trainer(samples, configuration).fit(tmp_path / "whole", lambda row: None)
    with pytest.raises(KeyboardInterrupt):
        trainer(samples, configuration).fit(tmp_path / "stopped", stop)
    rows = []
    trainer(samples, configuration).fit(tmp_path / "stopped", rows.append)
    assert [(row.nucleus, row.epoch) for row in rows] == [("C", 2), ("O", 2)]
    assert sum(row.samples for row in rows) == 4 * 8
    whole, stopped = (read_tensors(tmp_path / name)[0] for name in ("whole", "stopped"))
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_state_of_other_nuclei(samples, tmp_path):
    trainer(samples).fit(tmp_path / "state", lambda row: None)
    with pytest.raises(TrainingError, match="started with other options"):
        trainer({"C": samples["C"]}).fit(tmp_path / "state", pytest.fail)


def test_steps_are_shared_out(samples):
    configuration = replace(QUICK, nucleus={"C": {"share": 3.0}, "O": {"share": 1.0}}, steps=400)
    made = trainer(samples, configuration)
    assert choose_shares(made.branches).tolist() == [0.75, 0.25]
    places = [place for place, _ in made._batches(np.random.default_rng(0))]
    assert places.count(0) == pytest.approx(300, abs=25)


def test_a_batch_is_drawn_by_balance_and_level(two_levels):
    from shiftcli.training.run import gather

    configuration = replace(QUICK, batch_size=40, auxiliary=1 / 3).for_element("C")
    branch = Branch("C", *gather(two_levels, "C", configuration), configuration, ALONE)
    branch.repeats = np.where(np.arange(56) < 28, 3.0, 1.0)
    rng = np.random.default_rng(0)
    drawn = np.concatenate([branch.draw(rng) for _ in range(50)])
    assert branch.training.levels[drawn].mean() == 10 / 40
    main = drawn[branch.training.levels[drawn] == 0]
    assert (main < 28).mean() == pytest.approx(0.75, abs=0.04)


def test_copies_count_up_to_a_number(samples):
    many = replace(samples["C"], weights=np.full(len(samples["C"]), 12.0))
    configuration = QUICK.for_element("C")
    branch = Branch("C", many, many, configuration, ALONE)
    network, rng = branch.levelled.network, np.random.default_rng(0)
    _, _, weight, _, total = branch.batch(network, np.arange(8), rng, torch.float32)
    assert weight.tolist() == [8.0] * 8
    assert total == 64.0


@pytest.fixture(scope="module")
def run(narrow, labelled_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "run"
    reports = []
    configuration = replace(QUICK, members=2)
    paths = train(
        [labelled_file], folder, nuclei=["N", "O"], configuration=configuration, device="cpu",
        on_epoch=reports.append,
    )  # fmt: skip
    return folder, paths, reports


def test_a_file_of_each_nucleus(run):
    folder, paths, reports = run
    names = ["compact-N-1", "compact-N-2", "compact-O-1", "compact-O-2"]
    assert [path.stem for path in paths] == names
    assert not list(folder.glob("*.state"))
    assert [(r.member, r.epoch, r.nucleus) for r in reports] == [
        (member, epoch, nucleus) for member in (1, 2) for epoch in (1, 2) for nucleus in "NO"
    ]
    by_name = {path.stem: load(path) for path in paths}
    for member in (1, 2):
        (first, one), (second, other) = (by_name[f"compact-{e}-{member}"] for e in "NO")
        shared, again = (tensors(n, convolutions=True) for n in (first, second))
        assert all(torch.equal(shared[name], again[name]) for name in shared)
        assert (one.nucleus, other.nucleus) == ("N", "O")
        assert one.calibration["members"] == 2
        assert one.environments
        assert len(one.fingerprints) == one.training["families"] == 14
    before = {path: path.read_bytes() for path in paths}
    assert train([], folder, resume=True, device="cpu") == paths
    assert all(path.read_bytes() == before[path] for path in paths)


def test_killed_between_two_files_of_one_trunk(run, tmp_path):
    """The state is there until all files are: what is missing is made of it."""
    folder, paths, _ = run
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.toml", "metrics.csv", paths[0].name, paths[1].name, paths[3].name):
        (copy / name).write_bytes((folder / name).read_bytes())
    train([], copy, resume=True, device="cpu")
    networks = [(load(copy / p.name)[0], load(p)[0]) for p in paths]
    for made, before in networks:
        assert all(
            torch.equal(a, b) for a, b in zip(made.parameters(), before.parameters(), strict=True)
        )


def test_starts(run, samples, tmp_path):
    folder, paths, _ = run
    one = trainer(samples, replace(QUICK, start=str(paths[0])))
    networks = [branch.levelled.network for branch in one.branches]
    before = load(paths[0])[0]
    for network in networks:
        state = network.state_dict()
        assert all(torch.equal(state[name], t) for name, t in before.state_dict().items())
    for name, path in (("N", paths[0]), ("O", paths[3])):
        (tmp_path / f"compact-{name}.safetensors").write_bytes(path.read_bytes())
    own = {"N": samples["C"], "O": samples["O"]}
    trainer(own, replace(QUICK, start=str(folder)))
    with pytest.raises(TrainingError, match="do not share their convolutions"):
        trainer(own, replace(QUICK, start=str(tmp_path)))


def test_nuclei_of_one_trunk_have_their_rates_in_common():
    with pytest.raises(UsageError, match=r"nucleus\.C: .* have learning_rate in common"):
        replace(QUICK, nucleus={"C": {"learning_rate": 1e-3}})
    with pytest.raises(UsageError, match="have decay in common"):
        make_configuration("paper", {"trunk": "shared"})
    assert replace(QUICK, nucleus={"C": {"tilt": 0.3}}).for_element("C").tilt == 0.3
