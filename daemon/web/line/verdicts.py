"""The last verdicts, read from the store anew when another one is committed: once, whatever the number of browsers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.store.recent import Box, RecentPlate, boxes, recent_plates
from daemon.store.results import Store, StoreError, store_path
from daemon.store.where import noted_url
from daemon.wire.messages import MOST_BOXES, LineState

SHOWN = 20
"""Plates."""


@dataclass(frozen=True, slots=True)
class Recent:
    """What the store said when it was asked last."""

    after: tuple[str, int | None, int] | None = None
    """For which run, last plate and count of verdicts it was asked; None before the first time."""
    plates: tuple[RecentPlate, ...] = ()
    """The highest number first."""
    boxes: tuple[Box, ...] = ()
    """Of the first one's defects."""
    error: str = ""
    """Why it cannot be read; empty where it could."""

    def is_of(self, state: LineState) -> bool:
        """Whether it knows all verdicts that the line has."""
        return self.after == asked_for(state)


def asked_for(state: LineState) -> tuple[str, int | None, int]:
    """What changes with each verdict."""
    return state.run, state.last, sum(state.verdicts.values())


class VerdictReader:
    """Asks the store of a state directory; it is opened anew where it fails, or another file or server takes its place.

    Its methods belong to one thread at a time.
    """

    def __init__(self, state_directory: Path) -> None:
        self._path = store_path(state_directory)
        self._store: Store | None = None
        self._opened: object = None

    def read(self, state: LineState) -> Recent:
        """The last verdicts; what keeps the store from an answer is part of the answer."""
        after = asked_for(state)
        try:
            store = self._there()
            found = recent_plates(store, SHOWN)
            worst = boxes(store, found[0].plate, MOST_BOXES) if found else []
        except (StoreError, OSError) as error:
            self.close()
            return Recent(after, error=str(error))
        return Recent(after, tuple(found), tuple(worst))

    def close(self) -> None:
        """Close the store; the next question opens it."""
        if self._store is not None:
            self._store.close()
        self._store = None

    def _there(self) -> Store:
        place = noted_url(self._path) or _file(self._path)
        if self._store is None or place != self._opened:
            self.close()
            self._store, self._opened = Store.open(self._path, read_only=True), place
        return self._store


def _file(path: Path) -> tuple[int, int]:
    """Which file it is. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino
