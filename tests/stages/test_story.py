"""The story of a plate says in few lines what befell it."""

from __future__ import annotations

from config.schema import Lease as LeaseSettings
from config.schema import Windows
from models.detector.findings import Quality
from stages.events import Place, PlateClosed, PlateFinal, PlateOpened, SeenCommitted, WindowScored, WorkerReady
from stages.plate import WindowResult
from stages.story import Stories
from stages.tile import Tick, WindowLedger

PLACE = Place(slot=2, generation=3, columns=120)


def scored(plate: int, window: int) -> WindowScored:
    return WindowScored(WindowResult("run", plate, window, (), False, Quality(), 1.0, 0.1), PLACE)


def kinds(lines: list[str]) -> list[str]:
    return [line.split(" ago ")[1].split()[0] for line in lines]


def test_hundreds_of_windows_stand_in_one_line_and_push_nothing_out() -> None:
    stories = Stories()
    stories.heard(PlateOpened(7, PLACE), *(scored(7, window) for window in range(561)), PlateClosed(7, PLACE, 100))
    lines = stories.of(7)
    assert kinds(lines) == ["PlateOpened", "WindowScored", "PlateClosed"]
    assert "slot=2 generation=3 columns=120" in lines[0]
    assert "window=560" in lines[1]
    assert "the last of 561" in lines[1]


def test_each_plate_has_its_own_story_and_what_is_of_no_plate_stands_in_none() -> None:
    stories = Stories()
    stories.heard(PlateOpened(1, None), PlateOpened(2, PLACE), Tick())
    assert (kinds(stories.of(1)), kinds(stories.of(2)), stories.of(3)) == (["PlateOpened"], ["PlateOpened"], [])
    stories.forget(1)
    assert stories.of(1) == []


def test_only_the_plates_last_heard_of_are_remembered() -> None:
    stories = Stories()
    for plate in range(1000):
        stories.heard(PlateOpened(plate, None), PlateOpened(0, None))
    assert sum(bool(stories.of(plate)) for plate in range(1000)) == 64
    assert stories.of(0)


def test_a_ledger_tells_why_a_plate_hangs_and_forgets_it_when_it_is_final() -> None:
    ledger = WindowLedger(Windows(size=65, stride=60), 4, LeaseSettings(least_s=5.0, factor=10.0))
    for event in (PlateOpened(1, PLACE), PlateClosed(1, PLACE, 60, last_row_at=12.5), WorkerReady(0, 8)):
        ledger.handle(event, 0.0)
    assert ledger.last_row_at(1) == 12.5
    told = ledger.story(1)
    assert kinds(told) == ["PlateOpened", "PlateClosed"]
    assert "SeenCommitted" not in " ".join(told), "that is what it waits for"
    ledger.handle(SeenCommitted(1), 0.0)
    assert kinds(ledger.story(1))[-2:] == ["SeenCommitted", "Lease"]
    ledger.handle(PlateFinal(1), 0.0)
    assert ledger.story(1) == []
    assert ledger.last_row_at(1) is None
