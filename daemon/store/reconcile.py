"""How plates and verdicts are written; and what the journal knows and the store does not, which is put right here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from daemon.store.journal import Kept, KeptPlate
from daemon.store.rows import part_values, stored, verdict_values
from daemon.store.schema import add_new, defects, events, insert_into, plates, upkeep
from daemon.store.seals import seal
from stages.plate import Cause, PlateResult, Verdict, worst_first


@dataclass(frozen=True, slots=True)
class Missing:
    """Plates of the journal of which the store lacks something; each by number."""

    unseen: tuple[KeptPlate, ...] = ()
    """The store does not have them, and no verdict was told."""
    untold: tuple[KeptPlate, ...] = ()
    """A verdict was told, and the store has none: somebody has taken part of the store away."""
    changed: tuple[KeptPlate, ...] = ()
    """The store has another verdict than was told."""

    def __bool__(self) -> bool:
        return bool(self.unseen or self.untold or self.changed)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the store says to a run that begins."""

    first_plate: int
    """Number of the run's next plate."""
    closed: tuple[int, ...]
    """Plates that another run had left without a verdict, now INCONCLUSIVE (service died); oldest first."""
    found: Missing = Missing()
    """What the journal knew and the store did not, before it was stored."""
    last_stored: int = 0
    """Highest number that the store had."""


def missing(connection: sa.Connection, kept: Kept) -> Missing:
    """What of the journal the store lacks. Plates that were deleted for their age are not missed."""
    if not kept.plates:
        return Missing()
    numbers = (kept.plates[0].plate, kept.plates[-1].plate)
    query = sa.select(plates.c.plate, plates.c.verdict).where(plates.c.plate.between(*numbers))
    stored: dict[int, str | None] = {row[0]: row[1] for row in connection.execute(query)}
    pruned = highest_pruned(connection)
    unseen: list[KeptPlate] = []
    untold: list[KeptPlate] = []
    changed: list[KeptPlate] = []
    for one in kept.plates:
        if one.plate not in stored:
            if one.plate > pruned:
                (unseen if one.verdict is None else untold).append(one)
        elif one.verdict is not None and stored[one.plate] is None:
            untold.append(one)
        elif one.verdict is not None and stored[one.plate] != one.verdict:
            changed.append(one)
    return Missing(tuple(unseen), tuple(untold), tuple(changed))


def highest_pruned(connection: sa.Connection) -> int:
    """Number up to which plates may have been deleted for their age; 0 where none was."""
    if sa.inspect(connection).has_table(upkeep.name):
        found: object = connection.scalar(sa.select(upkeep.c.highest_pruned))
        return found if isinstance(found, int) else 0
    first: int | None = connection.scalar(sa.select(sa.func.min(plates.c.plate)))
    return 0 if first is None else first - 1


def complete(connection: sa.Connection, found: Missing, uptime_s: float) -> None:
    """Store the plates that the journal knows and the store does not, and the verdicts that were told of them."""
    for one in (*found.unseen, *found.untold):
        row = {
            "plate": one.plate,
            "seen_at": one.seen_at,
            "uptime_s": uptime_s,
            "image": one.image,
            "camera": one.camera,
            **asdict(one.facts),
            **part_values(one.part),
        }
        add(connection, row)
    for one in found.untold:
        _decide(
            connection,
            plates.c.plate == one.plate,
            one.verdict or Verdict.INCONCLUSIVE,
            (Cause.STORE_FAILED,) if one.verdict is Verdict.INCONCLUSIVE else (),
            f"told as {one.verdict}; the store has lost its record, so why, its defects and its values are not known",
        )


def add(connection: sa.Connection, row: dict[str, object]) -> None:
    """Store a plate that was seen, unless it is there."""
    if add_new(connection, insert_into(connection, plates).values(**row)):
        connection.execute(sa.update(upkeep).values(begun=upkeep.c.begun + 1))


def write_verdict(
    connection: sa.Connection, result: PlateResult, values: Mapping[str, object], event: str | None
) -> bool:
    """Write a plate's verdict with these further values and its defects, and an event of that text; it is seen.

    False, and nothing is written, where it has a verdict.
    """
    written = connection.execute(
        sa.update(plates)
        .where(plates.c.plate == result.plate, plates.c.verdict.is_(None))
        .values(image=sa.func.coalesce(plates.c.image, result.image), **verdict_values(result), **values)
    ).rowcount
    if not written:
        return False
    if result.defects:
        numbered = enumerate(worst_first(result.defects), start=1)
        rows = [{"plate": result.plate, "number": number, **stored(defect)} for number, defect in numbered]
        connection.execute(sa.insert(defects), rows)
    seal(connection, [result.plate])
    if event is not None:
        told = {"at": values["decided_at"], "run": result.run, "kind": "store", "text": event, "plate": result.plate}
        connection.execute(sa.insert(events).values(**told))
    return True


def close(connection: sa.Connection, which: sa.ColumnElement[bool], cause: Cause) -> tuple[int, ...]:
    """INCONCLUSIVE for the open plates among these; their numbers, oldest first."""
    reason = f"{cause.value}: the plate was seen, but no verdict was reached"
    return _decide(connection, which, Verdict.INCONCLUSIVE, (cause,), reason)


def _decide(
    connection: sa.Connection, which: sa.ColumnElement[bool], verdict: Verdict, causes: Sequence[Cause], reason: str
) -> tuple[int, ...]:
    decided = connection.execute(
        sa.update(plates)
        .where(which, plates.c.verdict.is_(None))
        .values(
            verdict=verdict.value,
            causes=[cause.value for cause in causes],
            reason=reason,
            complete=False,
            warnings=[],
            classifier="none",
            decided_at=datetime.now(UTC),
        )
        .returning(plates.c.plate)
    ).scalars()
    numbers = tuple(sorted(decided))
    seal(connection, numbers)
    return numbers
