"""Where the store of a state directory is: a file in it, or a server of PostgreSQL that a note in it names.

The service writes the note at its start, as its configuration says (`store.url`). So whoever reads a state directory
finds the store, without the configuration.
"""

from __future__ import annotations

import os
from pathlib import Path

from models.machine.files import whole


def note_path(store: Path) -> Path:
    """The note beside the place of the store's file."""
    return store.with_name("store.url")


def noted_url(store: Path) -> str | None:
    """The server that the note names; None where there is no note. Raises OSError where it cannot be read.

    None as well in a directory that is closed to us: then whoever opens the file is told whose it is.
    """
    try:
        return note_path(store).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except PermissionError:
        if os.access(store.parent, os.X_OK):
            raise
        return None


def place_of(store: Path) -> str:
    """Where the store is, in words. Raises OSError."""
    return noted_url(store) or str(store)


def note_url(store: Path, url: str | None) -> None:
    """Have the note say so; None: the store is the file. Raises OSError."""
    note = note_path(store)
    if url is None:
        note.unlink(missing_ok=True)
    elif noted_url(store) != url:
        with whole(note) as part:
            part.write_text(url + "\n", encoding="utf-8")


def is_there(store: Path) -> bool:
    """Whether there is a store to be read: its file, or a note of a server. Raises OSError.

    Where one may not look there is: whoever reads it is told whose it is.
    """
    try:
        return store.exists() or note_path(store).exists()
    except PermissionError:
        return True
