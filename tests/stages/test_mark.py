"""What people say of plates: what a mark may be, and which marks hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.mark import WHYS, Mark, MarkKind, Place, Shape, standing, why_outside, why_unusable

NOW = datetime(2026, 11, 30, tzinfo=UTC)
BOX = Place(Shape.BOX, 10, 20, 30, 40)
ALARM = Mark(7, MarkKind.FALSE_ALARM, "anna", NOW, defect=2)
MISSED = Mark(7, MarkKind.MISSED, "anna", NOW, place=BOX)


@pytest.mark.parametrize(
    "mark",
    [
        ALARM,
        MISSED,
        replace(ALARM, why="dust"),
        replace(MISSED, place=Place(Shape.LINE, 30, 40, 10, 40)),
        replace(ALARM, kind=MarkKind.WITHDRAWN),
        replace(MISSED, kind=MarkKind.WITHDRAWN, why="by mistake"),
        replace(ALARM, who="=1+1\x1b[2J<b>'; --"),
    ],
)
def test_what_a_mark_may_be(mark: Mark) -> None:
    assert why_unusable(mark) is None


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        (replace(ALARM, place=BOX), "one defect or of one place"),
        (replace(ALARM, defect=None), "one defect or of one place"),
        (replace(ALARM, kind=MarkKind.MISSED), "a missed crack has a place"),
        (replace(MISSED, kind=MarkKind.CONFIRMED), "a missed crack has a place"),
        (replace(ALARM, why="because"), "'because' is no reason for 'false alarm': give one of scratch"),
        (replace(MISSED, why="dust"), "give one of crack"),
        (replace(ALARM, who="  "), "say who it is"),
        (replace(ALARM, who="a" * 101), "up to 100 letters"),
        (replace(MISSED, place=Place(Shape.BOX, -1, 0, 5, 5)), "begins at 0,0"),
        (replace(MISSED, place=Place(Shape.BOX, 5, 0, 5, 5)), "X0 below X1"),
        (replace(MISSED, place=Place(Shape.LINE, 5, 0, 5, 0)), "two ends"),
    ],
)
def test_what_is_no_mark_is_said(mark: Mark, why: str) -> None:
    assert why in (why_unusable(mark) or "")


def test_a_place_lies_on_its_plate() -> None:
    assert why_outside(BOX, 40, 30) is None
    assert why_outside(BOX, 39, 30) == "the plate is 30 x 39 px: the box goes beyond it"
    assert why_outside(Place(Shape.LINE, 31, 0, 0, 0), 40, 30) is not None


THINGS = st.one_of(
    st.builds(lambda defect: {"defect": defect, "place": None}, st.integers(1, 4)),
    st.builds(lambda x: {"defect": None, "place": Place(Shape.BOX, x, 0, 9, 9)}, st.integers(0, 2)),
)
MARKS = st.lists(
    st.builds(lambda thing, kind: Mark(7, kind, "anna", NOW, **thing), THINGS, st.sampled_from(MarkKind)), max_size=30
)


@given(MARKS)
def test_of_each_thing_the_latest_mark_holds_unless_it_withdraws(made: list[Mark]) -> None:
    held = standing(made)
    things = {(mark.defect, mark.place) for mark in made}
    latest = [next(m for m in reversed(made) if (m.defect, m.place) == thing) for thing in things]
    assert sorted(map(repr, held)) == sorted(repr(m) for m in latest if m.kind is not MarkKind.WITHDRAWN)
    assert standing(held) == held
    numbers = [mark.defect for mark in held]
    assert numbers == sorted(numbers, key=lambda number: number or 99)


def test_every_kind_has_its_short_list() -> None:
    assert WHYS.keys() == set(MarkKind)
    assert all(2 < len(words) < 10 for words in WHYS.values())
