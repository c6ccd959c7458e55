"""The directory in which the sockets of one run lie: new, private, and short enough for their paths.

It outlives who cleans temporary files: it is locked, as systemd-tmpfiles honours, its times are kept fresh, and it is
made again where it is deleted all the same. Every process binds its own sockets again (daemon/wire/channel.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

_LONGEST_PATH = 107
"""Bytes of a socket's path."""
_LONGEST_NAME = "supervisor"
_DESCRIPTORS = 65_536
_LOOK_S = 0.5
_REFRESH_S = 600.0
_log = structlog.get_logger(__name__)


def allow_many_connections() -> None:
    """Let this process and its children have as many descriptors as they may: ZeroMQ ends one that has none left."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _DESCRIPTORS)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


class SocketDirectoryError(Exception):
    """There is no place for the sockets of a run; the message says where they were tried, and why not there."""


class SocketDirectory:
    """A new directory, mode 0700, below RUNTIME_DIRECTORY, TMPDIR, /tmp, /var/tmp or the state directory.

    The first of them is taken in which a socket can be bound. What a killed predecessor with the same state directory
    left is removed: make it with that directory locked.

    Raises:
        SocketDirectoryError: in none of them.
    """

    def __init__(self, state: Path, run: str) -> None:
        of_state = f"linesentry-{hashlib.sha256(bytes(state)).hexdigest()[:8]}-"
        bases = list(_bases(state))
        for base in bases:
            _remove_left(base, of_state)
        self.path = _made(bases, f"{of_state}{run[:8]}-")
        self._lock = -1
        self._looked_at = self._refreshed_at = 0.0
        self._said: str | None = None
        try:
            self._hold()
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Delete it, and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._let_go()

    def keep(self, now: float) -> None:
        """Make it again where it is gone, and keep its times fresh; to be called often, at a monotonic time, s."""
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        self.restore()
        if now - self._refreshed_at >= _REFRESH_S:
            self._refreshed_at = now
            for path in (self.path, *_entries(self.path)):
                _touch(path)

    def restore(self) -> None:
        """Make it again where it is gone."""
        if self._is_there():
            self._said = None
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._hold()
            os.fchmod(self._lock, 0o700)
        except OSError as error:
            self._say_once(f"cannot be made again: {error.strerror}; no process can be started until it is there")
            return
        _log.warning("directory of the sockets was deleted and is made again", path=str(self.path))

    def _is_there(self) -> bool:
        try:
            held, found = os.fstat(self._lock), self.path.lstat()
        except OSError:
            return False
        return (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)

    def _hold(self) -> None:
        self._let_go()
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def _let_go(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._said = text
            _log.error("directory of the sockets is gone", path=str(self.path), error=text)


def _bases(state: Path) -> Iterator[Path]:
    for given in (os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0], os.environ.get("TMPDIR", "")):
        if given:
            yield Path(given).absolute()
    yield Path("/tmp")  # noqa: S108 - the directory made below it is new and nobody else's
    yield Path("/var/tmp")  # noqa: S108 - likewise
    yield state


def _remove_left(base: Path, of_state: str) -> None:
    try:
        for left in base.glob(f"{of_state}*"):
            if left.stat(follow_symlinks=False).st_uid == os.getuid():
                shutil.rmtree(left, ignore_errors=True)
    except OSError:
        return


def _made(bases: list[Path], prefix: str) -> Path:
    """A new directory below the first of them that takes sockets."""
    failed: list[str] = []
    for base in bases:
        try:
            made = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        except (OSError, ValueError) as error:
            failed.append(f"{base}: {getattr(error, 'strerror', None) or error}")
            continue
        why = _takes_no_socket(made / _LONGEST_NAME)
        if why is None:
            if failed:
                _log.warning("sockets lie elsewhere", path=str(made), instead_of=failed)
            return made
        shutil.rmtree(made, ignore_errors=True)
        failed.append(f"{base}: {why}")
    raise SocketDirectoryError(
        f"no directory for the sockets of this run: {'; '.join(failed)}. "
        "Set RUNTIME_DIRECTORY or TMPDIR to a directory that can be written and has a short path"
    )


def _takes_no_socket(path: Path) -> str | None:
    """Why no socket can be bound at that path; None where one can."""
    length = len(os.fsencode(path))
    if length > _LONGEST_PATH:
        return f"the path of a socket there has {length} bytes, and {_LONGEST_PATH} are the most"
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(os.fsencode(path))
            path.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _entries(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return
