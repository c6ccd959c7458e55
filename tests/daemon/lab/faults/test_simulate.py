"""The whole line in virtual time: on a calm network, and struck by faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from daemon.lab.faults.schedule import Fault, Schedule, Setting, drawn
from daemon.lab.faults.simulate import simulate

SETTING = Setting(seed=1, plates=8, workers=1, live=False, output=False)


def broken_by(setting: Setting, faults: Sequence[Fault]) -> tuple[str, ...]:
    return simulate(Schedule(setting, tuple(faults))).broken


@pytest.mark.parametrize("live", [True, False])
def test_on_a_calm_line_every_sheet_is_one_plate_with_the_verdict_that_it_deserves(live: bool) -> None:
    setting = Setting(seed=3, plates=12, workers=2, slots=6, live=live, classifier="veto")
    outcome = simulate(Schedule(setting))
    assert outcome.broken == ()
    assert outcome.plates == sum(outcome.verdicts.values()) == 12
    assert outcome.verdicts["OK"] > 0
    assert outcome.verdicts["NG"] > 0


def test_a_seed_is_the_same_history_each_time() -> None:
    schedule = drawn(5, 12)
    assert schedule == drawn(5, 12)
    assert schedule.faults
    assert simulate(schedule) == simulate(schedule)
    assert simulate(schedule).steps != simulate(drawn(6, 12)).steps


def test_a_tile_that_starts_anew_while_the_store_fails_is_told_of_the_open_plates_when_it_works_again() -> None:
    for seed in range(4):
        setting = replace(SETTING, seed=seed)
        assert broken_by(setting, [Fault(1.5, "kill", "tile-0"), Fault(1.6, "store fails", "full", 1.5)]) == ()


def test_a_verdict_that_the_supervisor_missed_and_the_store_cannot_tell_just_then_is_told_when_it_works_again() -> None:
    for seed in (0, 1, 4, 7):
        lost = Fault(1.3, "garble", "record-0>supervisor", 9)
        then = [Fault(1.6, "kill", "record-0"), Fault(2.14, "store fails", "broken", 1.0)]
        assert broken_by(replace(SETTING, seed=seed, plates=6), [lost, *then]) == ()
