"""Results become pictures, with matplotlib (the extra ``plot``); one file a kind of picture."""

from shiftcli.views.plots.figure import SUFFIXES, check_picture
from shiftcli.views.plots.spectra import plot_correlations, plot_spectra
from shiftcli.views.plots.training import plot_training

__all__ = ["SUFFIXES", "check_picture", "plot_correlations", "plot_spectra", "plot_training"]
