"""The shell completes commands and options."""

import shutil
import subprocess
import sys

import pytest


def test_script_for_the_shell(main, monkeypatch):
    # Where the shell cannot be told from the process, the variable names it.
    monkeypatch.setenv("_SHIFTCLI_COMPLETE", "source_bash")
    done = main()
    assert done.returncode == 0
    assert "complete -o default -F" in done.stdout
    bash = shutil.which("bash")
    if bash:
        subprocess.run([bash, "-n"], input=done.stdout, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("shiftcli pre", ["predict"]),
        ("shiftcli env --fo", ["--format"]),
        ("shiftcli env --format ", ["text", "json"]),
    ],
)
def test_completions(main, monkeypatch, words, expected):
    monkeypatch.setenv("_SHIFTCLI_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    done = main()
    assert done.returncode == 0
    assert done.stdout.split() == expected


def test_show_completion_asks_the_shell_that_runs_it():
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    # `:` after it keeps the shell from making way for the program.
    command = f"'{sys.executable}' -m shiftcli --show-completion; :"
    done = subprocess.run([bash, "-c", command], capture_output=True, text=True, check=True)
    assert "_COMPLETE=complete_bash" in done.stdout
