"""What a command finds around it: streams that are closed or full, few files, a working directory that is gone."""

from __future__ import annotations

import errno
import io
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FILES = 4096
"""Files that a command may open at once, where the machine's own limit allows as many."""
_STDOUT, _STDERR = 1, 2
_WHOSE = ": do this as a user who may, as root; for others, root copies the results (`linesentry backup`)"


class StdoutError(OSError):
    """Stdout cannot be written."""


class SurroundingsError(Exception):
    """A command cannot begin here; the message says why and what to do."""


def prepare() -> None:
    """Set the process up, whatever it was started with.

    Raises:
        SurroundingsError: the working directory is gone.
    """
    _open_closed_streams()
    line_by_line = bool(sys.stdout.line_buffering or getattr(sys.stdout, "write_through", False))
    # A locale that lacks a character must not end a service that would show it.
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Stdout(_STDOUT, "w", closefd=False)),
        encoding=sys.stdout.encoding,
        errors="replace",
        line_buffering=line_by_line,
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        Path.cwd()
    except OSError:
        raise SurroundingsError("the working directory is gone: change to one that exists, and try again") from None


def what_is_lacking(error: Exception) -> str | None:
    """What around the program is to blame for an error, in words.

    Empty where nobody is left to read it, and None where it is no fault of the surroundings. An error of the system is:
    it is about a file, a stream or a limit, and where it was met in the program helps nobody.
    """
    number = getattr(error, "errno", None)
    if isinstance(error, SurroundingsError):
        return str(error)
    if number in (errno.EMFILE, errno.ENFILE):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return f"too many open files: {most} are allowed; allow more (ulimit -n, or LimitNOFILE in a unit)"
    if number == errno.EPIPE:
        return ""
    if isinstance(error, StdoutError):
        return f"cannot write to stdout: {'it is closed' if number == errno.EBADF else error.strerror}"
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}{error.strerror or error}{_WHOSE if number == errno.EACCES else ''}"
    return None


def forget_unwritten() -> None:
    """Let go of what a stream could not write, which would be tried, and told, once more at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (_STDOUT, _STDERR):
        os.dup2(nowhere, stream)


class _Stdout(io.FileIO):
    """Says of an error that it is about stdout."""

    def write(self, data: ReadableBuffer) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise StdoutError(error.errno, error.strerror) from error


def _open_closed_streams() -> None:
    """Have all three streams: a file that is opened in place of one, as a database, must not be written to by chance.

    What is written to a closed stdout fails, as it would have; who speaks to a closed stderr wants no answer.
    """
    for number, name, mode in ((0, "stdin", "r"), (_STDOUT, "stdout", "w"), (_STDERR, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_WRONLY if number == _STDERR else os.O_RDONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
