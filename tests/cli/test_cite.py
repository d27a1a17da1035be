"""What to cite follows from the networks."""

import json
import re
import shutil

import pytest

from shiftcli import __version__
from shiftcli.results.citations import find_citations
from shiftcli.weights import packaged

METHOD = "10.1021/acs.jpclett.9b01570"
CRYSTALS = "10.1038/s41467-018-06972-x"
MOLECULES = "10.1039/D1SC03343C"


@pytest.fixture
def copy(tmp_path):
    """A copy of the packaged networks that a test may change."""
    folder = tmp_path / "weights"
    shutil.copytree(packaged("weights"), folder)
    return folder


def say(copy, data):
    """Let the manifest say that the networks, changed so that no other knows them, had data."""
    import hashlib

    from shiftcli.network.checkpoint import amend

    manifest = copy / "manifest.json"
    values = json.loads(manifest.read_text())
    values["networks"] = values["networks"][:1]
    (entry,) = values["networks"]
    path = copy / entry["file"]
    amend(path, validation={"rmse": 1.0})
    entry["data"] = data
    entry["bytes"] = path.stat().st_size
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(values))
    return manifest


def dois(works):
    return [work.doi for work in works]


def test_text(main):
    done = main("cite")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"shiftcli {__version__}, model compact" in done.stdout
    cited = re.findall(r"https://doi.org/(\S+)", done.stdout)
    assert cited[0] == METHOD
    assert {CRYSTALS, MOLECULES} < {*cited}
    assert len(cited) == len({*cited})
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_bibtex(main):
    text = main("cite", "--format", "bibtex").stdout
    entries = re.findall(r"^@(\w+)\{(\w+),\n((?:  \w+ = \{.*\},?\n)+)\}$", text, re.MULTILINE)
    works = find_citations().works
    assert [key for _, key, _ in entries] == ["shiftcli", *(work.key for work in works)]
    assert text.count("{") == text.count("}")
    assert not re.search(r"(?<!\\)[&%$#_~^]", text)  # TeX would stumble over them
    for (_, _, body), work in zip(entries[1:], works, strict=True):
        assert f"doi = {{{work.doi}}}" in body
        assert f"year = {{{work.year}}}" in body


def test_dois_are_dois():
    works = find_citations().works
    assert all(re.fullmatch(r"10\.\d{4,5}/\S+", work.doi) for work in works)
    assert len({*dois(works)}) == len(works)


def test_data_follow_from_the_manifest(copy):
    say(copy, f"doi {CRYSTALS}, 2,000 crystals")
    found = find_citations(copy)
    assert CRYSTALS in dois(found.works)
    assert MOLECULES not in dois(found.works)
    assert found.statements == ()


def test_data_that_nobody_here_knows_are_told(copy, main):
    say(copy, "my own GIPAW calculations")
    done = main("cite", "--weights", copy)
    assert done.returncode == 0
    assert CRYSTALS not in done.stdout
    assert METHOD in done.stdout
    assert done.stderr == "note: no publication is known here of: my own GIPAW calculations\n"


def test_networks_of_a_training_run(copy, main):
    say(copy, "").unlink()
    for path in sorted(copy.glob("*.safetensors"))[1:]:
        path.unlink()
    done = main("cite", "--weights", copy)
    assert done.returncode == 0
    assert CRYSTALS not in done.stdout
    assert "no manifest says what these networks learned from" in done.stderr


def test_networks_that_are_not_there(main, tmp_path):
    done = main("cite", "--weights", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
