"""README, CI and the package say the same."""

import json
import re
from pathlib import Path

import pytest

from shiftcli.structure.crystal import SPECIES

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


def out_of_fold():
    """Figures of all crystals, of the relaxed and of the displaced ones, by species."""
    return json.loads((ROOT / "docs" / "out-of-fold.json").read_text()).values()


def rows_of_readme(pattern):
    return re.findall(pattern, (ROOT / "README.md").read_text(), re.MULTILINE)


def test_errors_in_readme_are_those_out_of_fold():
    _, relaxed, displaced = out_of_fold()
    rows = rows_of_readme(r"^\| (\d+[HCNO]) \| (.*) \|$")
    assert [species for species, _ in rows] == list(relaxed)
    for species, row in rows:
        figures, moved = relaxed[species], displaced[species]
        digits = 3 if species == "1H" else 2

        def interval(of, digits=digits):
            low, high = of["rmse_interval"]
            return f"{of['rmse']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

        assert row.split(" | ") == [
            f"{figures['n']:,}",
            interval(figures),
            f"{figures['mae']:.{digits}f}",
            f"{figures['r2']:.4f}",
            f"{figures['baseline']['rmse']:.{digits}f}",
            interval(moved),
        ]


def test_the_networks_that_ship_carry_the_figures_out_of_fold():
    together, *_ = out_of_fold()
    manifest = json.loads((ROOT / "weights" / "manifest.json").read_text())
    for network in manifest["networks"]:
        figures = together[SPECIES[network["nucleus"]]]
        stated = network["validation"]
        assert stated["rmse"] == pytest.approx(figures["rmse"])
        assert (stated["n"], stated["crystals"]) == (figures["n"], figures["crystals"])
