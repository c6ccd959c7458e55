"""`linesentry doctor`: the table for people, JSON for programs, and the exit code for both."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command import linesentry, small_line


def test_a_fault_is_named_with_what_to_do_and_the_exit_code_tells(tmp_path: Path) -> None:
    config = small_line(tmp_path)
    with (tmp_path / "small.yaml").open("a", encoding="utf-8") as file:
        file.write("weights: none.pt\n")
    (tmp_path / "state").mkdir()
    asked = ("doctor", "--config", config, "--state", tmp_path / "state")
    table = linesentry(*asked)
    assert table.returncode == 1
    (row,) = (line for line in table.stdout.splitlines() if "none.pt" in line)
    for text in ("FAILED", "weights", "No such file", "train: linesentry train detector"):
        assert text in row
    answer = linesentry(*asked, "--json")
    assert answer.returncode == 1
    assert {one["name"]: one["ok"] for one in json.loads(answer.stdout)}["weights"] is False
