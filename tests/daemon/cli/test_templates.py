"""`linesentry templates`."""

from __future__ import annotations

import json

from tests.command import linesentry


def test_the_options_of_a_scale_set_reach_it() -> None:
    words = ("--widest", "21", "--least", "7", "--height", "38", "--step", "18", "--strict", "--json")
    answer = linesentry("templates", *words)
    assert answer.returncode == 0, answer.stderr
    assert [one["width"] for one in json.loads(answer.stdout)] == [21, 10.5]


def test_the_table_is_on_stdout() -> None:
    assert "Templates of recipe 02CG" in linesentry("templates", "--recipe", "02CG").stdout
