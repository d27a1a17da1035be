"""Shieldings of one crystal."""

from itertools import pairwise

import numpy as np
import pytest

from shiftcli.prediction.records import Prediction, SitePrediction
from shiftcli.results.look import Look
from shiftcli.structure.crystal import Crystal
from shiftcli.views.plots import plot_prediction

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("width", [85.0, 170.0])
def test_names_of_many_sites_stand_apart(width):
    count = 100
    positions = 1.5 * np.eye(3)[np.zeros(count, dtype=int)] * np.arange(count)[:, None]
    labels = tuple(f"H{k}A" for k in range(count))
    crystal = Crystal(np.array(["H"] * count), positions, None, labels, np.arange(count))
    rows = tuple(SitePrediction(site, 20.0 + k, 0.5, 1.1) for k, site in enumerate(crystal.sites))
    figure = plot_prediction(Prediction(crystal, rows), look=Look(size=(width, None)))
    figure.draw_without_rendering()
    shown = []
    for panel in figure.axes:
        boxes = [label.get_window_extent() for label in panel.get_xticklabels()]
        assert all(one.x1 <= other.x0 + 0.5 for one, other in pairwise(boxes))
        shown += [label.get_text() for label in panel.get_xticklabels()]
    assert shown == list(labels)
    beside = [panel.yaxis.label.get_window_extent() for panel in figure.axes]
    assert all(one.y0 > other.y1 for one, other in pairwise(beside))
