"""A PLC with a gate, simulated by pymodbus's server: it follows docs/how-to/wire-the-plc.md and nothing else.

It diverts every plate of which no valid OK stands when the plate reaches the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, cast

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

STATUS, SEQUENCE, VERDICT, SEEN, ECHO = 0, 1, 3, 8, 16
ANSWERS, REQUESTS = 32, 100
RELEASE_COIL, HEARTBEAT_COIL = 0, 1
WATCHDOG_S = 1.0
"""Without a change of the heartbeat bit for so long, nothing is released."""
_SCAN_S = 0.002
_REGISTERS, _COILS = 3, 1
"""Function codes of the two tables."""


@dataclass(frozen=True)
class Heard:
    """A verdict as the PLC took it."""

    number: int
    verdict: int
    divert: bool
    at: float


class Plc:
    """The PLC's program runs beside its server, in one thread; `echo` says what it gives back for a number.

    With a port the server comes up there again, as after a power cut.
    """

    def __init__(self, port: int = 0, echo: Callable[[int], int | None] = lambda number: number) -> None:
        self.echo = echo
        self.port = port
        self.new: list[Heard] = []
        """Verdicts with a number other than that of the one before, in order."""
        self.released: dict[int, float] = {}
        """Numbers for which the release bit stood with the heartbeat alive, and when it was seen first."""
        self.beats = 0
        self.seen = 0
        self.ready = False
        """linesentry says that it is ready, and its heart beats."""
        self.requests = [0] * 52
        """What it asks for; written in each cycle, whole."""
        self.names: Callable[[int], tuple[str, str]] | None = None
        """Part and batch id of the sheet of a number; None: it gives none by itself."""
        self.answers: Sequence[int] = [0] * 45
        self._beat_at = 0.0
        self._stop = threading.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._up.wait(10)

    def passes(self, number: int) -> bool:
        """Whether a plate of that number would pass the gate now: an OK with its number stands, and the heart beats."""
        return self._valid(time.monotonic()) and self._release_stands and self._number == number

    def give(self, plate: int, part_id: str = "", batch_id: str = "") -> None:
        """Ids for the plate of that number; 0: none."""
        ids = [*divmod(plate, 1 << 16), *as_registers(part_id), *as_registers(batch_id)]
        self.requests = [*ids, *self.requests[34:]]

    def ask(self, *, reset: int | None = None, change: int = 0, recipe: str = "") -> None:
        """A reset of alarms of that number, or that recipe."""
        reset = self.requests[34] if reset is None else reset
        self.requests = [*self.requests[:34], reset, change, *as_registers(recipe)]

    @property
    def next_plate(self) -> int:
        """The number that the next sheet gets."""
        return self.answers[0] << 16 | self.answers[1]

    def stop(self) -> None:
        """Cut its power."""
        self._stop.set()
        self._thread.join(10)

    # --- inside

    async def _run(self) -> None:
        registers = [SimData(0, count=160, values=0, datatype=DataType.REGISTERS)]
        coils = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        off = [SimData(0, count=16, values=False, datatype=DataType.BITS)]
        inputs = [SimData(0, count=16, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(1, simdata=(coils, off, registers, inputs))
        server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await server.serve_forever(background=True)
        listening = cast("asyncio.Server", server.transport)
        self.port = listening.sockets[0].getsockname()[1]
        self._number, self._beat, self._release_stands = 0, False, False
        self._up.set()
        try:
            while not self._stop.is_set():
                await self._scan(server)
                await asyncio.sleep(_SCAN_S)
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call] # as pymodbus has it

    async def _scan(self, server: ModbusTcpServer) -> None:
        now = time.monotonic()
        block = await self._read(server, _REGISTERS, 0, 10)
        coils = await self._read(server, _COILS, RELEASE_COIL, 2)
        number = block[SEQUENCE] << 16 | block[SEQUENCE + 1]
        self.seen = block[SEEN] << 16 | block[SEEN + 1]
        if bool(coils[HEARTBEAT_COIL]) != self._beat:
            self._beat, self._beat_at = bool(coils[HEARTBEAT_COIL]), now
            self.beats += 1
        self._number = number
        if number and (not self.new or number != self.new[-1].number):
            self.new.append(Heard(number, block[VERDICT], bool(block[VERDICT + 1]), now))
        # Both must say so: neither a register nor a coil that is stuck releases a plate.
        self._release_stands = bool(coils[RELEASE_COIL]) and bool(block[STATUS] & 2)
        if self._release_stands and self._valid(now):
            self.released.setdefault(number, now)
        self.ready = bool(block[STATUS] & 4) and self._valid(now)
        self.answers = await self._read(server, _REGISTERS, ANSWERS, 45)
        if self.names is not None and self.next_plate and self._valid(now):
            self.give(self.next_plate, *self.names(self.next_plate))
        await server.async_setValues(1, 16, REQUESTS, self.requests)
        answer = self.echo(number)
        if answer is not None:
            high, low = struct.unpack(">HH", struct.pack(">I", answer))
            await server.async_setValues(1, 16, ECHO, [high, low])

    async def _read(self, server: ModbusTcpServer, function: int, address: int, count: int) -> Sequence[int]:
        found = await server.async_getValues(1, function, address, count)
        assert isinstance(found, list), found
        return found

    def _valid(self, now: float) -> bool:
        return now - self._beat_at < WATCHDOG_S


def as_registers(text: str | bytes) -> list[int]:
    """A text as 16 registers, two characters each; bytes as they are."""
    raw = text if isinstance(text, bytes) else text.encode("ascii")
    return list(struct.unpack(">16H", raw[:32].ljust(32, b"\0")))


class SilentAbout:
    """Stands between linesentry and a PLC, and swallows each connection that asks for a register."""

    def __init__(self, port: int, register: int) -> None:
        self.silent = 0
        """Connections that it has swallowed."""
        between = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as plc:
                    while said := self.request.recv(4096):
                        if int.from_bytes(said[8:10]) == register:
                            between.silent += 1
                            while self.request.recv(4096):
                                pass
                            return
                        plc.sendall(said)
                        self.request.sendall(plc.recv(4096))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
