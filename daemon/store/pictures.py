"""The folders of pictures: one a plate, where it lies, what all of them take, and how the oldest go.

Nothing here reads a picture, and nothing is deleted but the folder of a plate below the folder of a run.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

KEPT_FREE_BYTES = 1_000_000_000
"""Room on the disk that pictures leave to the result store; on a small disk a third of it."""
_WORK_S = 0.005
_MOST_ERRORS = 20
"""Where so many folders cannot be deleted, none can."""
_PAUSE = 2.0
"""Counting and deleting rest so many times as long as they work: no plate is to wait for them."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What was deleted, and what could not be."""

    plates: int = 0
    """Plates whose pictures are gone."""
    bytes: int = 0
    errors: tuple[str, ...] = ()

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.plates + other.plates, self.bytes + other.bytes, self.errors + other.errors)


NOTHING = Removed()


@dataclass(slots=True)
class _Run:
    known: bool
    """Whether the result store has plates of it; pictures of other runs go first."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes of each plate's pictures by the name of its folder, the oldest plate first."""


def plate_directory(state_directory: Path, run: str, plate: int) -> Path:
    """Where the pictures of a plate lie: STATE/pictures/<first 8 digits of the run>/<plate, six digits>."""
    return state_directory / "pictures" / run[:8] / f"{plate:06d}"


def free_bytes(directory: Path) -> int:
    """Room on the disk of a directory, or of the nearest one above it that is there. Raises OSError."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def kept_free(directory: Path) -> int:
    """Bytes that pictures leave free on the disk of a directory. Raises OSError."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    found = os.statvfs(directory)
    return min(KEPT_FREE_BYTES, found.f_blocks * found.f_frsize // 3)


class Pictures:
    """What pictures there are: counted once, then kept in step. Several threads may use it.

    Age is a plate's number, not a time: numbers only grow, whatever a clock says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counted_at: float | None = None
        """When all were counted, monotonic, s; None before."""
        self._runs: dict[str, _Run] = {}
        self._added: list[tuple[str, str, int]] = []
        """Those written since the count began, which it may have missed."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._rested_at = time.monotonic()

    @property
    def bytes(self) -> int:
        """Bytes of all pictures that were counted."""
        with self._lock:
            return sum(sum(run.sizes.values()) for run in self._runs.values())

    def stop(self) -> None:
        """End a count or a deletion that is under way in another thread."""
        self._stopped.set()

    def count(self, is_known: Callable[[str], bool]) -> None:
        """Count all pictures; `is_known` says of a run's first 8 digits whether the result store has plates of it."""
        with self._lock:
            self._added.clear()
        runs: dict[str, _Run] = {}
        for name in _folders(self.folder):
            run = _Run(is_known(name))
            for plate in sorted(filter(str.isdecimal, _folders(self.folder / name)), key=int):
                run.sizes[plate] = _size(self.folder / name / plate)
                if not self.rest():
                    return
            if run.sizes:
                runs[name] = run
        with self._lock:
            self._runs = runs
            for name, plate, size in self._added:
                self._put(name, plate, size)
            self.counted_at = time.monotonic()

    def add(self, run: str, plate: int) -> int:
        """Take the pictures just written of a plate into account; their bytes."""
        directory = plate_directory(self.folder.parent, run, plate)
        size = _size(directory)
        with self._lock:
            self._added.append((directory.parent.name, directory.name, size))
            self._put(directory.parent.name, directory.name, size)
        return size

    def remove(self, run: str, plate: int) -> Removed:
        """Delete the pictures of a plate, if there are any."""
        directory = plate_directory(self.folder.parent, run, plate)
        return self._remove(directory.parent.name, directory.name)

    def free(self, amount: float) -> Removed:
        """Delete the pictures of whole plates, the oldest first, until so many bytes are gone or none is left."""
        removed = Removed()
        while removed.bytes < amount and len(removed.errors) < _MOST_ERRORS and (oldest := self._oldest()) is not None:
            removed += self._remove(*oldest)
        return removed

    def keep_within(self, most: float) -> Removed:
        """Delete the oldest until all take at most so many bytes, and rest between."""
        removed, excess = Removed(), self.bytes - most
        while removed.bytes < excess and len(removed.errors) < _MOST_ERRORS and self.rest():
            oldest = self._oldest()
            if oldest is None:
                break
            removed += self._remove(*oldest)
        return removed

    def rest(self) -> bool:
        """Rest now and then in a long work; False when it is time to stop."""
        worked = time.monotonic() - self._rested_at
        if worked > _WORK_S:
            self._stopped.wait(min(_PAUSE * worked, 1.0))
            self._rested_at = time.monotonic()
        return not self._stopped.is_set()

    # --- inside ---

    def _put(self, run: str, plate: str, size: int) -> None:
        self._runs.setdefault(run, _Run(known=True)).sizes[plate] = size

    def _oldest(self) -> tuple[str, str] | None:
        with self._lock:
            first = [(run.known, int(plate := next(iter(run.sizes))), name, plate) for name, run in self._runs.items()]
        return min(first)[2:] if first else None

    def _remove(self, run: str, plate: str) -> Removed:
        with self._lock:
            found = self._runs.get(run)
            size = found.sizes.pop(plate, 0) if found is not None else 0
            if found is not None and not found.sizes:
                del self._runs[run]
        try:
            there = _delete(self.folder / run, plate)
        except OSError as error:
            return Removed(errors=(f"{self.folder / run / plate}: {error.strerror or error}; its pictures stay",))
        return Removed(int(there), size)


def _folders(directory: Path) -> list[str]:
    """Names of the folders there, links left out; none where there is no such directory."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _size(directory: Path) -> int:
    """Bytes of the files there; 0 for what vanishes meanwhile."""
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0


def _delete(run: Path, plate: str) -> bool:
    """Delete a plate's folder, and its run's when it was the last; False if there is none. Raises OSError.

    No link is followed: whoever sets one must not have us delete elsewhere.
    """
    try:
        parent = os.open(run, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        shutil.rmtree(plate, dir_fd=parent)
    except FileNotFoundError:
        return False
    finally:
        os.close(parent)
    with suppress(OSError):  # other plates of the run are still there
        run.rmdir()
    return True
