"""What `import shiftcli` gives."""

import subprocess
import sys

import shiftcli


def test_dir_lists_what_is_public_and_all_of_it_is_there():
    assert dir(shiftcli) == sorted(shiftcli.__all__)
    assert {"Predictor", "read", "compare", "rank", "weights"} <= set(dir(shiftcli))
    for name in dir(shiftcli):
        assert getattr(shiftcli, name).__doc__, name
    assert not hasattr(shiftcli, "predictor")


def test_importing_and_listing_load_nothing_heavy():
    code = (
        "import sys, shiftcli; dir(shiftcli); shiftcli.errors; shiftcli.weights;"
        "print(sorted({'torch', 'ase', 'scipy', 'spglib', 'matplotlib', 'networkx'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
