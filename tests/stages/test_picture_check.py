"""Where switch and picture disagree about a sheet it is in doubt, before its last rows are handed on."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.camera import Edge, Strip
from stages.picture_check import PictureCheck
from stages.picture_switch import PictureSwitch
from stages.switch_faults import SwitchFault, SwitchFaults
from stages.switch_guard import SwitchGuard
from stages.switched_strips import SwitchedStrips, Waiting

STRIP, WIDTH = 50, 64
OFFSET, DEBOUNCE, TOLERANCE, SHORTEST = 20, 8, 30, 240
Sheets = list[tuple[int, int]]


def run(switch: Sheets, shown: Sheets, rows: int, uncertain: int = 0) -> tuple[list[Waiting], SwitchFaults]:
    """A line whose switch and picture say these sheets, both as camera rows; and what is wrong with the switch."""
    faults = SwitchFaults()
    picture = PictureSwitch(30, DEBOUNCE)
    picture.expect(0, WIDTH)
    check = PictureCheck(
        picture,
        offset_rows=OFFSET,
        debounce_rows=DEBOUNCE,
        tolerance_rows=TOLERANCE,
        uncertain_rows=lambda: uncertain,
        faults=faults,
    )
    check.expect(SHORTEST)
    strips = SwitchedStrips(OFFSET, SwitchGuard(DEBOUNCE, faults), picture=picture, check=check)
    flips = [row - OFFSET for sheet in switch for row in sheet]
    edges = [Edge(n, row, n % 2 == 1) for n, row in enumerate(flips, 1)]
    grey = np.full((rows, WIDTH), 10, np.uint8)
    for start, end in shown:
        grey[start:end] = 100
    released: list[Waiting] = []
    for first in range(0, rows, STRIP):
        here = tuple(edge for edge in edges if first <= edge.row < first + STRIP)
        level = sum(edge.row < first for edge in edges) % 2 == 1
        strip = Strip(first // STRIP, first, STRIP, here, level)
        strips.take(strip, grey[first : first + STRIP], 0, 0.0)
        released += strips.ready(0.0)
    released += strips.ready(0.0, last=True)
    return released, faults


def doubts(released: list[Waiting]) -> dict[int, str]:
    """By the row that they are about; each lies in the strip with its sheet's last row, or an earlier one."""
    return {doubt.row: doubt.words for waiting in released for doubt in waiting.strip.doubts}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([(200, 400)], None),
        ([(180, 420)], None),
        ([(229, 371)], None),
        ([(150, 400)], r"at rows 1[45]\d to 40\d of the camera, the switch at 200 to 400; it may be 30 rows longer"),
        ([(200, 450)], r"at rows 200 to 45\d of"),
        ([(260, 400)], r"at rows 2[56]\d to 40\d of"),
        ([(200, 340)], r"at rows 200 to 34\d of"),
        ([], "the picture shows no sheet where the switch saw one, rows 200 to 400"),
        ([(200, 280), (320, 400)], "the picture shows 2 sheets"),
    ],
)
def test_a_sheet_is_in_doubt_where_the_picture_shows_another(shown: Sheets, said: str | None) -> None:
    released, faults = run([(200, 400), (600, 800)], [*shown, (600, 800)], 1000)
    found = doubts(released)
    if said is None:
        assert found == {}
        assert not faults.counts
    else:
        assert set(found) == {200}
        assert re.search(said, found[200])
        (told,) = [w for w in released if w.strip.doubts]
        assert told.strip.first_row + told.strip.rows >= 400 > told.strip.first_row
        assert next((told.fault, told.standing) for told in faults.news()) == (SwitchFault.DISAGREES, True)
        assert faults.standing == (), "the next sheet agrees"


@given(st.lists(st.tuples(st.integers(90, 200), st.integers(70, 300), *[st.integers(-20, 20)] * 2), max_size=5))
def test_sheets_within_the_tolerance_are_never_in_doubt(sheets: list[tuple[int, int, int, int]]) -> None:
    switch, shown, row = list[tuple[int, int]](), list[tuple[int, int]](), 60
    for gap, length, begins, ends in sheets:
        start = row + gap
        row = start + length
        switch.append((start, row))
        shown.append((start + begins, row + ends))
    rows = -(-(row + 100) // STRIP) * STRIP
    released, faults = run(switch, shown, rows)
    assert doubts(released) == {}
    assert not faults.counts
    assert [w.strip.block for w in released] == list(range(rows // STRIP))


def test_a_switch_that_does_not_see_what_the_picture_shows_is_one_alarm_until_it_sees_a_sheet() -> None:
    shown = [(start, start + 200) for start in range(200, 2200, 400)]
    released, faults = run(shown[-1:], shown, 2400)
    assert doubts(released) == {}
    assert faults.counts == {SwitchFault.STUCK_OFF: 4}
    assert [(told.fault, told.standing) for told in faults.news()] == [
        (SwitchFault.STUCK_OFF, True),
        (SwitchFault.STUCK_OFF, False),
    ]


def test_a_sheet_longer_than_shown_is_allowed_where_the_switch_is_heard_late() -> None:
    long, shown = [(100, 500)], [(200, 400)]
    assert doubts(run(long, shown, 700)[0])
    assert not doubts(run(long, shown, 700, uncertain=80)[0])
    shorter = [(200, 400)], [(100, 500)]
    assert doubts(run(*shorter, 700, uncertain=80)[0]), "a part that is missing is never allowed"


def test_a_sheet_that_was_there_at_the_start_is_not_compared() -> None:
    released, faults = run([(10, 300), (500, 700)], [(0, 300), (500, 700)], 900)
    assert doubts(released) == {}
    assert not faults.counts


@given(st.integers(-90, 90), st.integers(-90, 90), st.integers(0, 60))
def test_a_part_that_is_missing_beyond_the_tolerance_is_always_told_with_the_last_rows(
    begins: int, ends: int, uncertain: int
) -> None:
    start, end = 200, 500
    released, _ = run([(start, end), (800, 1000)], [(start + begins, end + ends), (800, 1000)], 1200, uncertain)
    found = doubts(released)
    # The picture is looked at every 8 rows.
    if begins < -TOLERANCE or ends > TOLERANCE + 8:
        assert set(found) == {start}
        (told,) = [waiting.strip for waiting in released if waiting.strip.doubts]
        assert told.first_row < end, "no later than the strip with its last row"
    elif -TOLERANCE + 8 <= begins <= TOLERANCE + uncertain and -TOLERANCE - uncertain <= ends <= TOLERANCE - 8:
        assert not found
