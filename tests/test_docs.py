"""The session in docs/python.md runs and prints what the page shows."""

import re
import shutil
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_NUMBER = re.compile(r"[-+]?\d+\.\d+")


def session(page):
    """Pairs of code and what it prints."""
    found = re.findall(r"```python\n(.*?)```\s*```text\n(.*?)```", page, re.DOTALL)
    assert len(found) == page.count("```python")
    return found


def words(text):
    """The text without its decimals, whose width may change with them."""
    return " ".join(_NUMBER.sub("#", text).split())


def test_python_session(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    namespace = {}
    for code, expected in session((ROOT / "docs" / "python.md").read_text()):
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(code, "docs/python.md", "exec"), namespace)
        assert words(printed.getvalue()) == words(expected)
        shown = [float(n) for n in _NUMBER.findall(expected)]
        # Other networks of the same kind move the numbers, but not far.
        found = [float(n) for n in _NUMBER.findall(printed.getvalue())]
        assert found == pytest.approx(shown, rel=0.1, abs=1.5)
