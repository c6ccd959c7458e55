"""Whose verdict the screen shows: never one that somebody could take for another sheet's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.load import load_config
from daemon.web.line.told import line_told
from daemon.web.line.verdicts import Recent, VerdictReader
from daemon.wire.messages import LinePlate, LineState, Progress
from stages.plate import Cause, Verdict
from tests.daemon.web.conftest import line_state
from tests.daemon.web.judged import judge, result


def plate(number: int, *, closed: bool = False, slot: int | None = 0) -> LinePlate:
    progress = Progress(2, 1, None, b"\x03", ((5, 6, 7, 8),))
    return LinePlate(number, slot, 700, closed, progress, "P10B", "P7", None, 650, 1300, 600, 2)


def told(state: LineState, recent: Recent) -> dict[str, object]:
    return line_told(state, recent, load_config(None), lambda _: None, datetime.now(UTC) + timedelta(seconds=5))


def verdict(state: LineState, recent: Recent) -> dict[str, object]:
    found = told(state, recent)["verdict"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def ok(tmp_path: Path) -> Recent:
    """The store's answer when plates 1 (NG) and 2 (OK) have their verdict."""
    judge(tmp_path, result(1, Verdict.NG), result(2, Verdict.OK))
    return VerdictReader(tmp_path).read(line_state(last=2))


def test_the_verdict_is_that_of_the_last_sheet_and_says_which_it_is(ok: Recent) -> None:
    found = verdict(line_state(last=2), ok)
    assert (found["kind"], found["plate"], found["waiting"]) == ("OK", 2, 0)
    assert int(str(found["age_s"])) >= 4


def test_while_the_next_sheet_comes_the_verdict_stays_that_of_the_one_before(ok: Recent) -> None:
    state = line_state(last=2, plates=(plate(3),))
    found = told(state, ok)
    assert (verdict(state, ok)["kind"], verdict(state, ok)["plate"]) == ("OK", 2)
    assert found["under_camera"] is True
    sheet = found["on_line"]
    assert isinstance(sheet, dict)
    assert (sheet["plate"], sheet["judged"], sheet["boxes"], sheet["name"]) == (3, "Aw==", ((5, 6, 7, 8),), "P7")


@pytest.mark.parametrize("plates", [(plate(3, closed=True),), (plate(3, closed=True), plate(4)), (plate(3), plate(4))])
def test_a_sheet_that_has_left_the_camera_has_to_wait_and_does_not_get_the_verdict_before_it(
    ok: Recent, plates: tuple[LinePlate, ...]
) -> None:
    assert verdict(line_state(last=2, plates=plates), ok) == {"kind": "wait", "plate": 3, "waiting": 1}


def test_a_sheet_that_was_overtaken_is_said_beside_the_verdict(ok: Recent) -> None:
    found = verdict(line_state(last=2, plates=(plate(1, closed=True), plate(3))), ok)
    assert (found["kind"], found["plate"], found["waiting"]) == ("OK", 2, 1)


def test_a_verdict_that_is_committed_and_not_yet_read_is_not_the_one_before(ok: Recent) -> None:
    assert verdict(line_state(last=3), ok) == {"kind": "reading", "plate": 3, "waiting": 0}


def test_a_verdict_of_an_earlier_run_is_none_of_the_present(ok: Recent) -> None:
    assert verdict(line_state(run="b" * 32), ok) == {"kind": "none", "waiting": 0}
    assert verdict(line_state(run="b" * 32, last=3), ok)["kind"] == "reading"


def test_a_store_that_cannot_be_read_has_no_verdict(tmp_path: Path) -> None:
    judge(tmp_path, result(1, Verdict.OK))
    reader = VerdictReader(tmp_path)
    assert verdict(line_state(last=1), reader.read(line_state(last=1)))["kind"] == "OK"
    for one in tmp_path.glob("results.sqlite*"):
        one.unlink()
    (tmp_path / "results.sqlite").write_bytes(b"no database at all" * 99)
    found = verdict(line_state(last=1), reader.read(line_state(last=1)))
    assert found["kind"] == "unread"
    assert "results.sqlite" in str(found["error"])


def test_a_store_that_is_there_again_is_read_again(tmp_path: Path) -> None:
    reader = VerdictReader(tmp_path)
    assert reader.read(line_state(last=1)).error
    judge(tmp_path, result(1, Verdict.INCONCLUSIVE, Cause.FOCUS, reason="focus 3"))
    found = verdict(line_state(last=1), reader.read(line_state(last=1)))
    assert (found["kind"], found["causes"], found["reason"]) == ("INCONCLUSIVE", ["focus"], "focus 3")
