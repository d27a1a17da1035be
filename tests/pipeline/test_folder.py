"""One file a structure, and a later run that goes on; with a predictor that costs nothing."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from shiftcli.errors import ReadError, StoreError, UsageError
from shiftcli.pipeline.folder import Finished, is_folder, predict_into
from shiftcli.pipeline.store import MANIFEST, SCHEMA, Store, digest_of
from shiftcli.prediction.predictor import Failure, Prediction
from shiftcli.readers import find_files, iter_structures

METHANE = "5\n\nC 0 0 0\nH .63 .63 .63\nH -.63 -.63 .63\nH -.63 .63 -.63\nH .63 -.63 -.63\n"


class Free:
    """Predicts nothing of every structure, and remembers which files it was given."""

    def __init__(self, sha256="a" * 64, **settings):
        self.settings = {"views": None, **settings}
        self.files = [SimpleNamespace(path=SimpleNamespace(name="n"), sha256=sha256, model="m")]
        self.model, self.device, self.seen = "m", torch.device("cpu"), []
        self.run = json.dumps([sha256, settings], sort_keys=True)

    def predict_files(self, files):
        for file in files:
            self.seen.append(file)
            for item in iter_structures(file):
                bad = isinstance(item, ReadError)
                yield Failure(file, item) if bad else Prediction(item, ())


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()

    def make(**contents):
        for name, content in contents.items():
            (folder / f"{name}.xyz").write_text(content)
        return [str(folder / f"{name}.xyz") for name in contents]

    return make


def run(folder, files, predictor=None, render=lambda p: p.crystal.formula, **options):
    predictor = predictor or Free()
    with Store(folder) as predictor.store:
        return predictor, list(
            predict_into(predictor, files, render, suffix=".csv", options=options)
        )


def results(folder):
    return sorted(name for name in os.listdir(folder) if name != MANIFEST)


def test_what_counts_as_a_folder(tmp_path):
    (tmp_path / "file").touch()
    assert is_folder(tmp_path)
    assert is_folder(tmp_path / "new")
    assert not is_folder(tmp_path / "new.csv")
    assert not is_folder(tmp_path / "file")
    assert not is_folder(Path("-"))
    (tmp_path / "folder.csv").mkdir()
    assert is_folder(tmp_path / "folder.csv")


def test_one_file_a_structure_and_what_failed(tmp_path, inputs):
    out = tmp_path / "deep" / "out"
    files = inputs(one=METHANE, three=METHANE + METHANE + "1\n\nXx 0 0 0\n", bad="prose")
    _, outcomes = run(out, files)
    assert [type(o) for o in outcomes] == [Prediction] * 3 + [Failure] * 2
    assert results(out) == ["one.csv", "three@1.csv", "three@2.csv"]
    assert (out / "three@2.csv").read_text() == "C H4"
    head, *entries = map(json.loads, (out / MANIFEST).read_text().splitlines())
    assert (head["schema"], head["model"]) == (SCHEMA, "m")
    assert [os.path.basename(e["file"]) for e in entries] == ["one.xyz", "three.xyz", "bad.xyz"]
    assert [len(e["failures"]) for e in entries] == [0, 1, 1]
    assert "frame 3: atom 1: no element" in entries[1]["failures"][0]


def test_a_second_run_does_what_is_left(tmp_path, inputs):
    out = tmp_path / "out"
    files = inputs(a=METHANE, b=METHANE, c="prose")
    run(out, files)
    predictor, outcomes = run(out, [*files, *inputs(d=METHANE)])
    assert [os.path.basename(f) for f in predictor.seen] == ["c.xyz", "d.xyz"]  # failures again
    assert [os.path.basename(o.file) for o in outcomes if isinstance(o, Finished)] == [
        "a.xyz", "b.xyz"]  # fmt: skip
    assert results(out) == ["a.csv", "b.csv", "d.csv"]


@pytest.mark.parametrize(
    "change",
    ["content", "option", "weights", "setting", "result", "manifest", "hash"],
)
def test_what_has_changed_is_done_again(tmp_path, inputs, change):
    out = tmp_path / "out"
    files = inputs(a=METHANE, b=METHANE)
    run(out, files, precision=2)
    predictor, options, again = Free(), {"precision": 2}, ["a.xyz", "b.xyz"]
    if change == "content":
        inputs(a=METHANE.replace(".63", ".62"))
        again = ["a.xyz"]
    elif change == "option":
        options = {"precision": 3}
    elif change == "weights":
        predictor = Free(sha256="b" * 64)
    elif change == "setting":
        predictor = Free(views=1)
    elif change == "result":
        (out / "a.csv").unlink()
        again = ["a.xyz"]
    elif change == "manifest":
        (out / MANIFEST).unlink()
    elif change == "hash":
        text = (out / MANIFEST).read_text()
        (out / MANIFEST).write_text(text.replace('"sha256": "', '"sha256": "0'))
    _, outcomes = run(out, files, predictor, **options)
    assert [os.path.basename(f) for f in predictor.seen] == again
    assert sum(isinstance(o, Finished) for o in outcomes) == 2 - len(again)
    assert results(out) == ["a.csv", "b.csv"]


def test_results_of_structures_that_are_gone_go(tmp_path, inputs):
    out = tmp_path / "out"
    run(out, inputs(a=METHANE * 3))
    assert results(out) == ["a@1.csv", "a@2.csv", "a@3.csv"]
    run(out, inputs(a=METHANE))
    assert results(out) == ["a.csv"]


def test_inputs_of_the_same_name(tmp_path):
    files = []
    for folder in ("one", "two", "three"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / ("X.xyz" if folder == "three" else "x.xyz")
        path.write_text(METHANE)
        files.append(str(path))
    out = tmp_path / "out"
    run(out, files)
    before = results(out)
    assert len(before) == 3
    assert "x.csv" in before
    predictor, _ = run(out, files[::-1])  # each finds its own again, in any order
    assert predictor.seen == []
    run(out, files[::-1], views=1)
    assert results(out) == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("--help.xyz", "help.csv"),
        ("new\nline.xyz", "new_line.csv"),
        ("[red]x[-].xyz", "red_x.csv"),
        ("\x1b[31m.xyz", "31m.csv"),
        ("日本.xyz", "日本.csv"),
        ("...xyz", "xyz.csv"),
        ("日" * 80 + ".xyz", "日" * 50 + ".csv"),
        ("v1.2.xyz.GZ", "v1.2.csv"),
        ("\udcff.xyz", "structure.csv"),
        ("manifest.jsonl.xyz", "manifest.jsonl.csv"),
    ],
)
def test_strange_names(tmp_path, name, expected):
    (tmp_path / "in").mkdir()
    path = os.path.join(tmp_path, "in", name)
    with open(os.fsencode(path), "w") as handle:
        handle.write(METHANE)
    out = tmp_path / "out"
    _, outcomes = run(out, [path])
    assert [type(o) for o in outcomes] == [Prediction]
    assert results(out) == [expected]
    predictor, _ = run(out, [path])
    assert predictor.seen == []


def test_a_structure_that_the_format_cannot_hold(tmp_path, inputs):
    def render(prediction):
        raise UsageError("no cell, no CIF")

    _, outcomes = run(tmp_path / "out", inputs(a=METHANE), render=render)
    assert [str(o.error) for o in outcomes] == [
        f"{tmp_path}/in/a.xyz: no cell, no CIF"]  # fmt: skip
    assert results(tmp_path / "out") == []


def test_a_list_that_was_cut_off_or_tampered_with(tmp_path, inputs):
    """Lines that are no entries count nothing; names that lead elsewhere are not followed."""
    out, precious = tmp_path / "out", tmp_path / "precious.csv"
    precious.write_text("mine")
    files = inputs(a=METHANE, b=METHANE)
    run(out, files)
    path = out / MANIFEST
    head, a, b = path.read_text().splitlines()
    evil = json.dumps({**json.loads(a), "results": {"../precious.csv": digest_of(precious)}})
    path.write_text("\n".join([head, a, "{}", "[]", "null", "\x00", evil, b[:50]]))
    predictor, _ = run(out, files)
    assert [os.path.basename(f) for f in predictor.seen] == ["b.xyz"]
    assert precious.read_text() == "mine"
    predictor, _ = run(out, files)
    assert predictor.seen == []


def test_results_never_lie_among_the_structures(tmp_path, inputs):
    files = inputs(a=METHANE)
    with pytest.raises(UsageError, match="among the structures"):
        run(tmp_path / "in", files)
    assert os.listdir(tmp_path / "in") == ["a.xyz"]


def test_two_runs_at_once(tmp_path, inputs):
    out, files = tmp_path / "out", inputs(a=METHANE, b=METHANE)
    with Store(out), pytest.raises(StoreError, match="another run is writing"):
        Store(out)
    run(out, files)


HOSTILE = [
    "../precious.csv", "/{tmp}/precious.csv", "manifest.jsonl", "manifest-1-of-2.jsonl", "", ".",
    "..", "sub/x.csv", ".hidden", "x\\y.csv", "a\nb", 3, None, ["x"], "x" * 300, "link.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("as_name", [True, False])
def test_a_hostile_list(tmp_path, inputs, name, as_name):
    """Nothing is touched but what the list and its hashes prove ours."""
    out, precious = tmp_path / "out", tmp_path / "precious.csv"
    precious.write_text("mine")
    files = inputs(a=METHANE)
    run(out, files)
    (out / "link.csv").symlink_to(precious)
    path = out / MANIFEST
    entry = json.loads(path.read_text().splitlines()[-1])
    if isinstance(name, str):
        name = name.replace("{tmp}", str(tmp_path).strip("/"))
    if as_name:
        entry |= {"name": name, "sha256": "0" * 64}
    else:
        names = name if isinstance(name, list) else {str(name): digest_of(precious)}
        entry |= {"results": names, "sha256": "0" * 64}
    path.write_text(json.dumps(entry) + "\n")
    os.rename(tmp_path / "in" / "a.xyz", tmp_path / "in" / "link.xyz")
    os.link(tmp_path / "in" / "link.xyz", tmp_path / "in" / "a.xyz")
    before = set(os.listdir(tmp_path))
    run(out, [*files, str(tmp_path / "in" / "link.xyz")])
    assert precious.read_text() == "mine"
    assert set(os.listdir(tmp_path)) == before
    assert (out / "link.csv").is_symlink()
    run(out, files, views=1)
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    "line",
    [
        {"file": 1}, {"file": "a", "sha256": None}, {"key": "x" * 64}, {"key": 10**400},
        {"key": "0" * 64, "values": 3}, [[]], "text", {"results": {}}, {"file": []},
    ],
)  # fmt: skip
def test_odd_types_in_a_list(tmp_path, inputs, line):
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(json.dumps(line) + "\n" + "[" * 10_000 + "\n" + "1" * 9_000)
    predictor, _ = run(out, inputs(a=METHANE))
    assert len(predictor.seen) == 1
    assert results(out) == ["a.csv"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_list_that_is_no_file(tmp_path, inputs, kind):
    out, precious = tmp_path / "out", tmp_path / "precious"
    precious.write_text("mine")
    out.mkdir()
    place = out / MANIFEST
    {"link": lambda: place.symlink_to(precious), "pipe": lambda: os.mkfifo(place),
     "folder": place.mkdir}[kind]()  # fmt: skip
    with pytest.raises(StoreError, match="cannot write"):
        run(out, inputs(a=METHANE))
    assert precious.read_text() == "mine"


def test_results_that_were_changed_or_are_another_ones_stay(tmp_path, inputs):
    out, files = tmp_path / "out", inputs(a=METHANE, b=METHANE)
    out.mkdir()
    (out / "a.csv").write_text("of somebody else")
    run(out, files)
    assert (out / "a.csv").read_text() == "of somebody else"
    assert len(results(out)) == 3
    (out / "b.csv").write_text("notes of mine")
    predictor, _ = run(out, files)
    assert [os.path.basename(f) for f in predictor.seen] == ["b.xyz"]
    assert (out / "b.csv").read_text() == "notes of mine"
    predictor, _ = run(out, files)
    assert predictor.seen == []


def test_two_projects_in_one_folder(tmp_path, monkeypatch):
    out = tmp_path / "out"
    for name, content in (("one", METHANE), ("two", METHANE * 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.xyz").write_text(content)
        monkeypatch.chdir(tmp_path / name)
        run(out, ["x.xyz"])
    assert len(results(out)) == 3
    for name in ("one", "two"):
        monkeypatch.chdir(tmp_path / name)
        predictor, _ = run(out, ["x.xyz", "./x.xyz", str(tmp_path / name / "x.xyz")])
        assert predictor.seen == []


def test_the_same_file_by_two_paths_is_predicted_once(tmp_path, inputs, monkeypatch):
    (file,) = inputs(a=METHANE)
    monkeypatch.chdir(tmp_path / "in")
    os.symlink(file, "b.xyz")
    predictor, _ = run(tmp_path / "out", ["a.xyz", "./a.xyz", file, "b.xyz"])
    assert predictor.seen == ["a.xyz"]


def test_a_folder_inside_the_folder_of_inputs(tmp_path, inputs):
    inputs(a=METHANE)
    out = tmp_path / "in" / "out"

    def once():
        return run(out, find_files([tmp_path / "in"]), render=lambda p: METHANE)

    once()
    (out / "a.csv").rename(out / "a.xyz")  # as if results were structures
    text = (out / MANIFEST).read_text().replace("a.csv", "a.xyz")
    (out / MANIFEST).write_text(text)
    predictor, _ = once()
    assert predictor.seen == []
    (out / "new.xyz").write_text(METHANE)
    with pytest.raises(UsageError, match="among the structures"):
        once()


@pytest.mark.parametrize("place", ["/proc/self", "/proc/nowhere", "{tmp}/a.xyz", "{tmp}/a.xyz/b"])
def test_a_folder_that_cannot_be_written(tmp_path, inputs, place):
    (tmp_path / "a.xyz").write_text(METHANE)
    files = inputs(a=METHANE)
    with pytest.raises(UsageError, match=r"cannot (write|read)"):
        run(Path(place.format(tmp=tmp_path)), files)


def test_a_disk_that_fills_up(tmp_path, inputs, monkeypatch):
    """What was done before is there, whole, and the list knows of it and nothing else."""
    out, files = tmp_path / "out", inputs(a=METHANE, b=METHANE, c=METHANE)
    real, count = os.replace, [0]

    def replace(*names):
        count[0] += 1
        if count[0] > 1:
            raise OSError(28, "No space left on device")
        real(*names)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(UsageError, match="No space left on device"):
        run(out, files)
    assert sorted(os.listdir(out)) == ["a.csv", MANIFEST]
    monkeypatch.setattr(os, "replace", real)
    predictor, _ = run(out, files)
    assert [os.path.basename(f) for f in predictor.seen] == ["b.xyz", "c.xyz"]
