"""Whether a service is well, in words."""

from __future__ import annotations

from daemon.service.health import Condition, reasons, troubles
from stages.events import ChecksOverdue, OutputFailing, OutputWorks, StoreFailing
from stages.plc import Answers, Trouble

WELL = Condition(ready=True, down=(), role_lost=None, store_failing=None, stopping=False)


def test_a_service_that_works_has_nothing_to_say() -> None:
    assert reasons(WELL) == ()


def test_before_all_processes_were_up_it_is_starting_whatever_is_still_down() -> None:
    assert reasons(Condition(ready=False, down=["detect-0"])) == ("starting",)


def test_everything_that_is_wrong_is_named() -> None:
    ill = Condition(
        ready=True,
        down=["detect-1", "merge-0"],
        role_lost="tile",
        done_without={"classify", "output"},
        outputs_failing={"output-1": "output mes fails: 404"},
        store_failing="full",
        stopping=True,
    )
    assert reasons(ill) == (
        "detect-1 is down",
        "merge-0 is down",
        "role tile is lost",
        "role classify is lost: plates are decided without it",
        "role output is lost: verdicts are told no more",
        "output mes fails: 404",
        "the result store fails (full)",
        "stopping",
    )


def test_that_pictures_give_way_is_said() -> None:
    short = Condition(ready=True, room_short=True)
    assert reasons(short) == ("room on the disk is short: pictures give way",)


def test_that_a_plate_gets_no_verdict_is_said() -> None:
    assert reasons(Condition(ready=True, overdue="plate 3 has had no verdict")) == ("plate 3 has had no verdict",)


def test_that_the_journal_fails_is_said_with_the_reason() -> None:
    mute = Condition(ready=True, journal_failing="full")
    assert reasons(mute) == ("the journal of plates fails (full)",)


def test_an_output_is_ill_until_it_says_that_it_works_or_another_takes_its_place() -> None:
    condition = Condition(ready=True)
    condition.hear("output-0", OutputFailing("gate", "PLC cannot be reached"))
    assert reasons(condition) == ("output gate fails: PLC cannot be reached",)
    condition.hear("output-0", OutputWorks("gate"))
    assert reasons(condition) == ()
    condition.hear("output-0", OutputFailing("gate", "PLC cannot be reached"))
    condition.hear("record-0", StoreFailing("full", ""))
    condition.joined("output-0")
    assert reasons(condition) == ("the result store fails (full)",)


def test_a_plc_hears_what_keeps_the_next_plate_from_its_inspection_and_what_does_not() -> None:
    assert troubles(WELL, full=False) == ()
    assert troubles(WELL, full=True) == (Trouble.NO_SLOT,)
    assert troubles(Condition(), full=False) == (Trouble.STARTING,)
    away = Condition(ready=True, line=["camera 0 is away"])
    assert (troubles(away, full=False), reasons(away)) == ((Trouble.CAMERA,), ("camera 0 is away",))
    ill = Condition(ready=True, down=["detect-1", "merge-0"], store_failing="full", overdue="plate 3", stopping=True)
    assert troubles(ill, full=False) == (
        Trouble.STOPPING,
        Trouble.PROCESS_DOWN,
        Trouble.STORE_FAILS,
        Trouble.NO_VERDICT,
    )
    without = Condition(
        ready=True,
        down=["classify-0", "output-1"],
        done_without={"classify"},
        outputs_failing={"output-1": "output mes fails"},
        journal_failing="full",
        room_short=True,
        plc_unread="cut off",
    )
    assert troubles(without, full=False) == (Trouble.ATTENTION,)
    assert Answers(next_plate=1, troubles=troubles(without, full=False)).ready
    assert reasons(Condition(ready=True, plc_unread="cut off")) == ("ids of sheets are unknown: cut off",)


def test_a_plc_hears_that_no_plate_of_the_recipe_that_judges_can_be_ok_for_want_of_a_check() -> None:
    condition = Condition(ready=True, recipe="P10B")
    condition.hear("record-0", ChecksOverdue({"02CG": "no check standard is set"}))
    assert reasons(condition) == ()
    condition.recipe = "02CG"
    assert reasons(condition) == ("no plate can be OK: no check standard is set",)
    overdue = troubles(condition, full=False)
    assert overdue == (Trouble.CHECK_OVERDUE,)
    assert not Answers(next_plate=1, troubles=overdue).ready
    condition.hear("record-0", ChecksOverdue({}))
    assert troubles(condition, full=False) == ()
