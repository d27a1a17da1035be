"""What the tests of the baseline share."""

import pytest


@pytest.fixture
def small(monkeypatch):
    """Fewer choices, for time."""
    pytest.importorskip("dscribe")
    pytest.importorskip("sklearn")
    from shiftcli.benchmark import regression

    monkeypatch.setattr(regression, "CUTOFFS", ((3.0,), (3.0, 4.0)))
    monkeypatch.setattr(regression, "ZETAS", (1, 2))
    monkeypatch.setattr(regression, "REGULARISATIONS", (1e-4, 1e-2))
