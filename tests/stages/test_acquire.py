"""The assembler cuts strips into plates by the switch, and loses no sheet whatever the camera does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import Recipe, Switch
from stages.acquire import Assembler, Event, Instruction
from stages.camera import Doubt, Edge, Loss, Sheet, Strip
from stages.copies import BlankRows, CopyRows, SlotsFree
from stages.events import BufferReleased, LineEnded, Place, PlateClosed, PlateOpened, RowsReady, StripDelivered
from stages.plate import Cause
from stages.switch import Leading, SwitchCounter, SwitchState, Unheard

OFFSET, DEBOUNCE, MOST = 6, 4, 60
RECIPE = Recipe(name="test", switch=Switch(offset_rows=OFFSET, debounce_rows=DEBOUNCE), most_rows=MOST)
BLANK = -1


@dataclass
class TinyLine:
    """A camera whose rows are their own numbers, a switch, a plate memory of some slots, and the loop between."""

    sheets: list[tuple[int, int]]
    """Camera rows at which the switch rises and falls."""
    bounces: set[int] = field(default_factory=set)
    """Rows at which the switch flickers for one row."""
    slots: int = 100

    def __post_init__(self) -> None:
        flips = sorted([row for sheet in self.sheets for row in sheet] + [r + d for r in self.bounces for d in (0, 1)])
        self.edges = [Edge(n, row, n % 2 == 1) for n, row in enumerate(flips, 1)]
        self.buffers: dict[int, Strip] = {}
        self.memory: dict[int, list[int]] = {}
        self.free = set(range(self.slots))
        self.opened: dict[int, PlateOpened] = {}
        self.closed: dict[int, PlateClosed] = {}
        self.plates: dict[int, list[int]] = {}

    def strips(self, lengths: Callable[[], int], rows: int) -> list[Strip]:
        strips: list[Strip] = []
        row, heard = 0, 0
        while row < rows:
            count = min(lengths(), rows - row)
            edges = tuple(e for e in self.edges if row <= e.row < row + count)
            strips.append(Strip(len(strips) + 1, row, count, edges, heard % 2 == 1))
            heard += len(edges)
            row += count
        return strips

    def feed(self, machine: Assembler, event: Event) -> list[Instruction]:
        if isinstance(event, StripDelivered):
            self.buffers[event.buffer] = event.strip
        instructions = machine.handle(event)
        machine.validate()
        for instruction in instructions:
            self.carry_out(instruction)
        return instructions

    def carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case PlateOpened(plate, place):
                assert plate not in self.opened
                self.opened[plate] = instruction
                if place is not None:
                    self.free.remove(place.slot)
                    self.memory[place.slot] = []
            case CopyRows(buffer, source, rows, slot, row):
                assert len(self.memory[slot]) == row
                assert 0 <= source < source + rows <= self.buffers[buffer].rows
                first = self.buffers[buffer].first_row + source
                self.memory[slot] += range(first, first + rows)
            case BlankRows(slot, row, rows):
                assert len(self.memory[slot]) == row
                self.memory[slot] += [BLANK] * rows
            case RowsReady(_, slot, rows):
                assert len(self.memory[slot]) == rows
            case PlateClosed(plate, place, rows, _, missing):
                assert plate in self.opened
                assert plate not in self.closed
                self.closed[plate] = instruction
                assert place == self.opened[plate].place
                if place is not None:
                    self.plates[plate] = self.memory.pop(place.slot)
                    assert len(self.plates[plate]) == rows <= MOST
                    assert self.plates[plate].count(BLANK) <= missing
            case BufferReleased(buffer):
                del self.buffers[buffer]

    def run(self, strips: list[Strip], overload: Literal["wait", "skip"] = "wait") -> Assembler:
        machine = assembler(overload)
        self.feed(machine, free(*self.free))
        for buffer, strip in enumerate(strips):
            self.feed(machine, delivered(buffer, strip))
        self.feed(machine, LineEnded())
        assert not self.buffers
        assert self.opened.keys() == self.closed.keys()
        return machine


def free(*slots: int) -> SlotsFree:
    return SlotsFree(tuple(place(slot) for slot in slots))


def place(slot: int) -> Place:
    return Place(slot, 1, 100)


def delivered(buffer: int, strip: Strip) -> StripDelivered:
    """Strips are delivered a second a row."""
    return StripDelivered(buffer, strip, float(strip.first_row + strip.rows))


def assembler(overload: Literal["wait", "skip"] = "wait", state: SwitchState | None = None) -> Assembler:
    return Assembler(RECIPE, overload, switch=state or SwitchState(1, count=0))


def strip(
    block: int, first_row: int, rows: int, edges: list[tuple[int, int]] | None = None, *, level: bool = False
) -> Strip:
    return Strip(block, first_row, rows, tuple(Edge(n, row, n % 2 == 1) for n, row in edges or []), level)


def steady(rows: int) -> Callable[[], int]:
    return lambda: rows


@st.composite
def schedules(draw: st.DrawFn) -> tuple[TinyLine, list[Strip]]:
    """Sheets of any length with gaps, bounces between them, and strips of any length, short ones among them."""
    row, sheets, bounces = draw(st.integers(0, 20)), [], set()
    for _ in range(draw(st.integers(0, 6))):
        length, gap = draw(st.integers(DEBOUNCE, MOST + 20)), draw(st.integers(DEBOUNCE, 40))
        sheets.append((row, row + length))
        if gap > 2 * DEBOUNCE + 2 and draw(st.booleans()):
            bounces.add(row + length + DEBOUNCE + 1)
        row += length + gap
    line = TinyLine(sheets, bounces)
    lengths = st.integers(1, 50)
    return line, line.strips(lambda: draw(lengths), row + OFFSET + 1)


def numbers(line: TinyLine) -> list[int]:
    """The number of each sheet by an object that hears the edges alone."""
    counter = SwitchCounter(DEBOUNCE, SwitchState(1, count=0))
    facts = counter.hear(line.edges, level=False, until_row=10**9)
    return [fact.plate for fact in facts if isinstance(fact, Leading)]


@settings(max_examples=150, deadline=None)
@given(schedules())
def test_every_sheet_is_rebuilt_exactly_and_numbered_as_the_switch_alone_would(
    made: tuple[TinyLine, list[Strip]],
) -> None:
    line, strips = made
    line.run(strips)
    assert sorted(line.closed) == numbers(line)
    for plate, (rise, fall) in zip(numbers(line), line.sheets, strict=True):
        rows = list(range(rise + OFFSET, fall + OFFSET))
        assert line.plates[plate] == rows[:MOST]
        assert line.closed[plate].causes == ((Cause.TOO_LONG,) if len(rows) > MOST else ())
        assert line.closed[plate].rows_missing == 0


@settings(max_examples=150, deadline=None)
@given(schedules(), st.data())
def test_lost_repeated_and_stale_strips_lose_no_sheet_and_never_pass_for_whole(
    made: tuple[TinyLine, list[Strip]], data: st.DataObject
) -> None:
    line, strips = made
    delivered: list[Strip] = []
    lost = 0
    for s in strips:
        fate = data.draw(st.sampled_from(["deliver"] * 6 + ["lose", "repeat", "stale"]))
        lost += fate == "lose"
        if fate != "lose":
            delivered.append(replace(s, losses=(("strip missing", lost),) if lost else ()))
            lost = 0
        if fate in {"repeat", "stale"} and delivered:
            delivered.append(delivered[-1] if fate == "repeat" else delivered[0])
    blocks = {s.block for s in delivered}
    lost_edges = {e.count for s in strips if s.block not in blocks for e in s.edges}
    line.run(delivered)
    whole = {plate: c for plate, c in line.closed.items() if not c.causes and not c.rows_missing}
    for plate, (rise, fall) in zip(numbers(line), line.sheets, strict=True):
        heard_later = any(e.count not in lost_edges and e.row >= fall for e in line.edges)
        if heard_later:
            assert plate in line.closed
        if plate in whole:
            assert line.plates[plate] == list(range(rise + OFFSET, fall + OFFSET))
    assert whole.keys() <= set(numbers(line))
    assert all(c.rows_missing for c in line.closed.values() if c.losses)


def test_a_plate_that_lacks_rows_says_why_and_how_often_and_one_beside_it_does_not() -> None:
    line = TinyLine([(10, 40), (100, 140)])
    first, _, third, *rest = line.strips(lambda: 20, 180)
    rest[3] = replace(rest[3], losses=(("strip repeated", 1),))
    line.run([first, replace(third, losses=(("strip missing", 1), ("strip lost", 2))), *rest])
    assert line.closed[1].losses == {"strip missing": 1, "strip lost": 2}
    assert (line.closed[1].causes, line.closed[1].rows_missing) == ((Cause.ROWS_MISSING,), 20)
    assert (line.closed[2].losses, line.closed[2].causes) == ({}, ())


def test_a_packet_that_was_sent_again_is_told_of_its_plate_and_makes_it_no_worse() -> None:
    line = TinyLine([(10, 40), (100, 140)])
    strips = line.strips(lambda: 20, 180)
    strips[1] = replace(strips[1], losses=((Loss.RESENT.value, 3),))
    strips[2] = replace(strips[2], losses=((Loss.RESENT.value, 1), ("strip missing", 1)))
    line.run(strips)
    first, second = line.closed.values()
    assert (first.losses, first.causes, first.rows_missing) == ({"packet resent": 4}, (), 0)
    assert (second.losses, second.causes) == ({}, ())


@settings(max_examples=80, deadline=None)
@given(schedules(), st.data())
def test_with_few_slots_wait_holds_strips_back_and_still_rebuilds_every_sheet(
    made: tuple[TinyLine, list[Strip]], data: st.DataObject
) -> None:
    line, strips = made
    line.slots = 1
    line.free = {0}
    machine = assembler("wait")
    line.feed(machine, free(0))
    for buffer, s in enumerate(strips):
        line.feed(machine, delivered(buffer, s))
        if machine.waiting and data.draw(st.booleans()):
            line.free = {0}
            line.feed(machine, free(0))
    line.feed(machine, LineEnded())
    for _ in line.sheets:
        line.free = line.free or ({0} if not line.memory else set())
        line.feed(machine, free(*line.free))
    assert not machine.waiting
    assert not line.buffers
    ends = [s.first_row + s.rows for s in strips]
    for plate, (rise, fall) in zip(numbers(line), line.sheets, strict=True):
        assert line.plates[plate] == list(range(rise + OFFSET, fall + OFFSET))[:MOST]
        # Its last row, or the first beyond the most, was delivered then, however long it waited for a slot.
        told = min(fall, rise + MOST + 1) + OFFSET
        assert line.closed[plate].last_row_at == min(end for end in ends if end >= told)


@settings(max_examples=100, deadline=None)
@given(schedules(), st.data())
def test_a_successor_goes_on_from_the_supervisors_count_and_no_sheet_is_numbered_twice(
    made: tuple[TinyLine, list[Strip]], data: st.DataObject
) -> None:
    line, strips = made
    cut = data.draw(st.integers(0, len(strips)))
    away = data.draw(st.integers(1, 4))
    supervisor = SwitchCounter(DEBOUNCE, SwitchState(1, count=0))
    known: set[int] = set()
    first, second = assembler(), None
    line.feed(first, free(*line.free))
    for n, s in enumerate(strips):
        facts = supervisor.hear(s.edges, s.level, s.first_row + s.rows)
        if n < cut + away:
            known |= {f.plate for f in facts if isinstance(f, Leading | Unheard)}
        if n < cut:
            line.feed(first, delivered(n, s))
        elif n + 1 == cut + away:
            second = assembler(state=supervisor.state)
            line.feed(second, free(*line.free))
        elif second is not None:
            line.feed(second, delivered(n, s))
    if second is not None:
        line.feed(second, LineEnded())
        assert sorted(known | line.opened.keys()) == numbers(line)


TABLE: list[tuple[str, list[Strip], dict[int, tuple[int, tuple[Cause, ...], int]]]] = [
    (
        "a sheet in one strip",
        [strip(1, 0, 100, [(1, 10), (2, 40)])],
        {1: (30, (), 0)},
    ),
    (
        "the tail of one sheet and the head of the next in one strip",
        [strip(1, 0, 50, [(1, 10), (2, 30), (3, 36)]), strip(2, 50, 50, [(4, 56)], level=True)],
        {1: (20, (), 0), 2: (20, (), 0)},
    ),
    (
        "rows lost within a sheet are blank and counted",
        [strip(1, 0, 20, [(1, 2)]), strip(2, 25, 40, [(2, 30)], level=True)],
        {1: (28, (Cause.ROWS_MISSING,), 5)},
    ),
    (
        "a flicker shorter than the debounce is no plate, but takes a number",
        [strip(1, 0, 100, [(1, 10), (2, 12), (3, 20), (4, 50)])],
        {2: (30, (), 0)},
    ),
    (
        "a flicker within a sheet does not cut it",
        [strip(1, 0, 100, [(1, 10), (2, 20), (3, 22), (4, 50)])],
        {1: (40, (), 0)},
    ),
    (
        "sheets whose edges were not heard are plates without rows",
        [strip(1, 0, 20), strip(2, 20, 80, [(5, 30), (6, 50)])],
        {1: (0, (Cause.NO_ROWS,), 0), 2: (0, (Cause.NO_ROWS,), 0), 3: (20, (), 0)},
    ),
    (
        "a trailing edge that was not heard leaves rows missing",
        [strip(1, 0, 30, [(1, 10)]), strip(3, 60, 60, [(3, 70), (4, 90)])],
        {1: (14, (Cause.ROWS_MISSING,), 0), 2: (20, (), 0)},
    ),
    (
        "the level tells of an edge that was not heard before the next one comes",
        [strip(1, 0, 30, [(1, 10)]), strip(3, 60, 40)],
        {1: (14, (Cause.ROWS_MISSING,), 0)},
    ),
    (
        "the line ends in mid-sheet",
        [strip(1, 0, 30, [(1, 10)])],
        {1: (14, (Cause.ROWS_MISSING,), 0)},
    ),
    (
        "the line ends between the trailing edge and the last row",
        [strip(1, 0, 32, [(1, 10), (2, 27)])],
        {1: (16, (Cause.ROWS_MISSING,), 1)},
    ),
    (
        "the line ends when most rows are still to come",
        [strip(1, 0, 20, [(1, 2), (2, 14)]), strip(2, 20, 30, [(3, 30), (4, 46)])],
        {1: (12, (), 0), 2: (14, (Cause.ROWS_MISSING,), 2)},
    ),
    (
        "a trailing edge heard late, when rows beyond it are there already",
        [strip(1, 0, 40, [(1, 10)]), strip(2, 40, 30, [(2, 20)], level=True)],
        {1: (24, (), 0)},
    ),
    (
        "a counter of edges that jumps far was set anew",
        [strip(1, 0, 60, [(1, 10), (2, 30)]), strip(2, 60, 60, [(10**9 + 1, 70), (10**9 + 2, 90)])],
        {1: (20, (), 0), 2: (20, (), 0)},
    ),
    (
        "a counter of edges that begins again was set anew",
        [strip(1, 0, 60, [(7, 10), (8, 30)]), strip(2, 60, 60, [(1, 70), (2, 90)])],
        dict.fromkeys((1, 2, 3), (0, (Cause.NO_ROWS,), 0)) | {4: (20, (), 0), 5: (20, (), 0)},
    ),
    (
        "the line ends before the first row",
        [strip(1, 0, 12, [(1, 10)])],
        {1: (0, (Cause.NO_ROWS,), 0)},
    ),
    (
        "all rows of a sheet are lost",
        [strip(1, 0, 15, [(1, 10)]), strip(3, 60, 30, [(2, 30)], level=True)],
        {1: (20, (Cause.ROWS_MISSING, Cause.NO_ROWS), 20)},
    ),
    (
        "the sheet was in the beam at the start",
        [strip(1, 0, 60, [(1, 20)], level=True)],
        {1: (0, (Cause.STARTED_MID_SHEET,), 0)},
    ),
    (
        "a sheet beyond the most rows is cut, the next one is whole",
        [strip(1, 0, 80, [(1, 0)]), strip(2, 80, 60, [(2, 90), (3, 100), (4, 120)], level=True)],
        {1: (MOST, (Cause.TOO_LONG,), 0), 2: (20, (), 0)},
    ),
    (
        "a sheet of exactly the most rows is not too long",
        [strip(1, 0, 80, [(1, 0), (2, MOST)])],
        {1: (MOST, (), 0)},
    ),
]


@pytest.mark.parametrize(("strips", "plates"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(strips: list[Strip], plates: dict[int, tuple[int, tuple[Cause, ...], int]]) -> None:
    if strips[0].level:
        # The switch started true, so its first edge falls.
        strips = [
            Strip(s.block, s.first_row, s.rows, tuple(Edge(e.count, e.row, not e.rising) for e in s.edges), s.level)
            for s in strips
        ]
    line = TinyLine([])
    line.run(strips)
    assert {p: (c.rows, c.causes, c.rows_missing) for p, c in line.closed.items()} == plates


def test_skip_counts_the_rows_of_a_sheet_that_finds_no_slot() -> None:
    line = TinyLine([], slots=0)
    machine = line.run([strip(1, 0, 100, [(1, 10), (2, 40)])], "skip")
    assert line.closed == {1: PlateClosed(1, None, 30, (Cause.OVERLOAD,), 0, 100.0)}
    assert machine.counters.plates_without_slot == 1


def test_a_plate_that_nothing_was_heard_of_is_dated_by_the_strip_that_tells_of_it() -> None:
    machine = assembler()
    machine.handle(delivered(0, strip(1, 0, 10)))
    said = machine.handle(delivered(1, strip(2, 10, 10, [(3, 19)])))
    assert PlateClosed(1, None, 0, (Cause.NO_ROWS,), last_row_at=20.0) in said


def test_the_rows_of_a_sheet_that_passed_before_its_edge_was_heard_are_blank_and_missing() -> None:
    machine = assembler()
    machine.handle(free(0))
    machine.handle(delivered(0, strip(1, 0, 30)))
    passed = 30 - (10 + OFFSET)
    said = machine.handle(delivered(1, strip(2, 30, 10, [(1, 10)])))
    assert said[:2] == [PlateOpened(1, place(0)), BlankRows(0, 0, passed)]
    ended = machine.handle(delivered(2, strip(3, 40, 20, [(2, 42)], level=True)))
    assert PlateClosed(1, place(0), 32, (Cause.ROWS_MISSING,), passed, 60.0) in ended


def test_wait_keeps_the_buffers_until_a_slot_is_free() -> None:
    machine = assembler("wait")
    assert machine.handle(delivered(0, strip(1, 0, 30, [(1, 10)]))) == []
    assert machine.handle(delivered(1, strip(2, 30, 30, [(2, 40)], level=True))) == []
    assert machine.waiting
    assert machine.handle(free(7)) == [
        PlateOpened(1, place(7)),
        CopyRows(0, 16, 14, 7, 0),
        RowsReady(1, 7, 14),
        BufferReleased(0),
        CopyRows(1, 0, 16, 7, 14),
        PlateClosed(1, place(7), 30, (), 0, 60.0),
        BufferReleased(1),
    ]


def test_a_line_that_ends_with_few_rows_of_a_sheet_delivered_is_not_without_rows() -> None:
    recipe = RECIPE.model_copy(update={"switch": Switch(offset_rows=40, debounce_rows=4)})
    machine = Assembler(recipe, "skip", switch=SwitchState(1, count=0))
    machine.handle(delivered(0, strip(1, 0, 55, [(1, 10), (2, 45)])))
    assert machine.handle(LineEnded()) == [PlateClosed(1, None, 5, (Cause.OVERLOAD, Cause.ROWS_MISSING), 30, 55.0)]


def test_a_strip_after_the_end_is_refused_also_while_others_wait() -> None:
    machine = assembler("wait")
    machine.handle(delivered(0, strip(1, 0, 30, [(1, 10)])))
    machine.handle(LineEnded())
    assert machine.handle(delivered(1, strip(2, 30, 10, level=True))) == [BufferReleased(1)]
    assert machine.handle(free(0))[-1] == PlateClosed(1, place(0), 14, (Cause.ROWS_MISSING,), 0, 30.0)
    assert machine.handle(delivered(2, strip(3, 40, 10))) == [BufferReleased(2)]


def test_an_old_strip_after_a_restart_does_not_tell_of_an_edge() -> None:
    machine = assembler(state=SwitchState(next_plate=8, level=True, count=1, row=50, plate=7))
    assert machine.handle(delivered(0, strip(4, 20, 20))) == [BufferReleased(0)]
    assert machine.switch.state == SwitchState(next_plate=8, level=True, count=1, row=50, plate=7)


def test_a_repeated_block_and_rows_that_go_back_are_refused_and_released() -> None:
    machine = assembler()
    assert machine.handle(delivered(0, strip(5, 100, 10))) == [BufferReleased(0)]
    assert machine.handle(delivered(1, strip(5, 110, 10))) == [BufferReleased(1)]
    assert machine.handle(delivered(2, strip(6, 105, 10))) == [BufferReleased(2)]
    assert (machine.counters.strips, machine.counters.strips_refused) == (1, 2)


def test_the_slot_being_filled_is_not_taken_again_whatever_is_said_to_be_free() -> None:
    machine = assembler("skip")
    machine.handle(free(0))
    machine.handle(delivered(0, strip(1, 0, 39, [(1, 10), (2, 34), (3, 38)])))
    machine.handle(free(0))
    assert PlateOpened(2, None) in machine.handle(delivered(1, strip(2, 39, 11, level=True)))


def test_a_sheet_in_the_beam_at_a_restart_is_left_to_who_numbered_it() -> None:
    line = TinyLine([])
    machine = assembler(state=SwitchState(next_plate=8, level=True, count=1, row=10, plate=7))
    line.feed(machine, free(0))
    line.feed(machine, delivered(0, strip(4, 40, 100, [(2, 60), (3, 80), (4, 110)], level=True)))
    assert {p: c.rows for p, c in line.closed.items()} == {8: 30}


def test_without_any_length_the_slot_rows_must_be_given() -> None:
    with pytest.raises(ValueError, match="most_rows"):
        Assembler(Recipe(name="general"), "wait", switch=SwitchState(1, count=0))


def test_a_sheet_that_the_camera_cannot_show_takes_no_slot_and_keeps_its_cause() -> None:
    known = Sheet("7.png", ((Cause.UNREADABLE, "empty"),), pixels=False)
    machine = assembler()
    edges = (Edge(1, 10, rising=True, sheet=known), Edge(2, 40, rising=False))
    said = machine.handle(delivered(0, Strip(1, 0, 200, edges, level=False)))
    closed = PlateClosed(1, None, 0, (Cause.UNREADABLE,), 0, 200.0)
    assert said == [PlateOpened(1, None, known), closed, BufferReleased(0)], "although no slot is free"
    machine.validate()


def test_what_the_camera_knew_of_a_sheet_goes_on_with_it() -> None:
    known = Sheet("7.png")
    machine = assembler()
    machine.handle(free(0))
    edges = (Edge(1, 10, rising=True, sheet=known), Edge(2, 40, rising=False))
    said = machine.handle(delivered(0, Strip(1, 0, 200, edges, level=False)))
    assert PlateOpened(1, place(0), known) in said


def test_a_sheet_that_is_doubtful_says_why_and_its_neighbours_do_not() -> None:
    line = TinyLine([(10, 40), (60, 90), (110, 140)])
    first, second, third = line.strips(steady(70), 200)
    # One about the second sheet, in the strip with its last row; and one about no sheet.
    second = replace(second, doubts=(Doubt(60 + OFFSET, "the picture shows two"), Doubt(100 + OFFSET, "nothing")))
    line.run([first, second, third])
    assert {plate: (closed.causes, closed.doubt) for plate, closed in line.closed.items()} == {
        1: ((), ""),
        2: ((Cause.SWITCH_DOUBTFUL,), "the picture shows two"),
        3: ((), ""),
    }
