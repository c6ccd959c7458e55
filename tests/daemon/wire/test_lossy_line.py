"""Tile, a lone worker, merge and record speak over ways that lose, double, delay and reorder every message.

The state machines and the conversations are the real ones; only sockets and pixels are not there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.schema import Lease as LeaseSettings
from daemon.wire.channel import Conversation, Joined
from daemon.wire.messages import AnyMessage, Envelope, Sender, decode, encode
from stages import tile
from stages.events import (
    Lease,
    Place,
    PlateClosed,
    PlateDecided,
    PlateFinal,
    PlateOpened,
    RowsReady,
    SayAgain,
    SeenCommitted,
    WindowQuarantined,
    WindowScored,
    WindowsMerged,
    WorkerGone,
    WorkerReady,
)
from stages.lease_queue import LeaseQueue
from stages.merge import Event as MergeEvent
from stages.merge import Merger
from stages.plate import Verdict, WindowResult
from stages.tile import WindowLedger
from tests.stages.test_merge import COLUMNS, GOOD, RECIPE, ROWS

RUN = "a" * 32
MOST = 2
PLATES = (1, 2, 3)
STEP_S = 0.1
FAULTS_S = 20.0
MOST_S = 200.0
Hear = Callable[[Sender, AnyMessage | Joined], None]


class Way:
    """A conversation between two processes with what is on its way, which is lost, doubled or delayed by chance."""

    def __init__(self, line: LossyLine, left: str, right: str) -> None:
        self.line = line
        self.ends = {name: Conversation(Sender(RUN, name, 0, 1)) for name in (left, right)}
        self.other = {left: right, right: left}
        self.hear: dict[str, Hear] = {}
        self.flying: list[tuple[float, str, bytes]] = []

    def send(self, frm: str, body: AnyMessage, *, keep: bool = True) -> None:
        self._fly(frm, [self.ends[frm].post(body, self.line.now, keep=keep)])

    def tick(self) -> None:
        for name, end in self.ends.items():
            self._fly(name, end.due(self.line.now))
        due = [one for one in self.flying if one[0] <= self.line.now]
        self.flying = [one for one in self.flying if one[0] > self.line.now]
        for _, to, data in due:
            envelope = decode(data, RUN)
            for body in self.ends[to].handle(envelope, self.line.now):
                self.hear[to](envelope.sender, body)

    def _fly(self, frm: str, envelopes: Iterable[Envelope]) -> None:
        for envelope in envelopes:
            for _ in range(self.line.copies()):
                self.flying.append((self.line.now + self.line.delay(), self.other[frm], encode(envelope)))


class LossyLine:
    """Three plates go through it."""

    def __init__(self, seed: int, loss: float, doubles: float, late: float) -> None:
        self.random = random.Random(seed)
        self.loss, self.doubles, self.late = loss, doubles, late
        self.now = 0.0
        self.ledger = WindowLedger(RECIPE.windows, MOST, LeaseSettings(least_s=5.0, factor=10.0))
        self.queue = LeaseQueue(0, 1, 2)
        self.merger = Merger(RECIPE, RUN)
        self.stored: dict[int, Verdict] = {}
        self.final_at: dict[str, Counter[int]] = {"tile": Counter(), "merge": Counter()}
        self.leases = Way(self, "tile", "detect")
        self.plates = Way(self, "tile", "merge")
        self.results = Way(self, "detect", "merge")
        self.verdicts = Way(self, "merge", "record")
        self.commits = Way(self, "tile", "record")
        self.ways = (self.leases, self.plates, self.results, self.verdicts, self.commits)
        self.leases.hear = {"tile": self.tile_hears, "detect": self.worker_hears}
        self.plates.hear = {"tile": self.tile_hears, "merge": self.merge_hears}
        self.results.hear = {"merge": self.merge_hears, "detect": lambda *_: None}
        self.verdicts.hear = {"merge": self.merge_hears, "record": self.record_hears}
        self.commits.hear = {"tile": self.tile_hears, "record": lambda *_: None}

    @property
    def faulty(self) -> bool:
        return self.now < FAULTS_S

    def copies(self) -> int:
        if not self.faulty:
            return 1
        return 0 if self.random.random() < self.loss else 1 + (self.random.random() < self.doubles)

    def delay(self) -> float:
        return self.random.uniform(0.0, 3.0) if self.faulty and self.random.random() < self.late else 0.0

    def run(self) -> None:
        for plate in PLATES:
            place = Place(plate, 1, COLUMNS)
            self.do(PlateOpened(plate, place), RowsReady(plate, plate, ROWS // 2), PlateClosed(plate, place, ROWS))
            self.commits.send("record", SeenCommitted(plate))
        while self.now < MOST_S and any(len(told) < len(PLATES) for told in self.final_at.values()):
            self.now += STEP_S
            for way in self.ways:
                way.tick()
            self.work()
            self.do(tile.Tick())
            self.ledger.validate()
            self.merger.validate()

    def work(self) -> None:
        """The worker does a lease in each step, and says how it is after that, or each half second."""
        if self.queue:
            lease = self.queue.held[0]
            self.queue.finish()
            for window in lease.windows:
                result = WindowResult(RUN, lease.plate, window.index, (), False, GOOD, 1.0, 0.1)
                self.results.send("detect", WindowScored(result, lease.place), keep=False)
        elif round(self.now / STEP_S) % 5:
            return
        self.leases.send("detect", self.queue.ready(), keep=False)

    def do(self, *events: tile.Event) -> None:
        for event in events:
            for order in self.ledger.handle(event, self.now):
                if isinstance(order, Lease):
                    self.leases.send("tile", order, keep=False)
                elif not isinstance(order, tile.ReleaseSlot):
                    self.plates.send("tile", order)

    def tile_hears(self, sender: Sender, body: AnyMessage | Joined) -> None:
        if isinstance(body, Joined):
            if sender.role == "detect":
                self.do(WorkerGone(0, sender.incarnation - 1))
            elif sender.role == "merge":
                self.do(tile.MergerRestarted())
            return
        if isinstance(body, PlateFinal):
            self.final_at["tile"][body.plate] += 1
        assert isinstance(body, WorkerReady | SeenCommitted | PlateFinal | WindowsMerged)
        self.do(body)

    def worker_hears(self, _sender: Sender, body: AnyMessage | Joined) -> None:
        if isinstance(body, Lease):
            self.queue.take(body)
            self.queue.validate()
        elif isinstance(body, Joined):
            self.queue.clear()

    def merge_hears(self, sender: Sender, body: AnyMessage | Joined) -> None:
        if isinstance(body, Joined):
            if sender.role == "record":
                self.merge(SayAgain())
            return
        if isinstance(body, PlateFinal):
            self.final_at["merge"][body.plate] += 1
        assert isinstance(body, PlateOpened | PlateClosed | WindowScored | PlateFinal | WindowQuarantined)
        self.merge(body)

    def merge(self, event: MergeEvent) -> None:
        for order in self.merger.handle(event):
            if isinstance(order, WindowsMerged):
                self.plates.send("merge", order)
            elif isinstance(order, PlateDecided):
                self.verdicts.send("merge", order)

    def record_hears(self, _sender: Sender, body: AnyMessage | Joined) -> None:
        if isinstance(body, PlateDecided):
            plate = body.result.plate
            self.stored.setdefault(plate, body.result.verdict)
            self.verdicts.send("record", PlateFinal(plate))
            self.commits.send("record", PlateFinal(plate))


RATES = st.sampled_from([0.0, 0.1, 0.5, 0.9])


@given(seed=st.integers(0, 2**32), loss=RATES, doubles=RATES, late=RATES)
@example(seed=0, loss=0.0, doubles=0.0, late=0.0)
@example(seed=0, loss=1.0, doubles=0.0, late=0.0)
@settings(max_examples=20, deadline=None)
def test_whatever_is_lost_between_the_machines_every_plate_has_its_one_verdict_with_a_lone_worker(
    seed: int, loss: float, doubles: float, late: float
) -> None:
    line = LossyLine(seed, loss, doubles, late)
    line.run()
    assert line.stored == dict.fromkeys(PLATES, Verdict.OK), line.ledger.open_plates
    assert set(line.final_at["tile"]) == set(line.final_at["merge"]) == set(PLATES)
    assert line.ledger.open_plates == line.merger.open_plates == ()
