"""A switch that bounces or sticks is one alarm, and not a hundred plates; one that works passes as it is."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from stages.camera import Edge, Sheet, Strip
from stages.switch import Leading, MidSheet, SwitchCounter, SwitchState, Trailing, Unheard
from stages.switch_faults import SwitchFault, SwitchFaults
from stages.switch_guard import SwitchGuard

DEBOUNCE, SHORTEST, MOST = 4, 200, 300
SHORT = SHORTEST // 4


def strips_of(flips: list[int], rows: int, strip: int = 64, sheet: Sheet | None = None) -> list[Strip]:
    """Strips of a switch whose level changes at these rows."""
    edges = [Edge(n, row, n % 2 == 1, sheet if n % 2 else None) for n, row in enumerate(flips, 1)]
    found = []
    for first in range(0, rows, strip):
        before = sum(edge.row < first for edge in edges)
        here = tuple(edge for edge in edges if first <= edge.row < first + strip)
        found.append(Strip(first // strip, first, strip, here, before % 2 == 1))
    return found


def guarded(strips: list[Strip]) -> tuple[list[Strip], SwitchFaults]:
    faults = SwitchFaults()
    guard = SwitchGuard(DEBOUNCE, faults)
    guard.expect(SHORTEST, MOST)
    return [guard.take(strip) for strip in strips], faults


def plates(strips: list[Strip]) -> list[tuple[int, int | None]]:
    """First and last row of each plate, as all others count them; no edge may seem to be missing."""
    counter = SwitchCounter(DEBOUNCE, SwitchState(1, count=0))
    found: list[tuple[int, int | None]] = []
    for strip in strips:
        for fact in counter.hear(strip.edges, strip.level, strip.first_row + strip.rows):
            assert not isinstance(fact, Unheard)
            match fact:
                case Leading(_, row):
                    found.append((row, None))
                case MidSheet():
                    found.append((0, None))
                case Trailing(_, row):
                    found[-1] = (found[-1][0], row)
    assert counter.counters.edges_unheard == 0
    return found


@given(st.lists(st.tuples(st.integers(20, 100), st.integers(SHORT, MOST)), max_size=8))
def test_what_a_switch_that_works_says_passes_as_it_is(sheets: list[tuple[int, int]]) -> None:
    flips, row = [], 0
    for gap, length in sheets:
        start = row + gap
        row = start + length
        flips += [start, row]
    strips = strips_of(flips, row + 100)
    passed, faults = guarded(strips)
    assert all(one is other for one, other in zip(passed, strips, strict=True))
    assert not faults.counts


@st.composite
def flickers(draw: st.DrawFn) -> list[int]:
    """Rows at which a switch changes whose every edge may be a burst of bounces."""
    flips, row = [], 20
    for _ in range(2 * draw(st.integers(1, 6))):
        row += draw(st.integers(SHORT, MOST))
        flips.append(row)
        for _ in range(2 * draw(st.integers(0, 3))):
            row += draw(st.integers(1, 2 * DEBOUNCE))
            flips.append(row)
    return flips


@given(flickers(), st.integers(1, 128), st.integers(0, 30), st.sets(st.integers(0, 50)))
def test_bounces_change_no_sheet_and_those_within_a_strip_skip_no_number(
    flips: list[int], strip: int, tail: int, twice: set[int]
) -> None:
    once = strips_of(flips, flips[-1] + 1 + tail, strip)
    strips = [one for number, first in enumerate(once) for one in [first] * (2 if number in twice else 1)]
    guard = SwitchGuard(DEBOUNCE, SwitchFaults())
    passed = [guard.take(one) for one in strips]
    assert plates(passed) == plates(strips)
    first = [one for number, one in enumerate(passed) if number == 0 or strips[number - 1] is not strips[number]]
    rows = [[edge.row for edge in one.edges] for one in first]
    assert all(after - before >= DEBOUNCE for one in rows for before, after in itertools.pairwise(one[1:]))
    counts = [edge.count for one in first for edge in one.edges]
    assert counts == list(range(1, len(counts) + 1)), "no edge seems to be missing"


def test_the_sheet_after_a_bounce_has_the_next_number() -> None:
    strips = strips_of([100, 101, 102, 200, 201, 203, 300, 400], 500, strip=512)
    guard = SwitchGuard(DEBOUNCE, SwitchFaults())
    counter = SwitchCounter(DEBOUNCE, SwitchState(7, count=0))
    (passed,) = (guard.take(one) for one in strips)
    facts = counter.hear(passed.edges, passed.level, 512)
    assert facts == [Leading(7, 102), Trailing(7, 203), Leading(8, 300), Trailing(8, 400)]


@given(st.integers(DEBOUNCE + 1, SHORT - 1), st.integers(DEBOUNCE + 1, SHORT - 1), st.integers(16, 128))
def test_a_switch_that_bounces_for_long_is_three_plates_and_one_alarm(on: int, off: int, strip: int) -> None:
    flips = [100 + number * (on + off) + (on if falls else 0) for number in range(100) for falls in (False, True)]
    # Then a good sheet after a good while, and another.
    after = flips[-1] + SHORTEST
    flips += [after, after + SHORTEST, after + 2 * SHORTEST, after + 3 * SHORTEST]
    passed, faults = guarded(strips_of(flips, after + 4 * SHORTEST, strip))
    found = plates(passed)
    assert len(found) == 5
    assert all(end is not None and end - start == on for start, end in found[:3])
    assert found[3:] == [(after, after + SHORTEST), (after + 2 * SHORTEST, after + 3 * SHORTEST)]
    assert faults.counts == {SwitchFault.BOUNCES: 1}
    assert [told.standing for told in faults.news()] == [True, False]


def test_a_sheet_during_which_it_comes_to_rest_is_a_plate_whose_beginning_has_gone() -> None:
    flips = [row for number in range(10) for row in (100 + 40 * number, 120 + 40 * number)]
    flips += [500, 700, 900, 1100]
    passed, _ = guarded(strips_of(flips, 1200))
    assert plates(passed)[3:] == [(500, 700), (900, 1100)]
    told = next(strip for strip in passed if any(edge.row == 500 for edge in strip.edges))
    assert told.first_row + told.rows >= 500 + SHORT, "it is told of after it has held for so long"


def test_one_that_sticks_on_is_one_plate_and_one_alarm_until_it_falls() -> None:
    strips = strips_of([100, 3000, 3100, 3300], 3500)
    passed, faults = guarded(strips)
    assert passed == strips
    assert faults.counts == {SwitchFault.STUCK_ON: 1}
    assert [told.standing for told in faults.news()] == [True, False]


def test_a_sheet_as_long_as_any_may_be_is_no_switch_that_sticks() -> None:
    strips = strips_of([100, 100 + MOST], 100 + MOST + 64, strip=100 + MOST + DEBOUNCE - 1)
    passed, faults = guarded(strips)
    assert passed == strips
    assert not faults.counts


def test_one_that_is_stuck_from_the_start_is_an_alarm_too() -> None:
    strips = [Strip(n, 64 * n, 64, (), True) for n in range(10)]
    passed, faults = guarded(strips)
    assert passed == strips
    assert faults.standing == (SwitchFault.STUCK_ON,)


def test_short_sheets_that_the_camera_knows_by_name_are_sheets() -> None:
    flips = [row for number in range(50) for row in (100 + 40 * number, 120 + 40 * number)]
    strips = strips_of(flips, 2300, sheet=Sheet("a.png"))
    passed, faults = guarded(strips)
    assert passed == strips
    assert not faults.counts


def test_where_no_length_is_known_nothing_is_too_short() -> None:
    flips = [row for number in range(50) for row in (100 + 40 * number, 120 + 40 * number)]
    faults = SwitchFaults()
    guard = SwitchGuard(DEBOUNCE, faults)
    guard.expect(0, None)
    strips = strips_of(flips, 2300)
    assert [guard.take(strip) for strip in strips] == strips
    assert not faults.counts
