"""What is said where a package is not installed."""

from __future__ import annotations

import sys

from models.machine.packages import missing


def test_a_package_that_is_not_there_is_named_with_the_command_for_this_very_python() -> None:
    said = missing("no_such_package_at_all", "mqtt")
    assert said == f"needs the package no_such_package_at_all: run {sys.executable} -m pip install 'linesentry[mqtt]'"


def test_one_that_is_there_is_not() -> None:
    assert missing("numpy", "mqtt") is None
