"""The live screen, drawn from what a service says of itself."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from config.load import load_recipe
from daemon.cli.plate_progress import Passing
from daemon.cli.screen import Screen, stop_text
from daemon.service.children import RoleState
from daemon.service.status import Status, Stop
from daemon.wire.messages import Progress
from daemon.wire.plate_memory import Hold, SlotFacts
from stages.events import Place, VerdictCommitted
from stages.plate import Cause, PlateResult, Verdict

RECIPE = load_recipe("P10B")
RESULT = PlateResult(
    run="a" * 32,
    plate=12,
    verdict=Verdict.INCONCLUSIVE,
    causes=(Cause.FOCUS,),
    reason="focus 0.020 in 3 of 33 bands, least is 0.080",
    complete=True,
    rows=19_214,
    columns=9_777,
    windows=561,
    windows_scored=561,
    coverage=0.998,
)
FILLING = SlotFacts(
    place=Place(slot=0, generation=1, columns=9_777),
    plate=14,
    rows=9_000,
    rows_missing=0,
    closed=False,
    causes=(),
    holds=frozenset(Hold),
)
FREE = replace(FILLING, plate=11, holds=frozenset())
ROLES = {
    "line": RoleState(1, 1, 0, "line ready"),
    "acquire": RoleState(1, 1, 0, "waits for a free slot"),
    "tile": RoleState(1, 1, 0, "12 windows wait, 8 leased"),
    "detect": RoleState(1, 2, 3, ""),
    "classify": RoleState(1, 1, 0, "waits for crops"),
    "merge": RoleState(1, 1, 0, ""),
    "record": RoleState(1, 1, 0, "store is in step"),
}
STATUS = Status(
    at=100.0,
    reasons=("detect-1 is down",),
    seen=14,
    verdicts={Verdict.OK: 9, Verdict.NG: 2, Verdict.INCONCLUSIVE: 1},
    open=(13, 14),
    roles=ROLES,
    slots=(FILLING, FREE),
    progress={14: Progress(204, 7, 5.0)},
    camera_rows=200_000,
)


def plates() -> list[Passing]:
    """One final, one that waits for a slot, one that passes at 204 windows in 5 s."""
    passing = Passing(14, progress=Progress(204, 7, 5.0))
    passing.follow(FILLING)
    return [Passing(12, decided=VerdictCommitted(RESULT, 0.41, 6.2)), Passing(13), passing]


def lines(status: Status = STATUS, width: int = 80, height: int = 24, shown: list[Passing] | None = None) -> list[str]:
    """What stands on a terminal of that size, without colour, when the line has gone at 100 Mpx/s and 2,000 rows/s."""
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    screen = Screen(RECIPE)
    screen.follow(replace(status, at=90.0, camera_rows=180_000), 2e9)
    screen.follow(status, 3e9)
    with console.capture() as capture:
        console.print(screen.draw(status, plates() if shown is None else shown, console))
    return capture.get().rstrip("\n").split("\n")


def test_totals_health_throughput_processes_and_plates_stand_on_80_by_24() -> None:
    seen = "\n".join(lines())
    for text in (
        "NOT OK: detect-1 is down",
        "14 seen: 9 OK, 2 NG, 1 INCONCLUSIVE, 2 open",
        "100.0 Mpx/s, 216,656 mm2/s; camera 2,000 rows/s",
        "1 of 2 free",
        "12 windows wait, 8 leased",
    ):
        assert text in seen
    assert "\u2026" not in seen  # nothing was cut


@pytest.mark.parametrize("reasons", [("starting",), ("stopping",)])
def test_a_start_and_a_stop_are_no_fault(reasons: tuple[str, ...]) -> None:
    health = lines(replace(STATUS, reasons=reasons))[1]
    assert health.split() == ["health", *reasons]


def test_a_process_that_is_down_and_its_restarts_are_told_in_figures() -> None:
    (detect,) = [line for line in lines() if line.startswith("detect")]
    assert detect.split()[:3] == ["detect", "1/2", "3"]


def test_each_plate_says_how_far_it_is_and_how_fast() -> None:
    head, *rows = [line.rstrip() for line in lines()[-4:]]
    assert head.split() == ["plate", "rows", "windows", "found", "Mpx/s", "state"]
    final, waits, passes = ([word for word in row.split() if word[0].isalnum() or word == "-"] for row in rows)
    assert final == ["12", "19,214", "561/561", "0", "30.3", "INCONCLUSIVE"]
    assert waits == ["13", "0", "0/561", "0", "-", "waiting"]
    assert passes == ["14", "9,000", "204/561", "7", "13.7", "passing"]


def test_a_plate_that_has_ended_is_scored_then_decided() -> None:
    ended = replace(FILLING, rows=19_000, closed=True, holds=frozenset({Hold.TILE, Hold.RECORD}))
    passing = Passing(14)
    passing.follow(ended)
    total = passing.total_windows(RECIPE)
    passing.progress = Progress(total - 1, 0, 5.0)
    assert passing.stage(RECIPE) == "scoring"
    passing.progress = Progress(total, 0, 5.0)
    assert passing.stage(RECIPE) == "deciding"


def test_a_plates_speed_counts_what_is_scored_over_the_time_of_work_on_it() -> None:
    passing = Passing(14)
    assert passing.speed(RECIPE) is None  # nothing is scored
    passing.progress = Progress(561, 0, 2.0)
    assert passing.speed(RECIPE) == pytest.approx(93.9e6, rel=0.01)
    passing.decided = VerdictCommitted(replace(RESULT, plate=14), 9.0, inspection_s=4.0)
    assert passing.speed(RECIPE) == pytest.approx(47.0e6, rel=0.01)


@pytest.mark.parametrize("width", [30, 40, 60, 76, 80, 200])
@pytest.mark.parametrize("height", [6, 12, 24, 50])
@pytest.mark.parametrize("stop", [None, Stop(28.6, None, at_once=False)])
def test_it_fits_any_terminal_and_words_say_what_colours_do(width: int, height: int, stop: Stop | None) -> None:
    many = [*plates(), *(Passing(number) for number in range(15, 60))]
    drawn = lines(replace(STATUS, stop=stop), width, height, many)
    assert max(len(line.rstrip()) for line in drawn) <= width
    seen = " ".join("\n".join(drawn).split())
    assert "NOT OK" in seen
    if height >= 24:
        assert len(drawn) < height
        assert "INCONCLUSIVE" in seen
        assert "passing" in seen or width < 40


def test_open_plates_have_the_first_claim_on_what_room_there_is() -> None:
    final = [Passing(number, decided=VerdictCommitted(replace(RESULT, plate=number))) for number in range(1, 13)]
    shown = lines(shown=[*final, *plates()[1:]])
    numbers = [int(line.split()[0]) for line in shown if line.split() and line.split()[0].isdigit()]
    assert numbers[-3:] == [12, 13, 14]
    assert len(shown) == 23


def test_a_stop_says_how_many_plates_are_finished_how_long_at_most_and_what_ctrl_c_does() -> None:
    assert stop_text(Stop(28.6, None, at_once=False), 2) == (
        "stopping: finishing 2 plates, at most 29 s; "
        "press Ctrl-C again to end at once: those plates become INCONCLUSIVE"
    )
    assert stop_text(Stop(3.0, None, at_once=False), 1).endswith("that plate becomes INCONCLUSIVE")
    assert stop_text(Stop(3.0, None, at_once=False), 0).startswith("stopping: no plate is in flight")
    assert stop_text(Stop(0.0, Cause.SHUTDOWN, at_once=False), 2) == (
        "stopping: 2 plates could not be finished and end INCONCLUSIVE"
    )
    assert stop_text(Stop(9.0, None, at_once=True), 1) == "ending at once: 1 plate in flight becomes INCONCLUSIVE"
