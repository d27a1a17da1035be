"""README, CI and the package say the same."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def test_ci_runs_the_test_command_of_readme():
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert commands()[1] == script[-1]


def test_files_named_in_readme_exist():
    text = (ROOT / "README.md").read_text()
    for path in re.findall(r"\]\(([^):]+)\)", text) + re.findall(r"examples/\S+\.cif", text):
        assert (ROOT / path).exists(), path


def test_version_is_in_the_changelog():
    from shiftcli import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_errors_in_readme_are_those_of_the_benchmark():
    measured = json.loads((ROOT / "docs" / "benchmark.json").read_text())
    rows = re.findall(
        r"^\| (\d+[HCNO]) \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert [species for species, _ in rows] == list(measured["accuracy"])
    for species, row in rows:
        figures = measured["accuracy"][species]
        digits = 3 if species == "1H" else 2
        low, high = figures["rmse_interval"]
        assert row.split(" | ") == [
            f"{figures['n']:,}",
            f"{figures['rmse']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})",
            f"{figures['mae']:.{digits}f}",
            f"{figures['r2']:.4f}",
            f"{figures['baseline']['rmse']:.{digits}f}",
        ]


def test_the_benchmark_is_of_the_networks_that_ship():
    measured = json.loads((ROOT / "docs" / "benchmark.json").read_text())
    manifest = json.loads((ROOT / "weights" / "manifest.json").read_text())
    shipped = {n["file"]: n["sha256"] for n in manifest["networks"]}
    assert measured["weights"] == shipped
