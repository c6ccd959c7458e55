"""`linesentry torture` as a user meets it: the real line is struck, and the report says what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import linesentry


def tortured(folder: Path, minutes: float, seconds: float) -> dict[str, object]:
    done = linesentry(
        *("torture", "--minutes", str(minutes), "--seed", "5", "--json", "--keep", folder / "kept"), seconds=seconds
    )
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    assert report["broken"] == [], done.stdout
    assert done.returncode == 0
    return report


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_short_torture_breaks_no_promise_and_says_what_it_did_and_what_it_did_not(tmp_path: Path) -> None:
    report = tortured(tmp_path, minutes=0.02, seconds=580)
    strikes, plates, whole = (report[key] for key in ("strikes", "plates", "whole"))
    assert isinstance(strikes, int)
    assert strikes >= 1
    assert isinstance(plates, int)
    assert isinstance(whole, int)
    assert plates >= whole >= 5
    assert report["seed"] == 5
    assert "clock steps" in str(report["not_tried"])


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_minutes_of_torture_break_no_promise(tmp_path: Path) -> None:
    report = tortured(tmp_path, minutes=10, seconds=3500)
    assert isinstance(report["strikes"], int)
    assert report["strikes"] > 20
