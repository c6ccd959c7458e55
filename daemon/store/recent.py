"""The plates that got their verdict last, for a screen that asks after every one of them: few columns, few queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from daemon.store.results import Store
from daemon.store.schema import defects, plates
from stages.plate import Cause, Verdict

Box = tuple[int, int, int, int]
"""x, y, width, height, px in plate coordinates."""


@dataclass(frozen=True, slots=True)
class RecentPlate:
    """What a screen shows of a plate with a verdict."""

    plate: int
    run: str
    verdict: Verdict
    causes: tuple[Cause, ...]
    reason: str
    decided_at: datetime | None
    part_id: str | None
    recipe: str
    image: str | None
    simulated: bool
    rows: int
    columns: int
    defects: int
    """Without those that the classifier vetoed."""


_COLUMNS = (
    plates.c.plate,
    plates.c.run,
    plates.c.verdict,
    plates.c.causes,
    plates.c.reason,
    plates.c.decided_at,
    plates.c.part_id,
    plates.c.recipe,
    plates.c.image,
    plates.c.simulated,
    plates.c.rows,
    plates.c.columns,
)


def recent_plates(store: Store, limit: int) -> list[RecentPlate]:
    """The plates of the highest numbers that have a verdict, the highest first. Raises StoreError."""
    counted = sa.select(sa.func.count()).where(defects.c.plate == plates.c.plate, sa.not_(defects.c.vetoed))
    query = (
        sa.select(*_COLUMNS, counted.scalar_subquery().label("defects"))
        .where(plates.c.verdict.is_not(None))
        .order_by(plates.c.plate.desc())
        .limit(limit)
    )
    with store.transaction(write=False) as connection:
        return [_row(dict(row)) for row in connection.execute(query).mappings()]


def boxes(store: Store, plate: int, limit: int) -> list[Box]:
    """The boxes of a plate's worst defects, without those that the classifier vetoed. Raises StoreError."""
    query = (
        sa.select(defects.c.x, defects.c.y, defects.c.width, defects.c.height)
        .where(defects.c.plate == plate, sa.not_(defects.c.vetoed))
        .order_by(defects.c.number)
        .limit(limit)
    )
    with store.transaction(write=False) as connection:
        return [(row.x, row.y, row.width, row.height) for row in connection.execute(query)]


def _row(row: dict[str, Any]) -> RecentPlate:
    known = {
        "verdict": Verdict(row["verdict"]),
        "causes": tuple(Cause(cause) for cause in row["causes"] or ()),
        "reason": row["reason"] or "",
        "rows": row["rows"] or 0,
        "columns": row["columns"] or 0,
    }
    return RecentPlate(**{**row, **known})
