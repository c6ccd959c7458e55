"""Opening a store that is sound: a damaged one is set aside, and a new one begun, so that the line has its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.store import opening
from daemon.store.results import Store
from daemon.store.schema import StoreDamagedError


@dataclass(frozen=True, slots=True)
class SetAside:
    """A damaged store that was renamed."""

    path: Path
    """Its new path."""
    damage: str
    """What was wrong with it."""


def open_sound(path: Path) -> tuple[Store, SetAside | None]:
    """Open the store to write after a look at the whole file; one that is damaged is set aside, and a new one begun.

    Raises:
        StoreError: it cannot be opened for another reason, or cannot be set aside.
    """
    try:
        store = Store.open(path)
        try:
            store.check()
        except BaseException:
            store.close()
            raise
    except StoreDamagedError as error:
        aside = SetAside(opening.set_aside(path), str(error))
        return Store.open(path), aside
    return store, None
