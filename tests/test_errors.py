"""One function isolates what goes wrong with a structure."""

import importlib.util
import sys

import pytest

from shiftcli.errors import (
    ExperimentError,
    Failure,
    ReadError,
    StoreError,
    StructureError,
    attempt,
    install,
)


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StructureError("contains Si"), "f.cif: x: contains Si"),
        (ReadError("no", where="f.cif: line 3"), "f.cif: line 3: no"),
        (ExperimentError("no H1", where="e.csv"), "f.cif: x: e.csv: no H1"),
        (ZeroDivisionError("oh"), "f.cif: x: a fault in shiftcli: ZeroDivisionError: oh"),
        (MemoryError(), "f.cif: x: out of memory"),
    ],
)
def test_what_goes_wrong_is_a_failure(error, message):
    found = attempt(raising(error), "f.cif", "f.cif: x")
    assert isinstance(found, Failure)
    assert found.file == "f.cif"
    assert str(found.error).startswith(message)


def test_what_goes_well_is_returned():
    assert attempt(lambda: 3, "f.cif") == 3


@pytest.mark.parametrize("error", [StoreError("full"), KeyboardInterrupt()])
def test_what_ends_the_run_is_no_failure(error):
    with pytest.raises(type(error)):
        attempt(raising(error), "f.cif")


def test_a_fault_shows_its_traceback_when_asked(monkeypatch):
    monkeypatch.setenv("SHIFTCLI_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        attempt(raising(ZeroDivisionError()), "f.cif")


def test_what_is_missing_is_added_the_way_shiftcli_was_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/a b/python")
    for has_pip, command in ((object(), "-m pip install"), (None, "")):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, found=has_pip: found)
        expected = (
            f"'/a b/python' {command}" if command else "uv pip install --python '/a b/python'"
        )
        assert install("openpyxl") == f"{expected} openpyxl"
    (tmp_path / "pipx_metadata.json").touch()  # wherever PIPX_HOME is
    assert install("openpyxl", "pandas") == "pipx inject shiftcli openpyxl pandas"
