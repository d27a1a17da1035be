"""Frames of one crystal become one set of shieldings with standard errors."""

from dataclasses import replace

import numpy as np
import pytest
from nmr_molecules import amino_alcohol, crystal_of

from shiftcli.errors import StructureError, UsageError
from shiftcli.nmr.averaging import average
from shiftcli.nmr.frames import average_frames, over_frames
from shiftcli.prediction.predictor import Failure, Prediction, SitePrediction
from shiftcli.structure.crystal import Site

LABELS, PLACES = amino_alcohol()


def frame(seed, source="run.xyz"):
    """Every atom a site of its own, moved at random."""
    rng = np.random.default_rng(seed)
    crystal = crystal_of(LABELS, PLACES)
    names = tuple(f"{e}{k}" for k, e in enumerate(crystal.elements.tolist()))
    crystal = replace(
        crystal, positions=crystal.positions + 0.01 * rng.normal(size=(len(crystal), 3)),
        labels=names, site_ids=np.arange(len(crystal)), source=source,
    )  # fmt: skip
    values = 30.0 + rng.normal(size=len(crystal))
    sites = tuple(
        SitePrediction(
            Site(names[k], str(e), np.array([k])), values[k], 0.3, 0.6, ("odd",) * (k == 2)
        )
        for k, e in enumerate(crystal.elements)
    )
    return Prediction(crystal, sites)


def test_means_and_standard_errors():
    frames = [frame(k) for k in range(9)]
    found = average_frames(frames)
    values = np.array([[row.shielding for row in f.sites] for f in frames])
    assert [row.shielding for row in found.sites] == pytest.approx(values.mean(axis=0))
    errors = values.std(axis=0, ddof=1) / 3
    widths = np.hypot(0.3, errors)
    assert [row.uncertainty for row in found.sites] == pytest.approx(widths)
    assert f"mean of 9 frames, standard error {errors[0]:.2f} ppm" in found.sites[0].flags
    assert "odd" in found.sites[2].flags
    assert found.crystal is frames[0].crystal
    # Exchange is averaged afterwards.
    assert any(row.kind == "CH3" for row in average(found, ("CH3", "frames")))


def test_weights():
    frames = [frame(k) for k in range(3)]
    found = average_frames(frames, [1.0, 0.0, 3.0])
    first, _, last = ([row.shielding for row in f.sites] for f in frames)
    expected = 0.25 * np.array(first) + 0.75 * np.array(last)
    assert [row.shielding for row in found.sites] == pytest.approx(expected)
    one = average_frames(frames[:1])
    assert one.sites[0].uncertainty == pytest.approx(0.3)
    for weights in ([1.0], [0.0] * 3, [1.0, -1.0, 1.0]):
        with pytest.raises(UsageError, match="weights for 3 frames"):
            average_frames(frames, weights)


def test_copies_with_one_label_are_one_site():
    frames = [frame(k) for k in range(4)]
    half = len(frames[0].crystal) // 2
    shared = [
        replace(f, crystal=replace(f.crystal, labels=f.crystal.labels[:half] * 2)) for f in frames
    ]
    found = average_frames(shared)
    assert len(found.sites) == half
    values = np.array([[row.shielding for row in f.sites] for f in frames])
    assert found.sites[0].shielding == pytest.approx(values[:, [0, half]].mean())


class Reader:
    """Stands for the networks: two frames a file, one of which fails in one file."""

    def __init__(self):
        self.calibrations = {}

    def predict_files(self, files, *, disorder="major"):
        for file in files:
            yield frame(1, file)
            if file == "broken.xyz":
                yield Failure(file, StructureError("broken"))
            other = frame(2, file)
            if file == "mixed.xyz":
                other = replace(
                    other, crystal=replace(other.crystal, elements=np.array(["H"] * 28))
                )
            yield other


def test_files_become_one_prediction_each():
    reader = over_frames(Reader(), ("CH3", "frames"))
    assert reader.calibrations == {}
    one, broken, mixed = reader.predict_files(["a.xyz", "broken.xyz", "mixed.xyz"])
    assert "mean of 2 frames" in one.sites[0].flags[-1]
    assert isinstance(broken, Failure)
    assert "different atoms" in str(mixed.error)
    plain = Reader()
    assert over_frames(plain, ("CH3",)) is plain
    assert one.crystal.warnings[-1] == "shieldings are means of 2 frames; atoms of the first"
    assert one.crystal.name == "made"


class Weighed(Reader):
    """Frames whose headers have weights, or odd ones."""

    def predict_files(self, files, **_):
        for file in files:
            for k, weight in enumerate(("1", "0", file.removesuffix(".xyz")), 1):
                made = frame(k, file)
                info = {"w": weight} if weight else {}
                yield replace(made, crystal=replace(made.crystal, name=f"#{k}", info=info))


def test_weights_of_the_headers():
    reader = over_frames(Weighed(), ("frames",), "w")
    good, none, odd, negative = reader.predict_files(["3.xyz", ".xyz", "a lot.xyz", "-1.xyz"])
    first, last = ([row.shielding for row in frame(k).sites] for k in (1, 3))
    expected = 0.25 * np.array(first) + 0.75 * np.array(last)
    assert [row.shielding for row in good.sites] == pytest.approx(expected)
    assert "weights by w" in good.crystal.warnings[-1]
    assert good.crystal.name == ""
    assert "no weight 'w' in its header" in str(none.error)
    for failure in (odd, negative):
        assert "is no weight" in str(failure.error)
    with pytest.raises(UsageError, match="--frame-weights goes with --average frames"):
        over_frames(Weighed(), ("CH3",), "w")
