"""The result store that another program may hold: waited for by the service, and by commands beside a line at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from daemon.store.results import Store, StoreError, store_path
from daemon.store.schema import StoreAwayError
from daemon.store.where import is_there

_FREE_S, _PAUSE_S = 5.0, 0.1
"""How long a store that the service writes to just now is waited for."""

Opened = TypeVar("Opened")


def when_free(use: Callable[[], Opened], most_s: float, waiting: Callable[[StoreError], None] | None = None) -> Opened:
    """Use the store, once a program that holds it has let go.

    Args:
        use: opens it.
        most_s: longest wait, s.
        waiting: told once, when there is something to wait for.

    Raises:
        StoreError: it was not let go in that time; or it fails otherwise, then at once.
    """
    until, told = time.monotonic() + most_s, False
    while True:
        try:
            return use()
        except StoreError as error:
            passes = error.kind == "locked" or isinstance(error, StoreAwayError)
            if not passes or time.monotonic() > until:
                raise
            if waiting is not None and not told:
                waiting(error)
            told = True
            time.sleep(_PAUSE_S)


def open_shared(state: Path) -> Store:
    """The store of that state directory to write to, once the service lets go of it for a moment.

    It is of this version: one of a former version is the service's to bring up, which may have it open just now.

    Raises:
        StoreError: there is none, it cannot be opened, it is of a former version, or the service does not let go.
    """
    return when_free(lambda: _open(state), _FREE_S)


def use_shared(state: Path, use: Callable[[Store], Opened]) -> Opened:
    """Do something short with that store, and once more while the service writes just then.

    Raises:
        StoreError: as `open_shared`, or as what is done.
    """

    def once() -> Opened:
        with _open(state) as store:
            return use(store)

    return when_free(once, _FREE_S)


def _open(state: Path) -> Store:
    path = store_path(state)
    if not is_there(path):
        raise StoreError(
            "broken", f"there are no results at {path}: run the line, or name another directory with --state"
        )
    return Store.open(path, former=False)
