"""`python -m daemon` is the command `linesentry`."""

from daemon.cli import main

main()
