"""Shieldings of the networks that ship, beside those that the program gave before.

Whoever changes how structures are read, densities are made or networks are run sees here whether a
number has moved. Where that is meant, or with other networks,
``SHIFTCLI_RENEW=1 pytest -n 0 tests/prediction/test_same_numbers.py`` writes them anew.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from shiftcli.readers import read

ROOT = Path(__file__).parents[2]
STORED = Path(__file__).with_name("same_numbers.json")

#: Processors and versions of torch round sums differently: by some 1e-5 ppm.
TOLERANCE = 1e-3


def held(part, found, predictor):
    """Compare numbers with the stored ones, or store them."""
    networks = sorted(file.sha256 for file in predictor.files)
    known = json.loads(STORED.read_text()) if STORED.exists() else {}
    if os.environ.get("SHIFTCLI_RENEW") == "1":
        known |= {"networks": networks, part: found}
        STORED.write_text(json.dumps(known, indent=1) + "\n")
    if known["networks"] != networks:
        pytest.skip("other networks than those of the stored numbers")
    assert {k: list(v) for k, v in found.items()} == {k: list(v) for k, v in known[part].items()}
    for name, values in found.items():
        assert values == pytest.approx(known[part][name], abs=TOLERANCE), name


def test_the_examples(predictor):
    found = {}
    for path in sorted((ROOT / "examples").glob("*.cif")):
        rows = predictor.predict(read(path)[0]).sites
        found[path.name] = {row.site.label: round(row.shielding, 4) for row in rows}
    held("examples", found, predictor)


@pytest.mark.slow
def test_the_validation_crystals(published, predictor):
    """Mean and spread of each nucleus, with every eighth crystal."""
    found = {}
    for crystal in published[::8]:
        rows = predictor.predict(crystal).sites
        for element in dict.fromkeys(row.site.element for row in rows):
            own = [row.shielding for row in rows if row.site.element == element]
            found[f"{crystal.name} {element}"] = {
                "mean": round(float(np.mean(own)), 4), "spread": round(float(np.std(own)), 4)
            }  # fmt: skip
    held("published", found, predictor)
