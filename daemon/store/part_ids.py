"""Part ids that plates have, so that none is given twice."""

from __future__ import annotations

import sqlalchemy as sa

from daemon.store.results import Store
from daemon.store.schema import plates


def part_ids(store: Store, latest: int) -> dict[str, int]:
    """The part ids of so many latest plates, the latest last, with their numbers. Raises StoreError.

    However many plates are stored, and whether any has one: only these are looked at.
    """
    last = sa.select(sa.func.max(plates.c.plate)).scalar_subquery()
    query = sa.select(plates.c.part_id, plates.c.plate).where(
        plates.c.plate > last - latest, plates.c.part_id.is_not(None)
    )
    with store.transaction(write=False) as connection:
        found = connection.execute(query.order_by(plates.c.plate)).all()
    return {row.part_id: row.plate for row in found}


def part_id_of(store: Store, plate: int) -> str | None:
    """The part id of a plate; None where it has none, or is not stored. Raises StoreError."""
    with store.transaction(write=False) as connection:
        found: str | None = connection.scalar(sa.select(plates.c.part_id).where(plates.c.plate == plate))
    return found
