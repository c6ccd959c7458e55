"""The judgement of a tortured line: each promise that was broken is found, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.lab.torture.camera import MID_SHEET
from daemon.lab.torture.judge import Facts, judged
from daemon.store.results import PlateRow, RunFacts, Store, store_path
from stages.plate import Cause, PlateResult, Verdict

RUN = "a" * 32
OK, NG, UNSURE = Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE
CALM: tuple[dict[str, Any], ...] = (
    {"verdict": OK, "rows": 100, "windows": 4},
    {"verdict": NG, "rows": 100, "windows": 4},
)


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> PlateRow:
    """A plate as a real store gives it."""
    path: Path = store_path(tmp_path_factory.mktemp("store"))
    with Store.open(path) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        now = datetime(2026, 5, 4, tzinfo=UTC)
        store.seen(RUN, 1, now)
        result = PlateResult(
            RUN, 1, OK, (), "", complete=True, rows=100, columns=9, windows=4, windows_scored=4, coverage=1.0
        )
        store.commit_verdict(result, decided_at=now)
        found = store.plate(1)
    assert found is not None
    return found


def facts_of(row: PlateRow, kinds: list[int], verdicts: list[Verdict | None], wrong: tuple[int, ...] = ()) -> Facts:
    """Sheets of these kinds passed one line, and are plates with these verdicts; `wrong` ones are equal to no kind."""
    rows, matches = {}, {}
    for plate, verdict in enumerate(verdicts, 1):
        whole = verdict in (OK, NG)
        rows[plate] = replace(row, plate=plate, verdict=verdict, complete=whole, rows=100 if whole else 0)
        matches[plate] = frozenset({0 if verdict is OK else 1} if whole and plate not in wrong else ())
    heard = [(plate, verdict.value) for plate, verdict in enumerate(verdicts, 1) if verdict]
    return Facts(rows, CALM, matches, [(7, kind) for kind in kinds], heard)


def test_a_line_that_kept_its_promises_has_nothing_broken(row: PlateRow) -> None:
    found = judged(facts_of(row, [0, 1, 0, 1], [OK, NG, UNSURE, NG]))
    assert found.broken == []
    assert found.whole == 3
    assert found.plates == {1: 0, 2: 1, 3: 2, 4: 3}


def test_an_ok_that_is_not_to_the_bit_what_its_sheet_is_was_not_scored_whole(row: PlateRow) -> None:
    broken = judged(facts_of(row, [0, 1, 0], [OK, NG, OK], wrong=(3,))).broken
    assert any("plate 3 is OK, and windows [0, 1, 2, 3] of sheet 3 were not read" in one for one in broken)


def test_an_ok_of_a_cracked_sheet_is_found(row: PlateRow) -> None:
    broken = judged(facts_of(row, [0, 1, 1, 1, 1], [OK, NG, OK, NG, NG])).broken
    assert any("plate 3 is OK, and sheet 3 has a crack" in one for one in broken)


def test_an_ok_of_a_sheet_that_was_in_the_beam_at_the_start_is_found(row: PlateRow) -> None:
    assert any("plate 1 is OK" in one for one in judged(facts_of(row, [MID_SHEET, 1], [OK, NG])).broken)


def test_a_sheet_in_mid_line_that_is_no_plate_is_found(row: PlateRow) -> None:
    broken = judged(facts_of(row, [0, 1, 0, 0, 0, 0], [OK, OK, OK, OK, OK])).broken
    assert any("passed the switch, and no plate is of it" in one or "has a crack" in one for one in broken)


def test_sheets_told_in_the_last_moment_of_a_line_may_lack_and_are_counted(row: PlateRow) -> None:
    found = judged(facts_of(row, [0, 1, 0, 0, 1], [OK, NG, OK]))
    assert found.broken == []
    assert found.untold == 2


def test_a_plate_of_no_sheet_is_found(row: PlateRow) -> None:
    assert judged(facts_of(row, [0, 1], [OK, NG, OK])).broken != []


def test_a_plate_without_a_verdict_is_open_for_ever(row: PlateRow) -> None:
    assert any("open for ever" in one for one in judged(facts_of(row, [0, 1], [OK, None])).broken)


def test_another_verdict_than_was_told_is_found_and_so_is_one_told_twice(row: PlateRow) -> None:
    facts = facts_of(row, [0, 1], [OK, NG])
    facts.heard = [(1, "NG"), (2, "NG"), (2, "NG")]
    broken = judged(facts).broken
    assert "plate 1 is stored as OK, and the supervisor was told NG" in broken
    assert "plate 2 was told twice" in broken


def test_a_verdict_that_nobody_was_told_is_found_but_not_of_a_run_that_was_killed(row: PlateRow) -> None:
    facts = facts_of(row, [0, 1], [OK, NG])
    facts.heard = [(1, "OK")]
    assert judged(facts).broken == ["plate 2: the supervisor was never told its verdict"]
    facts.killed_runs = frozenset({RUN})
    assert judged(facts).broken == []


def test_plates_that_the_next_start_closed_need_not_be_told(row: PlateRow) -> None:
    facts = facts_of(row, [0, 1], [OK, UNSURE])
    facts.heard = [(1, "OK")]
    facts.rows = {**facts.rows, 2: replace(facts.rows[2], causes=(Cause.SERVICE_DIED,))}
    assert judged(facts).broken == []


def test_two_lines_after_each_other_are_followed_over_what_the_first_one_lost(row: PlateRow) -> None:
    facts = facts_of(row, [0, 1, 0, 1], [OK, NG, OK, NG])
    facts.passed = [(7, 0), (7, 1), (7, 1), (8, 0), (8, 1)]
    found = judged(facts)
    assert found.broken == []
    assert found.plates == {1: 0, 2: 1, 3: 3, 4: 4}
