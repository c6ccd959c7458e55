"""The window ledger: what is leased to whom, under losses, doubles, deaths and restarts in any order."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from config.schema import Lease as LeaseSettings
from config.schema import Windows
from models.detector.halo import HALO
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
from stages.plate import Cause, window_columns, window_rows
from stages.plate_windows import MOST_LEASES_OF_A_WINDOW
from stages.tile import (
    SUSPECT_DEATHS,
    Event,
    Instruction,
    MergerRestarted,
    ReleaseSlot,
    Tick,
    WindowLedger,
)

WINDOWS = Windows(size=65, stride=60)
COLUMNS = 120
ACROSS = 2
BATCH = 4
CREDITS = 2 * BATCH


def ledger() -> WindowLedger:
    return WindowLedger(WINDOWS, BATCH, LeaseSettings(least_s=5.0, factor=10.0))


def tell(machine: WindowLedger, *events: Event, now: float = 0.0) -> list[Instruction]:
    told = []
    for event in events:
        told += machine.handle(event, now)
        machine.validate()
    return told


def leases(instructions: list[Instruction]) -> list[Lease]:
    return [instruction for instruction in instructions if isinstance(instruction, Lease)]


def indices(instructions: list[Instruction]) -> list[int]:
    return [window.index for lease in leases(instructions) for window in lease.windows]


def place(slot: int) -> Place:
    return Place(slot, 1, COLUMNS)


def closed(plate: int, rows: int, slot: int = 0) -> PlateClosed:
    return PlateClosed(plate, place(slot), rows)


def opened(plate: int, slot: int | None = 0) -> PlateOpened:
    return PlateOpened(plate, None if slot is None else place(slot))


def test_windows_go_out_as_soon_as_the_rows_they_see_are_there_and_the_rest_when_the_plate_ends() -> None:
    machine = ledger()
    tell(machine, WorkerReady(0, 100), SeenCommitted(1), opened(1))
    assert indices(tell(machine, RowsReady(1, 0, 65 + HALO - 1))) == []
    assert indices(tell(machine, RowsReady(1, 0, 65 + HALO))) == [0, 1]
    assert indices(tell(machine, RowsReady(1, 0, 125 + HALO))) == [2, 3]
    last = tell(machine, closed(1, 170))
    assert indices(last) == [4, 5]
    assert [(w.y, w.height) for lease in leases(last) for w in lease.windows] == [(120, 50), (120, 50)]


def test_rows_that_were_said_before_later_ones_cut_no_window_short() -> None:
    """A message may come after the slot's header was read, which was ahead of it."""
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), RowsReady(1, 0, 300), RowsReady(1, 0, 70))
    (lease,) = leases(tell(machine, WorkerReady(0, BATCH)))
    assert [(w.index, w.height) for w in lease.windows] == [(0, 65), (1, 65), (2, 65), (3, 65)]
    assert lease.rows == 300
    ended = tell(machine, closed(1, 310), RowsReady(1, 0, 240), WorkerReady(1, BATCH))
    assert all(lease.rows == 310 for lease in leases(ended))


def test_nothing_is_leased_before_the_sighting_is_committed() -> None:
    machine = ledger()
    assert leases(tell(machine, WorkerReady(0, 8), opened(1), closed(1, 60))) == []
    assert indices(tell(machine, SeenCommitted(1))) == [0, 1]


def test_the_oldest_plate_goes_first() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), SeenCommitted(2), opened(2, 1), closed(2, 60, 1), opened(1), closed(1, 60))
    assert [lease.plate for lease in leases(tell(machine, WorkerReady(0, 8)))] == [1, 2]


def test_the_windows_of_a_worker_that_goes_away_go_to_another() -> None:
    machine = ledger()
    tell(machine, WorkerReady(0, 4), SeenCommitted(1), opened(1), closed(1, 120))
    assert indices(tell(machine, WorkerReady(1, 4))) == []
    again = tell(machine, WorkerGone(0))
    assert indices(again) == [0, 1, 2, 3]
    assert leases(again)[0].worker == 1


def test_a_hung_workers_windows_are_offered_to_one_other_worker_once() -> None:
    machine = ledger()
    tell(machine, WorkerReady(0, 4), SeenCommitted(1), opened(1), closed(1, 120))
    tell(machine, WorkerReady(1, 4), WorkerReady(2, 4))
    assert indices(tell(machine, Tick(), now=19.0)) == []
    assert indices(tell(machine, Tick(), now=21.0)) == [0, 1, 2, 3]
    assert indices(tell(machine, Tick(), now=30.0)) == []


def test_a_worker_that_is_late_gets_no_more_until_it_finishes_one() -> None:
    machine = ledger()
    (lease,) = leases(tell(machine, WorkerReady(0, BATCH), SeenCommitted(1), opened(1), closed(1, 360)))
    assert leases(tell(machine, Tick(), WorkerReady(0, CREDITS), now=21.0)) == []
    (following,) = leases(tell(machine, WorkerReady(0, BATCH, finished=lease.lease), now=22.0))
    assert [window.index for window in following.windows] == [4, 5, 6, 7]


def test_the_time_of_a_lease_runs_from_when_its_worker_is_done_with_the_one_before() -> None:
    machine = ledger()
    first, _ = leases(tell(machine, WorkerReady(0, CREDITS), SeenCommitted(1), opened(1), closed(1, 240)))
    tell(machine, WorkerReady(0, BATCH, finished=first.lease), WindowsMerged(1, (0, 1, 2, 3)), now=15.0)
    assert leases(tell(machine, WorkerReady(1, CREDITS), Tick(), now=21.0)) == []
    assert indices(tell(machine, Tick(), now=15.0 + 10.0 * 15.0)) == [4, 5, 6, 7]


def test_a_part_of_a_batch_takes_the_room_of_a_whole_one_so_that_the_next_batches_are_full() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), RowsReady(1, 0, 65 + HALO))
    first = leases(tell(machine, WorkerReady(0, CREDITS)))
    assert [len(lease.windows) for lease in first] == [2]
    more = leases(tell(machine, RowsReady(1, 0, 600)))
    assert [len(lease.windows) for lease in more] == [BATCH]


def test_a_result_that_got_lost_after_its_worker_was_done_is_asked_for_again() -> None:
    machine = ledger()
    lease = leases(tell(machine, WorkerReady(0, 4), SeenCommitted(1), opened(1), closed(1, 60)))[0]
    tell(machine, WorkerReady(0, 4, finished=lease.lease), WindowsMerged(1, (0,)), now=1.0)
    assert indices(tell(machine, Tick(), now=25.0)) == [1]


def test_a_restarted_merger_is_told_everything_and_gets_all_windows_that_are_not_final_again() -> None:
    machine = ledger()
    lease = leases(tell(machine, WorkerReady(0, 8), SeenCommitted(1), opened(1), closed(1, 60)))[0]
    tell(machine, WindowsMerged(1, (0, 1)), WorkerReady(0, 8, finished=lease.lease))
    told = tell(machine, MergerRestarted())
    assert told[:2] == [opened(1), closed(1, 60)]
    assert indices(told) == [0, 1]
    assert tell(machine, PlateFinal(1), MergerRestarted()) == [ReleaseSlot(1, place(0))]


def test_what_a_restarted_merger_may_have_missed_is_leased_again_at_once() -> None:
    machine = ledger()
    lease = leases(tell(machine, WorkerReady(0, 8), SeenCommitted(1), opened(1), closed(1, 60)))[0]
    tell(machine, WorkerReady(0, 8, finished=lease.lease))
    assert indices(tell(machine, MergerRestarted())) == [0, 1]


def test_a_window_on_which_two_workers_died_is_leased_alone_and_after_the_third_quarantined() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 120))
    batch = tuple((1, window) for window in range(4))
    for _ in range(SUSPECT_DEATHS):
        assert indices(tell(machine, WorkerReady(0, 4))) == [0, 1, 2, 3]
        assert tell(machine, WorkerGone(0, batch)) == []
    alone = tell(machine, WorkerReady(0, 4 * BATCH))
    assert [[w.index for w in lease.windows] for lease in leases(alone)] == [[0], [1], [2], [3]]
    assert tell(machine, WorkerGone(0, ((1, 0),))) == [WindowQuarantined(1, 0)]
    assert indices(tell(machine, WorkerReady(0, 4 * BATCH))) == [1, 2, 3]


def test_a_restarted_merger_is_told_which_windows_were_given_up() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 60))
    for _ in range(SUSPECT_DEATHS + 1):
        tell(machine, WorkerReady(0, CREDITS), WorkerGone(0, ((1, 1),)))
    assert tell(machine, MergerRestarted()) == [opened(1), WindowQuarantined(1, 1), closed(1, 60)]


def test_windows_that_the_dead_worker_did_not_have_are_not_blamed() -> None:
    """A new tile process is told of a death that the one before it should have heard of."""
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 60))
    for _ in range(SUSPECT_DEATHS + 1):
        assert tell(machine, WorkerGone(0, ((1, 0), (1, 1)))) == []
    assert [len(lease.windows) for lease in leases(tell(machine, WorkerReady(0, CREDITS)))] == [2]


def test_a_death_on_a_plate_that_is_final_is_not_kept() -> None:
    machine = ledger()
    blamed = ((1, 0), (1, 1))
    tell(machine, SeenCommitted(1), opened(1), closed(1, 60), WorkerReady(0, CREDITS), WorkerGone(0, blamed))
    tell(machine, WorkerReady(0, CREDITS), PlateFinal(1))
    assert tell(machine, WorkerGone(0, blamed)) == []


def test_a_window_whose_last_lease_is_lost_after_the_third_death_is_quarantined_when_its_time_is_over() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), PlateClosed(1, Place(0, 1, 60), 60))
    blamed = ((1, 0), (1, 1))
    for _ in range(SUSPECT_DEATHS):
        tell(machine, WorkerReady(0, 4), WorkerGone(0, blamed))
    tell(machine, WorkerReady(0, BATCH))
    other = leases(tell(machine, WorkerReady(1, CREDITS), Tick(), now=21.0))
    assert [(lease.worker, len(lease.windows)) for lease in other][-1] == (1, 1)
    window = other[-1].windows[0].index
    assert tell(machine, WorkerGone(0, blamed), now=21.0) == []
    tell(machine, WorkerReady(1, CREDITS, finished=other[-1].lease), now=22.0)
    assert WindowQuarantined(1, window) in tell(machine, Tick(), now=100.0)


def test_a_window_that_two_workers_still_have_goes_to_no_third_when_the_merger_restarts() -> None:
    machine = ledger()
    tell(machine, WorkerReady(0, 4), SeenCommitted(1), opened(1), closed(1, 60), WorkerReady(1, 4))
    assert indices(tell(machine, Tick(), now=21.0)) == [0, 1]
    tell(machine, WindowsMerged(1, (0, 1)), WorkerReady(2, 4), now=21.0)
    assert indices(tell(machine, MergerRestarted(), now=21.0)) == []
    assert indices(tell(machine, WorkerGone(0), now=21.0)) == [0, 1]


def test_a_window_offered_again_is_offered_once_when_the_merger_restarts_meanwhile() -> None:
    machine = ledger()
    tell(machine, WorkerReady(0, 4), SeenCommitted(1), opened(1), closed(1, 60))
    tell(machine, Tick(), WindowsMerged(1, (0, 1)), MergerRestarted(), now=21.0)
    assert indices(tell(machine, WorkerGone(0), WorkerReady(1, 8), now=21.0)) == [0, 1]


def test_a_death_by_the_supervisors_hand_blames_no_window() -> None:
    machine = ledger()
    tell(machine, SeenCommitted(1), opened(1), closed(1, 60))
    for _ in range(5):
        assert indices(tell(machine, WorkerReady(0, 4))) == [0, 1]
        assert tell(machine, WorkerGone(0)) == []


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
    assert tell(machine, SeenCommitted(1), closed(1, 60), MergerRestarted()) == []


# --- any order of events ---------------------------------------------------------------------------------------


@dataclass
class Worker:
    """A worker as it is: what it holds, and what it has said that is not heard yet."""

    alive: bool = True
    queue: deque[Lease] = field(default_factory=deque)
    said: deque[WorkerReady] = field(default_factory=deque)
    finished: int | None = None


class Line(RuleBasedStateMachine):
    """The ledger among workers that die and hang, a merger that restarts, and messages that come late or not."""

    @initialize(workers=st.integers(1, 3), poison=st.sets(st.tuples(st.integers(1, 4), st.integers(0, 7)), max_size=2))
    def begin(self, workers: int, poison: set[tuple[int, int]]) -> None:
        self.ledger = ledger()
        self.now = 0.0
        self.poison = poison
        self.workers = {index: Worker() for index in range(workers)}
        self.rows: dict[int, int] = {}
        self.ended: dict[int, int] = {}
        self.merged: dict[int, set[int]] = {}
        self.quarantined: dict[int, set[int]] = {}
        self.final: set[int] = set()
        self.let_go: Counter[int] = Counter()
        self.deaths: Counter[tuple[int, int]] = Counter()
        for worker in self.workers.values():
            worker.said.append(WorkerReady(0, CREDITS))

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
                    assert at.slot == plate
                    self.let_go[plate] += 1

    def lease(self, lease: Lease) -> None:
        worker = self.workers[lease.worker]
        assert worker.alive
        assert lease.plate not in self.final
        assert 0 < len(lease.windows) <= BATCH
        if any(self.deaths[lease.plate, window.index] >= SUSPECT_DEATHS for window in lease.windows):
            assert len(lease.windows) == 1
        for window in lease.windows:
            assert not any(window in held.windows and held.plate == lease.plate for held in worker.queue)
            assert window.y + window.height <= self.rows[lease.plate]
        worker.queue.append(lease)
        assert sum(len(held.windows) for held in worker.queue) <= CREDITS

    @rule(plate=st.integers(1, 4), rows=st.integers(1, 240))
    def acquire(self, plate: int, rows: int) -> None:
        """Rows of the plate come; acquisition says so again after its restart."""
        if plate in self.ended:
            self.tell(closed(plate, self.ended[plate], plate))
            return
        self.rows[plate] = max(rows, self.rows.get(plate, 0))
        self.tell(opened(plate, plate))
        self.tell(RowsReady(plate, plate, self.rows[plate]))

    @rule(plate=st.integers(1, 4))
    def end(self, plate: int) -> None:
        if plate in self.rows:
            self.ended[plate] = self.rows[plate]
            self.tell(closed(plate, self.ended[plate], plate))

    @rule(plate=st.integers(1, 4))
    def see(self, plate: int) -> None:
        self.tell(SeenCommitted(plate))

    @rule(name=st.sampled_from([0, 1, 2]), lost=st.booleans(), twice=st.booleans())
    def work(self, name: int, lost: bool, twice: bool) -> None:
        """A worker does its next lease; the results may be lost, or come twice."""
        worker = self.workers.get(name)
        if worker is None or not worker.queue:
            return
        lease = worker.queue[0]
        if any((lease.plate, window.index) in self.poison for window in lease.windows):
            self.die(name, blamed=True)
            return
        worker.queue.popleft()
        worker.finished = lease.lease
        worker.said.append(WorkerReady(name, CREDITS, worker.finished))
        if lost or lease.plate in self.final:
            return
        for _ in range(1 + twice):
            self.merge(lease)

    def merge(self, lease: Lease) -> None:
        windows = {window.index for window in lease.windows}
        self.merged.setdefault(lease.plate, set()).update(windows)
        self.tell(WindowsMerged(lease.plate, tuple(windows)))

    @rule(name=st.sampled_from([0, 1, 2]))
    def hear(self, name: int) -> None:
        """What a worker has said arrives, in its order."""
        worker = self.workers.get(name)
        if worker is not None and worker.said:
            said = worker.said.popleft()
            self.tell(WorkerReady(name, said.credits, said.finished))

    @rule(name=st.sampled_from([0, 1, 2]), blamed=st.booleans())
    def die(self, name: int, blamed: bool) -> None:
        """A worker's process ends, by itself or by the supervisor's hand, and another takes its place."""
        worker = self.workers.get(name)
        if worker is None:
            return
        board: tuple[tuple[int, int], ...] = ()
        if blamed and worker.queue:
            lease = worker.queue[0]
            board = tuple((lease.plate, window.index) for window in lease.windows)
            if lease.plate not in self.final:
                self.deaths.update(board)
        self.workers[name] = Worker(said=deque([WorkerReady(name, CREDITS)]))
        self.workers[name].alive = False
        self.tell(WorkerGone(name, board))
        self.workers[name].alive = True

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
        every = set(range(window_rows(self.ended[plate], WINDOWS) * window_columns(COLUMNS, WINDOWS)))
        return every <= self.merged.get(plate, set()) | self.quarantined.get(plate, set())

    @invariant()
    def the_ledger_contradicts_itself_nowhere(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.validate()

    @invariant()
    def no_window_is_with_more_than_two_workers(self) -> None:
        if not hasattr(self, "ledger"):
            return
        held: Counter[tuple[int, int]] = Counter()
        for worker in self.workers.values():
            held.update((lease.plate, window.index) for lease in worker.queue for window in lease.windows)
        assert max(held.values(), default=0) <= MOST_LEASES_OF_A_WINDOW

    def teardown(self) -> None:
        """Once nothing more goes wrong, every plate that has ended becomes final, and lets go of its slot once."""
        if not hasattr(self, "ledger"):
            return
        for plate in self.ended:
            self.tell(SeenCommitted(plate))
        for _ in range(120):
            for name in self.workers:
                self.hear(name)
                self.work(name, lost=False, twice=False)
            self.wait(3.0)
            for plate in self.ended:
                self.decide(plate)
            if self.final.issuperset(self.ended):
                break
        assert set(self.ended) == self.final
        assert self.let_go == Counter(dict.fromkeys(self.final, 1))
        assert self.ledger.open_plates == tuple(sorted(set(self.ledger.open_plates) - self.final))


TestLine = Line.TestCase
TestLine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
