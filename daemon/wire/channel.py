"""Channels between the processes: ZeroMQ sockets that carry typed messages, in conversations that survive restarts.

A conversation is at-least-once and in order: what is posted is kept until the peer acknowledges it, sent again when
that takes too long, and sent to the peer's new incarnation from the oldest on; the receiver drops what it has had,
and what was sent before its sender knew of it.
A peer's new incarnation knows nothing, so its arrival is itself an event (`Joined`), on which a stage says again
what the newcomer must know. Sends never block. Sockets without the run's key are refused before they say anything.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import zmq

from daemon.wire.messages import VERSION, AnyMessage, Envelope, Hello, Refused, Sender, decode, encode
from daemon.wire.run_key import RunKey

RESEND_S = 1.0
KEEPALIVE_S = 0.4
MOST_KEPT = 100_000
MOST_REPEATED = 64
"""Messages that are repeated at once; the next follow when the peer has acknowledged these."""
MOST_RECEIVED = 1_000
"""Messages that one round takes from a socket: whoever floods it does not keep a process from its other work."""
MOST_BYTES = 64 << 20
"""Of a message: ZeroMQ cuts a connection that announces more, before it takes memory for it. The largest that the
processes have, a plate with all its defects and their heat maps, is far below."""
_SEALED_BYTES = 1024
"""That encryption may add."""
SILENT_S = 5.0
"""A server that was not heard for so long is connected to anew: a connection that failed to prove itself to whoever
was at its address does not try again."""
LOOK_S = 1.0
"""Time between two looks whether a bound address is still there."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A peer's new incarnation is there; it knows nothing of what was said before."""


Event = tuple[Sender, AnyMessage | Joined]


class Conversation:
    """One end of a conversation with one peer, without I/O: envelopes in, deliveries out."""

    def __init__(self, me: Sender) -> None:
        self.me = me
        self.peer: Sender | None = None
        self._kept: deque[tuple[int, AnyMessage]] = deque()
        self._next = 1
        self._received = 0
        self._progress_at = 0.0
        self._repeated: int | None = None
        """The last message that was repeated since the peer fell silent; None where it is in step."""
        self._spoke_at = -KEEPALIVE_S
        self._owes_answer = False

    @property
    def kept(self) -> int:
        """Messages that the peer has not acknowledged."""
        return len(self._kept)

    def post(self, body: AnyMessage, now: float, *, keep: bool) -> Envelope:
        """The envelope to send for a body; with `keep` it is repeated until it is acknowledged."""
        sequence = 0
        if keep:
            if len(self._kept) >= MOST_KEPT:
                raise RuntimeError(f"{self.me.name}: {MOST_KEPT} messages wait for {self.peer}: it does not answer")
            sequence = self._next
            self._next += 1
            if not self._kept:
                self._progress_at = now
            self._kept.append((sequence, body))
        return self._envelope(body, sequence, now)

    def handle(self, envelope: Envelope, now: float) -> list[AnyMessage | Joined]:
        """What an arrived envelope delivers; stale incarnations and repeats deliver nothing."""
        sender = envelope.sender
        delivered: list[AnyMessage | Joined] = []
        if self.peer is None or sender.incarnation > self.peer.incarnation:
            self.peer = sender
            self._received = 0
            self._progress_at = now - RESEND_S
            self._owes_answer = True
            delivered.append(Joined())
        elif sender.incarnation < self.peer.incarnation:
            return []
        if envelope.acknowledged_incarnation == self.me.incarnation:
            while self._kept and self._kept[0][0] <= envelope.acknowledged:
                self._kept.popleft()
                self._progress_at = now
            if not self._kept:
                self._repeated = None
        if envelope.sequence == 0:
            if isinstance(envelope.body, Hello):
                self._owes_answer |= envelope.acknowledged_incarnation != self.me.incarnation
            else:
                delivered.append(envelope.body)
            return delivered
        self._owes_answer = True
        if envelope.acknowledged_incarnation != self.me.incarnation:
            # Meant for a predecessor, which may have had it and all that follows; or for nobody yet. It comes again.
            return delivered
        # A newcomer takes up the conversation at the oldest message that the sender still keeps.
        expected = max(self._received + 1, envelope.oldest)
        if envelope.sequence == expected:
            self._received = envelope.sequence
            delivered.append(envelope.body)
        return delivered

    def forget_kept(self) -> None:
        """Drop what the peer has not acknowledged: its new incarnation is told anew what it must know."""
        self._kept.clear()
        self._repeated = None

    def due(self, now: float) -> list[Envelope]:
        """Envelopes to send now: acknowledgements owed, repeats, signs of life."""
        # Most often nothing is: this is asked of each peer in each round.
        if self._kept and (repeats := self._repeats(now)):
            return [self._envelope(body, sequence, now) for sequence, body in repeats]
        if self._owes_answer or now - self._spoke_at >= KEEPALIVE_S:
            return [self._envelope(Hello(), 0, now)]
        return []

    def _repeats(self, now: float) -> list[tuple[int, AnyMessage]]:
        """What is to be repeated now: after RESEND_S of silence the oldest few, then the next as those are answered."""
        oldest = self._kept[0][0]
        if now - self._progress_at >= RESEND_S:
            self._progress_at = now
            self._repeated = oldest - 1
        elif self._repeated is None or oldest <= self._repeated:
            return []
        first = max(0, self._repeated + 1 - oldest)
        found = list(islice(self._kept, first, first + MOST_REPEATED))
        self._repeated = None if found[-1][0] == self._kept[-1][0] else found[-1][0]
        return found

    def _envelope(self, body: AnyMessage, sequence: int, now: float) -> Envelope:
        self._spoke_at = now
        self._owes_answer = False
        return Envelope(
            version=VERSION,
            sender=self.me,
            body=body,
            sequence=sequence,
            oldest=self._kept[0][0] if self._kept else 0,
            acknowledged=self._received,
            acknowledged_incarnation=self.peer.incarnation if self.peer else 0,
        )


class Endpoint:
    """A socket of this process with the conversations it carries; `Server` binds it, `Client` connects it."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], kind: int, me: Sender) -> None:
        self.me = me
        self.refused: Counter[str] = Counter()
        self.socket = context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, MOST_KEPT)
        self.socket.setsockopt(zmq.RCVHWM, MOST_KEPT)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES + _SEALED_BYTES)

    def close(self) -> None:
        """Close the socket; what was not sent is dropped."""
        self.socket.close(linger=0)

    def _transmit(self, frames: list[bytes]) -> bool:
        if len(frames[-1]) > MOST_BYTES:
            # The peer would cut the connection, again and again.
            raise ValueError(f"{self.me.name}: a message of {len(frames[-1]):,} bytes, {MOST_BYTES:,} are the most")
        try:
            self.socket.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.ENOTSOCK):
                return False
            raise
        return True

    def _frames(self) -> Iterator[list[bytes]]:
        for _ in range(MOST_RECEIVED):
            try:
                yield self.socket.recv_multipart(flags=zmq.NOBLOCK)
            except zmq.Again:
                return

    def _decode(self, data: bytes) -> Envelope | None:
        try:
            return decode(data, self.me.run)
        except Refused as refused:
            self.refused[refused.reason] += 1
            return None


class Server(Endpoint):
    """Binds a local address; its peers are told apart by their names, and a peer's successor takes its place."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], me: Sender, path: Path, key: RunKey) -> None:
        super().__init__(context, zmq.ROUTER, me)
        self._path = path
        self._inode = 0
        """Of the bound address; 0 while it is not bound."""
        self._looked_at = 0.0
        try:
            key.guard_server(self.socket)
            self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
            # A successor may come while the connection of its predecessor is still there. Only holders of the key
            # get as far as a name, so nobody else takes a place by this.
            self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
            self._bind()
        except BaseException:
            self.close()
            raise
        self._peers: dict[str, Conversation] = {}

    def send(self, peer: str, body: AnyMessage, now: float, *, keep: bool = True) -> bool:
        """Send to the peer of that name; True when it left this process (what is kept will leave later)."""
        envelope = self._conversation(peer).post(body, now, keep=keep)
        return self._transmit([peer.encode(), encode(envelope)])

    def receive(self, now: float) -> list[Event]:
        """Everything that has arrived."""
        events: list[Event] = []
        for frames in self._frames():
            envelope = self._decode(frames[-1])
            if envelope is None:
                continue
            sender = envelope.sender
            if len(frames) != 2 or frames[0] != sender.name.encode():
                self.refused["name"] += 1
                continue
            events += [(sender, body) for body in self._conversation(sender.name).handle(envelope, now)]
        self.tick(now)
        return events

    def tick(self, now: float) -> None:
        """Send what is due; be there for newcomers."""
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._stay_bound()
        for name, conversation in self._peers.items():
            if conversation.peer is not None:
                for envelope in conversation.due(now):
                    if not self._transmit([name.encode(), encode(envelope)]):
                        break

    def forget_kept(self, peer: str) -> None:
        """Drop what a peer has not acknowledged: its new incarnation is told anew what it must know."""
        self._conversation(peer).forget_kept()

    def _bind(self) -> None:
        self._path.unlink(missing_ok=True)
        self.socket.bind(f"ipc://{self._path}")
        self._inode = self._path.stat().st_ino

    def _stay_bound(self) -> None:
        """Bind again where the address was deleted, as cleaners of temporary files do; connections outlive that."""
        try:
            if self._inode and self._path.stat().st_ino == self._inode:
                return
        except OSError:
            pass
        if self._inode:
            # Its file is deleted by this, though not at once: bound again by the next look.
            with suppress(zmq.ZMQError):
                self.socket.unbind(f"ipc://{self._path}")
            self._inode = 0
            return
        # Where there is no directory yet, the supervisor will make it.
        with suppress(zmq.ZMQError, OSError):
            self._bind()

    def _conversation(self, peer: str) -> Conversation:
        if peer not in self._peers:
            self._peers[peer] = Conversation(self.me)
        return self._peers[peer]


class Client(Endpoint):
    """Connects to a server's address; one peer."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], me: Sender, path: Path, key: RunKey) -> None:
        super().__init__(context, zmq.DEALER, me)
        key.guard_client(self.socket)
        self.socket.setsockopt(zmq.IDENTITY, me.name.encode())
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        self._address = f"ipc://{path}"
        self.socket.connect(self._address)
        self._conversation = Conversation(me)
        self._heard_at: float | None = None

    @property
    def kept(self) -> int:
        """Messages that the server has not acknowledged."""
        return self._conversation.kept

    def send(self, body: AnyMessage, now: float, *, keep: bool = True) -> bool:
        """Send to the server; True when it left this process (what is kept will leave later)."""
        return self._transmit([encode(self._conversation.post(body, now, keep=keep))])

    def receive(self, now: float) -> list[Event]:
        """Everything that has arrived."""
        events: list[Event] = []
        for frames in self._frames():
            envelope = self._decode(frames[-1])
            if envelope is not None:
                self._heard_at = now
                events += [(envelope.sender, body) for body in self._conversation.handle(envelope, now)]
        self.tick(now)
        return events

    def tick(self, now: float) -> None:
        """Send what is due; connect anew to a server that is silent."""
        if self._heard_at is None:
            self._heard_at = now
        if now - self._heard_at >= SILENT_S:
            self._heard_at = now
            with suppress(zmq.ZMQError):
                self.socket.disconnect(self._address)
            self.socket.connect(self._address)
        for envelope in self._conversation.due(now):
            if not self._transmit([encode(envelope)]):
                break
