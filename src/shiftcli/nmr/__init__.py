"""From shieldings to shifts, spectra, assignments and candidates."""
