"""Which recipe judges which plate, and what that means for whoever cuts, scores and judges it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_recipe
from config.schema import Columns, Gates, Length, Limits, Recipe, Windows
from config.schema import Lease as LeaseSettings
from models.detector.findings import Quality
from stages.acquire import Assembler
from stages.camera import Edge, Strip
from stages.copies import CopyRows, SlotsFree
from stages.events import (
    Lease,
    Place,
    PlateClosed,
    PlateDecided,
    PlateOpened,
    RowsReady,
    SeenCommitted,
    StripDelivered,
    WindowScored,
    WindowsMerged,
    WorkerReady,
)
from stages.merge import Merger
from stages.plate import Cause, Verdict, WindowResult
from stages.recipes import FIRST, Schedule
from stages.switch import SwitchState
from stages.tile import WindowLedger

WIDE = load_recipe("P10B").model_copy(
    update={"length": Length(nominal_rows=100), "columns": Columns(last=300), "templates": (), "masks": ()}
)
NARROW = WIDE.model_copy(update={"columns": Columns(last=200), "length": Length(nominal_rows=50)})


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8).map(sorted))
def test_a_plate_is_of_the_last_recipe_that_began_with_it_or_before_it(firsts: list[int]) -> None:
    schedule = Schedule()
    for number, first in enumerate(firsts, start=2):
        schedule.change(first, number)
    for plate in range(25):
        begun = [number for number, first in enumerate(firsts, start=2) if first <= plate]
        assert schedule.of(plate) == max(begun, default=FIRST)
    latest = schedule.latest
    schedule.forget(12)
    assert schedule.latest == latest
    for plate in range(12, 25):
        assert schedule.of(plate) == max(
            [number for number, first in enumerate(firsts, start=2) if first <= plate], default=FIRST
        )


def test_no_recipe_begins_before_one_that_has_begun() -> None:
    schedule = Schedule(((0, FIRST), (9, 2)))
    with pytest.raises(ValueError, match="recipe 3 cannot begin with plate 8"):
        schedule.change(8, 3)


def strip(block: int, first_row: int, rows: int, *edges: tuple[int, bool, int], level: bool = False) -> StripDelivered:
    made = Strip(block, first_row, rows, tuple(Edge(count, row, rising) for row, rising, count in edges), level)
    return StripDelivered(block % 4, made, float(block))


def test_sheets_that_come_after_the_change_have_the_slots_and_columns_of_their_recipe() -> None:
    machine = Assembler(WIDE, "skip", switch=SwitchState(1, count=0))
    machine.sizes.add(2, NARROW)
    machine.handle(SlotsFree(tuple(Place(slot, 1, 300) for slot in range(3))))
    # The first sheet is in the beam when the change is asked for.
    told = machine.handle(strip(1, 0, 150, (10, True, 1)))
    assert machine.change(2, not_before=1) == 2
    told += machine.handle(strip(2, 150, 400, (180, False, 2), (300, True, 3), (500, False, 4), level=True))
    machine.validate()
    opened = [order.place for order in told if isinstance(order, PlateOpened)]
    assert opened == [Place(0, 1, 300, FIRST), Place(1, 1, 200, 2)]
    rows = {order.plate: (order.rows, order.causes) for order in told if isinstance(order, PlateClosed)}
    assert rows == {1: (110, (Cause.TOO_LONG,)), 2: (55, (Cause.TOO_LONG,))}
    assert sum(order.rows for order in told if isinstance(order, CopyRows)) == 165


def test_a_sheet_whose_edge_is_not_yet_debounced_when_the_recipe_changes_is_of_the_one_before() -> None:
    machine = Assembler(WIDE, "skip", switch=SwitchState(1, count=0))
    for number in (2, 3):
        machine.sizes.add(number, NARROW)
        machine.change(number, not_before=1)
    machine.handle(SlotsFree(tuple(Place(slot, 1, 300) for slot in range(3))))
    told = machine.handle(strip(1, 0, 15, (10, True, 1)))
    assert machine.change(FIRST, not_before=1) == 2
    told += machine.handle(strip(2, 15, 400, (120, False, 2), (200, True, 3), level=True))
    opened = {order.plate: order.place.recipe for order in told if isinstance(order, PlateOpened) and order.place}
    assert opened == {1: 3, 2: FIRST}


def test_a_change_begins_with_no_plate_that_the_supervisor_has_numbered() -> None:
    machine = Assembler(WIDE, "wait", switch=SwitchState(4, count=0))
    machine.sizes.add(2, NARROW)
    assert machine.change(2, not_before=6) == 6
    assert [machine.sizes.schedule.of(plate) for plate in (4, 5, 6)] == [FIRST, FIRST, 2]


def test_each_plate_is_cut_into_the_windows_of_its_recipe() -> None:
    ledger = WindowLedger(Windows(size=65, stride=60), 4, LeaseSettings(), incarnation=1)
    ledger.add_recipe(2, Windows(size=35, stride=30), 2)
    ledger.handle(WorkerReady(0, 1, 1, 9), 0.0)
    leases = []
    for plate, number in ((1, FIRST), (2, 2)):
        place = Place(plate, 1, 60, number)
        for event in (SeenCommitted(plate), PlateOpened(plate, place), PlateClosed(plate, place, 60)):
            leases += [one for one in ledger.handle(event, 0.0) if isinstance(one, Lease)]
        ledger.validate()
    ledger.forget_recipe(2)
    ledger.validate()
    assert [(one.plate, one.place.recipe, [window.width for window in one.windows]) for one in leases] == [
        (1, FIRST, [60]),
        (2, 2, [35, 30]),
        (2, 2, [35, 30]),
    ]


def scored(plate: int, number: int) -> WindowScored:
    grey = Quality(unmasked=100, judged=100, clipped=0, total=10_000.0, squares=1_100_000.0, lit=100, fine=6, coarse=12)
    result = WindowResult("run", plate, 0, (), truncated=False, quality=grey, threshold=1.0, seconds=0.1)
    return WindowScored(result, Place(plate, 1, 60, number))


def test_each_plate_is_judged_by_its_recipe_alone() -> None:
    mild = Recipe(name="mild", gates=Gates(integrity="warn"))
    strict = mild.model_copy(update={"gates": Gates(integrity="warn", brightness=Limits(least=200))})
    merger = Merger(mild, "run")
    merger.add_recipe(2, strict)
    decided: dict[int, PlateDecided] = {}
    for plate, number in ((1, FIRST), (2, 2)):
        place = Place(plate, 1, 60, number)
        wrong = merger.handle(scored(plate, 3 - number)) if merger.handle(PlateOpened(plate, place)) == [] else None
        assert wrong == [], "a result by another recipe is not taken, so its window is leased again"
        for event in (scored(plate, number), PlateClosed(plate, place, 60)):
            decided |= {o.result.plate: o for o in merger.handle(event) if isinstance(o, PlateDecided)}
        merger.validate()
    assert merger.counters.windows_other_recipe == 2
    assert [(one.recipe, one.result.verdict) for one in decided.values()] == [
        (FIRST, Verdict.OK),
        (2, Verdict.INCONCLUSIVE),
    ]
    merger.forget_recipe(2)
    merger.validate()
    assert merger.recipe_of(2) == strict, "a recipe stays as long as a plate of it is open"


def test_rows_ready_of_a_plate_are_of_the_bands_of_its_recipe() -> None:
    ledger = WindowLedger(Windows(size=650, stride=600), 4, LeaseSettings(), incarnation=1)
    ledger.add_recipe(2, Windows(size=65, stride=60), 4)
    ledger.handle(WorkerReady(0, 1, 1, 9), 0.0)
    place = Place(0, 1, 60, 2)
    told = [
        order
        for event in (SeenCommitted(1), PlateOpened(1, place), RowsReady(1, 0, 500))
        for order in ledger.handle(event, 0.0)
    ]
    assert [one.windows[0].index for one in told if isinstance(one, Lease)] == [0, 1, 2, 3, 4]
    assert ledger.handle(WindowsMerged(1, (0,)), 0.0) == []
