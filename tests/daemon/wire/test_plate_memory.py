"""The plate memory: reserved in full, held by roles, and read in place by whoever has its descriptor."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.wire.plate_memory import Hold, PlateMemory, PlateMemoryError, Shape, State
from models.detector.swaths import MOST_WINDOWS
from models.machine.memory import available_bytes
from stages.camera import Sheet
from stages.events import Place, PlateClosed, PlateOpened, RowsReady
from stages.plate import Cause

SHAPE = Shape(slots=3, rows=100, columns=50)


@pytest.fixture
def memory() -> Iterator[PlateMemory]:
    made = PlateMemory.create(SHAPE)
    yield made
    made.close()


def opened(memory: PlateMemory, slot: int, plate: int) -> Place:
    """The place of a plate that was just begun in that slot."""
    place = next(place for place in memory.free_places() if place.slot == slot)
    memory.open(place, plate)
    return place


def free(memory: PlateMemory) -> tuple[int, ...]:
    return tuple(place.slot for place in memory.free_places())


def test_all_of_it_is_reserved_when_it_is_made(memory: PlateMemory) -> None:
    status = os.fstat(memory.fd)
    assert status.st_size == SHAPE.total_bytes
    assert status.st_blocks * 512 >= SHAPE.total_bytes
    assert SHAPE.slot_bytes % mmap.PAGESIZE == 0


def test_more_than_the_machine_has_is_refused_with_its_size() -> None:
    rows = available_bytes() // 1000 + 1
    with pytest.raises(PlateMemoryError, match=rf"2 plate slots of {rows} x 1000 px [\d.]+ GB\).*lower slots"):
        PlateMemory.create(Shape(2, rows, 1000))


def test_a_descriptor_of_another_size_is_refused(memory: PlateMemory) -> None:
    with pytest.raises(PlateMemoryError, match="bytes, but"):
        PlateMemory(memory.fd, Shape(4, 100, 50))


def test_what_one_process_writes_another_reads_in_place(memory: PlateMemory) -> None:
    other = PlateMemory(os.dup(memory.fd), SHAPE)
    memory.pixels(1)[:] = 7
    memory.pixels(1)[99, 49] = 200
    assert other.pixels(1)[99, 49] == 200
    assert not np.any(other.pixels(0))
    assert not np.any(other.pixels(2))
    opened(memory, 1, 12)
    assert other.facts(1).plate == 12
    other.close()


def test_a_slot_is_free_only_when_no_role_holds_it(memory: PlateMemory) -> None:
    assert free(memory) == (0, 1, 2)
    place = opened(memory, 1, 5)
    memory.set_rows(1, 40)
    assert memory.facts(1).state is State.FILLING
    memory.close_plate(PlateClosed(5, place, 60, (Cause.ROWS_MISSING, Cause.TOO_LONG), 2))
    facts = memory.facts(1)
    assert facts.state is State.HELD
    assert facts.holds == {Hold.TILE, Hold.RECORD}
    assert (facts.rows, facts.rows_missing, facts.closed) == (60, 2, True)
    assert set(facts.causes) == {Cause.ROWS_MISSING, Cause.TOO_LONG}
    memory.release(1, Hold.TILE)
    assert free(memory) == (0, 2)
    memory.release(1, Hold.RECORD)
    assert free(memory) == (0, 1, 2)


def test_a_slot_that_is_held_cannot_be_opened(memory: PlateMemory) -> None:
    place = opened(memory, 0, 1)
    with pytest.raises(PlateMemoryError, match="slot 0 is held by"):
        memory.open(place, 2)


def test_a_place_of_another_generation_is_not_opened(memory: PlateMemory) -> None:
    with pytest.raises(PlateMemoryError, match="slot 0 has generation 0"):
        memory.open(Place(0, 2, SHAPE.columns), 1)


def test_a_header_tells_what_acquisition_has_said_of_its_plate(memory: PlateMemory) -> None:
    place = opened(memory, 2, 7)
    memory.set_rows(2, 40)
    assert memory.facts(2).said == [PlateOpened(7, place), RowsReady(7, 2, 40)]
    closed = PlateClosed(7, place, 60, (Cause.TOO_LONG,), 2, 12.5, "it bounces", {"strip missing": 2})
    memory.close_plate(closed)
    assert memory.facts(2).said == [PlateOpened(7, place), RowsReady(7, 2, 60), closed]


def test_a_slot_used_again_has_another_generation_and_nothing_of_the_plate_before(memory: PlateMemory) -> None:
    first = opened(memory, 0, 1)
    memory.close_plate(PlateClosed(1, first, 60, (Cause.TOO_LONG,), 2, 12.5))
    assert memory.facts(0).last_row_at == 12.5
    for role in Hold:
        memory.release(0, role)
    assert memory.is_current(first)
    second = opened(memory, 0, 2)
    assert second.generation > first.generation
    assert not memory.is_current(first)
    facts = memory.facts(0)
    assert (facts.rows, facts.rows_missing, facts.closed, facts.causes, facts.last_row_at) == (0, 0, False, (), None)


@given(st.text(max_size=3000), st.dictionaries(st.text(max_size=300), st.integers(0, 2**32), max_size=20))
def test_words_and_causes_of_any_length_fit_a_header(doubt: str, losses: dict[str, int]) -> None:
    memory = PlateMemory.create(Shape(1, 1, 1))
    place = opened(memory, 0, 1)
    memory.close_plate(PlateClosed(1, place, 1, (), 0, 12.5, doubt, losses))
    facts = memory.facts(0)
    assert doubt.startswith(facts.doubt)
    assert facts.losses.items() <= losses.items()
    assert len(doubt) + sum(len(cause) + 5 for cause in losses) > 200 or (facts.doubt, facts.losses) == (doubt, losses)
    for role in Hold:
        memory.release(0, role)
    opened(memory, 0, 2)
    assert (memory.facts(0).doubt, memory.facts(0).losses) == ("", {})
    memory.close()


@given(st.sets(st.sampled_from(list(Cause))))
def test_any_set_of_causes_fits_a_header(causes: set[Cause]) -> None:
    memory = PlateMemory.create(Shape(1, 1, 1))
    memory.close_plate(PlateClosed(1, opened(memory, 0, 1), 1, tuple(causes)))
    assert set(memory.facts(0).causes) == causes
    memory.close()


@given(st.lists(st.tuples(st.sampled_from(["open", "close", "release"]), st.integers(0, 2), st.sampled_from(Hold))))
def test_slots_free_filling_and_held_always_add_up(steps: list[tuple[str, int, Hold]]) -> None:
    memory = PlateMemory.create(SHAPE)
    for plate, (step, slot, role) in enumerate(steps, start=1):
        if step == "open" and slot in free(memory):
            opened(memory, slot, plate)
        elif step == "close" and Hold.ACQUIRE in memory.facts(slot).holds:
            memory.close_plate(PlateClosed(plate, memory.facts(slot).place, 10))
        elif step == "release" and role is not Hold.ACQUIRE:
            memory.release(slot, role)
        counts = memory.counts()
        assert sum(counts.values()) == SHAPE.slots
        assert counts["free"] == len(free(memory))
    memory.close()


def test_a_board_says_which_windows_a_worker_is_on(memory: PlateMemory) -> None:
    assert memory.read_board(3) == ()
    memory.write_board(3, 7, (1, 5, 9))
    assert memory.read_board(3) == ((7, 1), (7, 5), (7, 9))
    assert memory.read_board(2) == ()
    memory.write_board(3, 8, range(MOST_WINDOWS))
    assert len(memory.read_board(3)) == MOST_WINDOWS
    memory.write_board(3, 0, ())
    assert memory.read_board(3) == ()


def test_what_the_camera_knew_of_a_sheet_stands_in_its_slot(memory: PlateMemory) -> None:
    known = Sheet("é.png", ((Cause.DEPTH, "12 bits of 16"),), ("dim",))
    place = memory.free_places()[0]
    memory.open(place, 7, known)
    assert memory.facts(place.slot).sheet == known
    assert memory.facts(place.slot).said[0] == PlateOpened(7, place, known)
    for role in Hold:
        memory.release(place.slot, role)
    assert opened(memory, place.slot, 8).slot == place.slot
    assert memory.facts(place.slot).sheet is None


def test_what_is_too_long_for_a_slot_is_shortened_and_keeps_its_causes(memory: PlateMemory) -> None:
    place = memory.free_places()[0]
    long = "\U0001f600" * 5000
    memory.open(place, 7, Sheet(long, ((Cause.DEPTH, long),) * 9, (long,) * 9))
    found = memory.facts(place.slot).sheet
    assert found is not None
    assert set(found.image) == {"\U0001f600"}
    assert {cause for cause, _ in found.faults} == {Cause.DEPTH}
