"""Groups of options become a command's signature; files give defaults."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from shiftcli.cli.app import app
from shiftcli.cli.command import command
from shiftcli.errors import UsageError
from shiftcli.options import option


@dataclass(frozen=True)
class Many:
    words: tuple[str, ...] = option(("a",), "Some words.", parse=lambda t: tuple(t.split(",")))
    kind: Literal["fast", "slow"] | None = option(None, "How fast", panel="Speed")
    number: int = option(3, "A number.", limits=(0, 9), name="count", short="n")
    switch: bool = option(False, "A switch.")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Calls a command of these options, and returns what it was called with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def call(*arguments):
        seen = {}

        @command
        def first(*, many: Many, rest: Annotated[dict[str, Any], Many2], output: str = "") -> None:
            seen.update(many=many, rest=rest, output=output)

        @command
        def second() -> None:
            pass

        app = typer.Typer()
        app.command()(first)
        app.command()(second)
        app(["first", *arguments], standalone_mode=False)
        return seen

    return call


@dataclass(frozen=True)
class Many2:
    depth: float = option(0.5, "Depth.", limits=(0.0, 1.0))
    flat: bool = option(True, "Flat.")


def test_defaults_and_what_is_typed(run):
    assert run()["many"] == Many()
    assert run()["rest"] == {}
    found = run("--words", "x,y", "-n", "4", "--kind", "slow", "--switch", "--no-flat")
    assert found["many"] == Many(("x", "y"), "slow", 4, True)
    assert found["rest"] == {"flat": False}


def test_files_give_defaults_and_what_is_typed_wins(run, tmp_path, capsys):
    home = tmp_path / "home" / "shiftcli"
    home.mkdir(parents=True)
    (home / "shiftcli.toml").write_text('count = 1\nkind = "slow"\n')
    (tmp_path / "shiftcli.toml").write_text(
        'count = 2\nunknown = 1\noutput = "x"\n[first]\nwords = ["p", "q"]\n[second]\nx = 1\n'
    )
    found = run()
    assert found["many"] == Many(("p", "q"), "slow", 2)
    assert found["output"] == ""  # a file that lies about does not choose what is written over
    assert "note: options from shiftcli.toml: count, words\n" in capsys.readouterr().err
    (tmp_path / "own.toml").write_text('count = 5\ndepth = 1\noutput = "y"\n')
    found = run("--config", "own.toml", "--kind", "fast")
    assert found["many"] == Many(("p", "q"), "fast", 5)
    assert (found["rest"], found["output"]) == ({"depth": 1.0}, "y")


@pytest.mark.parametrize(
    "text",
    [
        "unknown = 1", "switch = 3", "count = true", "words = 1979-05-27", "first = 1",
        "count = [[",
        f"count = {'1' * 5000}", "words = [[1]]", "depth = inf", "\x00", "[first]\nunknown = 1",
        "a = " + "[" * 100_000,
    ],
)  # fmt: skip
def test_absurd_files_are_one_line(run, tmp_path, text):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        run("--config", "own.toml")
    assert len(str(caught.value)) < 300


def test_values_of_files_have_the_limits_of_options(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in ("precision = 99", "precision = 1.5", f"jobs = {10**400}", "hydrogens = 'none'"):
        (tmp_path / "a.toml").write_text(line)
        done = main("predict", "x.cif", "--config", "a.toml")
        assert done.returncode == 2
        assert "fault" not in done.stderr


@pytest.mark.parametrize("columns", ["80", "120"])
def test_help_cuts_nothing_off(columns):
    words = {
        "predict": ["simpson or", "octahedral", "neutron or keep", "bfloat16", "valence"],
        "train": ["form-factor", "exponential", "mr-arch"],
        "spectrum": ["lorentzian or voigt"],
        "weights download": [],
    }
    for name in (*words, *(one.callback.__name__ for one in app.registered_commands)):
        done = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": columns})
        shown = " ".join(done.stdout.replace("│", " ").split())
        assert all(word in shown for word in words.get(name, ["--help"])), name
        assert "…" not in shown, name
        assert max(map(len, done.stdout.splitlines())) <= int(columns)
