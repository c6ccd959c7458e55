"""A copy of a result store at work, for safety, and for people who may not read the service's own directory."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.store.copying import copy_whole
from daemon.store.results import Store, StoreError, store_path
from daemon.store.schema import explained
from daemon.store.where import noted_url
from models.machine.files import whole

_FOLDER, _FILE = 0o750, 0o640
"""Who reads a copy: its owner, and its group."""


def backup(state: Path, folder: Path, group: str | None = None) -> Path:
    """Copy the store of a state directory into a folder that is read as one; the copy, whole or not at all.

    It has all that was committed by then, and none that reads it has to write. Who has the group may read it.

    Raises:
        StoreError: the store cannot be read.
        OSError: the copy cannot be written, or given to the group.
        LookupError: there is no such group.
    """
    path = store_path(state)
    if folder.resolve() == state.resolve():
        raise StoreError("broken", f"{folder} is where the store itself lies: name another folder")
    if noted_url(path) is not None:
        raise StoreError("broken", "the results are in PostgreSQL: pg_dump makes a copy, and a role there reads them")
    # What cannot be read, or is no store, is said in its own words.
    Store.open(path, read_only=True).close()
    folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    copy = store_path(folder)
    with whole(copy) as part:
        part.unlink(missing_ok=True)
        part.touch(mode=_FILE)
        try:
            copy_whole(path, part)
            with closing(sqlite3.connect(part, isolation_level=None)) as copied:
                _close(copied)
        except sqlite3.Error as error:
            raise explained(error, path) from error
        if group is not None:
            whose = int(group) if group.isdecimal() else group
            shutil.chown(part, group=whose)
            shutil.chown(folder, group=whose)
    return copy


def _close(copied: sqlite3.Connection) -> None:
    """Nobody is at work on a copy, and nothing of it is missing; former versions said nothing of that."""
    if copied.execute("SELECT count(*) FROM sqlite_master WHERE name = 'upkeep'").fetchone()[0]:
        copied.execute("UPDATE upkeep SET in_use = 0")
