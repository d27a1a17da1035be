"""Parts of a run are disjoint, and together all."""

import pytest

from shiftcli.errors import UsageError
from shiftcli.pipeline.shards import Shard, parse_shard, shard_of_array


@pytest.mark.parametrize("n", [1, 3, 7, 12])
def test_parts_are_all_and_disjoint(n):
    files = [f"{k}.cif" for k in range(10)]
    parts = [Shard(k, n).of(files) for k in range(1, n + 1)]
    assert sorted(file for part in parts for file in part) == files
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_what_is_written():
    assert parse_shard(" 2/8 ") == Shard(2, 8)


@pytest.mark.parametrize(
    "text", ["", "2", "0/8", "9/8", "2/0", "-1/8", "1/8/3", "a/b", "1/9999999"]
)
def test_what_makes_no_sense(text):
    with pytest.raises(UsageError):
        parse_shard(text)


@pytest.mark.parametrize(
    ("first", "step", "task", "expected"),
    [
        (0, 1, 0, Shard(1, 4)),
        (1, 1, 4, Shard(4, 4)),
        (10, 5, 20, Shard(3, 4)),
        (1, None, 2, Shard(2, 4)),
    ],
)
def test_task_of_an_array(first, step, task, expected):
    environment = {
        "SLURM_ARRAY_TASK_COUNT": "4",
        "SLURM_ARRAY_TASK_ID": str(task),
        "SLURM_ARRAY_TASK_MIN": str(first),
    }
    if step is not None:
        environment["SLURM_ARRAY_TASK_STEP"] = str(step)
    assert shard_of_array(environment) == expected


@pytest.mark.parametrize("environment", [{}, {"SLURM_ARRAY_TASK_ID": "3"}])
def test_outside_of_an_array(environment):
    assert shard_of_array(environment) is None
