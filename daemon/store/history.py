"""What is asked of the plates of days and years: a page of them, and how many had which verdict, cause and place.

Each question goes through an index (docs/reference/store.md has their times), so that none holds up the line.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from daemon.store.results import Store
from daemon.store.rows import Ledger, PlateRow, ledger_of, plate_rows
from daemon.store.schema import defects, marks, plates
from daemon.store.shifts import Shift, in_shift
from stages.plate import Cause, Verdict

_LATEST = (plates.c.seen_at.desc(), plates.c.plate.desc())
_WITH_CAUSES = (Verdict.NG.value, Verdict.INCONCLUSIVE.value)


@dataclass(frozen=True, slots=True)
class Box:
    """A box in plate coordinates, px, half-open."""

    x0: int
    y0: int
    x1: int
    y1: int

    def holds(self, x: sa.ColumnElement[int], y: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Whether a point lies in it."""
        return sa.and_(x >= self.x0, x < self.x1, y >= self.y0, y < self.y1)


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle in plate coordinates, px."""

    x: int
    y: int
    radius: int

    def holds(self, x: sa.ColumnElement[int], y: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """Whether a point lies in it, or on it."""
        # The box around it first, for that is what the index knows.
        around = Box(self.x - self.radius, self.y - self.radius, self.x + self.radius + 1, self.y + self.radius + 1)
        across, along = x - self.x, y - self.y
        return sa.and_(around.holds(x, y), across * across + along * along <= self.radius * self.radius)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which plates are meant; what is None says nothing."""

    plate: int | None = None
    """That one."""
    since: datetime | None = None
    """Seen then or later."""
    until: datetime | None = None
    """Seen before."""
    shift: Shift | None = None
    recipe: str | None = None
    product: str | None = None
    batch: str | None = None
    part: str | None = None
    verdict: Verdict | None = None
    cause: Cause | None = None
    """One of its causes."""
    marked: bool = False
    """Somebody marked a defect or a missed crack of it, be it withdrawn or not."""
    place: Box | Circle | None = None
    """It has a defect whose worst pixel lies there, be it vetoed or not."""


EVERYTHING = Selection()


class Position(NamedTuple):
    """Where a page of plates ends: at the plate that stands last on it."""

    seen_at: datetime
    plate: int


def page(store: Store, selection: Selection, limit: int | None, before: Position | None = None) -> list[PlateRow]:
    """The selection's latest plates, latest first; `before`: those that follow this one. Raises StoreError."""
    with store.transaction(write=False) as connection:
        chosen = _numbers(connection, selection, limit, before)
        query = sa.select(*store.told).where(plates.c.plate.in_(chosen)).order_by(*_LATEST)
        found = connection.execute(query).mappings().all()
        return plate_rows(connection, found)


def numbers(store: Store, selection: Selection, limit: int | None = None, before: Position | None = None) -> list[int]:
    """The numbers of the selection's plates, latest first: what can be read where their rows cannot."""
    with store.transaction(write=False) as connection:
        return list(connection.scalars(_numbers(connection, selection, limit, before)))


def neighbours(store: Store, number: int) -> tuple[int | None, int | None]:
    """The numbers of the stored plates before and after that one; None where there is none. Raises StoreError."""
    before = sa.select(sa.func.max(plates.c.plate)).where(plates.c.plate < number)
    after = sa.select(sa.func.min(plates.c.plate)).where(plates.c.plate > number)
    with store.transaction(write=False) as connection:
        return connection.scalar(before), connection.scalar(after)


def totals(store: Store, selection: Selection) -> Ledger:
    """The selection's plates, counted. Raises StoreError."""
    with store.transaction(write=False) as connection:
        conditions = conditions_of(connection, selection)
        query = sa.select(plates.c.verdict, sa.func.count()).where(*conditions).group_by(plates.c.verdict)
        return ledger_of(connection.execute(query))


def causes(store: Store, selection: Selection) -> dict[Cause, int]:
    """How many of the selection's plates had each cause, the most frequent first. Raises StoreError."""
    text = as_text(plates.c.causes)
    counts = Counter[Cause]()
    with store.transaction(write=False) as connection:
        conditions = [*conditions_of(connection, selection), plates.c.verdict.in_(_WITH_CAUSES)]
        query = sa.select(text, sa.func.count()).where(*conditions).group_by(text)
        for said, count in connection.execute(query):
            for cause in msgspec.json.decode(said or "[]", type=list[Cause]):
                counts[cause] += count
    return dict(counts.most_common())


def latest_since(store: Store, selection: Selection, count: int) -> datetime | None:
    """When the first of the selection's latest `count` plates was seen; None of fewer. Raises StoreError."""
    with store.transaction(write=False) as connection:
        query = sa.select(plates.c.seen_at).where(*conditions_of(connection, selection))
        return connection.scalar(query.order_by(plates.c.seen_at.desc()).offset(count - 1).limit(1))


def names(store: Store, column: Literal["product", "recipe"], most: int) -> list[str]:
    """The products or recipes of all plates, sorted, at most so many. Raises StoreError.

    From one to the next by their index, for there are few: 200,000 plates are not looked at.
    """
    of, found = plates.c[column], list[str]()
    with store.transaction(write=False) as connection:
        query = sa.select(sa.func.min(of))
        while len(found) < most and (name := connection.scalar(query)) is not None:
            found.append(str(name))
            query = sa.select(sa.func.min(of)).where(of > name)
    return found


def _numbers(
    connection: sa.Connection, selection: Selection, limit: int | None, before: Position | None
) -> sa.Select[tuple[int]]:
    """The numbers first, which the indices have; rows are wide."""
    conditions = conditions_of(connection, selection)
    if before is not None:
        at, number = before
        conditions += [plates.c.seen_at <= at, sa.or_(plates.c.seen_at < at, plates.c.plate < number)]
    return sa.select(plates.c.plate).where(*conditions).order_by(*_LATEST).limit(limit)


def conditions_of(connection: sa.Connection, selection: Selection) -> list[sa.ColumnElement[bool]]:
    """What the rows of the selection's plates must be like, all of it."""
    found: list[sa.ColumnElement[bool]] = []
    if selection.plate is not None:
        found.append(plates.c.plate == selection.plate)
    if selection.since is not None:
        found.append(plates.c.seen_at >= selection.since)
    if selection.until is not None:
        found.append(plates.c.seen_at < selection.until)
    if selection.shift is not None:
        found.append(in_shift(connection, selection.shift, selection.since, selection.until))
    if selection.recipe is not None:
        found.append(plates.c.recipe == selection.recipe)
    if selection.product is not None:
        found.append(plates.c.product == selection.product)
    if selection.batch is not None:
        found.append(plates.c.batch_id == selection.batch)
    if selection.part is not None:
        found.append(plates.c.part_id == selection.part)
    if selection.verdict is not None:
        found.append(plates.c.verdict == selection.verdict.value)
    if selection.cause is not None:
        # OK plates have none: so the index by verdict is used. A cause is a word without quotes.
        found.append(plates.c.verdict.in_(_WITH_CAUSES))
        found.append(as_text(plates.c.causes).contains(f'"{selection.cause.value}"', autoescape=True))
    if selection.marked:
        there = sa.inspect(connection).has_table(marks.name)  # not in a store of an earlier version
        found.append(plates.c.plate.in_(sa.select(marks.c.plate)) if there else sa.false())
    if selection.place is not None:
        inside = selection.place.holds(defects.c.peak_x, defects.c.peak_y)
        found.append(plates.c.plate.in_(sa.select(defects.c.plate).where(inside)))
    return found


def as_text(column: sa.ColumnElement[object]) -> sa.ColumnElement[str]:
    """A column of JSON as its text."""
    return sa.cast(column, sa.String)
