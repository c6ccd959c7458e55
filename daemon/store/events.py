"""The result store's table of events: what happened to a line, beside the verdicts."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from daemon.store.results import Store
from daemon.store.schema import events


def note(store: Store, run: str, kind: str, text: str, plate: int | None = None) -> None:
    """Note that something of that kind happened now, with that plate if it belongs to one. Raises StoreError."""
    with store.transaction() as connection:
        noted = {"at": datetime.now(UTC), "run": run, "kind": kind, "plate": plate, "text": text}
        connection.execute(sa.insert(events).values(**noted))
