"""Strips wait until it is known what the switch did, and no sheet is ever cut shorter than it is."""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.camera import Strip
from stages.picture_switch import PictureSwitch
from stages.switch import Leading, SwitchCounter, SwitchState, Trailing
from stages.switch_faults import SwitchFaults
from stages.switch_guard import SwitchGuard
from stages.switched_strips import PATIENCE_S, SwitchedStrips, Waiting
from stages.timed_switch import Reading, TimedSwitch

RATE, STRIP, WIDTH = 1000.0, 50, 64
OFFSET, DEBOUNCE = 10, 8
METAL, BACKGROUND = 100, 10
STEP = 8
"""Rows between two that the picture is looked at."""


def guard() -> SwitchGuard:
    return SwitchGuard(DEBOUNCE, SwitchFaults())


@dataclass
class Belt:
    """Sheets by the rows at which they come to the switch, at an even pace."""

    sheets: list[tuple[int, int]]
    rows: int

    def level(self, row: float) -> bool:
        return bisect_right([row for sheet in self.sheets for row in sheet], row) % 2 == 1

    def pixels(self, first: int, rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """As the camera sees them, without an offset."""
        grey = [METAL if self.level(row) else BACKGROUND for row in range(first, first + rows)]
        return np.repeat(np.array(grey, np.uint8)[:, None], WIDTH, axis=1)

    def strips(self) -> list[Strip]:
        starts = range(0, self.rows, STRIP)
        return [Strip(n, row, min(STRIP, self.rows - row), (), False) for n, row in enumerate(starts)]


def belts(gap: int) -> st.SearchStrategy[Belt]:
    @st.composite
    def made(draw: st.DrawFn) -> Belt:
        row, sheets = 60, []
        for _ in range(draw(st.integers(0, 6))):
            start = row + draw(st.integers(gap, 300))
            row = start + draw(st.integers(60, 300))
            sheets.append((start, row))
        return Belt(sheets, row + 200)

    return made()


def cut(released: list[Waiting], *, in_time: bool = True) -> list[tuple[int, int]]:
    """Rows of the sheets as all counters hear them."""
    counter, sheets = SwitchCounter(DEBOUNCE, SwitchState(1, count=0)), []
    for waiting in released:
        strip, end = waiting.strip, waiting.strip.first_row + waiting.strip.rows
        assert all(edge.row < end for edge in strip.edges), "edges lie before their strip's end"
        for fact in counter.hear(strip.edges, strip.level, end):
            match fact:
                case Leading(_, row):
                    assert row + OFFSET >= strip.first_row or not in_time, "the rows before it have gone"
                    sheets.append((row, -1))
                case Trailing(_, row):
                    assert row is not None
                    sheets[-1] = (sheets[-1][0], row)
        counter.validate()
    assert counter.counters.edges_unheard == counter.counters.bounces == 0
    return sheets


@settings(deadline=None, max_examples=50)
@given(belts(gap=80), st.sampled_from([0.0, 0.004, 0.012]), st.sampled_from([0.002, 0.005, 0.01]), st.integers(0, 99))
def test_a_switch_that_is_asked_now_and_then_gives_each_sheet_whole_and_in_time(
    belt: Belt, latency: float, pause: float, seed: int
) -> None:
    chance = random.Random(seed)
    timed = TimedSwitch(latency, DEBOUNCE)
    strips = SwitchedStrips(OFFSET, guard(), timed=timed)
    # The belt's row at a time is that time, in ms; a look sees the level of a moment within its doubt.
    events: list[tuple[float, Strip | Reading]] = [((s.first_row + s.rows) / RATE, s) for s in belt.strips()]
    looks, seen = 0.0, 0.0
    while looks < belt.rows / RATE + 2 * latency + 0.05:
        began = looks
        looks += chance.uniform(pause / 2, pause)
        seen = max(seen, chance.uniform(began - latency, looks))
        events.append((looks, Reading(belt.level(seen * RATE), began, looks)))
    released: list[Waiting] = []
    for now, event in sorted(events, key=lambda event: event[0]):
        if isinstance(event, Strip):
            strips.take(event, np.empty((STRIP, WIDTH), np.uint8), 0, now)
        else:
            strips.read(event)
        released += strips.ready(now)
        assert strips.waiting <= 3, "no strip waits for long"
    released += strips.ready(now, last=True)
    assert [w.strip.block for w in released] == [s.block for s in belt.strips()]
    most = round((2 * latency + 2 * pause) * RATE) + 2
    for (start, end), (first, last) in zip(belt.sheets, cut(released), strict=True):
        assert start - most <= first <= start, "begins no later than it came"
        assert end <= last <= end + most, "ends no sooner than it went"
    assert not any(w.strip.doubts for w in released)


@settings(deadline=None, max_examples=50)
@given(belts(gap=80))
def test_the_picture_gives_each_sheet_whole_and_in_time(belt: Belt) -> None:
    picture = PictureSwitch(30, DEBOUNCE)
    picture.expect(0, WIDTH)
    strips = SwitchedStrips(OFFSET, guard(), picture=picture)
    released: list[Waiting] = []
    for strip in belt.strips():
        strips.take(strip, belt.pixels(strip.first_row, strip.rows), 0, 0.0)
        released += strips.ready(0.0)
        assert strips.waiting <= 1
    released += strips.ready(0.0, last=True)
    for (start, end), (first, last) in zip(belt.sheets, cut(released), strict=True):
        # The switch would have told of it so much before.
        assert start - STEP <= first + OFFSET <= start
        assert end <= last + OFFSET <= end + STEP


def test_a_switch_that_bounces_or_moves_while_the_belt_stands_makes_no_sheet() -> None:
    timed = TimedSwitch(0.0, DEBOUNCE)
    strips = SwitchedStrips(OFFSET, guard(), timed=timed)
    released: list[Waiting] = []
    for number in range(4):
        now = 0.05 * (number + 1)
        for at, level in ((0.01, False), (0.02, True), (0.024, False), (0.045, False)):
            strips.read(Reading(level, now - 0.05 + at, now - 0.05 + at))
        strips.take(Strip(number, number * STRIP, STRIP, (), False), np.empty((STRIP, WIDTH), np.uint8), 0, now)
        strips.read(Reading(False, now, now))
        released += strips.ready(now)
    # Now it stands for ten seconds, and somebody's hand is in the beam for three of them.
    for at, level in ((3.0, True), (6.0, True), (6.1, False), (10.2, False)):
        strips.read(Reading(level, at, at))
    strips.take(Strip(4, 4 * STRIP, STRIP, (), False), np.empty((STRIP, WIDTH), np.uint8), 0, 10.25)
    strips.read(Reading(False, 10.25, 10.25))
    released += strips.ready(10.25)
    assert len(released) == 5
    assert cut(released) == []
    assert timed.bounces == 4, "before the first strip nobody asks"


def test_no_strip_waits_for_a_switch_that_does_not_answer_and_a_sheet_that_was_heard_too_late_lacks_rows() -> None:
    timed = TimedSwitch(0.0, DEBOUNCE)
    strips = SwitchedStrips(OFFSET, guard(), timed=timed)
    strips.read(Reading(False, 0.0, 0.0))
    pixels = np.empty((STRIP, WIDTH), np.uint8)
    for number in range(4):
        strips.take(Strip(number, number * STRIP, STRIP, (), False), pixels, 0, 0.05 * (number + 1))
    assert strips.ready(0.2) == []
    assert len(strips.ready(0.2 + PATIENCE_S + 0.01)) == 4
    # It answers again, and a sheet is there: since when is not known.
    strips.read(Reading(True, 0.5, 0.5))
    strips.take(Strip(4, 4 * STRIP, STRIP, (), False), pixels, 0, 0.55)
    strips.take(Strip(5, 5 * STRIP, STRIP, (), False), pixels, 0, 0.6)
    strips.read(Reading(True, 0.6, 0.6))
    (edge,) = [edge for waiting in strips.ready(0.6) for edge in waiting.strip.edges]
    assert edge.rising
    assert edge.row + OFFSET < 4 * STRIP, "rows have gone since then"


def test_a_sheet_that_is_there_from_the_beginning_is_told_by_the_level() -> None:
    for source in ("timed", "picture"):
        timed = TimedSwitch(0.0, DEBOUNCE) if source == "timed" else None
        picture = PictureSwitch(30, DEBOUNCE) if source == "picture" else None
        if picture is not None:
            picture.expect(0, WIDTH)
        strips = SwitchedStrips(OFFSET, guard(), timed=timed, picture=picture)
        if timed is not None:
            strips.read(Reading(True, 0.0, 0.0))
        strips.take(Strip(0, 0, STRIP, (), False), np.full((STRIP, WIDTH), METAL, np.uint8), 0, 0.05)
        if timed is not None:
            strips.read(Reading(True, 0.05, 0.05))
        (waiting,) = strips.ready(0.05)
        assert waiting.strip.level, source
        assert not waiting.strip.edges, source


def test_two_sheets_that_cannot_be_told_apart_in_time_stay_two_and_the_second_is_doubtful() -> None:
    timed = TimedSwitch(0.02, DEBOUNCE)
    strips = SwitchedStrips(OFFSET, guard(), timed=timed)
    belt = Belt([(200, 500), (530, 800)], 1100)
    released: list[Waiting] = []
    for number, strip in enumerate(belt.strips()):
        now = (number + 1) * STRIP / RATE
        for ms in range(STRIP):
            at = now - 0.05 + ms / 1000
            strips.read(Reading(belt.level(at * RATE), at, at))
        strips.take(strip, np.empty((STRIP, WIDTH), np.uint8), 0, now)
        released += strips.ready(now)
    released += strips.ready(now, last=True)
    first, second = cut(released)
    assert first[0] <= 200
    assert first[1] >= 500
    assert second[0] <= 530
    assert second[1] >= 800
    ((doubt,),) = [w.strip.doubts for w in released if w.strip.doubts]
    assert doubt.row == second[0] + OFFSET


def test_a_camera_with_its_own_switch_waits_for_nothing_and_its_strips_are_as_they_were() -> None:
    strips = SwitchedStrips(OFFSET, guard())
    strip = Strip(0, 0, STRIP, (), False)
    strips.take(strip, np.empty((STRIP, WIDTH), np.uint8), 3, 1.0)
    (waiting,) = strips.ready(1.0)
    assert waiting.strip is strip
    assert (waiting.buffer, waiting.at) == (3, 1.0)


def test_sheets_that_pass_while_the_camera_is_away_are_plates_that_lack_rows() -> None:
    timed = TimedSwitch(0.0, DEBOUNCE)
    strips = SwitchedStrips(OFFSET, guard(), timed=timed)
    belt, released, pixels = Belt([(400, 700), (900, 1200), (2000, 2300)], 2600), [], np.empty((STRIP, WIDTH), np.uint8)
    # Of rows 200 to 1600 the camera knows nothing afterwards but that some were lost.
    blocks = [(row, row) for row in range(0, 200, STRIP)] + [(row, row - 1300) for row in range(1600, 2600, STRIP)]
    looked = 0
    for number, (true, told) in enumerate(blocks):
        end = true + STRIP
        for ms in range(looked, end):
            strips.read(Reading(belt.level(ms), ms / RATE, ms / RATE))
        looked = end
        strips.take(Strip(number, told, STRIP, (), False), pixels, 0, end / RATE)
        strips.read(Reading(belt.level(end), end / RATE, end / RATE))
        released += strips.ready(end / RATE)
    released += strips.ready(9.0, last=True)
    sheets = cut(released, in_time=False)
    assert len(sheets) == 3
    assert sheets[0][0] < 300, "some of its rows are those that were lost"
    assert [doubt.row for w in released for doubt in w.strip.doubts] == [sheets[1][0] + OFFSET]
    assert sheets[2][0] <= 700, "the next one is whole"
    assert sheets[2][1] >= 1000


def test_a_sheet_that_came_before_the_camera_began_has_no_beginning() -> None:
    timed = TimedSwitch(0.0, DEBOUNCE)
    strips = SwitchedStrips(OFFSET, guard(), timed=timed)
    for at, level in ((0.0, False), (1.0, True), (2.0, True)):
        strips.read(Reading(level, at, at))
    strips.take(Strip(0, 0, STRIP, (), False), np.empty((STRIP, WIDTH), np.uint8), 0, 2.05)
    strips.read(Reading(True, 2.06, 2.06))
    (waiting,) = strips.ready(2.06)
    assert waiting.strip.level
    assert not waiting.strip.edges
