"""Predicted shieldings become spectra: of one nucleus, or of two that are bonded or near."""

from shiftcli.nmr.spectrum.axes import Axis, larmor_frequency, parse_field
from shiftcli.nmr.spectrum.correlation import Correlation, CrossPeak, correlate_nuclei
from shiftcli.nmr.spectrum.labels import spread
from shiftcli.nmr.spectrum.lineshapes import DEFAULT_WIDTHS, SHAPES, Shape, line_shape
from shiftcli.nmr.spectrum.measured import Measured, read_measured
from shiftcli.nmr.spectrum.options import parse_ranges, parse_widths
from shiftcli.nmr.spectrum.simulate import (
    Lines,
    Peak,
    Settings,
    Spectrum,
    distinct_names,
    elements_of,
    find_peaks,
    short_names,
    simulate_spectra,
)

__all__ = [
    "DEFAULT_WIDTHS",
    "SHAPES",
    "Axis",
    "Correlation",
    "CrossPeak",
    "Lines",
    "Measured",
    "Peak",
    "Settings",
    "Shape",
    "Spectrum",
    "correlate_nuclei",
    "distinct_names",
    "elements_of",
    "find_peaks",
    "larmor_frequency",
    "line_shape",
    "parse_field",
    "parse_ranges",
    "parse_widths",
    "read_measured",
    "short_names",
    "simulate_spectra",
    "spread",
]
