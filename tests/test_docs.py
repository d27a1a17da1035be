"""README and docs: every command runs and prints what the page shows, and the site builds.

The blocks of a page are run one after another in a folder that holds stand-ins for the user's
files (`make_standins`): ``sh`` by `bash -e -o pipefail`, ``python`` in one session. A ``text``
block right after one is what it showed; numbers may differ from it, as they do with every new set
of networks, but not by much. Exceptions are marked in the page, with the reason, right before the
block:

    <!-- not run: needs a GPU -->
    <!-- slow: two minutes of timing -->               run by `pytest -m slow`
    <!-- slow: needs the published crystals -->        and only where those are

Each picture of a page (`docs/pictures`) is one that its blocks have made.

`UPDATE_DOCS=1 pytest -n0 tests/test_docs.py -k test_blocks` writes what they print now
into the pages instead of comparing it, and their pictures. What slow blocks show is not compared.
The `shiftcli` of the blocks is a fork of one process that has imported everything
(`fork_server.py`), and `shiftcli train` gets `_SMALL` behind its own options, so that it takes
seconds.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = ROOT / "docs" / "pictures"
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))

#: One epoch, whatever the page says.
_SMALL = "--epochs 1 --batch-size 24 --steps 2"

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>not run|slow): (?P<reason>[^\n]*?) -->\n)?"
    r"^```(?P<language>sh|console|bash|shell|python)\n(?P<code>.*?)^```\n"
    r"(?:\s*^```text\n(?P<shown>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
_NUMBER = re.compile(r"[-+−]?\d+\.\d+")


class Block(NamedTuple):
    language: str
    code: str
    shown: str | None
    mark: str | None
    reason: str | None


def blocks(page):
    return [
        Block(m["language"], m["code"], m["shown"], m["mark"], m["reason"])
        for m in _BLOCK.finditer(page.read_text())
    ]


def pages_with(mark):
    return [
        pytest.param(page, id=page.name)
        for page in PAGES
        if any(b.mark == mark for b in blocks(page))
    ]


def words(text):
    """The text without its decimals, whose width may change with them, and lines of tables."""
    return " ".join(re.sub(r"[━─]+", "─", _NUMBER.sub("#", text)).split())


def assert_like(printed, shown):
    assert words(printed) == words(shown)
    expected = [float(n.replace("−", "-")) for n in _NUMBER.findall(shown)]
    found = [float(n.replace("−", "-")) for n in _NUMBER.findall(printed)]
    # Other networks of the same kind move the numbers, but not far.
    assert found == pytest.approx(expected, rel=0.1, abs=1.5)


def pictures(page):
    """Names of the pictures that a page shows."""
    return re.findall(r"!\[[^\]]*\]\((?:docs/)?pictures/([^)]+)\)", page.read_text())


def assert_looks_like(made, kept):
    """Other networks move the lines of a picture, and nothing else."""
    from matplotlib.image import imread

    new, old = imread(made), imread(kept)
    assert new.shape == old.shape
    assert abs(new - old).mean() < 0.06


@pytest.fixture(scope="module")
def shiftcli(tmp_path_factory):
    """A folder for PATH with the program in it."""
    folder = tmp_path_factory.mktemp("bin")
    # A socket's name has room for 100 characters, and folders of pytest have long names.
    address = f"{os.environ.get('TMPDIR', '/tmp')}/shiftcli-docs-{os.getpid()}"
    server = [sys.executable, str(ROOT / "tests" / "fork_server.py"), address]
    script = folder / "shiftcli"
    script.write_text(
        "#!/bin/bash\n"
        f"""case " $* " in " train "*"--resume "*) ;;\n"""
        f"""" train "*) set -- "$@" {_SMALL} ;;\nesac\n"""
        f"""exec {sys.executable} -SE {server[1]} {address} "$@"\n"""
    )
    script.chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield folder
        process.stdin.close()
        process.wait(timeout=30)
    os.unlink(address)


def deform(text, scale):
    """The urea crystal with the first two cell lengths scaled."""
    return text.replace("5.565", f"{5.565 * scale:.3f}")


@pytest.fixture
def standins(tmp_path, monkeypatch, labelled_file):
    """A folder to be in, with the files that the pages take for granted."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("SHIFTCLI_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SHIFTCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    make_standins(labelled_file)


def make_standins(labelled_file):
    """Files like those of a user, made from the example crystal."""
    shutil.copytree(ROOT / "examples", "examples")
    urea = Path("examples/urea.cif").read_text()
    Path("structure.cif").write_text(urea)
    Path("form-a.cif").write_text(urea)
    Path("form-b.cif").write_text(deform(urea, 1.02))
    Path("candidates").mkdir()
    for name, scale in (("A", 1.0), ("B", 1.03), ("C", 0.98)):
        Path(f"candidates/{name}.cif").write_text(deform(urea, scale))
    # Both hydrogens 0.13 Å nearer to their nitrogen, as X-ray diffraction has them.
    xray = urea.replace("H1 H 0.2575 0.7575 0.2827", "H1 H 0.2430 0.7430 0.2689")
    Path("xray.cif").write_text(xray.replace("0.6441 -0.0380", "0.6443 -0.0108"))
    Path("disordered.cif").write_text(disordered(urea))
    Path("broken.cif").write_text("\n".join(urea.splitlines()[:8]) + "\n")
    Path("shifts.csv").write_text("site,species,shift\nC1,13C,162.9\nH1,1H,7.4\nH2,1H,6.9\n")
    make_known("known", labelled_file)
    shutil.copy(labelled_file, "gipaw.xyz")
    Path("gipaw-results").mkdir()
    shutil.copy(labelled_file, "gipaw-results/ureas.xyz")


def make_known(name, labelled_file):
    """A crystal without symmetry, and shifts of all its 1H and 13C sites, as for `calibrate`."""
    from ase.io import read

    atoms = read(labelled_file, index=0)
    labels = [f"{symbol}{k + 1}" for k, symbol in enumerate(atoms.symbols)]
    cif = [f"data_{name}", "_space_group_name_H-M_alt 'P 1'"]
    for tags, values in (("abc", atoms.cell.lengths()), (["alpha", "beta", "gamma"], [90.0] * 3)):
        kind = "length" if tags == "abc" else "angle"
        cif += [f"_cell_{kind}_{t} {v:.4f}" for t, v in zip(tags, values, strict=True)]
    cif += ["loop_", *(f"_atom_site_{t}" for t in ("label", "fract_x", "fract_y", "fract_z"))]
    rows = zip(labels, atoms.get_scaled_positions(wrap=False), strict=True)
    cif += [f"{label} {x:.5f} {y:.5f} {z:.5f}" for label, (x, y, z) in rows]
    Path(f"{name}.cif").write_text("\n".join(cif) + "\n")
    reference = {"H": ("1H", 31.0), "C": ("13C", 170.0)}
    shifts = ["site,species,shift"]
    for label, symbol, shielding in zip(labels, atoms.symbols, atoms.arrays["CS"], strict=True):
        if symbol in reference:
            species, origin = reference[symbol]
            shifts.append(f"{label},{species},{origin - shielding:.2f}")
    Path(f"{name}.csv").write_text("\n".join(shifts) + "\n")


def disordered(urea):
    """The oxygen in two places, as a CIF marks it."""
    head, sites = urea.split("_atom_site_fract_z\n")
    tags = "_atom_site_occupancy\n_atom_site_disorder_assembly\n_atom_site_disorder_group\n"
    made = []
    for line in sites.splitlines():
        if line.startswith("O1"):
            made += ["O1A O 0 0.5 0.5953 0.7 A 1", "O1B O 0 0.5 0.6103 0.3 A 2"]
        else:
            made.append(f"{line} 1 . .")
    return f"{head}_atom_site_fract_z\n{tags}" + "\n".join(made) + "\n"


def run(code, folder):
    """What the terminal shows of a block; it must end well."""
    told = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", code],
        env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stdout}"
    return done.stdout


def run_page(page, folder, mark):
    """Run the blocks of a page that bear a mark, or those without any; yields what each printed."""
    session = {}
    for block in blocks(page):
        if block.mark != mark:
            continue
        if block.language == "sh":
            yield block, run(block.code, folder)
        else:
            printed = StringIO()
            with redirect_stdout(printed):
                exec(compile(block.code, page.name, "exec"), session)
            yield block, printed.getvalue()


@pytest.mark.usefixtures("standins")
@pytest.mark.parametrize("page", pages_with(None))
def test_blocks(page, shiftcli):
    for block, printed in run_page(page, shiftcli, None):
        if block.shown is None:
            continue
        if os.environ.get("UPDATE_DOCS"):
            page.write_text(page.read_text().replace(block.shown, printed))
        else:
            assert_like(printed, block.shown)
    for name in pictures(page):
        if os.environ.get("UPDATE_DOCS"):
            shutil.copy(name, PICTURES / name)
        assert_looks_like(Path(name), PICTURES / name)


def test_pictures_are_small_and_all_shown():
    kept = {path.name: path.stat().st_size for path in PICTURES.iterdir()}
    assert set(kept) == {name for page in PAGES for name in pictures(page)}
    assert max(kept.values()) < 60_000
    assert sum(kept.values()) < 400_000


def commands_beside_other_tools():
    """What stands in the table of `from-other-tools.md`."""
    page = (ROOT / "docs" / "from-other-tools.md").read_text().partition("## Side by side")[2]
    found = re.findall(r"^\|[^|]*\| `(shiftcli [^`|]*)` \|", page, re.MULTILINE)
    assert len(found) > 15
    return found


def test_the_table_beside_other_tools_knows_the_options():
    from typer.main import get_command

    from shiftcli.cli.app import app

    for line in commands_beside_other_tools():
        _, name, *words = shlex.split(line)
        own = {o for parameter in get_command(app).commands[name].params for o in parameter.opts}
        assert {word.partition("=")[0] for word in words if re.match("--?[a-z]", word)} <= own


@pytest.mark.slow
@pytest.mark.usefixtures("standins")
def test_the_table_beside_other_tools_runs(shiftcli):
    run("\n".join(commands_beside_other_tools()), shiftcli)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of ASE's and spglib's interfaces
@pytest.mark.usefixtures("standins")
@pytest.mark.parametrize("page", pages_with("slow"))
def test_slow_blocks(page, shiftcli, request, tmp_path, monkeypatch):
    if any("published crystals" in b.reason for b in blocks(page) if b.mark == "slow"):
        request.getfixturevalue("published")  # or skip
        (tmp_path / "shared").symlink_to(ROOT.parent / "shared")
        (tmp_path / "main").mkdir()
        monkeypatch.chdir(tmp_path / "main")
    assert list(run_page(page, shiftcli, "slow"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_run_or_says_why_not(page):
    text, found = page.read_text(), blocks(page)
    # Fences that the pattern above does not know would be run by nobody.
    assert sum(b.language in ("sh", "python") for b in found) == len(found)
    fences = re.findall(r"^\s*(?:```|~~~)(\S+)", text, re.MULTILINE)
    assert set(fences) <= {"sh", "python", "text", "toml", "csv", "json"}
    assert fences.count("sh") + fences.count("python") == len(found)
    marks = re.findall(r"<!-- (?:not run|slow):", text)
    assert len(marks) == sum(b.mark is not None for b in found)
    assert all(b.reason for b in found if b.mark)


def test_the_program_of_the_blocks_is_the_installed_one(shiftcli):
    from shiftcli import __version__

    assert run("shiftcli --version", shiftcli) == f"shiftcli {__version__}\n"
    with pytest.raises(AssertionError, match="cannot be read"):
        run("shiftcli predict nowhere.cif", shiftcli)
    with pytest.raises(AssertionError, match="cannot be read"):
        run("shiftcli predict nowhere.cif | cat", shiftcli)


@pytest.fixture(scope="module")
def hooks():
    found = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_errors_are_those_out_of_fold(hooks):
    page = hooks.on_page_markdown((ROOT / "docs" / "accuracy-and-limits.md").read_text())
    assert "<!-- made:" not in page
    document = json.loads((ROOT / "docs" / "out-of-fold.json").read_text())
    measured = document["../shared/data/csd-400.xyz"]
    for species, figures in measured.items():
        digits = 2 if species == "1H" else 1
        rows = [line for line in page.splitlines() if line.startswith(f"| {species} |")]
        assert f"| {figures['rmse']:.{digits}f} |" in rows[0]
        assert f"| {figures['n']:,} |" in rows[0]
        assert len(rows) == 1 + len(figures["classes"])
    # What the page says below the tables.
    worst = sorted(measured["1H"]["classes"].items(), key=lambda item: -item[1]["rmse"])[:2]
    assert {name for name, _ in worst} == {"O-H", "N-H"}


def test_the_reference_has_all_of_the_public_api():
    import shiftcli

    page = (ROOT / "docs" / "api.md").read_text()
    documented = {path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)", page, re.MULTILINE)}
    assert set(shiftcli.__all__) - {"__version__", "ShiftcliError"} <= documented


def test_every_command_has_a_public_function_in_the_reference():
    from functools import reduce

    from typer.main import get_command

    import shiftcli
    from shiftcli.cli.app import app

    page = (ROOT / "docs" / "index.md").read_text()
    rows = re.findall(r"^\|.*\| `(shiftcli [^`]*)` \| (.*) \|$", page, re.MULTILINE)
    functions = {command: re.findall(r"`([\w.]+)", names) for command, names in rows}
    top = get_command(app).commands
    below = top.pop("weights").commands
    assert set(functions) == {f"shiftcli {one}" for one in (*top, *(f"weights {o}" for o in below))}
    reference = (ROOT / "docs" / "api.md").read_text()
    for name in (name for names in functions.values() for name in names):
        if name.startswith("results."):
            importlib.import_module(f"shiftcli.{name.rpartition('.')[0]}")
        found = reduce(getattr, name.removesuffix(".predict").split("."), shiftcli)
        assert re.search(rf"^::: .*\.{found.__name__}$", reference, re.MULTILINE), name


def test_the_reference_has_every_command_and_option(hooks):
    from typer.main import get_command

    from shiftcli.cli.app import app

    page = hooks.on_page_markdown((ROOT / "docs" / "commands.md").read_text())
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))

    def check(name, command):
        for option in (o for p in command.params for o in p.opts if o.startswith("-")):
            assert option in sections[name], (name, option)
        for one, below in getattr(command, "commands", {}).items():
            check(f"{name} {one}", below)

    check("shiftcli", get_command(app))
    assert "--references" in sections["shiftcli predict"]
    assert app.rich_markup_mode == "rich"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks(path, tmp_path, monkeypatch):
    for needed in ("pandas", "matplotlib"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", "examples")
    session = {"__name__": "__main__"}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "no outputs in the repository"
            with redirect_stdout(StringIO()):
                exec("".join(cell["source"]), session)


def test_the_page_of_notebooks_shows_and_links_all(hooks):
    source = (ROOT / "docs" / "notebooks.md").read_text()
    assert {path.stem for path in NOTEBOOKS} == set(hooks.NOTEBOOKS)
    assert all(f"(notebooks/{path.name})" in source for path in NOTEBOOKS)
    page = hooks.on_page_markdown(source)
    assert page.count("\n## ") == len(NOTEBOOKS)
    assert "prediction.plot()" in page


def test_equations_become_mathml(hooks):
    html = hooks.on_page_content('<span class="arithmatex">\\(x^2 &lt; 1\\)</span>')
    assert re.fullmatch(r"<math .*<msup>.*</math>", html)


def test_site_builds_without_warnings(tmp_path):
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    built = {path.name: path.read_text() for path in site.glob("*.html")}
    assert {f"{page.stem}.html" for page in PAGES[1:]} <= set(built)
    assert built["method.html"].count("<math") > 5
    assert "arithmatex" not in built["method.html"]
    assert "shiftcli.prediction.predictor.Predictor" in built["api.html"]
    for name, html in built.items():
        assert "<!-- made:" not in html, name
        assert_loads_nothing_from_elsewhere(html)


def assert_loads_nothing_from_elsewhere(html):
    loaded = re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="([^"]*)"', html)
    for tag in re.findall(r"<link[^>]*>", html):
        if not re.search(r'rel="(?:canonical|next|prev)"', tag):
            loaded += re.findall(r'href="([^"]*)"', tag)
    assert not [address for address in loaded if re.match(r"(https?:)?//", address)]


@pytest.mark.usefixtures("standins")
def test_stand_ins_are_what_their_names_say():
    from shiftcli.errors import ReadError
    from shiftcli.readers import read
    from shiftcli.structure.hydrogens import measure_bonds

    assert np.median(measure_bonds(read("xray.cif")[0]).length) < 0.9
    assert "minor" in " ".join(read("disordered.cif")[0].warnings)
    with pytest.raises(ReadError):
        read("broken.cif")
