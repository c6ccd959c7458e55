"""The merger decides each plate exactly once, the same way whatever the order, loss and repetition of events."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import Columns, Gates, Length, Recipe, Windows
from models.detector.findings import Quality, Region
from stages.camera import Sheet
from stages.events import (
    Abort,
    Place,
    PlateClosed,
    PlateDecided,
    PlateFinal,
    PlateOpened,
    SayAgain,
    WindowQuarantined,
    WindowScored,
    WindowsMerged,
)
from stages.merge import Deadline, Event, Forget, Instruction, Merger
from stages.plate import Cause, PlateResult, Verdict, WindowResult

RECIPE = Recipe(
    name="test",
    length=Length(nominal_rows=70, tolerance=0.5),
    columns=Columns(last=50),
    windows=Windows(size=30, stride=20),
    gates=Gates(action="warn"),
)
ROWS, COLUMNS, WINDOWS = 70, 50, 12
PLACE = Place(slot=0, generation=1, columns=COLUMNS)
GOOD = Quality(unmasked=100, judged=100, lit=100, total=1e4, squares=1.1e6, fine=5.0, coarse=10.0)


def scored(plate: int, window: int, score: float | None = None, run: str = "run") -> WindowScored:
    """A window's result with a line on the window's right edge, where the next window sees it too."""
    regions: tuple[Region, ...] = ()
    if score is not None:
        runs = np.array([(15, 20, 30), (16, 20, 30)], "<i4").tobytes()
        regions = (Region(20, 15, 10, 2, 20, score, 22, 15, runs),)
    return WindowScored(WindowResult(run, plate, window, regions, False, GOOD, 1.0, 0.1), PLACE)


def story(plate: int, bad: frozenset[int] = frozenset(), given_up: frozenset[int] = frozenset()) -> list[Event]:
    """All that happens to a plate, in the usual order."""
    windows: list[Event] = [
        WindowQuarantined(plate, w) if w in given_up else scored(plate, w, 0.8 if w in bad else None)
        for w in range(WINDOWS)
    ]
    return [PlateOpened(plate, PLACE), *windows, PlateClosed(plate, PLACE, ROWS)]


def told(merger: Merger, *events: Event) -> list[Instruction]:
    said = []
    for event in events:
        said += merger.handle(event)
        merger.validate()
    return said


def decisions(instructions: list[Instruction]) -> list[PlateResult]:
    return [i.result for i in instructions if isinstance(i, PlateDecided)]


def undisturbed(events: list[Event]) -> PlateResult:
    (result,) = decisions(told(Merger(RECIPE, "run"), *events))
    return result


def test_a_plate_is_decided_when_it_is_closed_and_every_window_is_scored() -> None:
    merger = Merger(RECIPE, "run")
    *before, last = story(1)
    assert not decisions(told(merger, *before))
    (result,) = decisions(told(merger, last))
    assert (result.verdict, result.windows, result.windows_scored, result.complete) == (Verdict.OK, 12, 12, True)


def test_each_scored_window_is_acknowledged_however_often_it_comes() -> None:
    merger = Merger(RECIPE, "run")
    for _ in range(2):
        assert told(merger, scored(1, 3)) == [WindowsMerged(1, (3,))]
    assert (merger.counters.windows_scored, merger.counters.windows_repeated) == (1, 1)


def test_a_line_seen_by_two_windows_is_one_defect_and_ng() -> None:
    result = undisturbed(story(1, bad=frozenset({4})))
    assert (result.verdict, result.causes) == (Verdict.NG, (Cause.DEFECT,))
    assert [(d.x, d.y, d.width, d.height) for d in result.defects] == [(40, 35, 10, 2)]


def test_a_quarantined_window_makes_the_plate_inconclusive_but_a_defect_still_ng() -> None:
    assert undisturbed(story(1, given_up=frozenset({2}))).causes == (Cause.WINDOW_QUARANTINED,)
    result = undisturbed(story(1, bad=frozenset({4}), given_up=frozenset({2})))
    assert (result.verdict, result.complete) == (Verdict.NG, False)


def test_a_window_of_which_the_detector_gave_no_numbers_is_waited_for_no_longer_and_forbids_ok() -> None:
    events = story(1)
    place = next(at for at, event in enumerate(events) if isinstance(event, WindowScored))
    scored = events[place]
    assert isinstance(scored, WindowScored)
    events[place] = WindowScored(replace(scored.result, scored=False), scored.place)
    result = undisturbed(events)
    assert (result.verdict, result.causes) == (Verdict.INCONCLUSIVE, (Cause.WINDOW_FAILED,))
    assert "for 1 of" in result.reason
    assert result.windows_scored == result.windows - 1


@pytest.mark.parametrize("cause", [Cause.OVERLOAD, Cause.NO_ROWS, Cause.STARTED_MID_SHEET])
def test_a_plate_without_a_slot_is_decided_at_once(cause: Cause) -> None:
    (result,) = decisions(told(Merger(RECIPE, "run"), PlateClosed(1, PLACE, ROWS, (cause,))))
    assert (result.verdict, result.causes, result.windows_scored) == (Verdict.INCONCLUSIVE, (cause,), 0)
    assert result.classifier == "none", "nothing was inspected"


def test_a_plate_whose_rows_are_lost_from_memory_is_decided_at_once() -> None:
    closed = PlateClosed(1, None, ROWS, (Cause.ACQUISITION_DIED,))
    (result,) = decisions(told(Merger(RECIPE, "run"), closed))
    assert result.causes == (Cause.ACQUISITION_DIED,)


def test_the_windows_of_a_plate_that_acquisition_left_unfinished_are_still_waited_for() -> None:
    merger = Merger(RECIPE, "run")
    closed = PlateClosed(1, PLACE, 20, (Cause.ACQUISITION_DIED,), 5)
    assert not decisions(told(merger, closed, scored(1, 0), scored(1, 2)))
    (result,) = decisions(told(merger, scored(1, 1, 0.9)))
    assert result.causes[0] is Cause.DEFECT
    assert Cause.ACQUISITION_DIED in result.causes


def test_each_decision_is_repeated_to_a_new_record_until_it_is_committed() -> None:
    merger = Merger(RECIPE, "run")
    first, second = decisions(told(merger, *story(1), *story(2), PlateOpened(3, PLACE)))
    for _ in range(2):
        assert told(merger, SayAgain()) == [PlateDecided(first, recipe=1), PlateDecided(second, recipe=1)]
    assert told(merger, PlateFinal(1)) == [Forget(1)]
    assert told(merger, SayAgain()) == [PlateDecided(second, recipe=1)]
    told(merger, PlateFinal(2), PlateFinal(3))
    assert told(merger, SayAgain()) == []
    assert merger.open_plates == ()


def test_what_comes_after_the_commit_is_dropped_counted_and_answered_by_released() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, *story(1), PlateFinal(1))
    assert told(merger, *story(1), PlateFinal(1)) == [Forget(1)] * 15
    assert merger.counters.events_final == 15
    assert merger.open_plates == ()


def test_what_comes_between_decision_and_commit_is_acknowledged_and_changes_nothing() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, *story(1))
    assert told(merger, scored(1, 0, 0.9)) == [WindowsMerged(1, (0,))]
    assert told(merger, PlateClosed(1, PLACE, 30), Deadline(1)) == []


def test_plates_final_before_a_restart_stay_final() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, scored(2, 0))
    assert told(merger, PlateFinal(1), PlateFinal(2)) == [Forget(1), Forget(2)]
    assert told(merger, scored(1, 0), PlateOpened(2, PLACE)) == [Forget(1), Forget(2)]
    assert merger.open_plates == ()


def test_plates_final_long_ago_are_still_known_as_such() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, scored(7, 0), *(PlateFinal(p) for p in range(10_000) if p != 7))
    assert told(merger, scored(3, 0)) == [Forget(3)]
    assert merger.open_plates == (7,)
    assert told(merger, scored(10_000, 0)) == [WindowsMerged(10_000, (0,))]


def test_a_plate_that_others_overtook_is_not_taken_for_final() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, *(PlateFinal(p) for p in reversed(range(64)) if p != 40))
    assert told(merger, scored(40, 0)) == [WindowsMerged(40, (0,))]


def test_a_commit_of_the_predecessors_decision_ends_the_plate_here_too() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, *story(1)[:5])
    assert told(merger, PlateFinal(1)) == [Forget(1)]
    assert merger.open_plates == ()


def test_results_of_another_run_are_dropped_and_counted() -> None:
    merger = Merger(RECIPE, "run")
    assert told(merger, scored(1, 0, 0.9, run="other")) == []
    assert (merger.counters.windows_foreign, merger.open_plates) == (1, ())


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("outside", [scored(1, 7, 0.9), WindowQuarantined(1, 7)])
def test_windows_that_the_plate_does_not_have_are_dropped(order: int, outside: Event) -> None:
    merger = Merger(RECIPE, "run")
    events: list[Event] = [PlateClosed(1, PLACE, 40), outside]
    told(merger, *events[::order])
    (result,) = decisions(told(merger, *[scored(1, w) for w in range(6)]))
    assert (result.verdict, result.windows_scored, result.defects) == (Verdict.OK, 6, ())
    assert merger.counters.windows_outside == 1


@pytest.mark.parametrize("window", [-1, 10**9])
def test_windows_that_no_plate_has_open_nothing(window: int) -> None:
    merger = Merger(RECIPE, "run")
    assert told(merger, scored(1, window), WindowQuarantined(1, window)) == []
    assert (merger.counters.windows_outside, merger.open_plates) == (2, ())


@pytest.mark.parametrize(("score", "verdict"), [(0.9, Verdict.NG), (0.1, Verdict.INCONCLUSIVE)])
def test_abort_decides_every_open_plate_by_what_was_found(score: float, verdict: Verdict) -> None:
    merger = Merger(RECIPE, "run")
    told(merger, PlateOpened(1, PLACE), scored(1, 3, score))
    (result,) = decisions(told(merger, Abort(Cause.ROLE_LOST)))
    assert (result.verdict, result.complete) == (verdict, False)
    assert Cause.ROLE_LOST in result.causes


def test_after_an_abort_a_plate_is_decided_as_soon_as_it_is_heard_of() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, Abort(Cause.SHUTDOWN))
    (result,) = decisions(told(merger, *story(1)))
    assert (result.verdict, result.causes[0]) == (Verdict.INCONCLUSIVE, Cause.SHUTDOWN)


def test_of_two_aborts_the_first_is_the_cause() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, Abort(Cause.SHUTDOWN), Abort(Cause.ROLE_LOST))
    (result,) = decisions(told(merger, PlateOpened(1, PLACE)))
    assert result.causes == (Cause.SHUTDOWN,)


@pytest.mark.parametrize("said", [PlateOpened(1, PLACE), PlateClosed(1, PLACE, ROWS)])
def test_a_recipe_that_takes_any_columns_has_them_from_the_beginning_or_the_end_of_a_plate(said: Event) -> None:
    merger = Merger(RECIPE.model_copy(update={"columns": None}), "run")
    (result,) = decisions(told(merger, said, Abort(Cause.SHUTDOWN)))
    assert result.columns == COLUMNS


def test_a_deadline_decides_with_what_is_there() -> None:
    merger = Merger(RECIPE, "run")
    told(merger, *story(1)[:5], PlateClosed(1, PLACE, ROWS))
    (result,) = decisions(told(merger, Deadline(1)))
    assert (result.causes, result.windows_scored) == ((Cause.LATE,), 4)


def test_a_window_that_was_given_up_and_then_scored_counts_once() -> None:
    merger = Merger(RECIPE, "run")
    *before, last, end = story(1)
    assert not decisions(told(merger, WindowQuarantined(1, 3), *before, end))
    (result,) = decisions(told(merger, last))
    assert (result.verdict, result.windows_scored) == (Verdict.OK, WINDOWS)


def test_what_was_said_at_a_plates_end_goes_with_its_decision() -> None:
    merger = Merger(RECIPE, "run")
    end = PlateClosed(1, PLACE, ROWS, (Cause.ROWS_MISSING,), rows_missing=5, last_row_at=12.5, losses={"strip lost": 2})
    told(merger, *story(1)[:-1])
    (decided,) = told(merger, end)
    assert isinstance(decided, PlateDecided)
    assert decided.last_row_at == 12.5
    assert decided.result.reason == "5 rows of the sheet did not arrive (strip lost 2)"
    assert decided.result.losses == {"strip lost": 2}
    assert merger.last_row_at(1) == 12.5
    told(merger, PlateFinal(1))
    assert merger.last_row_at(1) is None


chosen = st.frozensets(st.integers(0, WINDOWS - 1), max_size=4)


@settings(max_examples=150, deadline=None)
@given(bad=chosen, given_up=chosen, rng=st.randoms(use_true_random=False), copies=st.integers(0, 10))
def test_order_and_repetition_change_nothing_and_each_plate_is_decided_once(
    bad: frozenset[int], given_up: frozenset[int], rng: random.Random, copies: int
) -> None:
    stories = {plate: story(plate, bad, given_up) for plate in (1, 2, 3)}
    events = [event for events in stories.values() for event in events]
    events += rng.choices(events, k=copies)
    rng.shuffle(events)
    merger = Merger(RECIPE, "run")
    results = decisions(told(merger, *events))
    assert sorted(results, key=lambda r: r.plate) == [undisturbed(events) for events in stories.values()]


class Neighbours:
    """The tile and record stages beside a merger, on channels that lose messages while `lossy` says so."""

    def __init__(self, stories: dict[int, list[Event]]) -> None:
        self.stories = stories
        self.store: dict[int, PlateResult] = {}
        self.released: set[int] = set()
        self.merger = Merger(RECIPE, "run")

    def deliver(self, event: Event, lose: Callable[[], bool]) -> None:
        if lose():
            return
        for instruction in told(self.merger, event):
            if lose():
                continue
            if isinstance(instruction, PlateDecided):
                result = instruction.result
                # The first verdict in the store wins; any later one must say the same.
                assert self.store.setdefault(result.plate, result) == result
            elif isinstance(instruction, Forget):
                assert instruction.plate in self.store
                self.released.add(instruction.plate)

    def restart_merger(self, lose: Callable[[], bool]) -> None:
        self.merger = Merger(RECIPE, "run")
        for plate in self.store:
            self.deliver(PlateFinal(plate), lose)

    def settle(self) -> None:
        """From here on nothing is lost, and every sender repeats what was not acknowledged."""

        def lose() -> bool:
            return False

        for plate in self.stories.keys() - self.released:
            for event in [*self.stories[plate], SayAgain(), PlateFinal(plate)]:
                self.deliver(event, lose)


@settings(max_examples=150, deadline=None)
@given(bad=chosen, seed=st.integers(0, 2**32), data=st.data())
def test_losses_and_restarts_of_merger_and_record_end_in_the_undisturbed_verdict(
    bad: frozenset[int], seed: int, data: st.DataObject
) -> None:
    stories = {plate: story(plate, bad if plate == 2 else frozenset()) for plate in (1, 2, 3)}
    line, rng = Neighbours(stories), random.Random(seed)
    for _ in range(data.draw(st.integers(1, 5))):
        for plate in stories.keys() - line.released:
            for event in rng.sample(stories[plate], k=len(stories[plate])):
                line.deliver(event, lambda: rng.random() < 0.05)
        for plate in tuple(line.store):
            if data.draw(st.booleans()):
                line.deliver(PlateFinal(plate), lambda: rng.random() < 0.3)
        if data.draw(st.booleans()):
            line.restart_merger(lambda: False)
        else:
            line.deliver(SayAgain(), lambda: rng.random() < 0.3)
    line.settle()
    assert line.store == {plate: undisturbed(events) for plate, events in stories.items()}
    assert line.released == stories.keys()
    assert line.merger.open_plates == ()


def test_what_the_camera_knew_of_a_sheet_is_part_of_its_result() -> None:
    known = Sheet("7.png", ((Cause.DEPTH, "12 bits of 16"),), ("dim",))
    events = story(1)
    events[0] = PlateOpened(1, PLACE, known)
    found = undisturbed(events)
    assert (found.verdict, found.causes, found.reason) == (Verdict.INCONCLUSIVE, (Cause.DEPTH,), "12 bits of 16")
    assert (found.image, found.warnings) == ("7.png", ("dim",))
    events = story(1, bad=frozenset({3}))
    events[0] = PlateOpened(1, PLACE, known)
    assert undisturbed(events).causes == (Cause.DEFECT, Cause.DEPTH)


def test_a_sheet_that_the_camera_cannot_show_has_its_cause_and_no_windows() -> None:
    known = Sheet("7.png", ((Cause.UNREADABLE, "the file is empty"),), pixels=False)
    found = undisturbed([PlateOpened(1, None, known), PlateClosed(1, None, 0, (Cause.UNREADABLE,))])
    assert (found.verdict, found.causes, found.reason) == (
        Verdict.INCONCLUSIVE,
        (Cause.UNREADABLE,),
        "the file is empty",
    )
    assert found.image == "7.png"
