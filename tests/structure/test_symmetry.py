"""Sites that are found by a search for the space group."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftcli.structure.crystal import Crystal
from shiftcli.structure.symmetry import find_equivalent_atoms


def test_molecule_and_large_cell_have_distinct_atoms():
    assert len(set(find_equivalent_atoms(None, np.array(list("OHH")), np.zeros((3, 3))))) == 3
    n = 2001
    elements = np.array(["H"] * n)
    assert len(set(find_equivalent_atoms(np.eye(3), elements, np.zeros((n, 3))))) == n


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(*[st.integers(3, 45)] * 3), min_size=1, max_size=6, unique=True))
def test_multiplicities_add_up(sites):
    """Random sites and their images under inversion, without stated symmetry."""
    half = np.array(sites) / 100 * 8
    positions = np.concatenate([half, 8 - half])
    names = ["C"] * len(positions)
    crystal = Crystal(np.array(names), positions, np.eye(3) * 8, tuple(names))
    multiplicities = [site.multiplicity for site in crystal.sites]
    assert sum(multiplicities) == len(crystal)
    assert all(m % 2 == 0 for m in multiplicities)
