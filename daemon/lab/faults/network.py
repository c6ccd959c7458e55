"""The network between the processes: the real conversations (daemon/wire/channel.py) over connections that break.

What a connection does is what ZeroMQ's do on one machine. It keeps the order, and loses what is on its way when an end
dies or it is cut. A client keeps what it could not send for the next connection; a server does not. A message that is
garbled is refused, which is a loss. None is doubled or overtaken here: that comes of what the conversations repeat.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, cast

from daemon.lab.faults.world import Process, World
from daemon.wire.channel import MOST_RECEIVED, Client, Conversation, Server
from daemon.wire.messages import Envelope, Sender

Frames = list[Any]
_LATENCY_S = 0.0002, 0.003
_RECONNECT_S = 0.02, 0.2


class Network:
    """All addresses of one run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.servers: dict[str, SimulatedServer] = {}
        self.links: dict[tuple[str, str], Link] = {}
        """The connection of each client's latest incarnation: by client and address."""

    def bind(self, process: Process, me: Sender, address: str) -> SimulatedServer:
        """A server; the clients of its predecessor find it after a while."""
        server = SimulatedServer(process, me)
        self.servers[address] = server
        process.deaths.append(lambda: self._server_gone(address, server))
        for link in self.links.values():
            if link.address == address:
                link.connect_soon()
        return server

    def connect(self, process: Process, me: Sender, address: str) -> SimulatedClient:
        """A client of whoever is, or will be, at that address."""
        link = Link(self, address, me.name)
        client = SimulatedClient(process, me, link)
        link.client = client
        self.links[me.name, address] = link
        process.deaths.append(link.client_gone)
        link.connect_soon()
        return client

    def _server_gone(self, address: str, server: SimulatedServer) -> None:
        if self.servers.get(address) is server:
            del self.servers[address]
        for link in self.links.values():
            if link.server is server:
                link.break_off()


class Link:
    """A connection between one client and whoever serves the address."""

    def __init__(self, network: Network, address: str, name: str) -> None:
        self.network, self.address, self.name = network, address, name
        self.client: SimulatedClient | None = None
        self.server: SimulatedServer | None = None
        """None while there is no connection."""
        self.to_lose = 0
        """So many of the next messages are garbled."""
        self.slow_until, self.slow_s = 0.0, 0.0
        self._epoch = 0
        """Which connection it is: what was on its way over an earlier one is lost."""
        self._waiting: deque[Frames] = deque()
        self._flying: deque[Frames] = deque()
        self._up_at = self._down_at = 0.0
        """No message overtakes the one before it."""

    # --- the connection ----------------------------------------------------------------------------------------------

    def connect_soon(self) -> None:
        """Find the server after a while, as clients do that try again and again."""
        self._epoch += 1
        world = self.network.world
        world.at(world.now + world.some(*_RECONNECT_S), self._connect, self._epoch)

    def break_off(self, *, again: bool = False) -> None:
        """The connection breaks; a part of what the client has sent may still be with it."""
        if self.server is None:
            return
        self._epoch += 1
        self.server = None
        kept = self.network.world.chance.randint(0, len(self._flying))
        self._waiting.extendleft(list(reversed(self._flying))[:kept])
        self._flying.clear()
        if again:
            self.connect_soon()

    def client_gone(self) -> None:
        """The client dies; some of what it had sent is still read, and nothing reaches it."""
        self.client = None
        self._waiting.clear()
        for _ in range(self.network.world.chance.randint(0, len(self._flying))):
            self._flying.pop()

    def _connect(self, epoch: int) -> None:
        server = self.network.servers.get(self.address)
        if epoch != self._epoch or server is None or self.client is None:
            return
        self.server = server
        server.links[self.name] = self
        while self._waiting:
            self._fly_up(self._waiting.popleft())

    # --- messages ----------------------------------------------------------------------------------------------------

    def up(self, frames: Frames) -> None:
        """From the client to the server."""
        if self.server is None:
            self._waiting.append(frames)
        else:
            self._fly_up(frames)

    def down(self, frames: Frames) -> bool:
        """From the server to the client; False where it cannot be sent."""
        if self.server is None or self.client is None:
            return False
        self._down_at = max(self._down_at, self._arrival())
        self.network.world.at(self._down_at, self._land_down, self._epoch, frames)
        return True

    def _fly_up(self, frames: Frames) -> None:
        self._flying.append(frames)
        self._up_at = max(self._up_at, self._arrival())
        self.network.world.at(self._up_at, self._land_up, self._epoch)

    def _arrival(self) -> float:
        world = self.network.world
        slow = self.slow_s if world.now < self.slow_until else 0.0
        return world.now + slow + world.some(*_LATENCY_S)

    def _lost(self) -> bool:
        if not self.to_lose:
            return False
        self.to_lose -= 1
        return True

    def _land_up(self, epoch: int) -> None:
        if epoch == self._epoch and self._flying:
            frames = self._flying.popleft()
            if self.server is not None and not self._lost():
                self.server.take([self.name.encode(), *frames])

    def _land_down(self, epoch: int, frames: Frames) -> None:
        if epoch == self._epoch and self.client is not None and not self._lost():
            self.client.take(frames)


class _Socket:
    """What of a socket the endpoints still ask for here."""

    def __init__(self, link: Link | None = None) -> None:
        self._link = link

    def disconnect(self, _address: str) -> None:
        if self._link is not None:
            self._link.break_off()

    def connect(self, _address: str) -> None:
        if self._link is not None:
            self._link.connect_soon()


class _Inbox:
    """Of an endpoint: what has arrived."""

    _process: Process
    _arrived: deque[Frames]
    socket: Any

    def take(self, frames: Frames) -> None:
        """A message arrives."""
        self._arrived.append(frames)
        self._process.hear(self.socket)

    def _frames(self) -> Iterator[Frames]:
        for _ in range(min(MOST_RECEIVED, len(self._arrived))):
            yield self._arrived.popleft()

    def _decode(self, data: Any) -> Envelope | None:  # noqa: ANN401 - an envelope travels as it is
        return cast("Envelope", data)

    def close(self) -> None:
        """Nothing is left to close."""


class SimulatedServer(_Inbox, Server):
    """A real server's conversations without its socket."""

    def __init__(self, process: Process, me: Sender) -> None:
        self.me = me
        self.refused: Counter[str] = Counter()
        self.socket = cast("Any", _Socket())
        self.links: dict[str, Link] = {}
        self._process, self._arrived = process, deque()
        self._looked_at = 0.0
        self._peers: dict[str, Conversation] = {}

    def _transmit(self, frames: Frames) -> bool:
        link = self.links.get(frames[0].decode())
        return link is not None and link.server is self and link.down(frames[1:])

    def _stay_bound(self) -> None:
        """Nobody deletes the address here."""


class SimulatedClient(_Inbox, Client):
    """A real client's conversation without its socket."""

    def __init__(self, process: Process, me: Sender, link: Link) -> None:
        self.me = me
        self.refused: Counter[str] = Counter()
        self.socket = cast("Any", _Socket(link))
        self._link = link
        self._process, self._arrived = process, deque()
        self._address = link.address
        self._conversation = Conversation(me)
        self._heard_at: float | None = None

    def _transmit(self, frames: Frames) -> bool:
        self._link.up(frames)
        return True
