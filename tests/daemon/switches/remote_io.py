"""A PLC's discrete inputs, by pymodbus's server, which a test sets."""

from __future__ import annotations

import asyncio
import threading
from typing import cast

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

_READ_INPUTS = 2
"""Function code of the table."""


class RemoteIo:
    """Serves from a thread of its own, from its construction to `stop`; a port of 0 is any free one."""

    def __init__(self, port: int = 0, inputs: int = 8) -> None:
        self.port = port
        self._inputs = inputs
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._up.wait(10)

    def set(self, number: int, level: bool) -> None:
        """The input has that level when this comes back."""
        setting = self._server.async_setValues(1, _READ_INPUTS, number, [level])
        asyncio.run_coroutine_threadsafe(setting, self._loop).result(5)

    def stop(self) -> None:
        """Cut its power."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        bits = [SimData(0, count=self._inputs, values=False, datatype=DataType.BITS)]
        words = [SimData(0, count=8, values=0, datatype=DataType.REGISTERS)]
        device = SimDevice(1, simdata=(bits, bits, words, words))
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await self._server.serve_forever(background=True)
        self.port = cast("asyncio.Server", self._server.transport).sockets[0].getsockname()[1]
        self._up.set()
        try:
            await self._stop.wait()
        finally:
            await self._server.shutdown()  # type: ignore[no-untyped-call] # as pymodbus has it
            await asyncio.sleep(0.05)  # its connections close later
