"""Predictions as a page that a person can be sent: one HTML file, no network."""

from shiftcli.views.report.page import SUFFIXES, check_report, render_report, write_report

__all__ = ["SUFFIXES", "check_report", "render_report", "write_report"]
