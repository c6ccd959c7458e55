"""`linesentry paths`: where what ships lies."""

from __future__ import annotations

from pathlib import Path

from tests.command import linesentry


def test_every_path_is_there_and_each_can_be_asked_for_alone() -> None:
    listed = dict(line.split(maxsplit=1) for line in linesentry("paths").stdout.splitlines())
    assert {"unit", "rules", "dashboard", "configuration", "recipes", "weights"} < set(listed)
    assert all(Path(path).exists() for path in listed.values())
    assert linesentry("paths", "unit").stdout == listed["unit"] + "\n"


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    answer = linesentry("paths", "units")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "found 'units'; there are unit, " in answer.stderr
