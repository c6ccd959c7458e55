"""`python -m daemon` is the command `linesentry`."""

from daemon.cli.app import main

main()
