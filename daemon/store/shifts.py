"""Shifts: a part of each day by this machine's clock, and the plates of all days that fall into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from daemon.store.schema import plates

_SEEN = plates.alias("seen")
"""Made once: that takes longer than the question."""


@dataclass(frozen=True, slots=True)
class Shift:
    """From `begin` to before `end` of each day; one that ends no later than it begins goes over midnight."""

    begin: time
    end: time

    def spans(self, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """The shifts that have a moment from `first` to `last`: begin and end of each, the end not included."""
        over = timedelta(self.end <= self.begin)
        day, until, found = first.astimezone().date() - timedelta(1), last.astimezone().date(), []
        while day <= until:
            # Each by itself, for not every day has 24 hours.
            begin = datetime.combine(day, self.begin).astimezone()
            end = datetime.combine(day + over, self.end).astimezone()
            if end > first and begin <= last:
                found.append((begin, end))
            day += timedelta(1)
        return found

    def holds(self, moment: datetime) -> bool:
        """Whether the moment falls into it."""
        return any(begin <= moment < end for begin, end in self.spans(moment, moment))


def in_shift(
    connection: sa.Connection, shift: Shift, since: datetime | None, until: datetime | None
) -> sa.ColumnElement[bool]:
    """The condition that a plate was seen in the shift, of whatever day; begin and end of each find it by the index."""
    earliest = connection.scalar(sa.select(sa.func.min(plates.c.seen_at)))
    latest = connection.scalar(sa.select(sa.func.max(plates.c.seen_at)))
    if earliest is None or latest is None:
        return sa.false()
    first, last = max(earliest, since or earliest), min(latest, until or latest)
    spans = shift.spans(first, last) if first <= last else []
    if not spans:
        return sa.false()
    moment = plates.c.seen_at.type
    if connection.dialect.name == "postgresql":
        # It would ask of each plate whether it lies in the first span, in the second, and so on: 10 s for a year.
        bounds = sa.literal(_bounds(spans), ARRAY(moment))
        place = sa.func.width_bucket(sa.collate(plates.c.seen_at, "C"), bounds)
        return sa.and_(plates.c.seen_at >= spans[0][0], plates.c.seen_at < spans[-1][1], place % 2 == 1)
    days = sa.values(sa.column("begin", moment), sa.column("end", moment), name="days").data(spans).cte("shifts")
    inside = sa.and_(_SEEN.c.seen_at >= days.c.begin, _SEEN.c.seen_at < days.c.end)
    return plates.c.plate.in_(sa.select(_SEEN.c.plate).select_from(sa.join(days, _SEEN, inside)))


def _bounds(spans: Sequence[tuple[datetime, datetime]]) -> list[datetime]:
    """Begin, end, begin, end and so on, each after the one before, whatever a change of the clock made of them."""
    found: list[datetime] = []
    for begin, end in spans:
        if end > begin and (not found or end > found[-1]):
            found += [max([begin, *found[-1:]]), end]
    return found
