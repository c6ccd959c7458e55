"""Connections of browsers: one that asks for nothing is cut, for others wait for its place."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0
"""Time for a request's line and headers, from their first byte or the connection's begin on."""


class Connection(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it; a request whose head does not come to its end in time is none."""

    _until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; wait for the end of the head where it is not there yet."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._until is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more to wait for."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._until = self.loop.call_later(HEAD_S, self._cut)

    def _cut(self) -> None:
        self._until = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.abort()

    def _stop(self) -> None:
        if self._until is not None:
            self._until.cancel()
            self._until = None
