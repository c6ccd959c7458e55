"""Where the tortured line keeps its results: a small file system of its own, where this machine lets us make one.

It is mounted in a mount namespace of this process and its children, so that nothing of it is left however they end.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_SIZE_MB = 64
_CHUNK = b"\1" * 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """A directory for the state of the line, and what can be done to the disk below it."""

    directory: Path
    own: bool
    """A file system of its own, which can be filled, frozen and made read-only."""
    why_not: str = ""
    """Why it is none."""

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """No byte is left on it."""
        ballast = self.directory.parent / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                chunk = _CHUNK
                while chunk:
                    try:
                        file.write(chunk)
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        chunk = chunk[: len(chunk) // 2]
            yield
        finally:
            ballast.unlink(missing_ok=True)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Whoever writes to it waits."""
        _run("fsfreeze", "--freeze", str(self.directory.parent))
        try:
            yield
        finally:
            _run("fsfreeze", "--unfreeze", str(self.directory.parent))

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Whoever opens a file there from now on may only read."""
        here = str(self.directory)
        _mount("--bind", here, here)
        try:
            _mount("-o", "remount,bind,ro", here)
            yield
        finally:
            # Lazily: those who opened a file below it keep it.
            _run("umount", "--lazy", here)


def made_place(base: Path) -> Place:
    """A place below that directory; call it before any thread is started, for the namespace is the caller's alone."""
    why_not = _why_not()
    if not why_not:
        try:
            return Place(_own_disk(base) / "state", own=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", b"") or str(error).encode()
            why_not = f"no file system can be mounted here ({said.decode(errors='replace').strip()})"
    return Place(base / "state", own=False, why_not=why_not)


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root can mount a file system"
    lacking = [name for name in ("mkfs.ext4", "fsfreeze", "mount", "umount") if shutil.which(name) is None]
    return f"{', '.join(lacking)} not found" if lacking else ""


def _own_disk(base: Path) -> Path:
    image, mounted = base / "disk.img", base / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(_SIZE_MB * 1_000_000)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _mount("--make-rprivate", "/")
    # Without blocks for root: a full disk is full for everybody.
    _run("mkfs.ext4", "-q", "-m", "0", str(image))
    _mount("-o", "loop", str(image), str(mounted))
    return mounted


def _mount(*arguments: str) -> None:
    _run("mount", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - programs of the system, paths of our own
