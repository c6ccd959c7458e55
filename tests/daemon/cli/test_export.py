"""`linesentry export`: that its options reach the export, which tests/daemon/lab/train run whole."""

from __future__ import annotations

from pathlib import Path

from tests.command import linesentry


def test_weights_that_are_not_there_are_told(tmp_path: Path) -> None:
    answer = linesentry("export", "classifier", "--weights", tmp_path / "none.pt", "--out", tmp_path / "out")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "none.pt" in answer.stderr
    assert not (tmp_path / "out").exists()
