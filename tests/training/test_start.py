"""Runs that begin with the weights of another network."""

from dataclasses import replace

import pytest
import torch

from shiftcli.errors import TrainingError, WeightsError
from shiftcli.network.checkpoint import Metadata, load, save
from shiftcli.network.densenet import PRESETS, MR3DDenseNet
from shiftcli.training.config import Configuration
from shiftcli.training.run import train
from shiftcli.training.start import find_start
from shiftcli.training.studies import Variation

pytestmark = pytest.mark.usefixtures("narrow")


def network(seed, architecture=None):
    torch.manual_seed(seed)
    made = MR3DDenseNet(architecture or PRESETS["compact"]).train()
    with torch.no_grad():  # statistics of its own
        made(torch.rand(4, 4 * len(made.architecture.grids), 16, 16, 16))
    return made


def write(folder, name, made):
    path = folder / f"{name}.safetensors"
    element = name.split("-")[1]
    save(path, made, Metadata(element, 1.0, 2.0, made.architecture, "frames"))
    return path


def start_from(own, path, element):
    """Begin as a run with ``--start`` does."""
    own.load_state_dict(find_start(Configuration(start=str(path)), element).state_dict())


def same(one, two):
    ours, theirs = one.state_dict(), two.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_network_of_another_nucleus(tmp_path):
    path = write(tmp_path, "compact-H", network(1))
    own = network(2)
    start_from(own, path, "C")
    assert same(own, network(1))


def test_directory_of_networks(tmp_path):
    write(tmp_path, "compact-H", network(1))
    write(tmp_path, "compact-C-1", network(2))
    write(tmp_path, "compact-C-2", network(3))
    own = network(4)
    start_from(own, tmp_path, "C")
    assert same(own, network(2))
    start_from(own, tmp_path, "H")
    assert same(own, network(1))
    with pytest.raises(TrainingError, match="no network of 15N to start from"):
        start_from(own, tmp_path, "N")


def test_a_fold_begins_with_the_same_fold_of_an_earlier_study(tmp_path):
    parts = {"fold-1": 1, "fold-2": 2, "networks": 3}
    for part, seed in parts.items():
        (tmp_path / part).mkdir()
        write(tmp_path / part, "compact-H", network(seed))
    (tmp_path / "study.toml").touch()
    configuration = Configuration(start=str(tmp_path))
    runs = dict(Variation(folds=2).runs(configuration)) | {"networks": configuration}
    assert set(runs) == set(parts)
    for part, run in runs.items():
        assert same(find_start(run, "H"), network(parts[part]))
    more = dict(Variation(folds=3).runs(configuration))
    with pytest.raises(WeightsError, match="fold-3"):
        find_start(more["fold-3"], "H")


@pytest.mark.parametrize(
    "change",
    [{"growth": 8}, {"grids": (4.0,)}, {"kernel": "slater"}, {"units": (2,)}, {"crop": False}],
)
def test_other_layers_are_refused(tmp_path, change):
    path = write(tmp_path, "compact-H", network(1, replace(PRESETS["compact"], **change)))
    own = network(2)
    with pytest.raises(TrainingError, match="not those of the model compact") as caught:
        start_from(own, path, "H")
    assert "--model" in caught.value.hint
    assert same(own, network(2))


def test_other_names_and_dropout_are_not_other_layers(tmp_path):
    architecture = replace(PRESETS["compact"], name="mine", dropout=0.5)
    path = write(tmp_path, "mine-H", network(1, architecture))
    own = network(2)
    start_from(own, path, "H")
    assert same(own, network(1, architecture))
    assert own.architecture.name == "compact"


def test_nothing_to_start_from(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        start_from(network(1), tmp_path / "none.safetensors", "H")
    with pytest.raises(WeightsError, match="no networks in this directory"):
        start_from(network(1), tmp_path, "H")


def test_a_run_begins_with_the_weights_and_is_resumed_elsewhere(
    few_molecules, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "compact-H", network(1))
    values = {"epochs": 1, "batch_size": 7, "optimizer": "adamw", "precision": "float32"}
    fine = Configuration(**values, learning_rate=1e-12, start="compact-H.safetensors")

    def interrupt(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            [few_molecules], tmp_path / "run", nuclei=["C"], configuration=fine, device="cpu",
            on_epoch=interrupt,
        )  # fmt: skip
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (path,) = train([], tmp_path / "run", resume=True, device="cpu")
    trained, metadata = load(path)
    assert metadata.training["configuration"]["start"] == str(tmp_path / "compact-H.safetensors")
    for (name, ours), theirs in zip(
        trained.named_parameters(), network(1).parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4, msg=name)
    random = replace(fine, start="")
    (path,) = train([few_molecules], "random", nuclei=["C"], configuration=random, device="cpu")
    first, expected = next(load(path)[0].parameters()), next(network(1).parameters())
    assert (first - expected).abs().max() > 0.01
