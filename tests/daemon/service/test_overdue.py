"""A plate that gets no verdict in its time is found, and a slow machine or a belt that stands is no fault."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from config.load import load_recipe
from config.schema import Config, Decision, Restart
from daemon.service.overdue import DEADLINE_GRACE_S, Overdue, Plates, Watch, within_s

CONFIG = Config(restart=Restart(hang_s=15.0, start_s=60.0))
RECIPE = load_recipe("P10B")
WITHIN_S = within_s(CONFIG, RECIPE)


class Minutes:
    """A watch that looks each second; the plates are as they were last said to be."""

    def __init__(self, deadline_s: float | None = None) -> None:
        recipe = RECIPE.model_copy(update={"decision": Decision(deadline_s=deadline_s)})
        self.watch = Watch(CONFIG, lambda _: recipe)
        self.now = 0.0

    def wait(
        self,
        seconds: float,
        plates: set[int],
        whole: Mapping[int, float | None],
        windows: Mapping[int, int] | None = None,
        rows: float = 0.0,
        *,
        line_ended: bool = False,
    ) -> Overdue | None:
        found = None
        for _ in range(round(seconds)):
            self.now += 1.0
            found = self.watch.look(self.now, Plates(plates, whole, windows or {}, rows, line_ended))
        return found


def test_the_oldest_plate_is_overdue_when_it_lies_whole_and_nothing_of_it_is_merged_in_its_time() -> None:
    clock = Minutes()
    assert clock.wait(WITHIN_S, {3, 4}, {3: 0.0, 4: 0.0}) is None
    found = clock.wait(2, {3, 4}, {3: 0.0, 4: 0.0})
    assert found is not None
    assert found.plate == 3
    assert clock.wait(1, {4}, {4: 0.0}) is None, "it became the oldest just now"
    assert clock.wait(1, set(), {}) is None


def test_a_slow_machine_that_gets_further_is_no_fault_and_one_that_gets_no_further_is() -> None:
    clock = Minutes()
    for windows in range(10):
        assert clock.wait(WITHIN_S - 5, {1}, {1: 0.0}, {1: windows}) is None
    assert clock.wait(WITHIN_S + 2, {1}, {1: 0.0}, {1: 9}) is not None


def test_windows_that_a_new_merger_has_to_merge_again_give_no_time() -> None:
    clock = Minutes()
    clock.wait(2, {1}, {1: 0.0}, {1: 9})
    for windows in range(9):
        found = clock.wait(WITHIN_S / 8, {1}, {1: 0.0}, {1: windows})
    assert found is not None


def test_a_sheet_under_a_belt_that_stands_is_waited_for() -> None:
    clock = Minutes()
    assert clock.wait(3600, {7}, {}, rows=1000.0) is None


@pytest.mark.parametrize("how", ["rows of a whole plate have passed", "the line has ended"])
def test_a_plate_that_acquisition_never_opened_or_closed_is_overdue_too(how: str) -> None:
    clock = Minutes()
    clock.wait(1, {7}, {}, rows=1000.0)
    ended = how == "the line has ended"
    assert clock.wait(WITHIN_S + 2, {7}, {}, rows=1000.0 if ended else 1e6, line_ended=ended) is not None


def test_each_plate_has_the_deadline_of_its_recipe_whatever_is_merged() -> None:
    clock = Minutes(deadline_s=5.0)
    clock.wait(1, {1, 2}, {2: 0.0}, {2: 1})
    assert clock.wait(DEADLINE_GRACE_S, {1, 2}, {2: 0.0}, {2: 4}) is None
    assert clock.wait(5, {1, 2}, {2: 0.0}, {2: 5}) == Overdue(2, 16.0)


def test_time_in_which_the_supervisor_was_stopped_does_not_count() -> None:
    clock = Minutes(deadline_s=5.0)
    clock.wait(2, {1}, {1: 0.0})
    clock.now += 3600.0
    assert clock.wait(8, {1}, {1: 0.0}) is None
    assert clock.wait(WITHIN_S + 2, {1}, {1: 0.0}) is not None
