"""The result store of a line that may be at work: opened by a command that writes something of its own into it."""

from __future__ import annotations

import time
from pathlib import Path

from daemon.store.results import Store, StoreError, store_path

_FREE_S, _PAUSE_S = 5.0, 0.1
"""How long a store that the service writes to just now is waited for."""


def open_shared(state: Path) -> Store:
    """The store of that state directory to write to, once the service lets go of it for a moment.

    Raises:
        StoreError: there is none, it cannot be opened, or the service does not let go of it.
    """
    path = store_path(state)
    if not path.exists():
        raise StoreError(
            "broken", f"there are no results at {path}: run the line, or name another directory with --state"
        )
    until = time.monotonic() + _FREE_S
    while True:
        try:
            return Store.open(path)
        except StoreError as error:
            if error.kind != "locked" or time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)
