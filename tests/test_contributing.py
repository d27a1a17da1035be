"""Each recipe in CONTRIBUTING does what it says in the files that it names, and in no others."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "shiftcli"


def recipe(title):
    """The text of one recipe."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## How to")[1]
    return re.search(rf"^- \*\*{title}\*\*: (.*?)(?=^- |\Z)", text, re.DOTALL | re.MULTILINE)[1]


class House:
    """A copy of the source that a recipe is followed in."""

    def __init__(self, folder):
        self.source = folder / "shiftcli"
        self.touched = set()
        shutil.copytree(SOURCE, self.source, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, file, old, new):
        text = (self.source / file).read_text()
        assert text.count(old) == 1, f"{file}: {old}"
        (self.source / file).write_text(text.replace(old, new))
        self.touched.add(file)

    def add(self, file, text):
        assert not (self.source / file).exists()
        (self.source / file).write_text(text)
        self.touched.add(file.split("/")[0] + "/")

    def run(self, code, *arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(self.source.parent), "COLUMNS": "120"},
            capture_output=True, text=True,
        )  # fmt: skip

    def check(self, title, code, *arguments):
        """Run a test of what was added; the recipe names the files that were touched."""
        done = self.run(code, *arguments)
        assert done.returncode == 0, done.stderr
        named = {n for n in re.findall(r"`([\w/]+(?:\.py|/))`", recipe(title)) if n[:5] != "tests"}
        assert named == self.touched
        return done.stdout


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


READER = """
import numpy as np

from shiftcli.readers.atoms import AtomTable


def read_plain(text, source):
    rows = [line.split() for line in text.splitlines()[1:]]
    elements = np.array([row[0] for row in rows])
    positions = np.array([row[1:] for row in rows], float)
    yield AtomTable(elements, positions, 9.0 * np.eye(3), whole=True)
"""


def test_a_file_format(house, tmp_path):
    house.add("readers/plain.py", READER)
    line = 'Format("plain", "plain atoms", (".plain",), r"\\A#plain$", "plain:read_plain"),\n'
    house.edit("readers/registry.py", "FORMATS = (\n", f"FORMATS = (\n    {line}")
    for name in ("water.plain", "water.txt"):  # by its name, and by its contents
        (tmp_path / name).write_text("#plain\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
    code = """if True:
        import sys
        from shiftcli.readers import read
        from shiftcli.readers.registry import titles
        for path in sys.argv[1:]:
            assert "".join(read(path)[0].elements) == "OHH"
        assert "plain atoms" in titles()"""
    files = (tmp_path / "water.plain", tmp_path / "water.txt")
    house.check("Add a file format", code, *files)


def test_a_density_kernel(house):
    house.edit("options.py", '"slater", "form-factor"', '"slater", "form-factor", "broad"')
    old = "    import gemmi\n\n    # f(s)"
    new = '    if kernel == "broad":\n        return [(torch.ones(4), torch.full((4,), 0.5))]\n'
    house.edit("density/voxelizer.py", old, new + old)
    code = """if True:
        import torch
        from shiftcli.cli import main
        from shiftcli.density.voxelizer import grid_axis, voxelize
        from shiftcli.training.config import Configuration
        assert Configuration(kernel="broad").architecture().kernel == "broad"
        atom = torch.tensor([[[0.3, -0.2, 0.5]]])
        (made,) = voxelize(atom, torch.tensor([[1]]), grids=(4.0,), kernel="broad")
        x, y, z = (grid_axis(4.0) - a for a in atom[0, 0])
        r2 = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2
        assert torch.allclose(made[1], torch.exp(-r2 / 2), atol=1e-5)"""
    house.check("Add a density kernel", code)


def test_a_preset(house):
    house.edit("options.py", '"mr-input", "cnn"', '"mr-input", "cnn", "tiny"')
    new = '    "tiny": Architecture("tiny", 4, 4, 8, units=(1,), bottleneck=8, growth=4),\n'
    house.edit("network/densenet.py", "PRESETS = {\n", "PRESETS = {\n" + new)
    code = """if True:
        import torch
        from shiftcli.network.densenet import MR3DDenseNet
        from shiftcli.training.config import Configuration
        network = MR3DDenseNet(Configuration(model="tiny").architecture()).eval()
        assert network(torch.zeros(2, 20, 16, 16, 16)).shape[0] == 2"""
    house.check("Add a preset", code)


WRITER = """
def write_tabs(document):
    for table in document.tables():
        columns, cells = table.shown()
        for row in [[column.head for column in columns], *cells]:
            yield "\\t".join(row) + "\\n"
"""


def test_an_output_format(house):
    house.add("views/tabs.py", WRITER)
    house.edit("options.py", '"xlsx", "parquet"]', '"xlsx", "parquet", "tabs"]')
    line = '    "tabs": ("tabs.write_tabs", (".tsv",)),\n'
    house.edit("views/formats.py", "_WRITERS = {\n", f"_WRITERS = {{\n{line}")
    code = """if True:
        from pathlib import Path
        from shiftcli.results.tables import Column, Document, Entry, Table
        from shiftcli.views import choose_format
        from shiftcli.views.formats import document_chunks
        assert choose_format(None, Path("out.tsv")) == "tabs"
        table = Table("sites", (Column("label"), Column("shielding", unit="ppm")), [("H1", 3.0)])
        text = "".join(document_chunks(Document({}, [Entry({}, (table,))]), "tabs"))
        assert text.splitlines()[1].startswith("H1\\t3"), text"""
    house.check("Add an output format", code)


def test_a_column(house):
    old = '        Column("flags"),\n'
    house.edit("results/predictions.py", old, '        Column("copies"),\n' + old)
    old = "                row.flags,\n"
    house.edit("results/predictions.py", old, "                len(row.site.atoms),\n" + old)
    code = """if True:
        from types import SimpleNamespace
        import numpy as np
        from shiftcli.prediction.records import Prediction, SitePrediction
        from shiftcli.results.choice import Choice
        from shiftcli.results.predictions import Results
        from shiftcli.structure.crystal import Crystal
        from shiftcli.views.documents import write_json
        from shiftcli.views.spreadsheets import write_csv
        elements, alike = np.array(["H", "H"]), np.array([0, 0])
        crystal = Crystal(elements, np.eye(2, 3), None, ("H1", "H2"), site_ids=alike)
        rows = tuple(SitePrediction(site, 30.0, 0.5, 1.0) for site in crystal.sites)
        predictor = SimpleNamespace(model="tiny", files=(), calibrations={})
        results = Results(predictor, [Prediction(crystal, rows)], choice=Choice(sort=("copies",)))
        document = results.document()
        for write in (write_json, write_csv):
            text = "".join(c if isinstance(c, str) else c.decode() for c in write(document))
            assert "copies" in text
        assert results.chosen(results.predictions[0]).sites == rows"""
    house.check("Add a column", code)


def test_an_option(house, tmp_path):
    old = '    precision: int = option(2, "Decimals of ppm.", limits=(0, 8), metavar="N")\n'
    new = (
        '    lines: int = option(7, "Lines of a page.", limits=(1, 9), metavar="N", panel=SHIFTS)\n'
    )
    house.edit("cli/options.py", old, old + new)
    new = '    kindness: float = option(0.5, "Of the loss.", panel=_LEARNING, limits=(0.0, 1.0))\n'
    old = "    folds: int = 0\n"
    house.edit("training/config.py", old, new + old)
    code = "import sys; from shiftcli.cli import main; sys.argv[0] = 'shiftcli'; main()"
    for command in ("predict", "compare"):
        assert "Lines of a page" in house.check("Add an option", code, command, "--help")
    assert "Of the loss" in house.check("Add an option", code, "train", "--help")
    (tmp_path / "own.toml").write_text("lines = 77\n")
    for wrong in (["--lines", "77"], ["--config", tmp_path / "own.toml"]):
        done = house.run(code, "predict", "none.cif", *wrong)
        assert done.returncode == 2
        assert "--lines" in done.stderr


def test_the_page_of_formats_has_all_of_them():
    from shiftcli.readers.registry import FORMATS
    from shiftcli.views import FORMATS as WRITTEN

    page = (ROOT / "docs" / "file-formats.md").read_text()
    read, written = page.split("## Out")
    assert [s for f in FORMATS for s in f.suffixes if f"`{s}" not in read] == []
    assert [word for word in WRITTEN if f"`{word}`" not in written] == []
