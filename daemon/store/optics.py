"""What the result store keeps of the optics: reference and present means of each product, and alarms as events."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from daemon.store.results import Store
from daemon.store.schema import events, optics

_KIND = "optics"


def kept_optics(store: Store, product: str) -> bytes | None:
    """What was kept of a product; None where nothing was. Raises StoreError."""
    with store.transaction(write=False) as connection:
        return connection.scalar(sa.select(optics.c.kept).where(optics.c.product == product))


def keep_optics(store: Store, product: str, kept: bytes) -> None:
    """Keep it in place of what was kept before. Raises StoreError."""
    values = {"at": datetime.now(UTC), "kept": kept}
    with store.transaction() as connection:
        connection.execute(
            insert(optics).values(product=product, **values).on_conflict_do_update(["product"], set_=values)
        )


def note_optics(store: Store, run: str, plate: int, text: str) -> None:
    """Note that an alarm began or ended with that plate. Raises StoreError."""
    with store.transaction() as connection:
        noted = {"at": datetime.now(UTC), "run": run, "kind": _KIND, "plate": plate, "text": text}
        connection.execute(sa.insert(events).values(**noted))
