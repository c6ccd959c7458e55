"""The marks of the result store: what people said of plates. Rows are added, and never changed or deleted."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import sqlalchemy as sa

from config.errors import printable
from daemon.store.results import Store
from daemon.store.rows import marks_of
from daemon.store.schema import defects, marks, plates
from daemon.store.seals import seal_mark
from stages.mark import Mark, MarkKind, Place, why_outside, why_unusable


class MarkError(Exception):
    """The mark fits no plate of the store; the message says what was found and what to do."""


def add_mark(store: Store, mark: Mark) -> Mark:
    """Store a mark; gives it as it is stored.

    One that withdraws and names neither a defect nor a place is of the plate's one missed crack.

    Raises:
        MarkError: there is no such plate or defect, or nothing to withdraw, or the mark is none.
        StoreError: the store cannot be written.
    """
    with store.transaction() as connection:
        return add_within(connection, mark)


def add_within(connection: sa.Connection, mark: Mark) -> Mark:
    """The same, within a transaction that writes."""
    held = marks_of(connection, mark.plate)
    if mark.kind is MarkKind.WITHDRAWN:
        mark = _what_is_withdrawn(mark, held)
    why = why_unusable(mark) or _why_unknown(connection, mark)
    if why is not None:
        raise MarkError(why)
    where = mark.place
    place = (
        {}
        if where is None
        else {"shape": where.shape.value, "x0": where.x0, "y0": where.y0, "x1": where.x1, "y1": where.y1}
    )
    told = {"at": mark.at, "plate": mark.plate, "kind": mark.kind.value, "defect": mark.defect}
    added = connection.execute(sa.insert(marks).values(**told, **place, who=mark.who, why=mark.why))
    key = added.inserted_primary_key
    assert key is not None
    seal_mark(connection, key[0])
    return mark


def _what_is_withdrawn(mark: Mark, held: tuple[Mark, ...]) -> Mark:
    if mark.defect is None and mark.place is None:
        missed = [one for one in held if one.place is not None]
        if len(missed) > 1:
            places = "; ".join(str(one.place and shown(one.place)) for one in missed)
            raise MarkError(f"plate {mark.plate} has {len(missed)} missed cracks: name one, or a defect: {places}")
        if not missed:
            raise MarkError(f"plate {mark.plate} has no missed crack that is marked: name the defect")
        return replace(mark, place=missed[0].place)
    if not any((one.defect, one.place) == (mark.defect, mark.place) for one in held):
        raise MarkError(f"{thing(mark)} has no mark that could be withdrawn")
    return mark


def _why_unknown(connection: sa.Connection, mark: Mark) -> str | None:
    """Why the store does not know what is marked."""
    query = sa.select(plates.c.verdict, plates.c.rows, plates.c.columns).where(plates.c.plate == mark.plate)
    plate = connection.execute(query).one_or_none()
    if plate is None:
        return f"the store has no plate {mark.plate}: `linesentry results` lists those that it has"
    # SQLite holds to no type, whoever wrote there.
    verdict, rows, columns = msgspec.convert(tuple(plate), tuple[str | None, int | None, int | None])
    if verdict is None:
        return f"plate {mark.plate} has no verdict yet: mark it once it has one"
    if mark.place is not None:
        return why_outside(mark.place, rows or 0, columns or 0)
    numbers = sa.select(sa.func.max(defects.c.number)).where(defects.c.plate == mark.plate)
    count = msgspec.convert(connection.scalar(numbers), int | None) or 0
    if mark.defect is not None and mark.defect > count:
        has = f"has defects 1 to {count}" if count > 1 else "has one defect" if count else "has no defect"
        return f"plate {mark.plate} {has}, and no {mark.defect}"
    return None


def thing(mark: Mark) -> str:
    """What a mark is of, in words."""
    what = f"defect {mark.defect}" if mark.place is None else shown(mark.place)
    return f"plate {mark.plate}, {what}"


def said(mark: Mark) -> str:
    """A mark in words, fit for a terminal."""
    why = "" if mark.why is None else f" ({printable(mark.why)})"
    return f"{thing(mark)}: {mark.kind}{why}, by {printable(mark.who)}"


def shown(place: Place) -> str:
    """A place in words, as the command line takes it."""
    return f"{place.shape} {place.x0},{place.y0},{place.x1},{place.y1}"
