"""What people marked, and what follows from it: false alarms a plate (FPB), missed defects a plate (MDB)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from daemon.store.period import OPEN, Period
from models.measure.assessment import Share
from models.measure.rates import Rate, rate_of
from stages.mark import Mark, MarkKind


@dataclass(frozen=True, slots=True)
class Marked:
    """Marks counted; those of the golden sheet are left out."""

    confirmed: int
    """Defects that count and are some, by marks."""
    false_alarms: int
    """Defects that count and are none."""
    missed: int
    """Cracks without a defect, and vetoed defects that are some."""
    vetoed_missed: int
    """The vetoed ones of them."""
    vetoed_rightly: int
    """Vetoed defects that are none."""
    plates: Share
    """Plates with a mark, of those that were looked at."""
    defects: Share
    """Defects with a mark, of those that count."""
    whys: tuple[tuple[MarkKind, str, int], ...]
    """Reasons, the most frequent first."""
    fpb: Rate
    """On plates with a mark."""
    mdb: Rate
    fpb_of_all: Rate
    """Over all plates: so many at least, for most were not looked at by anybody."""
    mdb_of_all: Rate

    @property
    def right(self) -> Share:
        """Of the marked defects that count, those that are some: precision, as far as it is known."""
        return Share(self.confirmed, self.confirmed + self.false_alarms)

    @property
    def found(self) -> Share:
        """Of the cracks that people know of, those that were found: recall, at most."""
        return Share(self.confirmed, self.confirmed + self.missed)


def marked(period: Period) -> Marked:
    """What the marks say."""
    plates, found = period.plates, period.found
    place_of = {int(number): place for place, number in enumerate(plates.number)} if period.marks else {}
    looked_at = (plates.verdict != OPEN) & ~plates.golden
    said = [mark for mark in period.marks if mark.plate in place_of and looked_at[place_of[mark.plate]]]
    vetoed = _vetoed(period, said, place_of)
    kinds = Counter[tuple[MarkKind, bool]]()
    false, missed, touched = Counter[int](), Counter[int](), set[int]()
    for mark, veto in zip(said, vetoed, strict=True):
        kinds[mark.kind, veto] += 1
        touched.add(mark.plate)
        false[mark.plate] += mark.kind is MarkKind.FALSE_ALARM and not veto
        missed[mark.plate] += mark.kind is MarkKind.MISSED or (mark.kind is MarkKind.CONFIRMED and veto)
    whys = Counter((mark.kind, mark.why) for mark in said if mark.why is not None)
    counting = int((looked_at[found.plate] & ~found.vetoed).sum())
    confirmed, false_alarms = kinds[MarkKind.CONFIRMED, False], kinds[MarkKind.FALSE_ALARM, False]
    rates = [
        rate_of(np.array(list(counts.values()), np.int64), of)
        for of in (len(touched), int(looked_at.sum()))
        for counts in (false, missed)
    ]
    return Marked(
        confirmed=confirmed,
        false_alarms=false_alarms,
        missed=kinds[MarkKind.MISSED, False] + kinds[MarkKind.CONFIRMED, True],
        vetoed_missed=kinds[MarkKind.CONFIRMED, True],
        vetoed_rightly=kinds[MarkKind.FALSE_ALARM, True],
        plates=Share(len(touched), int(looked_at.sum())),
        defects=Share(confirmed + false_alarms, counting),
        whys=tuple((kind, why, count) for (kind, why), count in whys.most_common()),
        fpb=rates[0],
        mdb=rates[1],
        fpb_of_all=rates[2],
        mdb_of_all=rates[3],
    )


def _vetoed(period: Period, said: list[Mark], place_of: dict[int, int]) -> list[bool]:
    """Of each mark, whether it is of a defect that the classifier vetoed."""
    found = period.found
    wanted = {(place_of[mark.plate], mark.defect) for mark in said if mark.defect is not None}
    near = np.isin(found.plate, [plate for plate, _ in wanted]) & found.vetoed
    vetoed = set(zip(found.plate[near].tolist(), found.number[near].tolist(), strict=True))
    return [(place_of[mark.plate], mark.defect) in vetoed for mark in said]
