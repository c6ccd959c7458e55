"""A short torture of the real processes; `python -m tests.integration.torture` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.integration.torture import Torture


def test_whatever_is_done_to_it_each_sheet_has_one_verdict_and_the_right_one(tmp_path: Path) -> None:
    torture = Torture(tmp_path, seed=5, rate=5000)
    try:
        found = torture.run(25)
    finally:
        torture.end()
    assert not found.broken, str(found)
    assert found.whole >= 3, str(found)
