"""Labels carried over to the same molecules in crystals written otherwise."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of, predicted, rewrite

from shiftcli.errors import ExperimentError
from shiftcli.nmr.averaging import average
from shiftcli.nmr.experiment import Experiment, Peak
from shiftcli.nmr.kinds import row_of_atom
from shiftcli.nmr.labels import CarriedLabels, closest_map, find_maps, find_places, find_skeletons
from shiftcli.nmr.ranking import rank

LABELS, PLACES = amino_alcohol()
SHIELDINGS = {"H": 28.0, "C": 120.0, "N": 200.0, "O": 250.0}


def shieldings(crystal, seed=0):
    """One value for each site, 1H in steps that cannot be confused."""
    rng = np.random.default_rng(seed)
    values = np.array([SHIELDINGS[e] for e in crystal.elements])
    for site in crystal.sites:
        values[site.atoms] -= rng.uniform(0, 6 if site.element == "H" else 80)
    return values


def carried(reference, candidate, values):
    """For each way, the mean of the values of the groups that each group of the reference is."""
    rows = average(predicted(reference, values[0]))
    theirs = average(predicted(candidate, values[1]))
    labels = CarriedLabels(reference, [frozenset(row.site.atoms.tolist()) for row in rows])
    found = labels.carry(candidate, row_of_atom(theirs))
    own = np.array([row.shielding for row in rows])
    ways = np.array(
        [[np.mean([theirs[k].shielding for k in own]) for own in way] for way in found.columns]
    )
    return own, ways


@pytest.mark.parametrize("seed", range(8))
def test_the_same_crystal_written_otherwise(seed):
    reference = crystal_of(LABELS, PLACES)
    values = shieldings(reference)
    candidate, theirs = rewrite(reference, seed, values)
    own, ways = carried(reference, candidate, (values, theirs))
    # The hydrogens of NH2 are told apart or not; all else has one place.
    assert len(ways) <= 2
    assert abs(ways - own).max(axis=1).min() < 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_two_molecules_in_the_asymmetric_unit(seed):
    turned = PLACES @ np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    reference = crystal_of(LABELS, PLACES, turned, size=14.0)
    values = shieldings(reference)
    candidate, theirs = rewrite(reference, seed, values)
    own, ways = carried(reference, candidate, (values, theirs))
    assert len(ways) % 2 == 0  # either molecule may be either
    assert abs(ways - own).max(axis=1).min() < 1e-9


def test_a_label_means_all_molecules_of_a_larger_asymmetric_unit():
    small, large = crystal_of(LABELS, PLACES), crystal_of(LABELS, PLACES, PLACES, size=14.0)
    values = shieldings(small), shieldings(large, 1)
    _, ways = carried(small, large, values)
    rows = {row.site.label: row.shielding for row in average(predicted(large, values[1]))}
    mean = (rows["C1A"] + rows["C1B"]) / 2
    assert ways[:, 0] == pytest.approx(mean)
    groups = average(predicted(large, values[1]))
    places = find_places(large, row_of_atom(groups), len(groups))
    for row, place in zip(groups, places, strict=True):
        assert groups[place].site.label[:2] == row.site.label[:2]


def test_methylene_hydrogens_are_told_apart_for_both_enantiomers():
    one = find_skeletons(crystal_of(LABELS, PLACES))[0]
    mirror = find_skeletons(crystal_of(LABELS, PLACES * [1, 1, -1.0]))[0]
    first, second = LABELS.index("H4a"), LABELS.index("H4b")
    for way in find_maps(one, mirror):
        assert (way[first], way[second]) == (frozenset([first]), frozenset([second]))
        assert way[LABELS.index("H2a")] == frozenset(LABELS.index(f"H2{x}") for x in "abc")
    # Swapped on one centre alone, the hydrogens have each other's places.
    swapped = PLACES.copy()
    swapped[[first, second]] = swapped[[second, first]]
    other = find_skeletons(crystal_of(LABELS, swapped))[0]
    assert all(way[first] == frozenset([second]) for way in find_maps(one, other))
    assert closest_map(one, mirror)[0] == frozenset([0])


def test_conformers_are_the_same_molecule():
    """The methyl and the amino end turned about their bonds."""
    from scipy.spatial.transform import Rotation

    axis = PLACES[LABELS.index("C3")]
    turn = Rotation.from_rotvec(1.3 * axis / np.linalg.norm(axis)).as_matrix()
    places = PLACES.copy()
    ends = [LABELS.index(x) for x in ("H4a", "H4b", "N1", "H5a", "H5b")]
    places[ends] = (places[ends] - axis) @ turn.T + axis
    reference, candidate = crystal_of(LABELS, PLACES), crystal_of(LABELS, places)
    values = shieldings(reference)
    own, ways = carried(reference, candidate, (values, values))
    assert abs(ways - own).max(axis=1).min() < 1e-9


def test_other_molecules_are_refused():
    reference = crystal_of(LABELS, PLACES)
    tautomer = PLACES.copy()
    tautomer[LABELS.index("H3")] = (
        PLACES[LABELS.index("N1")] + 1.01 * PLACES[0] - 1.01 * np.array([0, 0, -1.0])
    )  # the hydroxyl hydrogen on the nitrogen
    values = shieldings(reference)
    with pytest.raises(ExperimentError, match="no molecule is C3 H9 N O bonded as in made"):
        carried(reference, crystal_of(LABELS, tautomer), (values, values))


def diol(swap):
    """The same with a hydroxyl on the CH2, which is a second centre; two diastereomers."""
    first, second = LABELS.index("H4a"), LABELS.index("H4b")
    ways = [PLACES[k] - PLACES[LABELS.index("C3")] for k in (first, second)]
    places = PLACES.copy()
    oxygen, hydrogen = ways[::-1] if swap else ways
    carbon = PLACES[LABELS.index("C3")]
    places[first], places[second] = carbon + 1.31 * oxygen, carbon + hydrogen
    labels = ["O2" if label == "H4a" else label for label in LABELS] + ["H6"]
    bend = np.cross(oxygen, hydrogen) / np.linalg.norm(np.cross(oxygen, hydrogen))
    return crystal_of(labels, np.vstack([places, places[first] + 0.97 * bend]))


def test_diastereomers_are_refused():
    one, other = diol(swap=False), diol(swap=True)
    values = shieldings(one)
    assert len(carried(one, one, (values, values))[1]) >= 1
    with pytest.raises(ExperimentError, match="another diastereomer"):
        carried(one, other, (values, values))


def test_symmetric_molecules_have_several_ways(published):
    """Phenyl rings flip, and the crystal's own way is among those found."""
    for k in (20, 80, 180, 320):
        crystal = published[k]
        values = crystal.shieldings
        candidate, theirs = rewrite(crystal, k, values)
        own, ways = carried(crystal, candidate, (values, theirs))
        assert len(ways) > 1
        assert abs(ways - own).max(axis=1).min() < 1e-6


def measured(reference, seed=3):
    """Shifts of some of its groups, by their labels."""
    rng = np.random.default_rng(seed)
    rows = average(predicted(reference, shieldings(reference)))
    return Experiment(
        tuple(
            Peak(row.labels, row.site.species, 30.0 - row.shielding + rng.normal(0, 0.2), 0.1, k)
            for k, row in enumerate(rows)
            if row.site.element in "HC"
        ),
        "shifts.csv",
    )


@pytest.mark.parametrize("seed", range(4))
def test_rewritten_candidates_rank_as_with_labels_made_equal_by_hand(seed):
    """Three structures of one molecule; then the same in other cells, orders, hands and labels."""
    structures = [
        crystal_of(LABELS, PLACES, size=size, name=f"{size:g}") for size in (11.0, 13.0, 15.0)
    ]
    numbers = [shieldings(structures[0])]
    for scatter in (0.3, 0.6):
        rng = np.random.default_rng(seed)
        noise = np.zeros(len(structures[0]))
        for site in structures[0].sites:
            noise[site.atoms] = scatter * rng.normal()
        numbers.append(numbers[0] + noise)
    by_hand = [predicted(c, v) for c, v in zip(structures, numbers, strict=True)]
    expected = rank(by_hand, measured(structures[0])).candidates
    written = [by_hand[0]]
    for k in (1, 2):
        crystal, values = rewrite(structures[k], 10 * seed + k, numbers[k])
        written.append(predicted(replace(crystal, name=structures[k].name), values))
    found = rank(written[::-1], measured(structures[0]), labels_from=structures[0]).candidates
    assert [c.name for c in found] == [c.name for c in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)
        assert one.probability == pytest.approx(other.probability, abs=1e-6)
        assert one.rmse == pytest.approx(other.rmse, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_crystal_that_has_lost_its_symmetry_keeps_the_hydrogens_of_water_apart(seed):
    """As in frames of a movement: two molecules, on which each label means copies of one atom."""
    near, far = np.array([0.76, 0.59, 0.0]), np.array([-0.76, 0.59, 0.0])
    water = np.array([[0, 0, 0], near, far]) + PLACES[LABELS.index("O1")] + np.array([-2, 0, -3])
    reference = crystal_of([*LABELS, "O2", "H6a", "H6b"], np.vstack([PLACES, water]))
    values = shieldings(reference)
    noise = np.random.default_rng(seed).normal(scale=0.02, size=(len(reference), 3))
    frame = replace(reference, positions=reference.positions + noise, site_ids=None)
    frame = replace(frame, site_ids=np.arange(len(frame)))
    own, ways = carried(reference, frame, (values, values))
    assert abs(ways - own).max(axis=1).min() < 1e-9


@pytest.mark.parametrize("seed", [1, 4])
def test_six_waters_written_otherwise_are_as_likely(seed):
    """46,080 ways to carry the labels over: the peaks may be any of the twelve hydrogens."""
    rng = np.random.default_rng(7)
    water = np.array([[0, 0, 0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])
    waters = [water + rng.uniform(0, 3, 3) for _ in range(6)]
    reference = crystal_of(["O1", "H1", "H2"], *waters, size=60.0)
    values = shieldings(reference)
    written, theirs = rewrite(reference, seed, values)
    labels = [site.label for site in reference.sites if site.element == "H"]
    shifts = {label: 30.5 - values[reference.labels.index(label)] for label in labels}
    peaks = tuple(Peak((label,), "1H", float(shift)) for label, shift in shifts.items())
    items = [predicted(reference, values), predicted(written, theirs)]
    ranking = rank(items, Experiment(peaks, "x.csv"), labels_from=reference, tolerance=0.0)
    one, other = ranking.candidates
    assert 0 < one.log_likelihood_error < 0.15
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=0.5)
