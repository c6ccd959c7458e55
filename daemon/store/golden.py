"""The check standard in the result store: what was set for each recipe, and every check of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from daemon.store.results import PlateRow, Store
from daemon.store.schema import golden_checks, golden_standards, insert_into
from stages.golden import Check, GoldenError, Pass, Standard, checked, overdue


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """A check as it is stored."""

    at: datetime
    plate: int
    check: Check


def set_standard(store: Store, recipe: str, plates: list[int], standard: Standard) -> None:
    """Set it in place of the one before; checks of that one no longer count. Raises StoreError."""
    values = {"at": datetime.now(UTC), "plates": plates, "standard": msgspec.to_builtins(standard)}
    with store.transaction() as connection:
        connection.execute(
            insert_into(connection, golden_standards)
            .values(recipe=recipe, **values)
            .on_conflict_do_update(index_elements=["recipe"], set_=values)
        )


def standard_of(store: Store, recipe: str) -> tuple[datetime, Standard] | None:
    """When a recipe's standard was set, and what it is; None where there is none. Raises StoreError."""
    query = sa.select(golden_standards.c.at, golden_standards.c.standard).where(golden_standards.c.recipe == recipe)
    with store.transaction(write=False) as connection:
        found = connection.execute(query).one_or_none()
        return None if found is None else (found[0], msgspec.convert(found[1], Standard))


def add_check(store: Store, recipe: str, plate: int, at: datetime, check: Check) -> None:
    """Store the check of a plate that passed then: a check is as old as the pass. Raises StoreError."""
    with store.transaction() as connection:
        connection.execute(
            sa.insert(golden_checks).values(
                at=at,
                recipe=recipe,
                plate=plate,
                passed=check.passed,
                values=check.values,
                failures=list(check.failures),
            )
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """What a pass of the golden sheet came to."""

    check: Check
    standard: Standard
    before: list[StoredCheck]
    """Checks against the same standard, oldest first."""


def check_plate(store: Store, row: PlateRow) -> Checked:
    """Check a plate against its recipe's standard, and store the check.

    Raises:
        GoldenError: there is no standard; or the plate passed before it was set, was checked before, or was not seen
            whole.
        StoreError: the store cannot be read or written.
    """
    found = standard_of(store, row.recipe)
    if found is None:
        raise GoldenError(f"no standard is set for {row.recipe}: pass the golden sheet, then `linesentry golden set`")
    set_at, standard = found
    before = checks_of(store, row.recipe, set_at)
    if row.seen_at < set_at:
        raise GoldenError(
            f"plate {row.plate} passed before the standard was set: pass the golden sheet again, as the last sheet"
        )
    if any(one.plate == row.plate for one in before):
        raise GoldenError(f"plate {row.plate} was checked already: pass the golden sheet again, as the last sheet")
    check = checked(standard, pass_of(row))
    add_check(store, row.recipe, row.plate, row.seen_at, check)
    return Checked(check, standard, before)


def pass_of(row: PlateRow) -> Pass:
    """What the line knows of a stored plate, as a pass of the golden sheet."""
    return Pass(
        row.plate,
        row.rows,
        row.brightness,
        row.contrast,
        row.focus,
        row.unevenness,
        row.defects,
        complete=bool(row.complete),
    )


def checks_of(store: Store, recipe: str, since: datetime | None = None) -> list[StoredCheck]:
    """The checks of a recipe's standard, oldest first. Raises StoreError."""
    query = sa.select(golden_checks).where(golden_checks.c.recipe == recipe).order_by(golden_checks.c.at)
    if since is not None:
        query = query.where(golden_checks.c.at >= since)
    with store.transaction(write=False) as connection:
        rows = connection.execute(query).mappings().all()
        return [msgspec.convert(_stored_check(row), StoredCheck) for row in rows]


def _stored_check(row: sa.RowMapping) -> dict[str, object]:
    return {"at": row["at"], "plate": row["plate"], "check": {"values": row["values"], "failures": row["failures"]}}


def why_overdue(store: Store, recipe: str, every_h: float, now: datetime) -> str:
    """Why plates of the recipe may not be OK now; empty while they may. Raises StoreError."""
    set_at = sa.select(golden_standards.c.at).where(golden_standards.c.recipe == recipe)
    with store.transaction(write=False) as connection:
        at: datetime | None = connection.scalar(set_at)
        latest = connection.execute(
            sa.select(golden_checks.c.at, golden_checks.c.passed)
            .where(golden_checks.c.recipe == recipe, golden_checks.c.at >= (at or now))
            .order_by(golden_checks.c.at.desc())
            .limit(1)
        ).one_or_none()
    return overdue(at, None if latest is None else (latest[0], bool(latest[1])), every_h, now)
