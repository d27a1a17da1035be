"""The shell completes commands and options."""

import os
import shutil
import subprocess
import sys

import pytest

#: What the console script does; the name of the variables follows from the program's.
_PROGRAM = "import sys; sys.argv = ['shiftcli']; from shiftcli.cli import main; main()"


def complete(instruction, **environment):
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, "_SHIFTCLI_COMPLETE": instruction, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_script_for_the_shell():
    script = complete("source_bash")
    assert "complete -o default -F" in script
    if shutil.which("bash"):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("shiftcli pre", ["predict"]),
        ("shiftcli env --fo", ["--format"]),
        ("shiftcli env --format ", ["text", "json"]),
    ],
)
def test_completions(words, expected):
    at = str(len(words.split(" ")) - 1)
    assert complete("complete_bash", COMP_WORDS=words, COMP_CWORD=at).split() == expected


def test_show_completion_asks_the_shell_that_runs_it():
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    # `:` after it keeps the shell from making way for the program.
    command = f"'{sys.executable}' -m shiftcli --show-completion; :"
    done = subprocess.run([bash, "-c", command], capture_output=True, text=True, check=True)
    assert "_COMPLETE=complete_bash" in done.stdout
