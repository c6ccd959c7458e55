"""Frames to strips: what was lost is a gap in the rows, by its cause, and no sheet that lacks rows looks whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_recipe
from daemon.cameras.frames import Frame, FrameCounter
from stages.acquire import Assembler
from stages.camera import Loss, Strip
from stages.copies import SlotsFree
from stages.events import Place, PlateClosed, StripDelivered
from stages.plate import Cause
from stages.switch import SwitchState

STRIP, OFFSET, DEBOUNCE = 100, 64, 8


def counter() -> FrameCounter:
    return FrameCounter(STRIP, OFFSET, DEBOUNCE)


def taken(frames: FrameCounter, *ids: int | None) -> list[tuple[int, int] | None]:
    """Block and first row of the strip that each frame of those ids is."""
    strips = [frames.take(Frame(STRIP, id=one)) for one in ids]
    return [None if strip is None else (strip.block, strip.first_row) for strip in strips]


@pytest.mark.parametrize(
    ("ids", "strips", "losses"),
    [
        ([1, 2, 3], [(0, 0), (1, 100), (2, 200)], {}),
        ([7, 8, 11], [(0, 0), (1, 100), (4, 400)], {Loss.MISSING: 2}),
        ([1, 2, 2, 3], [(0, 0), (1, 100), None, (3, 300)], {Loss.REPEATED: 1}),
        ([5, 6, 4, 7], [(0, 0), (1, 100), None, (3, 300)], {Loss.REPEATED: 1}),
        ([65534, 65535, 1, 2], [(0, 0), (1, 100), (2, 200), (3, 300)], {}),
        ([65534, 2], [(0, 0), (3, 300)], {Loss.MISSING: 2}),
        ([None, None, None], [(0, 0), (1, 100), (2, 200)], {}),
        ([2**40, 2**40 + 1], [(0, 0), (1, 100)], {}),
        # It counts anew: how many are lost nobody knows, and the gap is one that a sheet would not survive.
        ([5000, 1, 2], [(0, 0), (2, 373), (3, 473)], {Loss.MISSING: 1}),
    ],
)
def test_ids_tell_what_was_lost(
    ids: list[int | None], strips: list[tuple[int, int] | None], losses: dict[Loss, int]
) -> None:
    frames = counter()
    assert taken(frames, *ids) == strips
    assert frames.losses == losses


def test_a_frame_that_is_not_whole_is_given_up_and_its_rows_are_lost() -> None:
    frames = counter()
    frames.take(Frame(STRIP, id=1))
    assert frames.take(Frame(40, whole=False, id=2)) is None
    assert frames.take(Frame(0, id=3)) is None
    strip = frames.take(Frame(STRIP, id=4))
    assert strip is not None
    assert (strip.block, strip.first_row) == (3, 300)
    assert frames.losses == {Loss.PACKET: 1, Loss.FAILED: 1}
    assert strip.losses == (("packet missing", 1), ("strip failed", 1))
    following = frames.take(Frame(STRIP, id=5))
    assert following is not None
    assert following.losses == ()


def test_packets_that_were_sent_again_are_counted_from_the_first_frame_on_and_lose_no_rows() -> None:
    frames = counter()
    counts = (7, 9, 9, None, 12, 1)  # a driver that knows it not, and one that counts anew
    strips = [frames.take(Frame(STRIP, id=one, resent=count)) for one, count in enumerate(counts, 1)]
    assert [strip.losses for strip in strips if strip] == [
        (),
        (("packet resent", 2),),
        (),
        (),
        (("packet resent", 3),),
        (),
    ]
    assert [strip.first_row for strip in strips if strip] == [0, 100, 200, 300, 400, 500]
    assert frames.losses == {Loss.RESENT: 5}


def test_without_ids_the_drivers_own_count_tells_what_found_no_buffer() -> None:
    frames = counter()
    rows = [frames.take(Frame(STRIP, unstored=count)) for count in (3, 3, 5)]
    assert [strip.first_row for strip in rows if strip] == [0, 100, 400]
    assert frames.losses == {Loss.MISSING: 2}


def test_an_edge_is_put_where_no_sheet_is_shorter_than_it_was() -> None:
    frames = counter()
    strips = [
        frames.take(Frame(STRIP, id=one, level=level))
        for one, level in [(1, False), (2, True), (3, True), (6, False), (9, True)]
    ]
    edges = [[(edge.count, edge.row, edge.rising) for edge in strip.edges] for strip in strips if strip]
    assert edges == [[], [(1, 100, True)], [], [(2, 500, False)], [(3, 600, True)]]
    assert [strip.level for strip in strips if strip] == [False, False, True, True, False]


def test_edges_that_are_heard_while_no_strip_comes_are_told_with_the_next() -> None:
    frames = counter()
    frames.take(Frame(STRIP, id=1))
    for level in (True, True, False, True):
        frames.hear(level)
    frames.away()
    strip = frames.take(Frame(STRIP, id=1, level=False))
    assert strip is not None
    assert strip.level is False
    assert [edge.rising for edge in strip.edges] == [True, False, True, False]
    rows = [edge.row for edge in strip.edges]
    assert all(after - before > DEBOUNCE for before, after in itertools.pairwise(rows)), "none looks like a bounce"
    assert rows[-1] <= strip.first_row


happening = st.one_of(
    st.tuples(st.just("frame"), st.booleans(), st.booleans(), st.integers(1, 3)),
    st.tuples(st.just("away"), st.booleans(), st.booleans(), st.just(0)),
    st.tuples(st.just("heard"), st.booleans(), st.booleans(), st.just(0)),
)


@given(st.lists(happening, max_size=60))
def test_whatever_happens_blocks_rows_and_edges_grow_and_a_gap_of_rows_is_a_gap_of_blocks(
    happenings: list[tuple[str, bool, bool, int]],
) -> None:
    strips = delivered(happenings)
    for before, strip in itertools.pairwise(strips):
        assert (strip.first_row == before.first_row + before.rows) == (strip.block == before.block + 1)
        assert strip.first_row >= before.first_row + before.rows
        assert strip.level == (before.edges[-1].rising if before.edges else before.level)
    edges = [edge for strip in strips for edge in strip.edges]
    assert [edge.count for edge in edges] == list(range(1, len(edges) + 1))
    assert all(after.rising != before.rising for before, after in itertools.pairwise(edges))
    assert all(edge.row < strip.first_row + strip.rows for strip in strips for edge in strip.edges)


def delivered(happenings: list[tuple[str, bool, bool, int]]) -> list[Strip]:
    """The strips of a counter to which all that happens."""
    frames, number, strips = counter(), 0, []
    for what, level, whole, step in happenings:
        if what == "away":
            frames.away()
            number = 0
        elif what == "heard":
            frames.hear(level)
        else:
            number += step
            strip = frames.take(Frame(STRIP, whole=whole, id=number, level=level))
            strips += [] if strip is None else [strip]
    return strips


def test_a_strip_that_was_lost_within_a_sheet_makes_it_inconclusive() -> None:
    recipe = load_recipe("P10B")
    machine = Assembler(recipe, "skip", switch=SwitchState(1, count=0))
    frames, out = counter(), []
    machine.handle(SlotsFree((Place(0, 1, 4),)))
    for one in [*range(1, 20), *range(21, 40)]:
        strip = frames.take(Frame(STRIP, id=one, level=5 <= one < 30))
        assert strip is not None
        out += machine.handle(StripDelivered(0, strip, 0.0))
    (plate,) = [order for order in out if isinstance(order, PlateClosed)]
    assert plate.rows == 25 * STRIP
    assert plate.rows_missing == STRIP
    assert plate.causes == (Cause.ROWS_MISSING,)
