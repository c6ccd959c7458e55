"""The report of a torture: what each fault came to, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import pytest

from daemon.lab.torture.plan import Planned
from daemon.lab.torture.report import Blow, Report, outcomes, quantile, recoveries
from daemon.lab.torture.strikes import nothing
from daemon.store.results import PlateRow
from stages.plate import Cause, Verdict
from tests.daemon.lab.torture.plates import plate_of

BEGIN = datetime(2026, 5, 4, tzinfo=UTC)


def blow(fault: str, seconds: float, *names: str) -> Blow:
    return Blow(Planned(fault, nothing, names), BEGIN + timedelta(seconds=seconds), alone=True)


def rows(*plates: tuple[float, float, bool]) -> dict[int, PlateRow]:
    """Plates by the seconds at which they were seen and decided, and whether they were judged whole."""
    return {
        number: plate_of(
            number,
            BEGIN + timedelta(seconds=seen),
            BEGIN + timedelta(seconds=decided),
            Verdict.OK if whole else Verdict.INCONCLUSIVE,
            () if whole else (Cause.NO_ROWS,),
        )
        for number, (seen, decided, whole) in enumerate(plates, 1)
    }


def test_plates_count_with_the_strike_before_their_verdict_and_the_report_is_json() -> None:
    blows = [blow("kill", 10, "merge-0"), blow("stop", 20, "tile-0")]
    found = outcomes(blows, rows((1, 2, True), (9, 11, False), (12, 15, True), (18, 21, False)), calm=1)
    assert {fault: (one.struck, one.plates, one.not_whole) for fault, one in found.items()} == {
        "kill": (1, 2, 1),
        "stop": (1, 1, 1),
    }
    said = json.loads(json.dumps(dataclasses.asdict(Report(1, faults=found))))
    assert said["faults"]["kill"]["causes"] == {"no rows": 1}


def test_recovery_is_told_by_role_up_to_the_next_verdict_and_the_next_whole_plate() -> None:
    (one,) = recoveries([blow("kill", 10, "merge-0")], rows((9, 11, False), (9.5, 12, True), (11, 14, True)))
    assert (one.role, one.fault) == ("merge", "killed")
    assert one.next_verdict_s == pytest.approx([1.0])
    assert one.next_whole_s == pytest.approx([4.0])


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([3, 1, 2], 0.99) == 3
