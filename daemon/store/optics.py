"""What the result store keeps of the optics: reference and present means of each product, and alarms as events."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from daemon.store.events import note
from daemon.store.results import Store
from daemon.store.schema import insert_into, optics

_KIND = "optics"


def kept_optics(store: Store, product: str) -> bytes | None:
    """What was kept of a product; None where nothing was. Raises StoreError."""
    with store.transaction(write=False) as connection:
        return connection.scalar(sa.select(optics.c.kept).where(optics.c.product == product))


def optics_kept_at(store: Store, product: str) -> datetime | None:
    """When something was kept of a product last; None where nothing is. Raises StoreError."""
    with store.transaction(write=False) as connection:
        return connection.scalar(sa.select(optics.c.at).where(optics.c.product == product))


def forget_optics(store: Store, product: str) -> bool:
    """Forget what is kept of a product; False where nothing was. Raises StoreError."""
    with store.transaction() as connection:
        return bool(connection.execute(sa.delete(optics).where(optics.c.product == product)).rowcount)


def keep_optics(store: Store, product: str, kept: bytes) -> datetime:
    """Keep it in place of what was kept before; when that was. Raises StoreError."""
    at = datetime.now(UTC)
    values = {"at": at, "kept": kept}
    with store.transaction() as connection:
        connection.execute(
            insert_into(connection, optics)
            .values(product=product, **values)
            .on_conflict_do_update(index_elements=["product"], set_=values)
        )
    return at


def note_optics(store: Store, run: str, plate: int, text: str) -> None:
    """Note that an alarm began or ended with that plate. Raises StoreError."""
    note(store, run, _KIND, text, plate)
