"""`shiftcli train`, run as a user runs it."""

import os
import signal
import subprocess
import sys
import time


def test_train_and_predict_with_the_result(shiftcli, labelled_file, urea_path, tmp_path):
    run = tmp_path / "run"
    done = shiftcli(
        "train", "--data", labelled_file, "--nucleus", "C", "--epochs", "1",
        "--batch-size", "4", "--output", run,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(run / "compact-C.safetensors")
    assert "13C epoch   1/1" in done.stderr
    done = shiftcli("predict", urea_path, "--weights", run, "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_interrupt_and_resume(shiftcli, labelled_file, tmp_path):
    run = tmp_path / "run"
    command = [
        sys.executable, "-m", "shiftcli", "train", "--data", str(labelled_file),
        "--nucleus", "O", "--epochs", "400", "--batch-size", "4", "--output", str(run),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ.copy())
    deadline = time.monotonic() + 120
    while not (run / "compact-O.state").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"shiftcli train --resume {run}" in stderr
    assert "Traceback" not in stderr
    assert not (run / "compact-O.safetensors").exists()


def test_data_or_resume(shiftcli, tmp_path):
    done = shiftcli("train")
    assert done.returncode == 2
    assert "--data" in done.stderr


def test_resume_takes_no_other_options(shiftcli, tmp_path):
    done = shiftcli("train", "--resume", tmp_path, "--epochs", "3")
    assert done.returncode == 2
    assert "keeps the options" in done.stderr


def test_no_labels(shiftcli, urea_path, tmp_path):
    done = shiftcli("train", "--data", urea_path, "--output", tmp_path / "run")
    assert done.returncode == 1
    assert "has shieldings" in done.stderr
    assert "Traceback" not in done.stderr
