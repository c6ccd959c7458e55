"""The directory in which the sockets of one run lie: new, private, and short enough for their paths."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

_LONGEST_BASE = 56
"""Bytes of the directory below which the sockets lie: with their own names a path is 107 at most."""


def socket_directory(state: Path, run: str) -> tempfile.TemporaryDirectory[str]:
    """A new directory, mode 0700, below RUNTIME_DIRECTORY or else the directory for temporary files.

    What a killed predecessor with the same state directory left is removed: call it with that directory locked.
    """
    of_state = f"linesentry-{hashlib.sha256(bytes(state)).hexdigest()[:8]}-"
    base = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0] or tempfile.gettempdir()
    if len(os.fsencode(base)) > _LONGEST_BASE:
        base = "/tmp"  # noqa: S108 - the directory made below it is new and nobody else's
    for left in Path(base).glob(f"{of_state}*"):
        if left.stat(follow_symlinks=False).st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"{of_state}{run[:8]}-", dir=base)
