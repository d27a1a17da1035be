"""Runs the program, in a process of its own or in this one."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def shiftcli():
    def run(*arguments, stdin="", **environment):
        return subprocess.run(
            [sys.executable, "-m", "shiftcli", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "COLUMNS": "160", **environment},
        )

    return run


@pytest.fixture
def main(monkeypatch, capfd):
    """Runs the program in this process, which takes no time to start."""

    def run(*arguments):
        from shiftcli.cli import main

        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setattr(sys, "argv", ["shiftcli", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            main()
        stdout, stderr = capfd.readouterr()
        return SimpleNamespace(returncode=caught.value.code or 0, stdout=stdout, stderr=stderr)

    return run
