"""The frame grabber of docs/how-to/add-a-camera.md, at the other end of a real TCP connection."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "add-a-camera.md"
HEADER = struct.Struct("!IHB")

Sent = tuple[bool, NDArray[np.uint8]]
"""Level of the switch at a strip's first row, and its valid rows."""


def documented_camera() -> str:
    """The camera's code as the page shows it."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    return code.group(1)


class Grabber:
    """Serves one camera: waits for its start, sends the strips, then says nothing more until it is closed.

    Before a strip whose number is in `stands` it stands still until that event is set.
    """

    def __init__(
        self, strips: Sequence[Sent], strip_rows: int, stands: Mapping[int, threading.Event] | None = None
    ) -> None:
        self._strips, self._rows, self._stands = strips, strip_rows, stands or {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> str:
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._closing.is_set():
            try:
                with self._listener.accept()[0] as camera:
                    self._send_all(camera)
            except OSError:
                continue  # nobody yet, or the camera hung up

    def _send_all(self, camera: socket.socket) -> None:
        camera.settimeout(0.1)
        for packet in self._packets(camera):
            left = memoryview(packet)
            while left and not self._closing.is_set():
                try:
                    left = left[camera.send(left) :]
                except TimeoutError:
                    continue
        self._closing.wait()

    def _packets(self, camera: socket.socket) -> Iterator[bytes]:
        word = b""
        while word != b"start" and not self._closing.is_set():
            try:
                word += camera.recv(5)
            except TimeoutError:
                continue
        for block, (level, pixels) in enumerate(self._strips):
            while block in self._stands and not self._stands[block].wait(0.05) and not self._closing.is_set():
                continue
            whole = np.zeros((self._rows, pixels.shape[1]), np.uint8)
            whole[: len(pixels)] = pixels
            yield HEADER.pack(block, len(pixels), level) + whole.tobytes()
