"""A PLC that is a server of OPC UA, by asyncua, with one variable that a test sets."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Coroutine
from typing import Any

from asyncua import Node, Server, ua

from tests.opcua_plc import free_port

NODE = "ns=1;s=SheetPresent"
TEXT = "ns=1;s=Text"


class OpcuaVariable:
    """Serves from a thread of its own, from its construction to `end`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}/"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        gc.disable()  # of its million small objects, as linesentry's own server does
        self._server, self._node = self._do(self._made())
        gc.enable()
        self.start()

    def set(self, value: bool | ua.DataValue) -> None:
        """The variable has that value when this comes back."""
        self._do(self._node.write_value(value))

    def hang(self, until: threading.Event, value: bool) -> None:
        """It answers nothing from the moment in which this comes back, and has that value when it goes on."""
        hangs = threading.Event()

        async def hang() -> None:
            hangs.set()
            until.wait(20)
            await self._node.write_value(value)

        asyncio.run_coroutine_threadsafe(hang(), self._loop)
        assert hangs.wait(20)

    def start(self) -> None:
        """Let clients in."""
        self._do(self._server.bserver.start())

    def stop(self) -> None:
        """Cut all connections, and let nobody in."""
        self._do(self._server.bserver.stop())

    def end(self) -> None:
        """Cut its power."""
        self._do(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _made(self) -> tuple[Any, Node]:
        server = Server()
        await server.init()
        server.set_endpoint(self.url)
        await server.nodes.objects.add_variable(TEXT, "Text", "on")
        node = await server.nodes.objects.add_variable(NODE, "SheetPresent", False)
        await server.start()
        await server.bserver.stop()
        return server, node

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)
