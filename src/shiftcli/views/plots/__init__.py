"""Results become pictures, with matplotlib (the extra ``plot``); one file a kind of picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shiftcli.nmr.assignment import Comparison
from shiftcli.nmr.ranking import Ranking
from shiftcli.nmr.spectrum import Correlation, Spectrum
from shiftcli.prediction.predictor import Prediction
from shiftcli.results.look import Look
from shiftcli.views.plots.comparison import plot_comparison
from shiftcli.views.plots.figure import SUFFIXES, check_picture
from shiftcli.views.plots.prediction import plot_prediction
from shiftcli.views.plots.ranking import plot_ranking
from shiftcli.views.plots.spectra import plot_correlations, plot_spectra
from shiftcli.views.plots.training import plot_training

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "SUFFIXES",
    "check_picture",
    "draw",
    "plot_comparison",
    "plot_correlations",
    "plot_prediction",
    "plot_ranking",
    "plot_spectra",
    "plot_training",
]


def draw(result: Any, look: Look | None = None) -> Figure:
    """The picture of one result, see `shiftcli.notebook.Result.plot`."""
    match result:
        case Prediction():
            return plot_prediction(result, look=look)
        case Comparison():
            return plot_comparison(result, look=look)
        case Ranking():
            return plot_ranking(result, look=look)
        case Spectrum():
            return plot_spectra([result], look=look)
        case Correlation():
            return plot_correlations([result], look=look)
    raise TypeError(f"no picture of a {type(result).__name__}")
