"""Hyperparameters: the paper's to the letter, layers that win in order, and what is refused."""

import math

import pytest

from shiftcli.errors import UsageError
from shiftcli.network.densenet import PRESETS
from shiftcli.options import read_toml
from shiftcli.structure.crystal import ELEMENTS
from shiftcli.training.config import EPOCHS, SCALES, Configuration, make_configuration
from shiftcli.training.folder import Task, parse_task, write_task


@pytest.mark.parametrize(
    ("element", "epochs", "decay", "scale"),
    [("H", 12, 0.6, 1.0), ("C", 15, 0.5, 10.0), ("N", 24, 0.25, 30.0), ("O", 24, 0.25, 40.0)],
)
def test_paper_protocol_is_the_methods_section(element, epochs, decay, scale):
    c = make_configuration("paper").for_element(element)
    assert (c.epochs, c.decay) == (epochs, decay)  # Table 4
    assert SCALES[element] == scale  # "divide them by 1, 10, 30, 40"
    assert c.batch_size == 128
    assert (c.learning_rate, c.schedule, c.warmup) == (1e-3, "exponential", 0.0)
    assert (c.optimizer, c.l2, c.weight_decay, c.clip) == ("adam", 3e-5, 0.0, 0.0)
    assert c.dropout == 0.1
    assert (c.orientation, c.augmentation, c.tilt, c.smear) == ("euler", 8, 0.0, 0.0)
    assert (c.copies, c.outliers) == ("all", False)  # Table 1 counts all; 1H outliers dropped
    assert c.architecture() == PRESETS["paper"]
    assert (c.members, c.start, c.nucleus) == (1, "", {})


@pytest.mark.parametrize("element", ELEMENTS)
def test_default_protocol_has_epochs_by_nucleus(element):
    assert Configuration().for_element(element).epochs == EPOCHS[element]
    assert make_configuration() == Configuration()
    assert Configuration(epochs=5).for_element(element).epochs == 5


def test_later_layers_win():
    c = make_configuration("paper", {"batch_size": 64, "seed": 1}, {"seed": 2})
    assert (c.batch_size, c.seed, c.learning_rate) == (64, 2, 1e-3)
    assert c.for_element("C").epochs == 15


def test_a_value_for_all_nuclei_replaces_those_of_single_ones():
    c = make_configuration("paper", {"epochs": 3})
    assert {e: c.for_element(e).epochs for e in ELEMENTS} == dict.fromkeys(ELEMENTS, 3)
    assert {e: c.for_element(e).decay for e in "HC"} == {"H": 0.6, "C": 0.5}
    # Within one layer the single nucleus wins; in the next one, all do again.
    layer = {"epochs": 3, "nucleus": {"N": {"epochs": 9, "dropout": 0}}}
    c = make_configuration("paper", layer)
    assert {e: c.for_element(e).epochs for e in ELEMENTS} == {"H": 3, "C": 3, "N": 9, "O": 3}
    assert c.for_element("N").dropout == 0.0
    assert make_configuration("paper", layer, {"epochs": 4}).for_element("N").epochs == 4


def test_a_nucleus_can_have_everything_of_its_own():
    c = make_configuration("default", {"nucleus": {"O": {"model": "mr-arch", "grid": 6}}})
    assert c.for_element("O").architecture().grids == (6.0,)
    assert c.for_element("C").architecture() == PRESETS["compact"]


def test_values_become_of_their_kind():
    c = make_configuration("default", {"dropout": 0, "nucleus": {"H": {"learning_rate": 1}}})
    assert type(c.dropout) is float
    assert type(c.for_element("H").learning_rate) is float
    assert c == make_configuration("default", c.to_dict())


def test_architecture_follows_the_options():
    c = Configuration(model="paper", kernel="slater", dropout=0.3)
    made = c.architecture()
    assert (made.kernel, made.dropout, made.grids) == ("slater", 0.3, PRESETS["paper"].grids)
    assert Configuration(model="mr-arch", grid=6.0).architecture().grids == (6.0,)
    assert Configuration(model="mr-arch").architecture().grids == (10.0,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "no 'epoch'"),
        ({"epochs": 3.0}, "epochs = 3.0 is not a int"),
        ({"epochs": "3"}, "is not a int"),
        ({"epochs": True}, "is not a int"),
        ({"dropout": "much"}, "is not a float"),
        ({"outliers": 1}, "is not a bool"),
        ({"model": 3}, "is not a str"),
        ({"nucleus": 3}, "nucleus = 3"),
        ({"nucleus": {"H": 3}}, "nucleus.H is not a table"),
        ({"nucleus": {"H": {"epoch": 3}}}, "nucleus.H has no 'epoch'"),
        ({"nucleus": {"H": {"epochs": -3}}}, "epochs -3 is not within"),
        ({"nucleus": {"H": {"nucleus": {}}}}, "nucleus.H is not a table"),
        ({"nucleus": {"Si": {}, "H": {}}}, None),  # says nothing, means nothing
        ({"nucleus": {"Si": {"epochs": 3}}}, "nucleus 'Si' is none of H, C, N, O"),
        ({"model": "huge"}, "is none of paper, medium, compact, mr-arch, mr-input, cnn"),
        ({"kernel": "lorentzian"}, "is none of gaussian, slater, form-factor"),
        ({"orientation": "up"}, "is none of frames, random, euler"),
        ({"optimizer": "sgd"}, "is none of muon, adamw, adam"),
        ({"schedule": "step"}, "is none of cycle, exponential"),
        ({"copies": "some"}, "is none of distinct, all"),
        ({"precision": "float16"}, "is none of auto, bfloat16, float32"),
        ({"epochs": -1}, "epochs -1 is not within"),
        ({"batch_size": 1}, "batch_size 1 is not within"),
        ({"members": 0}, "members 0 is not within"),
        ({"augmentation": -8}, "is not within"),
        ({"dropout": 1.0}, "is not within"),
        ({"dropout": math.nan}, "is not within"),
        ({"warmup": 1.0}, "is not within"),
        ({"smear": -0.1}, "is not within"),
        ({"auxiliary": -1.0}, "is not within"),
        ({"seed": -1}, "is not within"),
        ({"learning_rate": 0.0}, "a positive number"),
        ({"learning_rate": math.inf}, "a positive number"),
        ({"learning_rate": math.nan}, "a positive number"),
        ({"folds": 1}, "there is no such part"),
        ({"folds": 3, "fold": 3}, "fold 3 of 3"),
        ({"fold": 1}, "fold 1 of 0"),
        ({"l2": 1e-5}, "l2 goes with the optimizer adam; muon takes weight_decay"),
        ({"grid": -1.0}, "is not within"),
    ],
)
def test_what_makes_no_sense(values, message):
    if message is None:
        assert make_configuration("default", values) == Configuration()
        return
    with pytest.raises(UsageError, match=message):
        make_configuration("default", values)


def test_unknown_protocol():
    with pytest.raises(UsageError, match="'best' is none of default, shared, paper"):
        make_configuration("best")


@pytest.mark.parametrize("protocol", ["default", "shared", "paper"])
def test_what_a_run_writes_is_read_back(tmp_path, protocol):
    path = tmp_path / "config.toml"
    own = {"nucleus": {"N": {"augmentation": 2}}, "learning_rate": 1e-3 / 3, "clip": math.inf}
    configuration = make_configuration(protocol, own)
    task = Task((str(tmp_path / "a.xyz"), f"PBE0={tmp_path}/b.xyz"), ("N", "H"), configuration, "x")
    write_task(path, task, crystals=[3, 4])
    for beginning in ("default", "paper"):  # a run's own file says everything
        again = parse_task(read_toml(path), protocol=beginning)
        assert again.configuration == configuration.resolved()
        assert (again.data, again.nuclei, again.shielding_column) == (
            task.data, task.nuclei, task.shielding_column,
        )  # fmt: skip
        for element in ELEMENTS:
            assert again.configuration.for_element(element) == configuration.for_element(element)
    # The command line wins over the file.
    changed = parse_task(read_toml(path), {"epochs": 2, "augmentation": 0}, protocol="default")
    assert changed.configuration.for_element("N").epochs == 2
    assert changed.configuration.for_element("N").augmentation == 0


def test_paths_mean_the_same_from_another_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"start": "before", "nucleus": {"H": {"start": "other"}}}
    configuration = make_configuration("default", values)
    write_task(tmp_path / "config.toml", Task(("a.xyz", "DFT=b.xyz"), None, configuration))
    values = read_toml(tmp_path / "config.toml")
    assert values["data"] == [str(tmp_path / "a.xyz"), f"DFT={tmp_path / 'b.xyz'}"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = parse_task(values, protocol="default").configuration
    assert again.start == str(tmp_path / "before")
    assert again.for_element("H").start == str(tmp_path / "other")
    assert again == configuration.resolved()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('data = "a.xyz"', "data = 'a.xyz' is not a list"),
        ("data = [3]", "is not a list of texts"),
        ('nuclei = "H"', "nuclei = 'H' is not a list"),
        ('nuclei = ["Fe"]', r"nuclei \['Fe'\] are not of H, C, N, O"),
        ("nuclei = []", "are not of"),
        ("property = 3", "property = 3 is not a text"),
        ("epoch = 3", "no 'epoch'"),
    ],
)
def test_files_that_ask_for_nonsense(tmp_path, text, message):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        parse_task(read_toml(tmp_path / "a.toml"), protocol="default")


def test_files_that_cannot_be_read(tmp_path):
    path = tmp_path / "a.toml"
    with pytest.raises(UsageError, match=r"a\.toml: No such file"):
        read_toml(path)
    for content in (b"epochs: 3", b"\xff\xfe", b"epochs = 3\nepochs = 4"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"a\.toml is not TOML"):
            read_toml(path)
    with pytest.raises(UsageError, match="Is a directory"):
        read_toml(tmp_path)


def test_files_of_notepad_and_endless_names(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("\ufeffviews = 1\n", encoding="utf-8")
    assert read_toml(path) == {"views": 1}
    path.write_text(".".join("a" * 20_000) + " = 1")
    with pytest.raises(UsageError, match="absurd"):
        read_toml(path)
