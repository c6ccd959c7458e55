"""Shifts: a part of each day by this machine's clock, and the plates of all days that fall into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import sqlalchemy as sa

from daemon.store.schema import plates

_HOUR = "%H:%M:%S.%f"
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
        return _by_clock(spans)
    days = sa.values(sa.column("begin", moment), sa.column("end", moment), name="days").data(spans).cte("shifts")
    inside = sa.and_(_SEEN.c.seen_at >= days.c.begin, _SEEN.c.seen_at < days.c.end)
    return plates.c.plate.in_(sa.select(_SEEN.c.plate).select_from(sa.join(days, _SEEN, inside)))


def _by_clock(spans: Sequence[tuple[datetime, datetime]]) -> sa.ColumnElement[bool]:
    """The same by the hour of each plate: PostgreSQL would hold each plate against each day, 10 s for some months."""
    seen = plates.c.seen_at
    hour = sa.collate(sa.func.substr(sa.type_coerce(seen, sa.String), 12, 15), "C")
    found: list[sa.ColumnElement[bool]] = []
    for (begin, first_end), (_, last_end) in _alike(spans):
        within = [seen >= begin, seen < last_end]
        since, until = begin.strftime(_HOUR), first_end.strftime(_HOUR)
        # A whole day has 25 hours once a year.
        if first_end - begin < timedelta(1):
            within.append((sa.or_ if until < since else sa.and_)(hour >= since, hour < until))
        found.append(sa.and_(*within))
    return sa.or_(sa.false(), *found)


def _alike(spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[tuple[datetime, datetime], ...]]:
    """First and last of the shifts of days that follow each other, of one hour in UTC: until the clock is changed."""
    found: list[tuple[tuple[datetime, datetime], ...]] = []
    for begin, end in ((one.astimezone(UTC), other.astimezone(UTC)) for one, other in spans):
        if end <= begin:
            continue
        if found and found[-1][1] == (begin - timedelta(1), end - timedelta(1)):
            found[-1] = (found[-1][0], (begin, end))
        else:
            found.append(((begin, end), (begin, end)))
    return found
