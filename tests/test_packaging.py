"""What is built is complete, and works where nothing but it is installed."""

import ast
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from shiftcli import __version__

ROOT = Path(__file__).parents[1]

#: A package index takes no file larger than 100 MB, and nobody likes to wait for one.
MOST_BYTES = 60_000_000


def build(what, source, folder):
    """Build a wheel or an sdist with the tool that pip would call; its path."""
    pytest.importorskip("hatchling")
    code = f"import sys, hatchling.build as b; print(b.build_{what}(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=source,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_all_it_needs_and_no_more(wheel):
    files = contents(wheel)
    assert wheel.stat().st_size < MOST_BYTES
    manifest = json.loads((ROOT / "weights" / "manifest.json").read_text())
    for network in manifest["networks"]:
        packed = files[f"shiftcli/_weights/{network['file']}"]
        assert packed == (ROOT / "weights" / network["file"]).read_bytes()
    assert files["shiftcli/_weights/manifest.json"]
    assert files["shiftcli/_examples/urea.cif"] == (ROOT / "examples" / "urea.cif").read_bytes()
    assert "shiftcli/py.typed" in files
    for path in (ROOT / "src" / "shiftcli").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT / "src").as_posix() in files
    tops = {name.split("/")[0] for name in files}
    assert tops == {"shiftcli", f"shiftcli-{__version__}.dist-info"}
    assert not [name for name in files if "__pycache__" in name or name.endswith(".pyc")]


def test_wheel_says_what_it_is(wheel):
    files = contents(wheel)
    info = f"shiftcli-{__version__}.dist-info"
    metadata = Parser().parsestr(files[f"{info}/METADATA"].decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert files[f"{info}/licenses/{metadata['License-File']}"] == (ROOT / "LICENSE").read_bytes()
    classifiers = metadata.get_all("Classifier")
    assert "Typing :: Typed" in classifiers
    # Beside a licence expression a classifier of one would be refused by package indices.
    assert not [name for name in classifiers if name.startswith("License ::")]
    assert files[f"{info}/entry_points.txt"].decode().split() == [
        "[console_scripts]", "shiftcli", "=", "shiftcli.cli:main",
    ]  # fmt: skip


def test_every_import_is_required(wheel):
    """A package that the program imports is one that it, or one of its extras, asks for."""
    names = {"scikit-learn": "sklearn", "scikit-image": "skimage", "tomli-w": "tomli_w"}
    files = contents(wheel)
    metadata = Parser().parsestr(files[f"shiftcli-{__version__}.dist-info/METADATA"].decode())
    required = {"shiftcli"}
    for line in metadata.get_all("Requires-Dist"):
        if "extra == 'dev'" in line or "extra == 'test'" in line:
            continue
        name = line.split(">")[0].split("[")[0].split(";")[0].strip()
        required.add(names.get(name, name))
    imported = {}
    for name, text in files.items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0]: name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    imported[node.module.split(".")[0]] = name
    foreign = {k: v for k, v in imported.items() if k not in sys.stdlib_module_names}
    assert {k: v for k, v in foreign.items() if k not in required} == {}


def test_sdist_builds_the_same_wheel(wheel, tmp_path):
    sdist = build("sdist", ROOT, tmp_path)
    with tarfile.open(sdist) as archive:
        # Python 3.11.2, which Debian has, knows no filters; from 3.12 on one has to be named.
        known = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(tmp_path, **known)
    source = tmp_path / f"shiftcli-{__version__}"
    for name in ("tests/test_packaging.py", "constraints.txt", "docs", "Dockerfile", "recipe"):
        assert (source / name).exists()
    again = build("wheel", source, tmp_path)
    assert again.read_bytes() == wheel.read_bytes()


def test_conda_recipe_asks_for_the_same():
    """Version, packages and bounds are those of pyproject.toml."""
    recipe = (ROOT / "recipe" / "recipe.yaml").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f'version: "{project["version"]}"' in recipe
    run = recipe.partition("\n  run:\n")[2].partition("\n\n")[0]
    asked = {line.strip(" -").replace(" ", "") for line in run.splitlines()}
    required = {name.replace("torch", "pytorch") for name in project["dependencies"]}
    assert asked == {f"python{project['requires-python']}", *required}


def test_docker_context_holds_what_the_wheel_is_made_of():
    """What .dockerignore lets through is enough for a wheel, and no more than there is."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert all((ROOT / name).exists() for name in kept)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {"src", *build["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]}
    needed |= {build["project"]["readme"], *build["project"]["license-files"]}
    assert needed | {"pyproject.toml", "constraints.txt"} == kept


def without_network(command):
    """The command in a network of its own where the system allows it, in which there is none."""
    unshare = shutil.which("unshare")
    if unshare and not subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode:
        return [unshare, "-rn", *command]
    return list(command)


@pytest.mark.slow
def test_wheel_predicts_in_an_empty_environment_without_network(wheel, tmp_path, predictor, urea):
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = (python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    subprocess.run(install, check=True)

    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "COLUMNS": "160",
        "OMP_NUM_THREADS": "1",
        # Where there is no unshare, nobody listens here.
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
    }

    def shiftcli(*arguments):
        command = (str(python.with_name("shiftcli")), *map(str, arguments))
        done = subprocess.run(
            without_network(command),
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert shiftcli("--version") == f"shiftcli {__version__}\n"
    found = json.loads(shiftcli("env", "--format", "json"))
    assert Path(found["program"]["installed"]).is_relative_to(tmp_path)
    assert Path(found["networks"]["folder"]).is_relative_to(tmp_path)
    assert found["problems"] == []
    rows = list(
        csv.DictReader(
            io.StringIO(shiftcli("predict", ROOT / "examples" / "urea.cif", "--format", "csv"))
        )
    )
    here = predictor.predict(urea).sites
    assert [row["labels"] for row in rows] == [site.site.label for site in here]
    for row, site in zip(rows, here, strict=True):
        assert float(row["MS_shielding/ppm"]) == pytest.approx(site.shielding, abs=0.02)
    assert "10.1021/acs.jpclett.9b01570" in shiftcli("cite")
    assert "predict" in shiftcli("--help")
