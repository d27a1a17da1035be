"""`shiftcli reproduce`, run as a user runs it."""

import json


def test_command(shiftcli, labelled_file, tmp_path):
    done = shiftcli(
        "reproduce", "table1", "--data", labelled_file, "--quick", "--output", tmp_path,
        "--format", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"][0][:2] == ["1H", 112]
    assert (tmp_path / "table1.csv").exists()
    done = shiftcli("reproduce", "table4", "--output", tmp_path)
    assert "paper epochs" in done.stdout
