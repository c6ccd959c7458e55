"""Which kind of image a file is, by its first bytes; without any decoder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 16
"""Bytes by which the kind is told."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class NotRegularError(OSError):
    """It is a pipe, a device or a socket."""


def kind_of(head: bytes) -> str | None:
    """TIFF, PNG, BMP or JPEG, for a file that begins so; None for any other."""
    if head[:4] in _TIFF:
        return "TIFF"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    return "BMP" if head.startswith(b"BM") else "JPEG" if head.startswith(b"\xff\xd8\xff") else None


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; never waits, as opening a pipe would.

    Raises:
        NotRegularError: it is something else.
        OSError: it cannot be opened, or is a directory.
        ValueError: no file can have that name.
    """
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115 - handed on
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegularError
    return file


def looks_like_image(path: Path) -> bool:
    """Whether a regular file begins as one of these kinds; False also for one that cannot be opened."""
    try:
        with open_regular(path) as file:
            return kind_of(file.read(HEAD_BYTES)) is not None
    except (OSError, ValueError):
        return False
