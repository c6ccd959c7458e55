"""The window ledger: what is leased to whom, under losses, doubles, deaths and restarts in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from config.schema import Lease as LeaseSettings
from config.schema import Windows
from models.detector.swaths import rows_seen, swath_of
from stages.events import (
    AcquisitionAt,
    Lease,
    Place,
    PlateClosed,
    PlateFinal,
    PlateOpened,
    RowsReady,
    SeenCommitted,
    WindowQuarantined,
    WindowsMerged,
    WorkerGone,
    WorkerReady,
)
from stages.lease_queue import LeaseQueue
from stages.leases import CONFIRM_S
from stages.plate import Cause, window_columns, window_rows
from stages.tile import (
    SUSPECT_DEATHS,
    Event,
    Instruction,
    MergerRestarted,
    ReleaseSlot,
    Tick,
    WindowLedger,
)

WINDOWS = Windows()
COLUMNS = 1200
MOST = 2
"""Windows of a swath: here a whole band."""
CREDITS = 2
"""Leases that a worker holds."""


def ledger() -> WindowLedger:
    return WindowLedger(WINDOWS, MOST, LeaseSettings(least_s=5.0, factor=10.0))


def tell(machine: WindowLedger, *events: Event, now: float = 0.0) -> list[Instruction]:
    told = []
    for event in events:
        told += machine.handle(event, now)
        machine.validate()
    return told


_NUMBERS = count(1)


def ready(worker: int, credits_: int, held: Sequence[int] = (), done: Sequence[int] = (), life: int = 1) -> WorkerReady:
    """What a worker says; each is later than those before it."""
    return WorkerReady(worker, life, next(_NUMBERS), credits_, tuple(held), tuple(done))


def leases(instructions: list[Instruction]) -> list[Lease]:
    return [instruction for instruction in instructions if isinstance(instruction, Lease)]


def indices(instructions: list[Instruction]) -> list[int]:
    return [window.index for lease in leases(instructions) for window in lease.windows]


def place(slot: int, columns: int = COLUMNS) -> Place:
    return Place(slot, 1, columns)


def closed(plate: int, rows: int, slot: int = 0, columns: int = COLUMNS) -> PlateClosed:
    return PlateClosed(plate, place(slot, columns), rows)


def opened(plate: int, slot: int | None = 0, columns: int = COLUMNS) -> PlateOpened:
    return PlateOpened(plate, None if slot is None else place(slot, columns))


def test_windows_go_out_as_soon_as_the_rows_they_see_are_there_and_the_rest_when_the_plate_ends() -> None:
    machine = ledger()
    tell(machine, ready(0, 100), SeenCommitted(1), opened(1))
    (_, first), (_, second) = rows_seen(0, 650), rows_seen(600, 650)
    assert indices(tell(machine, RowsReady(1, 0, first - 1))) == []
    assert indices(tell(machine, RowsReady(1, 0, first))) == [0, 1]
    assert indices(tell(machine, RowsReady(1, 0, second))) == [2, 3]
    last = tell(machine, closed(1, 1700))
    assert indices(last) == [4, 5]
    assert [(w.y, w.height) for lease in leases(last) for w in lease.windows] == [(1200, 500), (1200, 500)]


def test_rows_that_were_said_before_later_ones_cut_no_window_short() -> None:
    """A message may come after the slot's header was read, which was ahead of it."""
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), RowsReady(1, 0, 3000), RowsReady(1, 0, 700))
    first, second = leases(tell(machine, ready(0, CREDITS)))
    assert [(w.index, w.height) for w in first.windows + second.windows] == [(0, 650), (1, 650), (2, 650), (3, 650)]
    assert first.rows == second.rows == 3000
    ended = tell(machine, closed(1, 3100), RowsReady(1, 0, 2400), ready(1, CREDITS))
    assert [lease.rows for lease in leases(ended)] == [3100, 3100]


def test_nothing_is_leased_before_the_sighting_is_committed() -> None:
    machine = ledger()
    assert leases(tell(machine, ready(0, CREDITS), opened(1), closed(1, 600))) == []
    assert indices(tell(machine, SeenCommitted(1))) == [0, 1]


def test_the_oldest_plate_goes_first() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), SeenCommitted(2), opened(2, 1), closed(2, 600, 1), opened(1), closed(1, 600))
    assert [lease.plate for lease in leases(tell(machine, ready(0, CREDITS)))] == [1, 2]


def test_the_windows_of_a_worker_that_goes_away_go_to_another() -> None:
    machine = ledger()
    tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 1200))
    assert indices(tell(machine, ready(1, CREDITS))) == []
    again = tell(machine, WorkerGone(0, 1))
    assert indices(again) == [0, 1, 2, 3]
    assert leases(again)[0].worker == 1


def test_a_hung_workers_windows_are_offered_to_one_other_worker_once() -> None:
    machine = ledger()
    tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 1200))
    tell(machine, ready(1, CREDITS), ready(2, CREDITS))
    assert indices(tell(machine, Tick(), now=19.0)) == []
    assert indices(tell(machine, Tick(), now=21.0)) == [0, 1, 2, 3]
    assert indices(tell(machine, Tick(), now=30.0)) == []


def test_a_worker_that_is_late_gets_no_more_until_it_finishes_one() -> None:
    machine = ledger()
    (lease,) = leases(tell(machine, ready(0, 1), SeenCommitted(1), opened(1), closed(1, 3600)))
    assert leases(tell(machine, Tick(), ready(0, CREDITS, held=[lease.lease]), now=21.0)) == []
    (following,) = leases(tell(machine, ready(0, 1, done=[lease.lease]), now=22.0))
    assert [window.index for window in following.windows] == [2, 3]


def test_the_time_of_a_lease_runs_from_when_its_worker_is_done_with_the_one_before() -> None:
    machine = ledger()
    first, second = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 1200)))
    tell(machine, ready(0, 1, [second.lease], [first.lease]), WindowsMerged(1, (0, 1)), now=15.0)
    assert leases(tell(machine, ready(1, CREDITS), Tick(), now=21.0)) == []
    assert indices(tell(machine, Tick(), now=15.0 + 10.0 * 15.0)) == [2, 3]


WIDE = 3000
"""Columns of five windows across: swaths of one, two and two."""


def test_a_lease_is_a_swath_whose_windows_are_fixed_by_the_plates_grid() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1, columns=WIDE), closed(1, 1200, columns=WIDE))
    found = leases(tell(machine, ready(0, 100)))
    assert [[w.index for w in lease.windows] for lease in found] == [[0], [1, 2], [3, 4], [5], [6, 7], [8, 9]]


def test_of_a_swath_only_the_windows_that_are_not_merged_are_asked_for_again() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1, columns=WIDE), closed(1, 600, columns=WIDE), ready(0, 100))
    again = tell(machine, WindowsMerged(1, (1, 4)), WorkerGone(0, 1), ready(1, 100))
    assert [[w.index for w in lease.windows] for lease in leases(again)] == [[0], [2], [3]]


def test_a_result_that_got_lost_after_its_worker_was_done_is_asked_for_again() -> None:
    machine = ledger()
    lease = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600)))[0]
    tell(machine, ready(0, CREDITS, done=[lease.lease]), WindowsMerged(1, (0,)), now=1.0)
    assert indices(tell(machine, Tick(), now=25.0)) == [1]


def test_a_restarted_merger_is_told_everything_and_gets_all_windows_that_are_not_final_again() -> None:
    machine = ledger()
    lease = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600)))[0]
    tell(machine, WindowsMerged(1, (0, 1)), ready(0, CREDITS, done=[lease.lease]))
    told = tell(machine, MergerRestarted())
    assert told[:2] == [opened(1), closed(1, 600)]
    assert indices(told) == [0, 1]
    assert tell(machine, PlateFinal(1), MergerRestarted()) == [ReleaseSlot(1, place(0))]


def test_what_a_restarted_merger_may_have_missed_is_leased_again_at_once() -> None:
    machine = ledger()
    lease = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600)))[0]
    tell(machine, ready(0, CREDITS, done=[lease.lease]))
    assert indices(tell(machine, MergerRestarted())) == [0, 1]


def test_a_swath_on_which_two_workers_died_is_tried_once_more_and_given_up_whole_after_the_third() -> None:
    """They died while the network saw all of it: no window of it is to blame more than another."""
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 1200))
    swath = ((1, 0), (1, 1))
    for life in range(1, 1 + SUSPECT_DEATHS):
        assert indices(tell(machine, ready(0, 1, life=life))) == [0, 1]
        assert tell(machine, WorkerGone(0, life, swath)) == []
    life = SUSPECT_DEATHS + 1
    assert indices(tell(machine, ready(0, 1, life=life))) == [0, 1]
    assert tell(machine, WorkerGone(0, life, swath)) == [WindowQuarantined(1, 0), WindowQuarantined(1, 1)]
    assert indices(tell(machine, ready(0, 1, life=life + 1))) == [2, 3]


def test_a_window_on_which_two_workers_died_is_leased_alone_and_after_the_third_quarantined() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 600))
    for life in range(1, 1 + SUSPECT_DEATHS):
        assert indices(tell(machine, ready(0, CREDITS, life=life))) == [0, 1]
        assert tell(machine, WorkerGone(0, life, ((1, 1),))) == []
    life = SUSPECT_DEATHS + 1
    apart = leases(tell(machine, ready(0, CREDITS, life=life)))
    assert [[w.index for w in lease.windows] for lease in apart] == [[0], [1]]
    assert tell(machine, WorkerGone(0, life, ((1, 1),))) == [WindowQuarantined(1, 1)]
    assert indices(tell(machine, ready(0, CREDITS, life=life + 1))) == [0]


def test_a_restarted_merger_is_told_which_windows_were_given_up() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 600))
    for life in range(1, SUSPECT_DEATHS + 2):
        tell(machine, ready(0, CREDITS, life=life), WorkerGone(0, life, ((1, 1),)))
    assert tell(machine, MergerRestarted()) == [opened(1), WindowQuarantined(1, 1), closed(1, 600)]


def test_windows_that_the_dead_worker_did_not_have_are_not_blamed() -> None:
    """A new tile process is told of a death that the one before it should have heard of."""
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 600))
    for life in range(1, SUSPECT_DEATHS + 2):
        assert tell(machine, WorkerGone(0, life, ((1, 0), (1, 1)))) == []
    assert [len(lease.windows) for lease in leases(tell(machine, ready(0, CREDITS, life=9)))] == [2]


def test_a_death_on_a_plate_that_is_final_is_not_kept() -> None:
    machine = ledger()
    blamed = ((1, 0), (1, 1))
    tell(machine, SeenCommitted(1), opened(1), closed(1, 600), ready(0, CREDITS), WorkerGone(0, 1, blamed))
    tell(machine, ready(0, CREDITS, life=2), PlateFinal(1))
    assert tell(machine, WorkerGone(0, 2, blamed)) == []


def test_a_window_whose_last_lease_is_lost_after_the_third_death_is_quarantined_when_its_time_is_over() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), PlateClosed(1, Place(0, 1, 600), 600))
    blamed = ((1, 0), (1, 1))
    for life in range(1, 1 + SUSPECT_DEATHS):
        tell(machine, ready(0, CREDITS, life=life), WorkerGone(0, life, blamed))
    tell(machine, ready(0, 1, life=3))
    other = leases(tell(machine, ready(1, CREDITS), Tick(), now=21.0))
    assert [(lease.worker, len(lease.windows)) for lease in other][-1] == (1, 2)
    window = other[-1].windows[0].index
    assert tell(machine, WorkerGone(0, 3, blamed), now=21.0) == []
    tell(machine, ready(1, CREDITS, done=[other[-1].lease]), now=22.0)
    assert WindowQuarantined(1, window) in tell(machine, Tick(), now=100.0)


def test_the_first_process_of_a_worker_follows_none_and_that_is_no_fault() -> None:
    machine = ledger()
    assert tell(machine, WorkerGone(0, 0), ready(0, CREDITS)) == []


def test_a_window_that_two_workers_still_have_goes_to_no_third_when_the_merger_restarts() -> None:
    machine = ledger()
    tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600), ready(1, CREDITS))
    assert indices(tell(machine, Tick(), now=21.0)) == [0, 1]
    tell(machine, WindowsMerged(1, (0, 1)), ready(2, CREDITS), now=21.0)
    assert indices(tell(machine, MergerRestarted(), now=21.0)) == []
    assert indices(tell(machine, WorkerGone(0, 1), now=21.0)) == [0, 1]


def test_a_window_offered_again_is_offered_once_when_the_merger_restarts_meanwhile() -> None:
    machine = ledger()
    tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600))
    tell(machine, Tick(), WindowsMerged(1, (0, 1)), MergerRestarted(), now=21.0)
    assert indices(tell(machine, WorkerGone(0, 1), ready(1, CREDITS), now=21.0)) == [0, 1]


def test_a_death_by_the_supervisors_hand_blames_no_window() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 600))
    for life in range(1, 6):
        assert indices(tell(machine, ready(0, CREDITS, life=life))) == [0, 1]
        assert tell(machine, WorkerGone(0, life)) == []


def test_a_lease_that_a_lone_worker_does_not_hold_is_given_to_it_again() -> None:
    machine = ledger()
    (first,) = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600)))
    assert leases(tell(machine, ready(0, CREDITS), now=CONFIRM_S / 2)) == []
    (again,) = leases(tell(machine, ready(0, CREDITS), now=CONFIRM_S))
    assert again.windows == first.windows
    assert again.lease > first.lease


def test_a_lease_that_a_worker_held_and_holds_no_more_is_given_again_at_once() -> None:
    machine = ledger()
    (first,) = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600)))
    tell(machine, ready(0, CREDITS, held=[first.lease]), now=0.1)
    (again,) = leases(tell(machine, ready(0, CREDITS), now=0.2))
    assert again.windows == first.windows


def test_a_worker_that_holds_nothing_is_not_stuck_however_late_it_was() -> None:
    machine = ledger()
    tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600))
    assert leases(tell(machine, Tick(), now=100.0)) == []
    assert indices(tell(machine, ready(0, CREDITS), now=100.1)) == [0, 1]


def test_what_a_worker_holds_without_having_been_given_it_takes_room() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 3600))
    assert len(leases(tell(machine, ready(0, CREDITS, held=[77])))) == 1


def test_what_a_worker_said_before_it_said_more_changes_nothing() -> None:
    machine = ledger()
    early = ready(0, CREDITS)
    (lease,) = leases(tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600)))
    tell(machine, ready(0, CREDITS, done=[lease.lease]), now=2.0)
    assert tell(machine, early, now=3.0) == []
    assert tell(machine, WindowsMerged(1, (0, 1)), Tick(), now=99.0) == []


def test_a_worker_that_is_no_more_is_given_nothing_and_its_late_end_does_not_touch_its_successor() -> None:
    machine = ledger()
    tell(machine, ready(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 600))
    (lease,) = leases(tell(machine, WorkerGone(0, 1), ready(0, CREDITS), ready(0, CREDITS, life=2)))
    assert tell(machine, WorkerGone(0, 1), WorkerGone(0, 1), now=0.5) == []
    assert tell(machine, ready(0, CREDITS, done=[lease.lease], life=2), WindowsMerged(1, (0, 1)), now=1.0) == []


def test_a_death_is_blamed_though_the_successor_was_heard_first_and_once_though_it_is_said_twice() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 600))
    blamed = ((1, 0), (1, 1))
    for life in range(1, SUSPECT_DEATHS + 2):
        tell(machine, ready(0, CREDITS, life=life))
        told = tell(machine, ready(0, CREDITS, life=life + 1), WorkerGone(0, life, blamed), WorkerGone(0, life, blamed))
        assert not [one for one in told if isinstance(one, WindowQuarantined)]
    told = tell(machine, ready(0, CREDITS, life=9))
    assert {one.window for one in told if isinstance(one, WindowQuarantined)} == {0, 1}


def test_a_worker_that_joins_for_the_first_time_has_no_predecessor_to_lose() -> None:
    assert tell(ledger(), WorkerGone(0, 0), ready(0, CREDITS)) == []


def test_the_leases_of_a_tile_stage_that_is_started_anew_are_later_than_those_before() -> None:
    former, machine = ledger(), WindowLedger(WINDOWS, MOST, LeaseSettings(), incarnation=2)
    plate = (SeenCommitted(1), opened(1), closed(1, 600))
    (old,) = leases(tell(former, ready(0, CREDITS), *plate))
    (lease,) = leases(tell(machine, *plate, ready(0, CREDITS, done=[old.lease])))
    assert lease.lease > old.lease


def test_a_plate_that_acquisition_passed_by_ends_without_rows() -> None:
    machine = ledger()
    assert tell(machine, SeenCommitted(1), SeenCommitted(2), opened(2)) == [opened(2)]
    ended = tell(machine, AcquisitionAt(2))
    assert ended == [PlateClosed(1, None, 0, (Cause.NO_ROWS,))]


def test_a_plate_that_acquisition_has_yet_to_reach_is_waited_for() -> None:
    machine = ledger()
    assert tell(machine, AcquisitionAt(2), SeenCommitted(2)) == []
    assert tell(machine, opened(2)) == [opened(2)]


def test_a_plate_without_a_slot_whose_acquisition_died_ends() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1, None))
    assert tell(machine, AcquisitionAt(2)) == [PlateClosed(1, None, 0, (Cause.ACQUISITION_DIED,))]


def test_a_slot_opened_for_a_plate_that_is_final_already_is_let_go() -> None:
    machine = ledger()
    assert tell(machine, PlateFinal(1)) == []
    assert tell(machine, opened(1)) == [ReleaseSlot(1, place(0))]
    assert tell(machine, SeenCommitted(1), closed(1, 600), MergerRestarted()) == []


# --- any order of events ---------------------------------------------------------------------------------------


@dataclass
class Worker:
    """A worker as it is, with what is on its way to it and from it."""

    queue: LeaseQueue
    to_it: list[Lease] = field(default_factory=list)
    from_it: list[WorkerReady] = field(default_factory=list)


Sent = TypeVar("Sent")
NAMES = st.sampled_from([0, 1, 2])
PLACES = st.integers(0, 7)


def picked(way: list[Sent], where: int, *, stays: bool = False) -> Sent:
    """One of those that are on their way; it comes again later where it stays."""
    return way[where % len(way)] if stays else way.pop(where % len(way))


class Line(RuleBasedStateMachine):
    """The ledger among workers that die and hang, a merger that restarts, and messages that are lost, come twice, late
    or in another order."""

    @initialize(
        workers=st.integers(1, 3),
        poison=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=2),
        in_pass=st.booleans(),
    )
    def begin(self, workers: int, poison: set[tuple[int, int]], in_pass: bool) -> None:
        """Poison kills a worker while it looks at the whole swath, or at that window alone."""
        self.ledger = ledger()
        self.now = 0.0
        self.poison, self.in_pass = poison, in_pass
        self.lives = dict.fromkeys(range(workers), 0)
        self.workers: dict[int, Worker] = {}
        self.scored: list[tuple[int, tuple[int, ...]]] = []
        self.rows: dict[int, int] = {}
        self.ended: dict[int, int] = {}
        self.merged: dict[int, set[int]] = {}
        self.quarantined: dict[int, set[int]] = {}
        self.final: set[int] = set()
        self.let_go: Counter[int] = Counter()
        self.deaths: Counter[tuple[int, int]] = Counter()
        for name in self.lives:
            self.start_worker(name)

    def start_worker(self, name: int) -> None:
        self.lives[name] += 1
        self.workers[name] = Worker(LeaseQueue(name, self.lives[name], CREDITS))
        self.workers[name].from_it.append(self.workers[name].queue.ready())

    def tell(self, event: Event) -> None:
        for instruction in self.ledger.handle(event, self.now):
            match instruction:
                case Lease():
                    self.lease(instruction)
                case WindowQuarantined(plate, window):
                    assert self.deaths[plate, window] > SUSPECT_DEATHS
                    self.quarantined.setdefault(plate, set()).add(window)
                case ReleaseSlot(plate, at):
                    assert plate in self.final
                    assert at == place(plate, WIDE)
                    self.let_go[plate] += 1

    def lease(self, lease: Lease) -> None:
        assert lease.plate not in self.final
        assert 0 < len(lease.windows) <= MOST
        for window in lease.windows:
            assert window.y + window.height <= self.rows[lease.plate]
        across = window_columns(WIDE, WINDOWS)
        assert len({(one.row, swath_of(one.index % across, across, MOST)) for one in lease.windows}) == 1
        self.workers[lease.worker].to_it.append(lease)

    @rule(plate=st.integers(1, 4), rows=st.integers(1, 2400))
    def acquire(self, plate: int, rows: int) -> None:
        """Rows of the plate come; acquisition says so again after its restart."""
        if plate in self.ended:
            self.tell(closed(plate, self.ended[plate], plate, WIDE))
            return
        self.rows[plate] = max(rows, self.rows.get(plate, 0))
        self.tell(opened(plate, plate, WIDE))
        self.tell(RowsReady(plate, plate, self.rows[plate]))

    @rule(plate=st.integers(1, 4))
    def end(self, plate: int) -> None:
        if plate in self.rows:
            self.ended[plate] = self.rows[plate]
            self.tell(closed(plate, self.ended[plate], plate, WIDE))

    @rule(plate=st.integers(1, 4))
    def see(self, plate: int) -> None:
        self.tell(SeenCommitted(plate))

    @rule(name=NAMES)
    def work(self, name: int) -> None:
        """A worker does its next lease."""
        worker = self.workers.get(name)
        if worker is None or not worker.queue:
            return
        lease = worker.queue.held[0]
        windows = tuple(window.index for window in lease.windows)
        if deadly := [window for window in windows if (lease.plate, window) in self.poison]:
            self.end_process(name, windows if self.in_pass else deadly[:1])
            return
        worker.queue.finish()
        worker.queue.validate()
        self.scored.append((lease.plate, windows))
        worker.from_it.append(worker.queue.ready())

    @rule(name=NAMES)
    def join(self, name: int) -> None:
        """The process of a worker is heard by its connection."""
        if name in self.lives:
            self.tell(WorkerGone(name, self.lives[name] - 1))

    @rule(name=NAMES)
    def say(self, name: int) -> None:
        """A worker says how it is."""
        if name in self.workers:
            self.workers[name].from_it.append(self.workers[name].queue.ready())

    @rule(name=NAMES, where=PLACES, stays=st.booleans())
    def give(self, name: int, where: int, stays: bool) -> None:
        """One of the leases on their way arrives, and may come once more."""
        worker = self.workers.get(name)
        if worker is not None and worker.to_it:
            worker.queue.take(picked(worker.to_it, where, stays=stays))
            worker.queue.validate()

    @rule(name=NAMES, where=PLACES, stays=st.booleans())
    def hear(self, name: int, where: int, stays: bool) -> None:
        """One of the things that a worker has said arrives, and may come once more."""
        worker = self.workers.get(name)
        if worker is not None and worker.from_it:
            self.tell(picked(worker.from_it, where, stays=stays))

    @rule(where=PLACES, stays=st.booleans())
    def merge(self, where: int, stays: bool) -> None:
        """Some results arrive at the merger, and may come once more."""
        if self.scored:
            plate, windows = picked(self.scored, where, stays=stays)
            if plate not in self.final:
                self.merged.setdefault(plate, set()).update(windows)
                self.tell(WindowsMerged(plate, windows))

    @rule(name=NAMES, where=PLACES, what=st.sampled_from(["lease", "ready", "results"]))
    def lose(self, name: int, where: int, what: str) -> None:
        """Something on its way never arrives."""
        worker = self.workers.get(name)
        if what == "results" and self.scored:
            picked(self.scored, where)
        elif worker is not None:
            way: list[Lease] | list[WorkerReady] = worker.to_it if what == "lease" else worker.from_it
            if way:
                way.pop(where % len(way))

    @rule(name=NAMES, blamed=st.booleans(), heard_first=st.booleans())
    def die(self, name: int, blamed: bool, heard_first: bool) -> None:
        """A worker's process ends, by itself or by the supervisor's hand, and another takes its place.

        Its successor may be heard before the supervisor; what it has said itself may come later still.
        """
        worker = self.workers.get(name)
        if worker is not None:
            on = [window.index for window in worker.queue.held[0].windows] if blamed and worker.queue else []
            self.end_process(name, on, heard_first=heard_first)

    def end_process(self, name: int, on: Sequence[int], *, heard_first: bool = False) -> None:
        """The process ends while its board names these windows of its lease."""
        worker = self.workers[name]
        plate = worker.queue.held[0].plate if on else 0
        board = tuple((plate, window) for window in on)
        if plate not in self.final:
            self.deaths.update(board)
        gone, late = WorkerGone(name, self.lives[name], board), worker.from_it
        self.start_worker(name)
        if heard_first:
            self.tell(self.workers[name].from_it.pop())
        self.tell(gone)
        self.workers[name].from_it += late

    @rule(seconds=st.sampled_from([0.1, 3.0, 25.0, 120.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick())

    @rule()
    def restart_merger(self) -> None:
        self.merged = {plate: windows for plate, windows in self.merged.items() if plate in self.final}
        self.quarantined = {plate: windows for plate, windows in self.quarantined.items() if plate in self.final}
        self.tell(MergerRestarted())

    @rule(plate=st.integers(1, 4))
    def decide(self, plate: int) -> None:
        """The merger has everything of the plate, and its verdict is committed."""
        if plate in self.ended and plate not in self.final and self.complete(plate):
            self.final.add(plate)
            self.tell(PlateFinal(plate))

    def complete(self, plate: int) -> bool:
        every = set(range(window_rows(self.ended[plate], WINDOWS) * window_columns(WIDE, WINDOWS)))
        return every <= self.merged.get(plate, set()) | self.quarantined.get(plate, set())

    @invariant()
    def the_ledger_contradicts_itself_nowhere(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.validate()

    def teardown(self) -> None:
        """Once nothing more goes wrong, every plate that has ended becomes final, and lets go of its slot once."""
        if not hasattr(self, "ledger"):
            return
        for plate in self.ended:
            self.tell(SeenCommitted(plate))
        for worker in self.workers.values():
            worker.to_it.clear()
        self.scored.clear()
        for _ in range(240):
            for name in self.workers:
                self.say(name)
                while self.workers[name].from_it:
                    self.hear(name, 0, stays=False)
                while self.workers[name].to_it:
                    self.give(name, 0, stays=False)
                self.work(name)
            while self.scored:
                self.merge(0, stays=False)
            self.wait(1.5)
            for plate in self.ended:
                self.decide(plate)
            if self.final.issuperset(self.ended):
                break
        assert set(self.ended) == self.final
        assert self.let_go == Counter(dict.fromkeys(self.final, 1))
        assert self.ledger.open_plates == tuple(sorted(set(self.ledger.open_plates) - self.final))


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
