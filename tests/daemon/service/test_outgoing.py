"""Record's side of the outputs, over a real socket and a real store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq

from config.schema import Output
from daemon.service.outgoing import Outgoing
from daemon.store.results import Store, StoreError, store_path
from daemon.telemetry.counters import Tally
from daemon.wire.channel import Client, Joined, Server
from daemon.wire.messages import AnyMessage, Sender
from stages.events import PlateSeen, SeenCommitted, VerdictCommitted, VerdictDue, VerdictTold
from stages.outbox import MOST_HANDED
from stages.plate import PlateResult, Verdict
from stages.plc import Part
from tests.daemon.conftest import FACTS, KEY, RUN

RESULT = PlateResult(RUN, 1, Verdict.OK, (), "", True, 9, 9, 1, 1, 1.0)
NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as made:
        made.begin_run(FACTS)
        yield made


class Desk:
    """Record's end of the outputs, and the end of one output."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.links = Server(self.context, Sender(RUN, "record", 0, 1), directory / "record", KEY)
        self.output = Client(self.context, Sender(RUN, "output", 0, 1), directory / "record", KEY)
        self.tally = Tally()
        self.outgoing = Outgoing([Output(name="gate")], self.links, self.tally, simulated=True)
        self.outgoing.begin(store)
        self.store = store
        self.heard: list[AnyMessage] = []

    def commit(self, plate: int) -> None:
        self.outgoing.heard(PlateSeen(plate, part=Part(f"A{plate}")), FACTS)
        result = replace(RESULT, plate=plate)
        self.store.commit_verdict(result, decided_at=NOW, latency_s=0.25)
        self.outgoing.committed(VerdictCommitted(result, 0.25))

    def join(self) -> None:
        """The output is there, and has been told all that the store has for it."""
        self.wait(lambda: self.outgoing._outboxes["output-0"]._joined)
        self.step()

    def step(self) -> None:
        now = time.monotonic()
        for sender, body in self.links.receive(now):
            if isinstance(body, Joined):
                self.outgoing.joined(sender.name, now)
            elif isinstance(body, VerdictTold):
                self.outgoing.told(sender.name, body)
        self.heard += [body for _, body in self.output.receive(now) if not isinstance(body, Joined)]
        self.outgoing.tick(self.store, now)

    def wait(self, what: Callable[[], object]) -> None:
        until = time.monotonic() + 20
        while not what():
            assert time.monotonic() < until
            self.step()
            time.sleep(0.002)

    @property
    def due(self) -> list[int]:
        return [body.plate for body in self.heard if isinstance(body, VerdictDue)]


@pytest.fixture
def desk(tmp_path: Path, store: Store) -> Iterator[Desk]:
    one = Desk(tmp_path, store)
    yield one
    for endpoint in (one.links, one.output):
        endpoint.close()
    one.context.destroy(linger=0)


def test_what_was_committed_before_an_output_joined_is_read_from_the_store_and_what_comes_is_handed_over(
    desk: Desk,
) -> None:
    desk.commit(1)
    desk.outgoing.saw(1, time.monotonic())
    desk.wait(lambda: desk.due == [1])
    desk.commit(2)
    desk.wait(lambda: desk.due == [1, 2])
    first, second = (body for body in desk.heard if isinstance(body, VerdictDue))
    # By the monotonic clock, since this process has committed both.
    assert first.committed_at is not None
    assert second.committed_at is not None
    assert (first.latency_s, first.simulated) == (0.25, True)
    assert second.part_id == "A2"
    assert SeenCommitted(1) in desk.heard


def test_an_output_that_is_slow_has_so_many_at_most_and_the_others_later_in_order(desk: Desk) -> None:
    plates = list(range(1, MOST_HANDED + 20))
    desk.join()
    for plate in plates:
        desk.commit(plate)
    desk.wait(lambda: len(desk.due) == MOST_HANDED)
    for plate in desk.due:
        desk.output.send(VerdictTold(plate, "acknowledged", divert=False), time.monotonic())
    desk.wait(lambda: len(desk.due) == len(plates))
    assert desk.due == plates


def test_what_was_said_waits_while_the_store_is_locked_and_is_stored_then(desk: Desk) -> None:
    desk.join()
    desk.commit(1)
    with closing(sqlite3.connect(desk.store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        desk.outgoing.told(
            "output-0", VerdictTold(1, "acknowledged", False, 1, time.monotonic(), time.monotonic(), "echo")
        )
        begun = time.monotonic()
        with pytest.raises(StoreError, match="locked"):
            desk.outgoing.tick(desk.store, begun)
        # Not again at once: others have to write too.
        desk.outgoing.tick(desk.store, begun + 0.5)
        other.execute("COMMIT")
    desk.outgoing.tick(desk.store, begun + 2.0)
    row = desk.store.plate(1)
    assert row is not None
    assert row.told[0].answer == "echo"
    assert desk.tally.values()["verdicts_told_total/acknowledged"] == 1


def test_who_is_no_output_says_nothing_that_is_stored(desk: Desk) -> None:
    desk.commit(1)
    desk.outgoing.told("tile-0", VerdictTold(1, "acknowledged", divert=False))
    desk.step()
    row = desk.store.plate(1)
    assert row is not None
    assert row.told == ()
