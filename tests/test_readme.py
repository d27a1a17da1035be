"""README, CI and the package say the same."""

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
