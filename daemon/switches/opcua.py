"""`camera.switch.source: opcua`: a variable of a PLC that is a server of OPC UA.

It is read, and not subscribed to: a notification does not say how late it is (docs/decisions/0054-more-switches.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from asyncua import Client, Node, ua

from config.schema import SwitchOpcua
from daemon.switches.asked import AskedSwitch, NoAnswerError

_T = TypeVar("_T")
_SESSION_MS = 30_000
"""A PLC lets few clients in: so long it keeps the place of one that has died."""
_NO_SUCH = (ua.StatusCodes.BadNodeIdUnknown, ua.StatusCodes.BadNodeIdInvalid, ua.StatusCodes.BadAttributeIdInvalid)


class OpcuaSwitch(AskedSwitch):
    """One Boolean."""

    def __init__(self, settings: SwitchOpcua) -> None:
        # What it would log of each failed try is said by `fault`.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        super().__init__(f"PLC {settings.url}", settings.poll_s, settings.timeout_s)
        self._settings = settings
        self._runner: asyncio.Runner | None = None
        """Of a loop that runs while a question is asked."""
        self._client: Client | None = None
        self._node: Node | None = None

    def connect(self) -> None:
        """Open a session."""
        settings = self._settings
        self._runner = asyncio.Runner()
        self._do(self._connected(), "cannot be reached")
        assert self._client is not None
        try:
            self._node = self._client.get_node(settings.node)
        except (ua.UaError, ValueError) as error:
            raise NoAnswerError(f"has no {settings.node}: correct camera.switch.opcua.node: {error}") from error

    def level(self) -> bool:
        """What the variable says."""
        assert self._node is not None
        told = f"does not answer about {self._settings.node}"
        data = self._do(self._node.read_data_value(raise_on_bad_status=False), told)
        if data.StatusCode is not None and not data.StatusCode.is_good():
            advice = ": correct camera.switch.opcua.node" if data.StatusCode.value in _NO_SUCH else ""
            raise NoAnswerError(f"{told}: its quality is {data.StatusCode.name}{advice}")
        value = None if data.Value is None else data.Value.Value
        if not isinstance(value, bool):
            raise NoAnswerError(f"{told}: it is {value!r:.40}, and no Boolean: correct camera.switch.opcua.node")
        return value

    def disconnect(self) -> None:
        """Close the session."""
        runner, client = self._runner, self._client
        if runner is None:
            return
        if client is not None:
            try:
                self._do(client.disconnect(), "does not let go")
            except NoAnswerError:
                client.disconnect_socket()
        runner.close()
        self._runner, self._client, self._node = None, None, None

    # --- inside --------------------------------------------------------------------------------------------------

    async def _connected(self) -> None:
        client = Client(self._settings.url, timeout=self._settings.timeout_s)
        client.description = "linesentry"
        client.session_timeout = _SESSION_MS
        self._client = client
        await client.connect()

    def _do(self, work: Coroutine[Any, Any, _T], told: str) -> _T:
        assert self._runner is not None
        try:
            return self._runner.run(work)
        except Exception as error:  # a server that talks nonsense shows as any of them
            raise NoAnswerError(f"{told}: {str(error) or type(error).__name__}") from error
