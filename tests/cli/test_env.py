"""What to paste into a report of a fault is there, above all where something is broken."""

import json
import shutil
import subprocess
import sys

import pytest

from shiftcli import __version__
from shiftcli.weights import packaged


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A copy of the packaged networks that a test may spoil, and no cache of the user's."""
    folder = tmp_path / "weights"
    shutil.copytree(packaged("weights"), folder)
    monkeypatch.setenv("SHIFTCLI_CACHE", str(tmp_path / "cache"))
    return folder


def test_env(main, place, monkeypatch):
    monkeypatch.setenv("SHIFTCLI_WEIGHTS", str(place))
    done = main("env")
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout
    assert f"shiftcli    {__version__}\n" in text
    assert f"\n  cache   {place.parent / 'cache' / 'weights'}\n" in text
    assert f"\n  folder  {place}\n" in text
    for entry in json.loads((place / "manifest.json").read_text())["networks"]:
        assert f"    {entry['file']}  {entry['sha256']}\n" in text
    assert f"SHIFTCLI_WEIGHTS  {place}\n" in text
    assert text.endswith("\nproblems: none\n")


def test_env_as_json(main):
    import gemmi
    import torch

    found = json.loads(main("env", "--format", "json").stdout)
    assert found["program"]["shiftcli"] == __version__
    assert found["packages"]["gemmi"] == gemmi.__version__
    assert found["packages"]["torch"] == torch.__version__
    assert "pytest" not in found["packages"]
    assert found["torch"]["threads"] == torch.get_num_threads()
    assert found["torch"]["CUDA available"] is torch.cuda.is_available()
    assert found["machine"]["cores"] >= 1
    assert found["problems"] == []


def test_damaged_network_is_named(main, place):
    path = sorted(place.glob("*.safetensors"))[0]
    path.write_bytes(path.read_bytes()[:-1])
    done = main("env", "--weights", place)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    problems = done.stdout.partition("\nproblems\n")[2]
    assert problems.count("\n") == 1
    assert path.name in problems


def test_unlisted_network_that_cannot_be_read_is_named(main, place):
    (place / "manifest.json").unlink()
    for path in sorted(place.glob("*.safetensors"))[2:]:
        path.unlink()
    bad = place / "mine-H.safetensors"
    bad.write_bytes(b"not a network")
    problems = json.loads(main("env", "--weights", place, "--format", "json").stdout)["problems"]
    assert len(problems) == 1
    assert problems[0].startswith("mine-H.safetensors: ")


def test_nothing_is_downloaded(main, tmp_path, monkeypatch):
    empty = tmp_path / "package"
    empty.mkdir()
    shutil.copy(packaged("weights") / "manifest.json", empty)
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", str(packaged("weights")))
    monkeypatch.setenv("SHIFTCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SHIFTCLI_WEIGHTS", raising=False)
    monkeypatch.setattr("shiftcli.weights.lookup.packaged", lambda name: empty)
    done = main("env", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    (problem,) = json.loads(done.stdout)["problems"]
    assert "is not on this machine (shiftcli weights download compact; " in problem
    assert not (tmp_path / "cache").exists()


def run_with(tmp_path, module, text, *arguments):
    """The command in a process that finds another module first."""
    (tmp_path / f"{module}.py").write_text(text)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
        f"sys.argv = ['shiftcli', *{list(arguments)!r}]; from shiftcli.cli import main; main()"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["torch", "numpy"])
def test_broken_package_is_named_and_the_rest_told(tmp_path, module):
    broken = "raise OSError('libcudart.so.99: cannot open shared object file')"
    done = run_with(tmp_path, module, broken, "env", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert (
        f"{module}: OSError: libcudart.so.99: cannot open shared object file" in (found["problems"])
    )
    assert found["program"]["shiftcli"] == __version__
    assert found["packages"][module]  # its version is known all the same
    assert found["machine"]["platform"]
    if module == "torch":
        assert len(found["problems"]) == 1
        assert found["networks"]["files"]  # and so are the hashes of the networks


def test_no_secrets_and_one_line_each(main, monkeypatch):
    monkeypatch.setenv("SHIFTCLI_WEIGHTS_URL", "https://me:secret@example.org/x?token=hidden")
    monkeypatch.setenv("SHIFTCLI_STRANGE", "a\nproblems: none\x1b[31m")
    text = main("env").stdout
    assert "SHIFTCLI_WEIGHTS_URL  https://…@example.org/x?…\n" in text
    assert "secret" not in text
    assert "hidden" not in text
    assert "a\\nproblems: none\\x1b[31m\n" in text


def test_gpus_as_the_driver_names_them(tmp_path, monkeypatch):
    from shiftcli.results.installation import _gpus

    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, NVIDIA H200, 570.86, 143771 MiB'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert _gpus() == {"0": "NVIDIA H200, 570.86, 143771 MiB"}
    program.write_text("#!/bin/sh\nexit 9\n")
    (answer,) = _gpus().items()
    assert answer[0] == "nvidia-smi"
    assert "exit status 9" in answer[1]
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _gpus() == {}
