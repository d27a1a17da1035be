"""`shiftcli predict` in the formats of other programs, by suffix and by name."""

import gzip

import pytest

from shiftcli.readers import read


def test_compressed_cif_by_suffix(shiftcli, urea_path, tmp_path):
    out = tmp_path / "urea.cif.gz"
    done = shiftcli("predict", urea_path, "--nucleus", "N", "-o", out)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert b"_atom_site_nmr_shielding_iso" in gzip.decompress(out.read_bytes())
    (crystal,) = read(out)
    assert 100 < crystal.shieldings[crystal.elements == "N"].mean() < 200


def test_simpson_without_references_is_refused_at_once(main, urea_path, monkeypatch):
    monkeypatch.setattr("shiftcli.prediction.predictor.Predictor.__init__", pytest.fail)
    done = main("predict", urea_path, "--format", "simpson")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: a spin system of SIMPSON holds shifts, and there are no references "
        "(--references C:168.64,H:30.96)\n"
    )
