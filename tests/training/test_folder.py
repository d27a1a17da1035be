"""What a run directory holds is believed only where it is what a run writes."""

import pytest

from shiftcli.errors import TrainingError
from shiftcli.training.folder import best_errors, load_record

HEAD = "nucleus,member,epoch,validation_rmse\n"


def test_best_errors(tmp_path):
    assert best_errors(tmp_path) == {}
    (tmp_path / "metrics.csv").write_text(HEAD + "H,1,1,0.7\nH,1,2,0.5\nC,2,1,4\n")
    assert best_errors(tmp_path) == {("H", 1): 0.5, ("C", 2): 4.0}


@pytest.mark.parametrize(
    "content",
    [
        HEAD + "H,x,1,0.5\n", HEAD + "H,1,1\n", HEAD + f"H,{'1' * 5000},1,0.5\n", "a,b\n1,2\n",
        HEAD + "H,1,1,a\n", HEAD + "H," + "x" * 200_000 + "\n", b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_is_no_log_is_said_in_a_line(tmp_path, content):
    path = tmp_path / "metrics.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TrainingError, match="not the log of a run"):
        best_errors(tmp_path)


@pytest.mark.parametrize("content", [f"epochs = {'1' * 5000}", "a = " + "[" * 50_000, "\x00"])
def test_what_is_no_task_is_said_in_a_line(tmp_path, content):
    (tmp_path / "config.toml").write_text(content)
    with pytest.raises(TrainingError, match="no run to resume"):
        load_record(tmp_path)
