"""The state directory of a service, its lock, and the hashes that say what a result was made with."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from config.schema import Config, Recipe
from config.weights import classifier_path, weights_path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("config", "daemon", "models", "simulator", "stages")


_NOTE_BYTES = 32
"""Always so many, so that what is written at the end needs no more room than what was written at the start."""


class StateError(Exception):
    """The state directory cannot be used; the message says why and what to do."""


class RunEnd(StrEnum):
    """How a run of the service ended."""

    STOPPED = "stopped"
    """By a signal, or because there was nothing more to inspect."""
    FAILED = "failed"
    """By itself: a role was lost, or the supervisor failed."""
    DIED = "died"
    """Without a word: killed, crashed, or the power was cut."""
    UNKNOWN = "unknown"
    """No run is known."""


class Lock:
    """A state directory that is held by this process, and how the run before ended there."""

    def __init__(self, descriptor: int, previous: RunEnd) -> None:
        self.previous = previous
        self._descriptor = descriptor

    def begun(self) -> None:
        """This run works from now on: whoever finds no further note knows that it died. Raises StateError."""
        self._note(RunEnd.DIED)

    def ended(self, end: RunEnd) -> None:
        """This run ends so. Raises StateError."""
        self._note(end)

    def _note(self, end: RunEnd) -> None:
        try:
            os.pwrite(self._descriptor, f"{os.getpid()} {end}".ljust(_NOTE_BYTES).encode(), 0)
            os.fsync(self._descriptor)
        except OSError as error:
            raise StateError(f"cannot write to the lock of the state directory: {error.strerror}") from error


def state_path(config: Config) -> Path:
    """The configured directory; else systemd's $STATE_DIRECTORY; else the user's own. Raises StateError."""
    if config.state_directory is not None:
        return config.state_directory
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "linesentry"
    except RuntimeError as error:
        raise StateError(
            "this user has no home for a state directory: name one with state_directory or --state"
        ) from error


class StateDirectory:
    """Where a service keeps its results; one running instance each."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            str(self.path).encode()
        except UnicodeEncodeError as error:
            raise StateError(
                f"the name of the state directory is not UTF-8: {os.fsencode(self.path)!r}; "
                "choose another with state_directory or --state"
            ) from error
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"cannot make the state directory {self.path}: {error.strerror}; "
                "choose another with state_directory or --state"
            ) from error

    @classmethod
    def of(cls, config: Config) -> StateDirectory:
        """The directory of that configuration, made where it is not there yet."""
        return cls(state_path(config))

    @contextmanager
    def lock(self) -> Iterator[Lock]:
        """Hold the directory for this process.

        Raises:
            StateError: when another instance holds it, or it cannot be written.
        """
        lock = -1
        try:
            try:
                lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
                previous = self._take(lock)
            except OSError as error:
                raise StateError(
                    f"cannot write to the state directory {self.path}: {error.strerror}; check its owner, permissions "
                    "and the room on its disk, or choose another with state_directory or --state"
                ) from error
            yield Lock(lock, previous)
        finally:
            if lock >= 0:
                os.close(lock)

    def _take(self, lock: int) -> RunEnd:
        """Take the lock and write this process's id into it; how the run before ended stays noted there."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder, _ = _noted(lock)
            raise StateError(
                f"another linesentry (process {holder or 'unknown'}) uses {self.path}: "
                "stop it, or give this one a state directory of its own (--state)"
            ) from None
        _, previous = _noted(lock)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} {previous}".ljust(_NOTE_BYTES).encode(), 0)
        return previous


def in_use(path: Path) -> bool:
    """Whether a service runs with that state directory; nothing is made or written there."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _noted(lock: int) -> tuple[str, RunEnd]:
    """Process id and end as a lock file has them; a lock of an older version has the first alone."""
    holder, _, end = os.pread(lock, _NOTE_BYTES, 0).decode(errors="replace").strip().partition(" ")
    return holder, RunEnd(end) if end in set(RunEnd) else RunEnd.UNKNOWN


def weights_sha256(recipe: Recipe) -> str | None:
    """SHA-256 of the weights file, hex; None when there is none."""
    return _sha256(weights_path(recipe))


def classifier_sha256(config: Config, recipe: Recipe | None = None) -> str | None:
    """SHA-256 of the weights file of the classifier that is asked for a recipe, hex; None when there is none."""
    return _sha256(classifier_path(config.classify, recipe))


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_sha256(root: Path = ROOT) -> str:
    """SHA-256 over the program's Python files below that folder, hex.

    Raises:
        StateError: a package has none there, so that the hash would not say with what code a result was made.
    """
    total = hashlib.sha256()
    for package in PACKAGES:
        paths = sorted((root / package).rglob("*.py"))
        if not paths:
            raise StateError(
                f"no Python files of {package} in {root / package}: what a result was made with could not be told; "
                "install linesentry whole"
            )
        for path in paths:
            total.update(path.relative_to(root).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()
