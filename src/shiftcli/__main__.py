"""`python -m shiftcli`."""

from shiftcli.cli import main

main()
