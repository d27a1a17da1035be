"""A crystal becomes shieldings with uncertainties."""
