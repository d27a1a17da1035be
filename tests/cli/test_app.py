"""The program as a whole: help, version, exit statuses."""

import os
import signal
import subprocess
import sys

import pytest

from shiftcli import __version__
from shiftcli.cli.errors import run
from shiftcli.errors import ShiftcliError, UsageError


def test_version(shiftcli):
    assert shiftcli("--version").stdout == f"shiftcli {__version__}\n"


@pytest.mark.parametrize("command", [[], ["predict"], ["train"], ["benchmark"]])
def test_help_names_the_defaults(shiftcli, command):
    done = shiftcli(*command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    if command:
        assert "[default:" in done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from shiftcli.cli.app import app; app(['predict', '--help'], "
        "standalone_mode=False); "
        "print(sorted({'torch', 'ase', 'scipy', 'numpy', 'matplotlib', 'spglib'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_interrupted_import_is_quiet():
    code = """
import sys
class Interrupted:
    def find_spec(self, name, *more):
        if name == "shiftcli.cli.command":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from shiftcli.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("command", ["env", "cite", "weights list", "benchmark"])
def test_words_too_many_are_shown_escaped(main, command):
    done = main(*command.split(), "a\u202eb\x1b[31m")
    assert done.returncode == 2
    assert "a\\u202eb\\x1b[31m" in done.stderr


def test_the_end_is_silent_where_triton_is_loaded():
    pytest.importorskip("triton")
    code = "import sys, triton; from shiftcli.cli import main; sys.argv[1:] = ['--version']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_help_is_quick(shiftcli):
    times = []
    for _ in range(3):
        start = os.times()
        shiftcli("--help")
        end = os.times()
        used = end.children_user - start.children_user, end.children_system - start.children_system
        times.append(sum(used))
    # 0.3 s on a free machine; seconds of the processor, since others may be at work on it.
    assert min(times) < 0.6


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ShiftcliError("x"), 1),
        (UsageError("x"), 2),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 1),
        (ValueError("two\nlines"), 1),
    ],
)
def test_exit_status(error, status, capsys):
    def fail():
        raise error

    with pytest.raises(SystemExit) as caught:
        run(fail)
    assert caught.value.code == status
    assert capsys.readouterr().err.count("\n") == 1


def test_debug_shows_the_traceback(shiftcli):
    done = shiftcli("predict", "x.cif", "--nucleus", "F", SHIFTCLI_DEBUG="1")
    assert "Traceback" in done.stderr


SLOW_TO_END = """
import time
from shiftcli.cli.errors import run

def app():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaning", flush=True)
        time.sleep(60)

run(app)
"""


@pytest.mark.parametrize(("first", "second", "status"), [("INT", "INT", 130), ("TERM", "INT", 130)])
def test_a_second_signal_ends_at_once_and_quietly(first, second, status):
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_TO_END],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, f"SIG{first}"))
        assert process.stdout.readline() == "cleaning\n"
        process.send_signal(getattr(signal, f"SIG{second}"))
        assert process.wait(20) == status
        assert process.stderr.read() == ""
