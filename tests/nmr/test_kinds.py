"""What an experiment can call the sites of a molecule."""

import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted

from shiftcli.nmr.averaging import average
from shiftcli.nmr.kinds import KINDS, describe

LABELS, PLACES = amino_alcohol()


@pytest.fixture(scope="module")
def described():
    crystal = crystal_of(LABELS, PLACES)
    rows = average(predicted(crystal, PLACES[[0] * len(crystal), 0]))
    return {
        row.labels[0]: (around, {rows[k].labels[0] for k in around.bonded})
        for row, around in zip(rows, describe(crystal, rows, near=True), strict=True)
    }


def test_words_and_protons(described):
    words = {label: set(around.words) for label, (around, _) in described.items()}
    assert words["C1"] == words["H1"] == {"CH"}
    assert words["H2a"] == {"CH3"}
    assert words["H4a"] == words["C3"] == {"CH2"}
    assert words["H3"] == words["O1"] == {"OH"}
    assert words["H5a"] == {"NH", "NH2"}
    assert set().union(*words.values()) <= set(KINDS)
    protons = {label: around.protons for label, (around, _) in described.items()}
    assert (protons["H2a"], protons["H1"], protons["H4b"]) == (3, 1, 1)


def test_neighbours(described):
    assert described["H1"][1] == {"C1"}
    assert described["C3"][1] == {"C1", "N1", "H4a", "H4b"}
    assert described["C1"][0].near > described["C1"][0].bonded


def test_hydrogens_on_nitrogen_and_oxygen_are_less_certain(described):
    factors = {label: around.widening for label, (around, _) in described.items()}
    assert (factors["H1"], factors["H3"], factors["H5a"], factors["C1"]) == (1.0, 1.7, 2.1, 1.0)
