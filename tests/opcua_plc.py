"""A PLC that is a client of OPC UA, by asyncua: it follows docs/how-to/opc-ua.md and nothing else.

It diverts every plate of which no valid OK stands when the plate reaches the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from asyncua import Client, Node, ua

from tests.plc import WATCHDOG_S, Heard

SPACE = "urn:linesentry:vision"
WATCHED = ("Heartbeat", "PlateSeen", "ReleasedNumber", "Reject", "Number", "CurrentState")
_AGAIN_S = 0.02


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def address(port: int) -> str:
    """Where linesentry listens."""
    return f"opc.tcp://127.0.0.1:{port}/linesentry/"


class OpcuaPlc:
    """Its program runs in a thread; `echo` says what it gives back for a number; it connects anew for ever."""

    def __init__(self, port: int, echo: Callable[[int], int | None] = lambda number: number) -> None:
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        self.echo = echo
        self.new: list[Heard] = []
        """Verdicts with a number other than that of the one before, in order."""
        self.released: dict[int, float] = {}
        """Numbers for which a release stood with the heartbeat alive, and when it was seen first."""
        self.beats = 0
        self.seen = 0
        self.values: dict[str, Any] = {}
        """What it knows; empty while it is not connected."""
        self.port = port
        self._beat_at = 0.0
        self._numbers: asyncio.Queue[int]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def passes(self, number: int) -> bool:
        """Whether a plate of that number would pass the gate now."""
        known = self.values.copy()
        alive = time.monotonic() - self._beat_at < WATCHDOG_S
        return alive and known.get("ReleasedNumber") == number and known.get("Reject") is False

    def stop(self) -> None:
        """Cut its power."""
        self._stop.set()
        self._thread.join(10)

    def datachange_notification(self, node: Node, value: Any, data: object) -> None:
        """A variable has changed; called by the library."""
        del data
        name, now = str(node.nodeid.Identifier), time.monotonic()
        self.values[name] = value
        if name == "Heartbeat":
            self._beat_at, self.beats = now, self.beats + 1
        elif name == "PlateSeen":
            self.seen = value
        elif name == "Number" and value is not None:
            self._numbers.put_nowait(value)
        elif name in ("ReleasedNumber", "Reject") and value is not None:
            released = self.values.get("ReleasedNumber")
            if released and self.passes(released):
                self.released.setdefault(released, now)

    # --- inside

    async def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError, asyncio.TimeoutError, ua.UaError):
                async with Client(address(self.port), timeout=2) as client:
                    await self._work(client)
            self.values.clear()
            await asyncio.sleep(_AGAIN_S)

    async def _work(self, client: Client) -> None:
        self._numbers = asyncio.Queue()
        space = await client.get_namespace_index(SPACE)
        echo = client.get_node(ua.NodeId("Echo", space))
        result = [client.get_node(ua.NodeId(name, space)) for name in ("Number", "Verdict", "Divert")]
        # As soon as it can; a period of its own would come to the time to the echo.
        subscription = await client.create_subscription(0, self)
        await subscription.subscribe_data_change([client.get_node(ua.NodeId(name, space)) for name in WATCHED])
        while not self._stop.is_set():
            try:
                number = await asyncio.wait_for(self._numbers.get(), 0.1)
            except TimeoutError:
                await client.check_connection()
                continue
            if number:
                # In one request, for changes may come in any order; another number may stand there by now.
                number, verdict, divert = await client.read_values(result)
                if number and (not self.new or number != self.new[-1].number):
                    self.new.append(Heard(number, verdict, divert, time.monotonic()))
            answer = self.echo(number)
            if answer is not None:
                await echo.write_value(ua.Variant(answer, ua.VariantType.UInt32))
