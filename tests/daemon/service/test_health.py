"""Whether a service is well, in words."""

from __future__ import annotations

from daemon.service.health import Condition, reasons

WELL = Condition(ready=True, down=(), role_lost=None, classifier_lost=False, store_failing=None, stopping=False)


def test_a_service_that_works_has_nothing_to_say() -> None:
    assert reasons(WELL) == ()


def test_before_all_processes_were_up_it_is_starting_whatever_is_still_down() -> None:
    assert reasons(Condition(False, ["detect-0"], None, False, None, False)) == ("starting",)


def test_everything_that_is_wrong_is_named() -> None:
    ill = Condition(True, ["detect-1", "merge-0"], "tile", True, "full", True)
    assert reasons(ill) == (
        "detect-1 is down",
        "merge-0 is down",
        "role tile is lost",
        "role classify is lost: plates are decided without it",
        "the result store fails (full)",
        "stopping",
    )


def test_that_pictures_give_way_is_said() -> None:
    short = Condition(True, (), None, classifier_lost=False, store_failing=None, stopping=False, room_short=True)
    assert reasons(short) == ("room on the disk is short: pictures give way",)


def test_that_a_plate_gets_no_verdict_is_said() -> None:
    assert reasons(Condition(ready=True, overdue="plate 3 has had no verdict")) == ("plate 3 has had no verdict",)


def test_that_the_journal_fails_is_said_with_the_reason() -> None:
    mute = Condition(True, (), None, classifier_lost=False, store_failing=None, stopping=False, journal_failing="full")
    assert reasons(mute) == ("the journal of plates fails (full)",)
