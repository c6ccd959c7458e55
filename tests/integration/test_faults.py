"""Processes of a real service killed or stopped at work: no more is lost than docs/explanation/failures.md says."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.store.results import PlateRow
from daemon.wire.plate_memory import Hold
from stages.plate import Cause, Verdict
from tests.integration.conftest import SHEETS, Service, substance

Make = Callable[..., Service]
Undisturbed = Callable[[int], dict[str, Any]]


def restarted(one: Service, name: str, before: int) -> bool:
    return one.children().get(name, before) != before


def went_on(one: Service, finals: int) -> bool:
    return len(one.finals()) > finals


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    return not alive(pid)


def test_deaths_of_worker_tile_merge_and_record_change_no_result(service: Make, undisturbed: Undisturbed) -> None:
    """Each of them is killed with plates in flight, and later in turn once more."""
    one = service(workers={"count": 2}, results={"pictures": True})
    one.start(24)
    one.wait_for(lambda: len(one.finals()) >= 1)
    for name in ("detect-0", "tile-0", "merge-0", "record-0", "merge-0", "tile-0"):
        before = len(one.finals())
        pid = one.kill(name)
        one.wait_for(partial(restarted, one, name, pid))
        one.wait_for(partial(went_on, one, before))
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert sorted(rows) == list(range(1, 25))
    assert sorted(one.finals()) == sorted(rows)
    assert {plate: substance(row) for plate, row in rows.items()} == {plate: undisturbed(plate) for plate in rows}
    assert len(one.logged("process ended", reason="died")) == 6


def test_a_hung_workers_windows_go_to_another(service: Make, undisturbed: Undisturbed) -> None:
    one = service(workers={"count": 2}, restart={"hang_s": 2.0})
    one.start()
    # One that has not been heard of yet is starting, for which it has longer.
    one.wait_for(lambda: len(one.logged("detector ready")) == 2 and one.finals())
    hung = one.kill("detect-1", signal.SIGSTOP)
    one.wait_for(lambda: one.logged("process ended", process="detect-1", reason="hang"))
    assert gone(hung)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert sorted(one.finals()) == sorted(rows)
    assert {plate: substance(row) for plate, row in rows.items()} == {plate: undisturbed(plate) for plate in rows}


def filling(one: Service) -> int | None:
    """The plate that acquisition has some rows of, and not yet all."""
    memory = one.memory()
    found = [facts.plate for facts in memory.all_facts() if Hold.ACQUIRE in facts.holds and 128 <= facts.rows < 700]
    memory.close()
    return found[0] if found else None


def all_but(rows: dict[int, PlateRow], causes: set[Cause], undisturbed: Undisturbed) -> list[int]:
    """Plates that ended for one of those causes; all others are as if nothing had happened."""
    hit = [plate for plate, row in rows.items() if causes & set(row.causes)]
    for plate, row in rows.items():
        if plate in hit:
            assert row.verdict is (Verdict.NG if row.defects else Verdict.INCONCLUSIVE)
            assert not row.complete
        else:
            assert substance(row) == undisturbed(plate)
    return hit


def test_the_death_of_acquisition_costs_the_plates_that_pass_while_it_is_away(
    service: Make, undisturbed: Undisturbed
) -> None:
    """At a line rate the line does not wait: what passes is counted, and the numbers stay those of the sheets."""
    # Buffers for half a second: nothing is lost before the death, on a busy machine either.
    one = service(camera={"line_rate_hz": 2500, "buffers": 10}, workers={"count": 2}, slots=6)
    one.start(18)
    one.wait_for(lambda: len(one.finals()) >= 2)
    plate = one.wait_for(lambda: filling(one))
    one.kill("acquire-0")
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert sorted(rows) == list(range(1, 19))
    away = {Cause.ACQUISITION_DIED, Cause.NO_ROWS, Cause.ROWS_MISSING}
    hit = all_but(rows, away, undisturbed)
    assert Cause.ACQUISITION_DIED in rows[plate].causes
    assert hit == list(range(plate, plate + len(hit)))
    assert plate + len(hit) <= 18


def test_a_line_that_starts_anew_costs_the_plate_in_the_beam(service: Make, undisturbed: Undisturbed) -> None:
    """The simulated line begins again with its first sheet; the numbers of the plates go on."""
    # Slow enough that on a busy machine, too, much of the sheet is still to come when some of it has been assembled.
    one = service(camera={"line_rate_hz": 1000}, slots=6)
    one.start(5)
    one.wait_for(lambda: len(one.finals()) >= 1)
    plate = one.wait_for(lambda: filling(one))
    one.kill("line-0")
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert sorted(rows) == list(range(1, 6))
    hit = [number for number, row in rows.items() if Cause.ACQUISITION_DIED in row.causes]
    assert hit == [plate]
    assert all(row.complete for number, row in rows.items() if number != plate)
    for number, row in rows.items():
        if number != plate:
            assert substance(row) == undisturbed(number if number < plate else number - plate)


def test_children_die_with_the_supervisor_and_the_next_start_closes_the_ledger(service: Make) -> None:
    one = service()
    one.start()
    one.wait_for(lambda: len(one.finals()) >= 2)
    children = one.children()
    worker = one.kill("detect-0", signal.SIGSTOP)
    one.wait_for(lambda: any(row.verdict is None for row in one.plates().values()))
    one.send(signal.SIGKILL)
    one.finish()
    until = time.monotonic() + 2.0
    while time.monotonic() < until and any(map(alive, children.values())):
        time.sleep(0.01)
    assert not [name for name, pid in children.items() if alive(pid)]
    assert worker in children.values()
    before = one.plates()
    left = {plate for plate, row in before.items() if row.verdict is None}
    assert left

    one.start(SHEETS)
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert not list(Path(tempfile.gettempdir()).glob(f"linesentry-*{before[1].run[:8]}*"))
    assert {plate for plate, row in rows.items() if row.causes == (Cause.SERVICE_DIED,)} == left
    assert {plate: row for plate, row in rows.items() if plate in before and plate not in left} == {
        plate: row for plate, row in before.items() if plate not in left
    }
    assert sorted(rows.keys() - before.keys()) == list(range(max(before) + 1, max(before) + 1 + SHEETS))


@pytest.mark.parametrize("role", ["merge", pytest.param("record", marks=pytest.mark.long)])
def test_a_role_that_keeps_dying_is_lost_and_open_plates_end_inconclusive(service: Make, role: str) -> None:
    one = service(restart={"budget": 1})
    one.start()
    one.wait_for(lambda: len(one.finals()) >= 1)
    one.kill("detect-0", signal.SIGSTOP)
    one.wait_for(lambda: any(row.verdict is None for row in one.plates().values()))
    pid = one.kill(f"{role}-0")
    one.wait_for(lambda: restarted(one, f"{role}-0", pid))
    one.kill("detect-0", signal.SIGCONT)
    one.kill(f"{role}-0")
    assert one.finish() == 1
    assert one.logged("role lost: open plates end INCONCLUSIVE", role=role, why="its restarts are spent")
    lost = [row for row in one.verdicts().values() if Cause.ROLE_LOST in row.causes]
    assert lost
    assert all(row.verdict is (Verdict.NG if row.defects else Verdict.INCONCLUSIVE) for row in lost)


def test_a_swath_that_kills_its_workers_is_quarantined_and_the_service_goes_on(
    service: Make, undisturbed: Undisturbed
) -> None:
    """Whenever a worker's board shows the swath of that window, the worker dies."""
    poison = 4
    one = service(restart={"budget": 30})
    one.start(6)
    memory = one.memory()
    plate = 2
    while not one.logged("window quarantined"):
        one.wait_for(lambda: any(window == poison for _, window in memory.read_board(0)))
        worker = one.children().get("detect-0")
        if worker is None:
            continue
        os.kill(worker, signal.SIGSTOP)
        on = memory.read_board(0)
        if len(on) > 1 and (plate, poison) in on:
            os.kill(worker, signal.SIGKILL)
            one.wait_for(partial(gone, worker))
        else:
            plate = max([plate, *(number + 1 for number, _ in on)])
            os.kill(worker, signal.SIGCONT)
    memory.close()
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    hit = all_but(rows, {Cause.WINDOW_QUARANTINED}, undisturbed)
    assert len(hit) == 1
    assert rows[hit[0]].windows_scored == 6
    told = one.logged("window quarantined")
    assert {(line["plate"], line["window"]) for line in told} == {(hit[0], window) for window in (3, 4, 5)}


@pytest.mark.long
def test_a_line_faster_than_everything_loses_strips_but_no_plate(service: Make) -> None:
    plates = 12
    line = service(
        camera={"line_rate_hz": 400_000.0, "buffers": 2},
        simulator={"sheets": 1, "density": 1, "seed": 3},
        slots=2,
    )
    line.start(plates)
    assert line.finish() == 0, line.stderr()
    rows = line.verdicts()
    assert len(rows) == plates
    lost = [row for row in rows.values() if {Cause.NO_ROWS, Cause.ROWS_MISSING} & set(row.causes)]
    assert lost
    assert not any(row.verdict is Verdict.OK for row in lost)
    assert any(row.losses.get("strip lost") for row in lost), [row.reason for row in lost]
