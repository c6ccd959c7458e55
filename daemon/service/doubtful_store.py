"""Opening the result store in the midst of a run, after it was found damaged or gone."""

from __future__ import annotations

from pathlib import Path

import structlog

from daemon.store.journal import NOTHING, JournalError, Kept, journal_path, read_journal
from daemon.store.results import Store, store_path
from daemon.store.sound import open_sound
from daemon.store.where import is_there


def doubtful_store(state: Path) -> tuple[Store, Kept]:
    """The store that lies there, looked at whole, or a new one; and what the journal knows of this run.

    Raises:
        StoreError: it cannot be opened, or a damaged one cannot be set aside.
    """
    log = structlog.get_logger()
    there = is_there(store_path(state))
    store, aside = open_sound(store_path(state))
    if aside is not None:
        log.error(
            "the result store is damaged: it was set aside, and a new one is begun",
            error=aside.damage,
            set_aside=str(aside.path),
        )
    elif not there:
        log.error("the result store is gone: a new one is begun, with what the journal of plates knows")
    try:
        return store, read_journal(journal_path(state))
    except JournalError as error:
        log.warning("earlier plates of this run are not in the store", error=str(error))
        return store, NOTHING
