"""The story of a plate says in few lines what befell it."""

from __future__ import annotations

import re
import time

from config.load import load_recipe
from config.schema import Lease as LeaseSettings
from config.schema import Windows
from models.detector.findings import Quality
from stages.events import (
    Place,
    PlateClosed,
    PlateFinal,
    PlateOpened,
    RowsReady,
    SeenCommitted,
    WindowScored,
    WindowsMerged,
    WorkerReady,
)
from stages.merge import Deadline, Merger
from stages.plate import Cause, WindowResult
from stages.story import Stories
from stages.tile import Tick, WindowLedger

PLACE = Place(slot=2, generation=3, columns=120)


def scored(plate: int, window: int) -> WindowScored:
    return WindowScored(WindowResult("run", plate, window, (), False, Quality(), 1.0, 0.1), PLACE)


def kinds(lines: list[str]) -> list[str]:
    """Whether it was heard or said, and its kind, line by line."""
    return [" ".join(line.split(" ago ")[1].split()[:2]) for line in lines]


def heard(stories: Stories, *events: object) -> None:
    for event in events:
        stories.add(event, ())


def test_hundreds_of_windows_stand_in_one_line_and_push_nothing_out() -> None:
    stories = Stories({7})
    heard(stories, PlateOpened(7, PLACE))
    for window in range(561):
        stories.add(scored(7, window), [WindowsMerged(7, (window,))])
    heard(stories, PlateClosed(7, PLACE, 100))
    lines = stories.of(7)
    assert kinds(lines) == ["heard PlateOpened", "heard WindowScored", "said WindowsMerged", "heard PlateClosed"]
    assert "slot=2 generation=3 columns=120" in lines[0]
    assert "window=560" in lines[1]
    assert "the last of 561" in lines[1]
    assert "561 windows in all" in lines[2]


def test_what_is_passed_on_as_it_came_stands_there_as_heard_and_as_said() -> None:
    stories = Stories({7})
    opened = PlateOpened(7, PLACE)
    stories.add(opened, [opened])
    assert kinds(stories.of(7)) == ["heard PlateOpened", "said PlateOpened"]


def test_causes_and_times_are_told_in_words() -> None:
    stories = Stories({7})
    at = time.monotonic() - 5.0
    stories.add(PlateClosed(7, None, 0, (Cause.NO_ROWS, Cause.OVERLOAD), last_row_at=at), [PlateClosed(7, None, 0)])
    told, other = stories.of(7)
    assert "causes=no rows, overload" in told
    assert re.search(r"last_row_at=[56]\.\d\d s ago", told)
    assert "causes=none" in other
    assert "last_row_at=None" in other


def test_each_plate_has_its_own_story_and_what_is_of_no_plate_stands_in_none() -> None:
    stories = Stories({1, 2})
    heard(stories, PlateOpened(1, None), PlateOpened(2, PLACE), Tick())
    assert kinds(stories.of(1)) == kinds(stories.of(2)) == ["heard PlateOpened"]
    assert stories.of(3) == []


def test_the_story_of_a_plate_ends_when_it_is_open_no_more_and_what_comes_late_begins_none() -> None:
    open_plates = {1, 2}
    stories = Stories(open_plates)
    heard(stories, PlateOpened(1, None), PlateOpened(2, None))
    open_plates.remove(1)
    heard(stories, PlateFinal(1), scored(1, 3))
    open_plates.add(1)
    assert stories.of(1) == []
    assert kinds(stories.of(2)) == ["heard PlateOpened"]


def test_of_many_turns_the_last_are_told() -> None:
    stories = Stories({1})
    events = (PlateOpened(1, None), PlateClosed(1, None, 0), SeenCommitted(1), RowsReady(1, 0, 5), scored(1, 0))
    for _ in range(100):
        heard(stories, *events)
    assert kinds(stories.of(1)) == [f"heard {type(event).__name__}" for event in events] * 40


def test_windows_that_come_late_for_plates_that_are_final_push_no_other_plates_story_out() -> None:
    merger = Merger(load_recipe("P10B"), "run")
    merger.handle(PlateOpened(1, PLACE))
    for plate in range(2, 300):
        merger.handle(PlateOpened(plate, PLACE))
        merger.handle(PlateFinal(plate))
        merger.handle(scored(plate, 0))
        assert merger.story(plate) == []
    assert kinds(merger.story(1)) == ["heard PlateOpened"]


def test_a_merger_tells_what_came_and_what_it_said_to_it() -> None:
    merger = Merger(load_recipe("P10B"), "run")
    for event in (PlateOpened(1, PLACE), scored(1, 0), scored(1, 1), PlateClosed(1, PLACE, 1000)):
        merger.handle(event)
    assert [kind.split()[1] for kind in kinds(merger.story(1))] == [
        "PlateOpened",
        "WindowScored",
        "WindowsMerged",
        "PlateClosed",
        "PlateDecided",
    ]


def test_a_ledger_tells_why_a_plate_hangs_and_forgets_it_when_it_is_final() -> None:
    ledger = WindowLedger(Windows(size=65, stride=60), 4, LeaseSettings(least_s=5.0, factor=10.0))
    for event in (PlateOpened(1, PLACE), PlateClosed(1, PLACE, 60, last_row_at=12.5), WorkerReady(0, 1, 1, 8)):
        ledger.handle(event, 0.0)
    assert ledger.last_row_at(1) == 12.5
    told = ledger.story(1)
    assert kinds(told) == ["heard PlateOpened", "said PlateOpened", "heard PlateClosed", "said PlateClosed"]
    assert "SeenCommitted" not in " ".join(told), "that is what it waits for"
    assert ledger.waits_for(1) == "record, to commit that it was seen"
    ledger.handle(SeenCommitted(1), 0.0)
    assert kinds(ledger.story(1))[-2:] == ["heard SeenCommitted", "said Lease"]
    ledger.handle(PlateFinal(1), 0.0)
    assert ledger.story(1) == []
    assert ledger.last_row_at(1) is None
    assert ledger.waits_for(1) == ""


def test_a_ledger_says_in_words_what_a_plate_waits_for() -> None:
    ledger = WindowLedger(Windows(size=65, stride=60), 4, LeaseSettings(least_s=5.0, factor=10.0))
    for event in (SeenCommitted(1), PlateOpened(1, PLACE)):
        ledger.handle(event, 0.0)
    assert ledger.waits_for(1) == "acquisition, to say that it has ended"
    ledger.handle(PlateClosed(1, PLACE, 180), 0.0)
    ledger.handle(WorkerReady(0, 1, 1, 2), 0.0)
    assert ledger.waits_for(1) == "workers: 2 windows wait for one, 4 are with one"
    ledger.handle(WindowsMerged(1, (0, 1, 2, 3)), 0.0)
    assert ledger.waits_for(1) == "workers: 2 windows wait for one, 0 are with one"
    ledger.handle(WindowsMerged(1, (4, 5)), 0.0)
    assert ledger.waits_for(1) == "its verdict: every window is merged or given up"


def test_a_merger_says_in_words_what_a_plate_waits_for() -> None:
    merger = Merger(load_recipe("general"), "run")
    said = [merger.waits_for(1)]
    for event in (PlateOpened(1, PLACE), scored(1, 0), PlateClosed(1, PLACE, 6000), scored(1, 1)):
        merger.handle(event)
        said.append(merger.waits_for(1))
    merger.handle(Deadline(1))
    assert said[:3] == ["", "tile, to say that it has ended", "tile, to say that it has ended"]
    assert re.fullmatch(r"windows: 1 of \d+ are there", said[3])
    assert re.fullmatch(r"windows: 2 of \d+ are there", said[4])
    assert merger.waits_for(1) == "record, to commit its verdict"
