"""What the tests of training share."""

import pytest


@pytest.fixture(scope="session")
def two_levels(molecules, more_molecules):
    """Molecules, and others whose shieldings are 1.5 · shielding − 40 ppm."""
    from shiftcli.training.sources import load_levels

    return load_levels([molecules, f"PBE0={more_molecules}"])
