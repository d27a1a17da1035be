"""shiftcli: NMR shieldings and shifts of molecular crystals from their structures."""

__version__ = "0.1.0"
