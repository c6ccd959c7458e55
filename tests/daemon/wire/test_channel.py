"""Conversations over a pipe that loses, between ends that restart; and sockets that carry them."""

from __future__ import annotations

import shutil
import socket
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from daemon.wire import channel
from daemon.wire.channel import LOOK_S, MOST_REPEATED, RESEND_S, SILENT_S, Client, Conversation, Event, Joined, Server
from daemon.wire.messages import AnyMessage, Envelope, Heartbeat, Sender, encode
from daemon.wire.run_key import RunKey
from stages.events import PlateSeen

RUN = "a" * 32
KEY = RunKey.new()


def sender(role: str, incarnation: int, run: str = RUN) -> Sender:
    return Sender(run, role, 0, incarnation)


def acquaint(one: Conversation, other: Conversation) -> None:
    """Each hears of the other, as at a start."""
    for envelope in one.due(0.0):
        other.handle(envelope, 0.0)
    for envelope in other.due(0.0):
        one.handle(envelope, 0.0)


class Pipe(RuleBasedStateMachine):
    """`feeder` posts numbers to `eater`; what each incarnation of the eater gets is a run without gap or repeat."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.posted = 0
        self.feeder = Conversation(sender("tile", 1))
        self.eater = Conversation(sender("merge", 1))
        self.first_of_feeder = 1
        self.to_eater: deque[Envelope] = deque()
        self.to_feeder: deque[Envelope] = deque()
        self.eaten: list[int] = []
        self.ever: set[int] = set()

    @rule(count=st.integers(1, 4))
    def post(self, count: int) -> None:
        for _ in range(count):
            self.posted += 1
            self.to_eater.append(self.feeder.post(PlateSeen(self.posted), self.now, keep=True))

    @rule(count=st.integers(1, 5))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            if self.to_eater:
                self.eat(self.eater.handle(self.to_eater.popleft(), self.now))
            if self.to_feeder:
                self.feeder.handle(self.to_feeder.popleft(), self.now)

    def eat(self, delivered: list[AnyMessage | Joined]) -> None:
        for body in delivered:
            if isinstance(body, PlateSeen):
                assert not self.eaten or body.plate == self.eaten[-1] + 1
                self.eaten.append(body.plate)
                self.ever.add(body.plate)
            else:
                assert isinstance(body, Joined)
                self.eaten.clear()

    @rule(count=st.integers(1, 3))
    def lose(self, count: int) -> None:
        for _ in range(count):
            if self.to_eater:
                self.to_eater.popleft()
            if self.to_feeder:
                self.to_feeder.popleft()

    @rule(seconds=st.sampled_from([0.05, 0.5, 1.5]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.to_eater.extend(self.feeder.due(self.now))
        self.to_feeder.extend(self.eater.due(self.now))

    @rule(lost=st.booleans())
    def restart_eater(self, lost: bool) -> None:
        """A newcomer takes up what was not acknowledged; what was on its way to its predecessor may reach it."""
        self.eater = Conversation(sender("merge", self.eater.me.incarnation + 1))
        self.eaten.clear()
        if lost:
            self.to_eater.clear()

    @rule(lost=st.booleans())
    def restart_feeder(self, lost: bool) -> None:
        """What its predecessor had not brought to the eater is lost with it."""
        self.feeder = Conversation(sender("tile", self.feeder.me.incarnation + 1))
        self.first_of_feeder = self.posted + 1
        if lost:
            self.to_eater.clear()

    def teardown(self) -> None:
        if not hasattr(self, "feeder"):
            return
        for _ in range(8):
            self.wait(RESEND_S)
            self.deliver(200)
        assert self.feeder.kept == 0
        assert self.eater.peer == self.feeder.me
        assert self.feeder.peer == self.eater.me
        assert self.ever.issuperset(range(self.first_of_feeder, self.posted + 1))


TestPipe = Pipe.TestCase
TestPipe.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def test_what_was_on_its_way_to_a_predecessor_is_not_taken_by_its_successor() -> None:
    """It had had 1 to 3; a late repeat of 1, followed by 4, would be a gap."""
    pipe = Pipe()
    pipe.begin()
    pipe.post(3)
    pipe.wait(0.05)
    for _ in range(3):
        pipe.deliver(1)
    pipe.wait(0.05)
    pipe.wait(1.5)
    pipe.deliver(1)
    pipe.restart_eater(lost=False)
    pipe.deliver(3)
    pipe.lose(2)
    pipe.post(1)
    pipe.deliver(1)
    pipe.teardown()


def test_what_was_forgotten_for_a_newcomer_leaves_no_gap_to_wait_for() -> None:
    feeder, eater = Conversation(sender("line", 1)), Conversation(sender("acquire", 1))
    acquaint(feeder, eater)
    eater.handle(feeder.post(PlateSeen(1), 0.0, keep=True), 0.0)
    feeder.post(PlateSeen(2), 0.0, keep=True)
    feeder.forget_kept()
    assert eater.handle(feeder.post(PlateSeen(3), 0.0, keep=True), 0.0) == [PlateSeen(3)]


def test_an_acknowledgement_of_what_a_predecessor_said_acknowledges_nothing() -> None:
    old, new, eater = (Conversation(sender(*who)) for who in (("tile", 1), ("tile", 2), ("merge", 1)))
    for plate in (1, 2, 3):
        eater.handle(old.post(PlateSeen(plate), 0.0, keep=True), 0.0)
    new.post(PlateSeen(4), 0.0, keep=True)
    for late in eater.due(0.0):
        new.handle(late, 0.0)
    assert new.kept == 1


def test_what_is_not_kept_is_delivered_at_most_once_and_never_repeated() -> None:
    feeder, eater = Conversation(sender("detect", 1)), Conversation(sender("merge", 1))
    envelope = feeder.post(PlateSeen(1), 0.0, keep=False)
    assert eater.handle(envelope, 0.0) == [Joined(), PlateSeen(1)]
    assert feeder.kept == 0


def test_a_message_of_an_incarnation_that_is_no_more_is_not_taken() -> None:
    eater = Conversation(sender("merge", 1))
    old, new = Conversation(sender("tile", 1)), Conversation(sender("tile", 2))
    acquaint(old, eater)
    acquaint(new, eater)
    assert eater.handle(new.post(PlateSeen(2), 0.0, keep=True), 0.0) == [PlateSeen(2)]
    late = [old.post(PlateSeen(plate), 0.0, keep=True) for plate in (1, 2)]
    assert [eater.handle(envelope, 0.0) for envelope in late] == [[], []]


class Ends:
    """Sockets in a directory, which are closed at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.made: list[Server | Client] = []

    def server(self, incarnation: int = 1) -> Server:
        """The merger, which binds."""
        made = Server(self.context, sender("merge", incarnation), self.directory / "merge", KEY)
        self.made.append(made)
        return made

    def client(self) -> Client:
        """The tile stage, which connects."""
        made = Client(self.context, sender("tile", 1), self.directory / "merge", KEY)
        self.made.append(made)
        return made


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    made = Ends(tmp_path)
    yield made
    for end in made.made:
        end.close()
    made.context.destroy(linger=0)


def until(found: list[Event], ends: list[Server | Client], wanted: int) -> None:
    """Let both ends talk until so many messages were found at the first."""
    for _ in range(500):
        for end in ends:
            heard = end.receive(time.monotonic())
            if end is ends[0]:
                found += heard
        if len(found) >= wanted:
            return
        time.sleep(0.01)
    pytest.fail(f"only {found} came")


def test_a_client_that_speaks_before_its_server_is_there_is_heard(ends: Ends) -> None:
    client = ends.client()
    client.send(PlateSeen(1), time.monotonic())
    server = ends.server()
    found: list[Event] = []
    until(found, [server, client], 2)
    assert found == [(client.me, Joined()), (client.me, PlateSeen(1))]


def test_a_server_that_comes_anew_gets_what_its_predecessor_did_not_acknowledge(ends: Ends) -> None:
    first = ends.server()
    client = ends.client()
    found: list[Event] = []
    until(found, [first, client], 1)
    first.close()
    client.send(PlateSeen(1), time.monotonic())
    second = ends.server(2)
    found = []
    until(found, [second, client], 2)
    assert found[1] == (client.me, PlateSeen(1))


def test_a_send_to_a_peer_that_is_not_there_does_not_block_and_leaves_when_it_comes(ends: Ends) -> None:
    server = ends.server()
    assert not server.send("tile-0", PlateSeen(1), time.monotonic())
    client = ends.client()
    found: list[Event] = []
    until(found, [client, server], 2)
    assert found == [(server.me, Joined()), (server.me, PlateSeen(1))]


def test_foreign_malformed_and_misnamed_messages_are_counted_and_refused(ends: Ends) -> None:
    server = ends.server()
    client = ends.client()
    foreign = Conversation(sender("tile", 1, "b" * 32)).post(PlateSeen(1), 0.0, keep=True)
    other = Conversation(sender("record", 1)).post(PlateSeen(1), 0.0, keep=True)
    for data in (b"\xc1nonsense", encode(foreign), encode(other)):
        client.socket.send(data)
    client.send(PlateSeen(2), time.monotonic())
    found: list[Event] = []
    until(found, [server, client], 2)
    assert found == [(client.me, Joined()), (client.me, PlateSeen(2))]
    assert server.refused == {"malformed": 1, "run": 1, "name": 1}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message has 64 kB at most: the same for fewer bytes."""
    monkeypatch.setattr(channel, "MOST_BYTES", 1 << 16)


@pytest.mark.usefixtures("_small")
def test_a_message_that_announces_too_much_is_not_read_and_its_sender_is_heard_again(ends: Ends) -> None:
    server, client = ends.server(), ends.client()
    client.socket.send(bytes(1 << 18))
    client.send(PlateSeen(2), time.monotonic())
    found: list[Event] = []
    until(found, [server, client], 2)
    assert found[-1] == (client.me, PlateSeen(2))
    assert not server.refused


@pytest.mark.usefixtures("_small")
def test_a_process_says_itself_that_its_message_is_too_large(ends: Ends) -> None:
    with pytest.raises(ValueError, match=r"tile-0: a message of [0-9,]+ bytes, 65,536 are the most"):
        ends.client().send(Heartbeat(1, {}, note="x" * (1 << 17)), time.monotonic())


# --- a backlog -----------------------------------------------------------------------------------------------------


def backlog(count: int) -> tuple[Conversation, Conversation]:
    feeder, eater = Conversation(sender("tile", 1)), Conversation(sender("merge", 1))
    feeder.handle(eater.post(PlateSeen(0), 0.0, keep=False), 0.0)
    for plate in range(1, count + 1):
        feeder.post(PlateSeen(plate), 0.0, keep=True)
    return feeder, eater


def test_a_peer_that_is_silent_costs_a_few_repeats_a_second_however_much_waits_for_it() -> None:
    feeder, _ = backlog(5_000)
    said = [len(feeder.due(now / 10)) for now in range(1, 101)]
    assert max(said) <= MOST_REPEATED
    assert sum(said) <= 10 * MOST_REPEATED + 25


def test_a_peer_that_comes_back_gets_all_that_waits_without_a_pause_and_each_once() -> None:
    feeder, eater = backlog(1_000)
    now, sent, got = RESEND_S, 0, []
    while feeder.kept:
        envelopes = feeder.due(now)
        sent += len(envelopes)
        for envelope in envelopes:
            got += [body.plate for body in eater.handle(envelope, now) if isinstance(body, PlateSeen)]
        for answer in eater.due(now):
            feeder.handle(answer, now)
        now += 0.001
    assert got == list(range(1, 1_001))
    assert sent <= 1_001
    assert now < 2 * RESEND_S


def test_what_is_posted_while_older_messages_are_repeated_is_repeated_too_and_then_no_more() -> None:
    feeder, eater = backlog(MOST_REPEATED + 1)
    first = feeder.due(RESEND_S)
    lost = feeder.post(PlateSeen(99), RESEND_S, keep=True)
    assert eater.handle(lost, RESEND_S) == [Joined()]
    now, got = RESEND_S, []
    for _ in range(3):
        for envelope in first:
            got += [body.plate for body in eater.handle(envelope, now) if isinstance(body, PlateSeen)]
        for answer in eater.due(now):
            feeder.handle(answer, now)
        first = feeder.due(now)
    assert got == [*range(1, MOST_REPEATED + 2), 99]
    assert feeder.kept == 0


# --- who lacks the run's key ---------------------------------------------------------------------------------------


class Foreign:
    """Sockets of the same user that know all of a run but its key."""

    def __init__(self, directory: Path) -> None:
        self.address = directory / "merge"
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.made: list[zmq.Socket[bytes]] = []

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        made = self.context.socket(kind)
        made.setsockopt(zmq.LINGER, 0)
        self.made.append(made)
        return made

    def dealer(self, name: str, key: RunKey | None) -> zmq.Socket[bytes]:
        made = self.socket(zmq.DEALER)
        made.setsockopt(zmq.IDENTITY, name.encode())
        if key is not None:
            key.guard_client(made)
        made.connect(f"ipc://{self.address}")
        return made


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    made = Foreign(tmp_path)
    yield made
    for one in made.made:
        one.close()
    made.context.destroy(linger=0)


def hello(incarnation: int, body: AnyMessage | None = None) -> bytes:
    return encode(Conversation(sender("tile", incarnation)).post(body or PlateSeen(666), 0.0, keep=True))


@pytest.mark.parametrize("key", [None, RunKey.new()], ids=["no key", "the key of another run"])
def test_a_socket_without_the_key_of_the_run_is_heard_by_nobody_and_takes_nobodys_place(
    ends: Ends, foreign: Foreign, key: RunKey | None
) -> None:
    server, client = ends.server(), ends.client()
    found: list[Event] = []
    until(found, [server, client], 1)
    thief = foreign.dealer("tile-0", key)
    for _ in range(100):
        thief.send(hello(99))
    found.clear()
    for plate in range(1, 21):
        server.send("tile-0", PlateSeen(plate), time.monotonic())
        client.send(PlateSeen(plate), time.monotonic())
        time.sleep(0.01)
    until(found, [server, client], 20)
    assert [body for _, body in found] == [PlateSeen(plate) for plate in range(1, 21)]
    assert thief.poll(200) == 0


def test_what_is_no_zeromq_and_many_connections_that_say_nothing_keep_nobody_out(ends: Ends, tmp_path: Path) -> None:
    server = ends.server()
    raw = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    for number, one in enumerate(raw):
        one.connect(str(tmp_path / "merge"))
        if number % 2:
            one.send(b"\xff" * 4096)
    client = ends.client()
    client.send(PlateSeen(1), time.monotonic())
    found: list[Event] = []
    until(found, [server, client], 2)
    assert found[-1] == (client.me, PlateSeen(1))
    for one in raw:
        one.close()


def test_a_client_says_nothing_to_a_server_without_the_key(ends: Ends, foreign: Foreign) -> None:
    """As one that has put its own socket where the address was."""
    false = foreign.socket(zmq.ROUTER)
    # ZeroMQ deletes the address that it bound when it likes: never the one that will be the true server's.
    elsewhere = foreign.address.with_name("elsewhere")
    false.bind(f"ipc://{elsewhere}")
    elsewhere.rename(foreign.address)
    client = ends.client()
    client.send(PlateSeen(1), time.monotonic())
    assert false.poll(300) == 0
    false.close()
    server = ends.server()
    client.tick(time.monotonic())
    client.tick(time.monotonic() + SILENT_S)
    found: list[Event] = []
    until(found, [server, client], 2)
    assert found[-1] == (client.me, PlateSeen(1))


def test_the_key_is_in_no_text_that_might_be_logged() -> None:
    assert KEY.secret not in repr(KEY)
    assert KEY.public not in str(KEY)


# --- an address that is deleted --------------------------------------------------------------------------------------


def test_an_address_that_was_deleted_is_bound_again_and_connections_outlive_that(ends: Ends, tmp_path: Path) -> None:
    server, client = ends.server(), ends.client()
    found: list[Event] = []
    until(found, [server, client], 1)
    shutil.rmtree(tmp_path)
    client.send(PlateSeen(1), time.monotonic())
    until(found, [server, client], 2)
    now = time.monotonic()
    server.tick(now + LOOK_S)
    server.tick(now + 2 * LOOK_S)
    tmp_path.mkdir()
    later = Client(ends.context, sender("record", 1), tmp_path / "merge", KEY)
    ends.made.append(later)
    later.send(PlateSeen(2), time.monotonic())
    for look in range(3, 60):
        server.tick(now + look * LOOK_S)
        found += server.receive(time.monotonic())
        if (later.me, PlateSeen(2)) in found:
            break
        time.sleep(0.05)
    client.send(PlateSeen(3), time.monotonic())
    until(found, [server, client, later], 5)
    assert {(later.me, PlateSeen(2)), (client.me, PlateSeen(3))} <= set(found)
