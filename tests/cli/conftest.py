"""Runs the program in a process of its own."""

import os
import subprocess
import sys

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
