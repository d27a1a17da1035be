"""The loop: what an epoch sees, levels of theory, learning rates, states, errors."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from shiftcli.errors import TooFewSamples, TrainingError
from shiftcli.network.checkpoint import read_tensors, write_tensors
from shiftcli.network.inference import Held, densities
from shiftcli.training.branch import Branch, LevelledNetwork
from shiftcli.training.config import Configuration, make_configuration
from shiftcli.training.data import collect_samples
from shiftcli.training.loop import Trainer
from shiftcli.training.processes import Processes
from shiftcli.training.run import gather
from shiftcli.training.sources import load_levels

pytestmark = pytest.mark.usefixtures("narrow")

CPU = torch.device("cpu")
ALONE = Processes(0, 1, CPU)
QUICK = Configuration(epochs=2, batch_size=8, optimizer="adamw", precision="float32")
SLOPE, OFFSET = 1.5, -40.0  # between the levels of `two_levels`


@pytest.fixture(scope="module")
def samples(molecules):
    return collect_samples(load_levels([molecules]).main, "C")


def make(parts, configuration=QUICK, processes=ALONE):
    """A trainer of carbon, and its branch."""
    branch = Branch("C", *parts, configuration, processes)
    return Trainer([branch], configuration, processes), branch


def trainer(samples, configuration=QUICK, processes=ALONE, **values):
    return make((samples, samples), replace(configuration, **values), processes)[0]


class Doubling(nn.Module):
    """Stands for a network whose output is known."""

    def forward(self, volume):
        return 2.0 * volume.flatten(1).sum(dim=1)


def test_levels_are_a_slope_and_an_offset():
    levelled = LevelledNetwork(Doubling(), 3)
    with torch.no_grad():
        levelled.scale.copy_(torch.tensor([1.5, 0.5]))
        levelled.offset.copy_(torch.tensor([-4.0, 7.0]))
    volume = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    level = torch.tensor([0, 1, 2, 0])
    output = levelled(volume, level)
    assert output.tolist() == [2.0, 1.5 * 4.0 - 4.0, 0.5 * 6.0 + 7.0, 8.0]
    # The main level is the network's own, and teaches the others nothing.
    output[level == 0].sum().backward()
    assert not levelled.scale.grad.any()
    assert not levelled.offset.grad.any()


def test_one_level_is_the_network_itself():
    levelled = LevelledNetwork(Doubling(), 1)
    volume = torch.rand(3, 5)
    assert torch.equal(levelled(volume, torch.zeros(3, dtype=int)), Doubling()(volume))
    assert not [p for p in levelled.parameters() if p.requires_grad]


def test_slope_and_offset_are_found_where_the_network_is_right():
    torch.manual_seed(0)
    levelled = LevelledNetwork(Doubling(), 2)
    volume, level = torch.randn(64, 1), torch.arange(64) % 2
    truth = torch.where(level == 0, 2.0 * volume[:, 0], SLOPE * 2.0 * volume[:, 0] - 3.0)
    optimizer = torch.optim.Adam(levelled.parameters(), lr=0.1)
    for _ in range(150):
        loss = ((levelled(volume, level) - truth) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert levelled.scale.item() == pytest.approx(SLOPE, abs=1e-3)
    assert levelled.offset.item() == pytest.approx(-3.0, abs=1e-3)


def test_two_levels_train_together(two_levels):
    configuration = replace(QUICK, batch_size=16, epochs=6, learning_rate=0.03, warmup=0.0)
    running, both = make(gather(two_levels, "C", configuration), configuration)
    own, other = both.means
    assert own == pytest.approx(both.training.targets[both.training.levels == 0].mean())
    assert other == pytest.approx(both.training.targets[both.training.levels == 1].mean())
    # What is learned is centred at each level's own mean and divided by 10 ppm.
    true_offset = (SLOPE * own + OFFSET - other) / 10.0
    assert true_offset < -0.5
    before = running.validation_rmse(both, views=1)
    scales, offsets = [1.0], [0.0]
    for _ in range(configuration.epochs):
        running._run_epoch()
        scales.append(both.levelled.scale.item())
        offsets.append(both.levelled.offset.item())
    assert abs(scales[-1] - SLOPE) < 0.6 * abs(1.0 - SLOPE)
    assert abs(offsets[-1] - true_offset) < abs(true_offset) - 0.03
    assert running.validation_rmse(both, views=1) < 0.5 * before


@pytest.mark.parametrize(
    ("auxiliary", "augmentation", "expected"),
    [(0.0, 0, 0), (0.25, 0, 14), (1.0, 0, 56), (1.0, 8, 8 * 56), (100.0, 0, 96)],
)
def test_samples_of_other_levels_in_an_epoch(two_levels, auxiliary, augmentation, expected):
    configuration = replace(QUICK, auxiliary=auxiliary, augmentation=augmentation)
    running, made = make(gather(two_levels, "C", configuration), configuration)
    copies = augmentation or 1
    orders = [made.order(np.random.default_rng(seed)) for seed in (0, 1)]
    for order in orders:
        assert len(np.unique(order)) == len(order)
        rows = order // copies
        main = rows[made.training.levels[rows] == 0]
        # The main level's whole, each sample in each orientation once.
        assert np.bincount(main, minlength=56)[:56].tolist() == [copies] * 56
        assert len(rows) - len(main) == expected
    assert running.steps_per_epoch == (56 * copies + expected) // 8
    assert not np.array_equal(*orders)
    if 0 < expected < 96:  # others in the next epoch
        assert {*orders[0].tolist()} != {*orders[1].tolist()}


def test_rare_kinds_are_seen_more_often_in_an_epoch(two_levels):
    configuration = replace(QUICK, auxiliary=0.0, balance=0.0)
    _, made = make(gather(two_levels, "C", configuration), configuration)
    made.repeats = np.where(np.arange(56) < 10, 2.5, 1.0)
    for seed in (0, 1):
        counts = np.bincount(made.order(np.random.default_rng(seed)), minlength=56)
        assert counts.sum() == 56 + 15
        assert sorted(counts[:10].tolist()) == [2] * 5 + [3] * 5
        assert set(counts[10:56].tolist()) == {1}


def test_an_epoch_without_other_levels_leaves_their_slope(two_levels):
    configuration = replace(QUICK, auxiliary=0.0, batch_size=28)
    running, made = make(gather(two_levels, "C", configuration), configuration)
    running._run_epoch()
    assert (made.levelled.scale.item(), made.levelled.offset.item()) == (1.0, 0.0)


def test_eightfold_augmentation_takes_eight_times_the_steps(samples):
    plain = trainer(samples, orientation="euler", augmentation=1)
    eightfold = trainer(samples, orientation="euler", augmentation=8)
    assert eightfold.steps_per_epoch == 8 * plain.steps_per_epoch == 64


def test_learning_rate_of_the_paper(samples):
    configuration = make_configuration("paper", {"model": "compact", "batch_size": 8})
    made = trainer(samples, configuration.for_element("C"), augmentation=1)
    steps = made.steps_per_epoch
    rates = [made._learning_rate(k) for k in range(3 * steps)]
    for epoch in range(3):
        own = rates[epoch * steps : (epoch + 1) * steps]
        assert own == [pytest.approx(1e-3 * math.exp(-0.5 * epoch))] * steps


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9])
def test_learning_rate_rises_and_falls(samples, warmup):
    made = trainer(samples, epochs=10, warmup=warmup)
    steps = 10 * made.steps_per_epoch
    rates = np.array([made._learning_rate(k) for k in range(steps + 1)])
    peak = int(rates.argmax())
    assert rates.max() == pytest.approx(3e-3, rel=0.02)
    assert peak == pytest.approx(warmup * steps, abs=1)
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates.min() >= 0


def test_an_epoch_depends_on_its_number_and_the_seed_alone(samples):
    def after_one(seed, epoch):
        made = trainer(samples, seed=seed, epochs=5, smear=0.01)
        made.epoch = epoch
        made.networks.load_state_dict(start)
        return made._run_epoch()[0, 0]

    start = trainer(samples).networks.state_dict()
    start = {k: v.clone() for k, v in start.items()}
    first = after_one(0, 0)
    assert after_one(0, 0) == first
    assert after_one(0, 1) != first
    assert after_one(1, 0) != first


def test_validation_error_by_hand(samples):
    running, made = make((samples, samples), replace(QUICK, orientation="euler"))
    network = running.network(made)
    weights = np.arange(1.0, len(samples) + 1)
    made.validation = replace(samples, weights=weights)
    network.eval()
    turned = np.tile(np.eye(3, dtype=np.float32), (len(samples), 1, 1))
    volume = densities(network, Held.on(CPU, samples.environments), turned, torch.float32)
    with torch.inference_mode():
        predicted = made.mean + 10.0 * network(volume).numpy()
    expected = np.sqrt(np.average((predicted - samples.targets) ** 2, weights=weights))
    assert running.validation_rmse(made, views=1) == pytest.approx(expected, rel=1e-5)
    made.validation = samples[np.array([], dtype=int)]
    assert math.isnan(running.validation_rmse(made, views=1))
    assert math.isnan(made.baseline_rmse)


@pytest.mark.parametrize("batch_size", [8, 7])
def test_what_a_run_sees_does_not_depend_on_the_number_of_processes(
    samples, monkeypatch, batch_size
):
    monkeypatch.setattr(Processes, "parallel", lambda self, module, **more: module)
    configuration = replace(QUICK, smear=0.05, orientation="random", batch_size=batch_size)
    alone = trainer(samples, configuration)
    both = [trainer(samples, configuration, Processes(rank, 2, CPU)) for rank in (0, 1)]
    generators = [np.random.default_rng(5) for _ in range(3)]
    for step in range(2):
        items = np.arange(step * batch_size, (step + 1) * batch_size)
        whole, *parts = (
            made.branches[0].batch(made.network(made.branches[0]), items, generator, torch.float32)
            for made, generator in zip((alone, *both), generators, strict=True)
        )
        for rank, part in enumerate(parts):
            for own, everything in zip(part[:4], whole[:4], strict=True):
                torch.testing.assert_close(own, everything[rank::2])
            assert part[4] == whole[4]  # the weight of the whole batch


def test_sizes_that_make_no_batch(samples):
    with pytest.raises(TooFewSamples, match=r"5 training samples of C .* one batch \(8\)"):
        trainer(samples[np.arange(5)])
    with pytest.raises(TooFewSamples, match="no shieldings of 13C"):
        trainer(samples[np.array([], dtype=int)])
    with pytest.raises(TrainingError, match="a batch of 3 cannot be shared by 2 processes"):
        trainer(samples, batch_size=3, processes=Processes(0, 2, CPU))


def test_eight_orientations_of_few_samples_make_a_batch(samples):
    few = samples[np.arange(5)]
    assert trainer(few, augmentation=8, orientation="euler").steps_per_epoch == 5


def test_long_run_is_no_diverging_one(samples, tmp_path):
    made = trainer(samples, epochs=1)
    for name, count in made.networks.named_buffers():
        if name.endswith("num_batches_tracked"):
            count.fill_(100_000)  # more than a float16 holds
    made.fit(tmp_path / "state", lambda row: None)
    assert made.epoch == 1


def test_diverging_run_keeps_its_last_good_state(samples, tmp_path):
    state = tmp_path / "state"
    rows = []
    made = trainer(samples, epochs=9, optimizer="adam", learning_rate=1e-3, clip=0.0)

    def raise_rate(row):
        rows.append(row)
        if row.epoch == 2:
            object.__setattr__(made.configuration, "learning_rate", 1e25)

    with pytest.raises(TrainingError, match="no longer a number in epoch 3") as caught:
        made.fit(state, raise_rate)
    assert "--learning-rate" in caught.value.hint
    assert [row.epoch for row in rows] == [1, 2]
    tensors, header = read_tensors(state)
    assert header["epoch"] == "2"
    assert all(torch.isfinite(t).all() for t in tensors.values())


@pytest.fixture(scope="module")
def state(narrow, samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "state"
    trainer(samples, epochs=1).fit(path, lambda row: None)
    return path


def with_header(state, path, **changes):
    tensors, header = read_tensors(state)
    write_tensors(path, tensors, {**header, **changes})
    return path


def test_a_finished_state_is_not_trained_further(samples, state):
    made = trainer(samples, epochs=1)
    made.fit(state, pytest.fail)
    assert made.epoch == 1


def test_state_of_a_run_with_other_options(samples, state):
    with pytest.raises(TrainingError, match="started with other options"):
        trainer(samples, epochs=1, dropout=0.2).fit(state, pytest.fail)


def test_options_that_are_newer_than_a_state_had_their_default(samples, state, tmp_path):
    stored = json.loads(read_tensors(state)[1]["configuration"])
    del stored["C"]["smear"], stored["C"]["auxiliary"]
    path = with_header(state, tmp_path / "old", configuration=json.dumps(stored))
    trainer(samples, epochs=1).fit(path, pytest.fail)
    with pytest.raises(TrainingError, match="started with other options"):
        trainer(samples, epochs=1, smear=0.1).fit(path, pytest.fail)


@pytest.mark.parametrize(
    "changes", [{"epoch": "one"}, {"configuration": "{"}, {"configuration": "[1]"}]
)
def test_states_that_make_no_sense(samples, state, tmp_path, changes):
    path = with_header(state, tmp_path / "odd", **changes)
    with pytest.raises(TrainingError, match="cannot resume"):
        trainer(samples, epochs=1).fit(path, pytest.fail)


def test_a_state_that_was_changed_is_not_resumed(samples, state, tmp_path):
    tensors, header = read_tensors(state)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    changed = {**tensors, name: tensors[name] + 1}
    for written, words in ((changed, header), (tensors, {**header, "epoch": "0"})):
        write_tensors(tmp_path / "odd", written, words)
        with pytest.raises(TrainingError, match="cannot resume: the state is not as it was writ"):
            trainer(samples, epochs=1).fit(tmp_path / "odd", pytest.fail)
    del header["digest"]  # as in states of earlier versions
    write_tensors(tmp_path / "old", tensors, header)
    trainer(samples, epochs=1).fit(tmp_path / "old", pytest.fail)


def test_state_of_another_network(samples, state, tmp_path):
    tensors, header = read_tensors(state)
    for change in ({"network.more": torch.zeros(1)}, None):
        changed = {**tensors, **change} if change else dict(list(tensors.items())[1:])
        path = tmp_path / "odd"
        write_tensors(path, changed, header)
        with pytest.raises(TrainingError, match="cannot resume"):
            trainer(samples, epochs=1).fit(path, pytest.fail)
