"""The house is what CONTRIBUTING says: rooms in order, light where need be, mirrored by tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "shiftcli"
TESTS = ROOT / "tests"
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))

#: Imports up the list that stand, and why.
UPWARD = {
    ("views/progress.py", "training"): "the type of the rows of a run; not imported when it runs",
}

#: Modules whose test has another name than theirs. What makes results into tables is held to what
#: the commands print, and the parts of a reader to the files that need them.
ELSEWHERE = {
    # Parts that do nothing alone: tested by what is made of them.
    "benchmark/tables.py": "benchmark/test_accuracy.py",
    "cli/batch.py": "cli/test_predict_batch.py",
    "cli/errors.py": "cli/test_app.py",
    "cli/options.py": "cli/test_command.py",
    "cli/words.py": "cli/test_rank.py",
    "nmr/candidates.py": "nmr/test_ranking.py",
    "nmr/experiment.py": "nmr/test_experiment_files.py",
    "nmr/gathering.py": "nmr/test_ranking.py",
    "nmr/naming.py": "nmr/test_assignment.py",
    "pipeline/collect.py": "cli/test_collect.py",
    "pipeline/store.py": "pipeline/test_stored.py",
    "training/atoms.py": "training/test_committee.py",
    "prediction/committee.py": "training/test_committee.py",
    "views/plots/training.py": "views/plots/test_training_curves.py",
    # The record in networks' files: tested with what fits it and what reads it.
    "network/calibration.py": "prediction/test_uncertainty.py",
    # Results as tables: tested by what the commands print of them.
    "results/citations.py": "cli/test_cite.py",
    "results/comparisons.py": "cli/test_compare.py",
    "results/installation.py": "cli/test_env.py",
    "results/lanes.py": "views/test_report.py",
    "results/look.py": "views/plots/test_spectra.py",
    "results/machine.py": "cli/test_env.py",
    "results/networks.py": "cli/test_weights.py",
    "results/pages.py": "views/test_report.py",
    "results/sections.py": "views/test_report.py",
    "results/predictions.py": "cli/test_predict_formats.py",
    "results/provenance.py": "views/test_marks.py",
    "results/rankings.py": "cli/test_rank.py",
    "results/spectra.py": "nmr/test_spectrum.py",
    # Parts of reading: tested with files.
    "readers/atoms.py": "readers/test_readers.py",
    "readers/build.py": "readers/test_readers.py",
    "readers/cif_text.py": "readers/test_cif.py",
    "readers/disorder.py": "readers/test_cif.py",
    "readers/evidence.py": "readers/test_spacegroups.py",
    "readers/formula.py": "readers/test_cif.py",
    "readers/occupancies.py": "readers/test_cif.py",
    "readers/registry.py": "readers/test_readers.py",
    "readers/sources.py": "readers/test_readers.py",
    "readers/symmetry.py": "readers/test_spacegroups.py",
    "readers/tables.py": "readers/test_pdb.py",
    # Said once for all rooms: tested where it is used.
    "limits.py": "readers/test_limits.py",
    "options.py": "training/test_config.py",
    "structure/nuclei.py": "cli/test_command.py",
}


def table():
    """What stands in the first column of CONTRIBUTING's table of rooms."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (`.*?) \|", text.split("## The rooms")[1], re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


ROOMS = [name.rstrip("/") for name in table() if name.endswith("/")]


def imported(module):
    """Names of this package that a module imports anywhere, functions and types too."""
    for node in ast.walk(ast.parse((SOURCE / module).read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide the room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def upward(module):
    """Rooms that a module imports although they stand below its own."""
    room = module.split("/")[0]
    seen = {name.split(".")[1] for name in imported(module) if name.startswith("shiftcli.")}
    if room in ROOMS:
        return {name for name in seen & set(ROOMS) if ROOMS.index(name) > ROOMS.index(room)}
    return seen & set(ROOMS)


def test_the_table_of_rooms_is_the_folders():
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    files = {p.name for p in SOURCE.glob("[!_]*.py")}
    assert sorted(table()) == sorted({f"{name}/" for name in folders} | files)


def test_a_module_imports_only_rooms_above_its_own():
    # The public names of the package are in rooms, and `python -m` starts the last.
    found = {(m, room) for m in MODULES if not m.startswith("__") for room in upward(m)}
    assert found == set(UPWARD)


@pytest.mark.parametrize("command", [["--help"], ["weights", "list"]])
def test_what_computes_nothing_imports_nothing_heavy(command):
    code = (
        "import sys, atexit; from shiftcli.cli import main; "
        "heavy = {'torch', 'ase', 'scipy', 'spglib', 'matplotlib', 'networkx'}; "
        "atexit.register(lambda: print(sorted(heavy & {*sys.modules}), file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_package_has_no_other_names_than_its_own():
    import shiftcli

    with pytest.raises(AttributeError, match="'shiftcli' has no attribute 'trian'"):
        _ = shiftcli.trian


def is_mirrored(module):
    """Whether a test file bears the name of a module, or of the package inside a room it is in."""
    path = Path(module)
    own = TESTS / path.parent / f"test_{path.name}"
    package = TESTS / path.parent.parent / f"test_{path.parent.name}.py"
    return own.exists() or (len(path.parts) > 2 and package.exists())


def test_every_module_has_its_test():
    missing = {m for m in MODULES if not Path(m).name.startswith("__") and not is_mirrored(m)}
    assert missing == set(ELSEWHERE)
    assert [name for name in ELSEWHERE.values() if not (TESTS / name).is_file()] == []
