"""How right and how fast shiftcli is on this machine."""
