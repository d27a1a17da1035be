"""Which atoms become training samples, with what label and weight."""

from __future__ import annotations

import numpy as np
import pytest

from shiftcli.density.environments import surroundings
from shiftcli.structure.crystal import ELEMENTS, Crystal
from shiftcli.training.data import (
    MOST_REPEATS,
    collect_samples,
    drop_outliers,
    is_validation,
    repeats,
)


def gather(crystals, element):
    """Samples of crystals numbered as they stand."""
    return collect_samples(dict(enumerate(crystals)), element)


#: Formaldehyde beside a CH fragment.
ELEMENTS_OF_ONE = np.array(["C", "H", "H", "O", "C", "H"])
POSITIONS = np.array(
    [
        [0.0, 0.0, 0.0],
        [0.9, 0.6, 0.1],
        [-0.9, 0.6, 0.0],
        [0.0, -1.2, 0.0],
        [3.0, 0.2, 0.0],
        [3.3, 1.2, 0.4],
    ]
)
LABELS = ("C1", "H1", "H1", "O1", "C2", "H2")


def labelled(shieldings, site_ids=(0, 1, 1, 2, 3, 4), cell=None, shift=0.0) -> Crystal:
    """A molecule whose atoms 1 and 2 are copies of one site."""
    return Crystal(
        ELEMENTS_OF_ONE,
        POSITIONS + shift,
        cell,
        LABELS,
        site_ids=np.array(site_ids),
        shieldings=None if shieldings is None else np.array(shieldings, dtype=float),
    )


def test_labels_of_copies_are_averaged_and_weights_are_multiplicities():
    samples = gather([labelled([100, 24, 26, -50, 150, 31])], "H")
    assert samples.targets.tolist() == [25.0, 31.0]
    assert samples.weights.tolist() == [2.0, 1.0]
    assert samples.crystals.tolist() == [0, 0]
    assert len(samples) == len(samples.environments) == len(samples.frames) == 2
    assert samples.targets.dtype == samples.weights.dtype == np.float64


@pytest.mark.parametrize(
    ("element", "targets"), [("C", [100.0, 150.0]), ("O", [-50.0]), ("H", [25.0, 31.0])]
)
def test_only_the_element_asked_for(element, targets):
    samples = gather([labelled([100, 24, 26, -50, 150, 31])], element)
    assert samples.targets.tolist() == targets


def test_environments_are_those_of_the_sites_first_atoms():
    crystal = labelled([100, 24, 26, -50, 150, 31])
    samples = gather([crystal], "H")
    first = [s for s in crystal.sites if s.element == "H"]
    assert [s.atoms[0] for s in first] == [1, 5]
    expected = surroundings(crystal, first)
    np.testing.assert_array_equal(samples.environments.positions, expected.positions)
    np.testing.assert_array_equal(samples.environments.channels, expected.channels)
    nearest = np.linalg.norm(samples.environments.positions, axis=2).min(axis=1)
    np.testing.assert_allclose(
        nearest, np.linalg.norm(POSITIONS[[1, 5]] - POSITIONS[[0, 4]], axis=1)
    )


def test_labels_that_are_not_numbers_are_skipped():
    nan = np.nan
    samples = gather([labelled([nan, 24, 26, -50, 150, nan])], "H")
    assert samples.targets.tolist() == [25.0]
    assert gather([labelled([nan, 24, 26, -50, 150, nan])], "C").targets.tolist() == [150]
    # One missing copy leaves the site without a mean.
    partly = gather([labelled([100, 24, nan, -50, 150, 31])], "H")
    assert partly.targets.tolist() == [31.0]
    assert partly.weights.tolist() == [1.0]


def test_crystals_without_shieldings_are_skipped_but_keep_their_number():
    nothing = [np.nan] * 6
    crystals = [
        labelled(None),
        labelled([100, 24, 26, -50, 150, 31]),
        labelled(nothing),
        labelled([90, 20, 22, -40, 140, 30], cell=np.diag([9.0, 8.0, 10.0])),
    ]
    samples = gather(crystals, "C")
    assert samples.targets.tolist() == [100, 150, 90, 140]
    assert samples.crystals.tolist() == [1, 1, 3, 3]
    counts = (samples.environments.channels >= 0).sum(axis=1)
    assert (counts[:2] == 5).all()
    assert (counts[2:] > 50).all()


def test_searched_symmetry_counts_the_copies_of_an_inverted_molecule():
    cell = np.array([[8.0, 0.0, 0.0], [1.0, 9.0, 0.0], [0.7, -1.1, 10.0]])
    inside = POSITIONS + np.array([1.0, 3.0, 2.5])
    crystal = Crystal(
        np.concatenate([ELEMENTS_OF_ONE, ELEMENTS_OF_ONE]),
        np.concatenate([inside, -inside]),
        cell,
        tuple(f"A{k}" for k in range(12)),
        shieldings=np.array([100, 24, 26, -50, 150, 31, 102, 25, 27, -52, 152, 33], dtype=float),
    )
    samples = gather([crystal], "H")
    assert samples.targets.tolist() == [24.5, 26.5, 32.0]
    assert samples.weights.tolist() == [2, 2, 2]


@pytest.mark.parametrize("element", ELEMENTS)
def test_nothing_to_collect(element):
    samples = gather([labelled(None)], element)
    assert len(samples) == len(samples.environments) == len(samples.frames) == 0


def test_rows_of_samples_stay_together():
    crystals = [labelled([100 + k, 24, 26, -50, 150 + k, 31], shift=k) for k in range(4)]
    samples = gather(crystals, "C")
    picked = samples[np.array([5, 0])]
    assert picked.targets.tolist() == [152.0, 100.0]
    assert picked.crystals.tolist() == [2, 0]
    for row, source in enumerate((5, 0)):
        for name in ("rotations", "weights"):
            np.testing.assert_array_equal(
                getattr(picked.frames, name)[row], getattr(samples.frames, name)[source]
            )
        np.testing.assert_array_equal(
            picked.environments.positions[row], samples.environments.positions[source]
        )


def test_outliers_are_protons_below_0_or_above_40_ppm():
    crystals = [labelled([1, h, h, 1, 1, 30]) for h in (-0.1, 0.0, 40.0, 40.1, -300.0)]
    samples = gather(crystals, "H")
    kept = drop_outliers(samples, "H")
    assert kept.targets.tolist() == [30, 0, 30, 40, 30, 30, 30]
    assert kept.crystals.tolist() == [0, 1, 1, 2, 2, 3, 4]
    assert kept.weights.tolist() == [1, 2, 1, 2, 1, 1, 1]


@pytest.mark.parametrize("element", ["C", "N", "O"])
def test_other_nuclei_have_no_outliers(element):
    crystals = [labelled([-900.0, 1, 1, 900.0, 900.0, 1])]
    samples = gather(crystals, element)
    assert drop_outliers(samples, element).targets.tolist() == samples.targets.tolist()


def test_every_eighth_crystal_from_the_first_on_validates():
    held_out = is_validation(np.arange(400))
    assert held_out.sum() == 50
    assert np.flatnonzero(held_out).tolist() == list(range(0, 400, 8))
    assert is_validation(0)
    assert is_validation(392)
    assert not is_validation(399)


def test_rare_kinds_are_repeated_more_often():
    """Carbon 1 has an oxygen nearest once in four times, else a hydrogen, as carbon 2 has."""
    near = POSITIONS.copy()
    near[3] = [0.0, -0.9, 0.0]
    crystals = [labelled([100, 24, 26, -50, 150, 31]) for _ in range(2)]
    moved = Crystal(
        ELEMENTS_OF_ONE, near, None, LABELS, site_ids=np.array((0, 1, 1, 2, 3, 4)),
        shieldings=np.array([100.0, 24, 26, -50, 150, 31]),
    )  # fmt: skip
    samples = gather([*crystals, moved], "C")
    assert repeats(samples, 1.0).tolist() == [1.0, 1.0, 1.0, 1.0, 5.0, 1.0]
    assert repeats(samples, 0.5)[4] == pytest.approx(5.0**0.5)
    assert repeats(samples, 0.0).tolist() == [1.0] * 6
    assert repeats(gather([*crystals * 5, moved], "C"), 1.0).max() == MOST_REPEATS
