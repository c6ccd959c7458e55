"""What the outputs said of the plates, and which plates each of them is yet to be told of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

import msgspec
import sqlalchemy as sa

from daemon.store.history import as_text
from daemon.store.results import Store
from daemon.store.rows import Telling
from daemon.store.schema import add_new, defects, insert_into, outputs, plates, tellings
from stages.events import VerdictDue
from stages.plate import Cause, Verdict


class Tellings:
    """The tellings of one open store. Every method raises StoreError when the file cannot be used."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, names: Collection[str]) -> None:
        """These are the outputs: one that is new is told of the plates to come, and one that is gone is forgotten."""
        with self._store.transaction() as connection:
            connection.execute(sa.delete(outputs).where(outputs.c.name.not_in(names)))
            after = (connection.scalar(sa.select(sa.func.max(plates.c.plate))) or 0) + 1
            for name in names:
                # Where it has been told of all before, nobody need look there again.
                first = connection.scalar(sa.select(sa.func.min(plates.c.plate)).where(*_untold(name)))
                begun = insert_into(connection, outputs).values(name=name, first_plate=after)
                changes = {"first_plate": after if first is None else first}
                connection.execute(begun.on_conflict_do_update(index_elements=["name"], set_=changes))

    def owed(self, name: str, most: int, but: Collection[int]) -> list[VerdictDue]:
        """Plates with a verdict of which the output has yet to be told, oldest first, at most so many; not these.

        When they were committed is not said. One whose row somebody made unreadable is INCONCLUSIVE: it holds up none
        of the others, and is never let pass.
        """
        columns = (plates.c.plate, plates.c.verdict, as_text(plates.c.causes).label("causes"), plates.c.reason)
        more = (plates.c.part_id, plates.c.batch_id, plates.c.latency_s, plates.c.simulated, plates.c.recipe)
        found = (
            sa.select(sa.func.count())
            .where(defects.c.plate == plates.c.plate, defects.c.vetoed.is_(False))
            .scalar_subquery()
            .label("defects")
        )
        query = (
            sa.select(*columns, *more, found)
            .where(*_untold(name), plates.c.verdict.is_not(None), plates.c.plate.not_in(but))
            .order_by(plates.c.plate)
            .limit(most)
        )
        with self._store.transaction(write=False) as connection:
            return [_due(row) for row in connection.execute(query).mappings()]

    def store(self, said: Sequence[tuple[int, Telling]]) -> list[tuple[int, Telling]]:
        """Commit what was said of plates, by their numbers, in one transaction; those of it that are new.

        What was stored first stays. A plate that is not in the store is passed over.
        """
        new: list[tuple[int, Telling]] = []
        with self._store.transaction() as connection:
            there = set(
                connection.scalars(sa.select(plates.c.plate).where(plates.c.plate.in_([one for one, _ in said])))
            )
            for plate, telling in said:
                values = insert_into(connection, tellings).values(plate=plate, **asdict(telling))
                if plate in there and add_new(connection, values):
                    new.append((plate, telling))
        return new


def _due(row: sa.RowMapping) -> VerdictDue:
    told = {str(name): value for name, value in row.items()}
    try:
        told["causes"] = msgspec.json.decode(told["causes"] or "[]", type=list[Cause] | None) or []
        return msgspec.convert({**told, "reason": told["reason"] or ""}, VerdictDue)
    except ValueError:
        why = "its row in the store was changed, and cannot be read"
        return VerdictDue(told["plate"], Verdict.INCONCLUSIVE, (Cause.STORE_FAILED,), why)


def _untold(name: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Of plates: from the output's first on, and not told."""
    first = sa.select(outputs.c.first_plate).where(outputs.c.name == name).scalar_subquery()
    told = sa.exists().where(tellings.c.plate == plates.c.plate, tellings.c.output == name)
    return plates.c.plate >= first, ~told
