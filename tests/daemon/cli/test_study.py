"""`linesentry study`: what is done and what is missing."""

from __future__ import annotations

from pathlib import Path

from tests.command import linesentry


def test_missing_cells_are_listed_and_nothing_is_run(tmp_path: Path) -> None:
    file = tmp_path / "study.json"
    answer = linesentry("study", "--list", "--only", "table3/aspp", "--seeds", "2", "--file", file)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == "table3/aspp/0\tnot run\ntable3/aspp/1\tnot run\n"
    assert not file.exists()
