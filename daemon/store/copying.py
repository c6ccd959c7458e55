"""A whole copy of a database's file while others write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote_from_bytes


def copy_whole(path: Path, copy: Path) -> None:
    """Copy the file at `path` with all of its write-ahead log to `copy`, which is on the disk then and has none.

    Raises:
        sqlite3.Error: one cannot be read, or the other not written.
    """
    source = f"file:{quote_from_bytes(os.fsencode(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(copy)) as into:
        with closing(sqlite3.connect(source, uri=True)) as from_:
            from_.backup(into)
        into.execute("PRAGMA journal_mode = DELETE")
