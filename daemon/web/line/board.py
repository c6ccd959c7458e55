"""The board that all browsers look at: what they are told is made once, whatever their number."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from config.schema import Config
from daemon.web.line.pictures import SheetPictures
from daemon.web.line.told import line_told, row_told
from daemon.web.line.verdicts import Recent, VerdictReader
from daemon.web.live import OLD_S, Live
from daemon.wire.messages import LineState
from daemon.wire.plate_memory import PlateMemory

_PICTURE_S = 0.5
_READ_S = 0.05
"""Between two questions to the store at least."""
_READ_AGAIN_S = 2.0
"""Before a store that could not be read is asked again."""


class Board:
    """What the pages of the present show. Its coroutines belong to one event loop."""

    def __init__(self, config: Config, state: Path, live: Live, memory: PlateMemory | None) -> None:
        self._config, self._live, self._memory = config, live, memory
        self.pictures = SheetPictures()
        self._recent = Recent()
        self._version = 0
        """Grows with each verdict that was read, and each picture."""
        self.recent_version = 0
        self._reader = VerdictReader(state)
        self._reading: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._read_at = self._looked_at = float("-inf")
        self._said: tuple[object, str] = (None, "")
        self._program = version("linesentry")

    def look(self) -> None:
        """See to what is due, in threads: the store, the pictures. Called by whoever serves a browser."""
        _, state = self._live.get()
        if state is None:
            return
        now = time.monotonic()
        pause = _READ_AGAIN_S if self._recent.error else _READ_S
        news = self._recent.error or not self._recent.is_of(state)
        if news and _free(self._reading) and now - self._read_at >= pause:
            self._reading = asyncio.create_task(self._read(state))
        if _free(self._looking) and now - self._looked_at >= _PICTURE_S and self._memory is not None and state.plates:
            self._looking = asyncio.create_task(self._look(self._memory, state))

    def line(self) -> str:
        """What is told of the line now, as JSON; `old` says that it must not be shown as the present."""
        version, state = self._live.get()
        age_s = self._live.age_s()
        old = age_s is None or age_s > OLD_S
        key = (version, self._version, old, int(time.monotonic()))
        if self._said[0] != key:
            line = None
            if state is not None and not old:
                now = datetime.now(UTC)
                line = line_told(state, self._recent, self._config, self.pictures.rows, now)
            said = json.dumps({"old": old, "program": self._program, "line": line})
            self._said = (key, said)
        return self._said[1]

    def recent(self) -> str:
        """The last plates with a verdict, as JSON."""
        return json.dumps({"error": self._recent.error, "plates": [row_told(row) for row in self._recent.plates]})

    async def _read(self, state: LineState) -> None:
        self._recent = await asyncio.to_thread(self._reader.read, state)
        self._read_at = time.monotonic()
        self._version += 1
        self.recent_version += 1

    async def _look(self, memory: PlateMemory, state: LineState) -> None:
        new = await asyncio.to_thread(self.pictures.look, memory, state.plates)
        self._looked_at = time.monotonic()
        self._version += new


def _free(task: asyncio.Task[None] | None) -> bool:
    return task is None or task.done()
