"""Labelled crystals become networks."""
