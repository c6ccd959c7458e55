"""What goes into the result store and what comes out of it, as types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from math import sqrt
from typing import Any

import msgspec
import sqlalchemy as sa

from daemon.store.schema import SAID, archive, challenges, defects, marks, plates, tellings
from models.detector.findings import Quality
from stages.challenge import Challenge
from stages.events import Outcome
from stages.mark import Mark, Place, standing
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

_MARK = tuple(field.name for field in fields(Mark) if field.name != "place")
_PLACE = tuple(field.name for field in fields(Place))
_CHALLENGE = tuple(field.name for field in fields(Challenge))
_AT_ONCE = 500
"""Plates whose rows in other tables are read by one statement, which takes so many values."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What every plate of a run says of where its verdict comes from. Hashes are SHA-256, hex."""

    run: str
    """Run id, 32 hex digits."""
    recipe: str
    simulated: bool
    product: str | None = None
    batch_id: str | None = None
    recipe_sha256: str | None = None
    configuration_sha256: str | None = None
    weights_sha256: str | None = None
    classifier_sha256: str | None = None
    code_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Plates counted in the store; seen = ok + ng + inconclusive + open, always."""

    seen: int
    ok: int
    ng: int
    inconclusive: int
    open: int
    """Seen, but without a verdict."""


def ledger_of(counted: Iterable[Sequence[Any]]) -> Ledger:
    """The ledger of plates counted by verdict."""
    counts: dict[str | None, int] = {row[0]: row[1] for row in counted}
    ok, ng, unsure = (counts.get(verdict.value, 0) for verdict in (Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE))
    return Ledger(sum(counts.values()), ok, ng, unsure, counts.get(None, 0))


@dataclass(frozen=True, slots=True)
class Telling:
    """What one output said of a plate's verdict, and what came back."""

    output: str
    """Its name in the configuration."""
    outcome: Outcome
    divert: bool
    times: int
    """How often it was said."""
    said_at: datetime | None
    """For the first time, by the process that ended it; None where it was too late to be said."""
    answered_at: datetime | None
    answer: str
    """What came back, in words."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What the archive has of a plate that was chosen for it."""

    path: str | None
    """Of its file, relative to the state directory, else absolute; None where there is none."""
    bytes: int | None
    sha256: str | None
    """Of the file, hex."""
    at: datetime
    """When it was written, or found missing."""
    missing: str | None
    """Why there is none, or none any more."""


@dataclass(frozen=True, slots=True)
class PlateRow:
    """A plate as stored; everything of the verdict is None while the plate is open."""

    plate: int
    run: str
    seen_at: datetime
    recipe: str
    product: str | None
    part_id: str | None
    batch_id: str | None
    part_unknown: str | None
    """Why the ids that a PLC was to give are not known; None where they are, or none was asked."""
    simulated: bool
    recipe_sha256: str | None
    configuration_sha256: str | None
    weights_sha256: str | None
    classifier_sha256: str | None
    code_sha256: str | None
    verdict: Verdict | None
    causes: tuple[Cause, ...]
    reason: str | None
    complete: bool | None
    rows: int | None
    columns: int | None
    windows: int | None
    windows_scored: int | None
    coverage: float | None
    warnings: tuple[str, ...]
    brightness: float | None
    """Mean grey level of the plate's judged pixels; likewise the three below are means over the plate."""
    contrast: float | None
    saturation: float | None
    focus: float | None
    unevenness: float | None
    """How much brighter its brightest columns are than its darkest, as a share of their mean."""
    optics: tuple[str, ...]
    """Faults of the optics that stood then (stages/optics.py)."""
    losses: dict[str, int]
    """Why rows are missing, and how often (stages/camera.py, Loss)."""
    classifier: str | None
    latency_s: float | None
    decided_at: datetime | None
    pictures: str | None
    """Directory of the plate's pictures, relative to the state directory."""
    image: str | None
    """Name of the image file that a replay showed; None where a camera saw the sheet."""
    camera: str | None
    """Serial number of the camera that saw it; None where the camera knows none, and of a replay."""
    defects: tuple[Defect, ...]
    """Worst first."""
    told: tuple[Telling, ...] = ()
    """Of each output that is done with it, by name."""
    marks: tuple[Mark, ...] = ()
    """What people say of it, as far as it holds: of defects by number, then of missed cracks."""
    archive: Archived | None = None
    """None where it was not chosen, or nobody knows yet what became of its file."""
    challenge: Challenge | None = None
    """What the candidate says of it that judged it last; None where none did."""


def part_values(part: Part | None) -> dict[str, str | None]:
    """What of a part goes into its plate's row, in place of the run's batch; nothing where no PLC was asked."""
    if part is None:
        return {}
    batch = {} if part.batch_id is None and part.unknown is None else {"batch_id": part.batch_id}
    return {"part_id": part.part_id, "part_unknown": part.unknown, **batch}


def means(quality: Quality) -> dict[str, float | None]:
    """Means over the plate of what the gates look at band by band; None where nothing was measured."""
    mean = quality.total / quality.lit if quality.lit else None
    return {
        "brightness": mean,
        "contrast": None if mean is None else sqrt(max(0.0, quality.squares / quality.lit - mean * mean)),
        "saturation": quality.clipped / quality.unmasked if quality.unmasked else None,
        "focus": quality.focus if quality.lit else None,
    }


def verdict_values(result: PlateResult) -> dict[str, Any]:
    """What of a result goes into its plate's row."""
    return {
        "verdict": result.verdict.value,
        "causes": [cause.value for cause in result.causes],
        "reason": result.reason,
        "complete": result.complete,
        "rows": result.rows,
        "columns": result.columns,
        "windows": result.windows,
        "windows_scored": result.windows_scored,
        "coverage": result.coverage,
        "warnings": list(result.warnings),
        "classifier": result.classifier,
        "losses": result.losses or None,
        **means(result.quality),
    }


def stored(defect: Defect) -> dict[str, Any]:
    """What of a defect goes into the store; the heat map is in its picture, and being faint is in score and verdict."""
    kept = [field.name for field in fields(defect) if field.name not in ("heat", "faint")]
    return {name: getattr(defect, name) for name in kept}


def marks_of(connection: sa.Connection, plate: int) -> tuple[Mark, ...]:
    """The marks of a plate that hold."""
    return standing(map(mark_of, _of_plates(connection, marks, [plate], marks.c.id).get(plate, ())))


def challenge_in(row: sa.RowMapping) -> Challenge:
    """A row of the table challenges as types. Raises ValueError for one that somebody made unreadable."""
    return msgspec.convert({name: row[name] for name in _CHALLENGE}, Challenge)


def mark_of(row: sa.RowMapping) -> Mark:
    """A row of the table marks. Raises ValueError for one that somebody made unreadable."""
    told = {name: row[name] for name in _MARK}
    told["place"] = None if row["shape"] is None else {name: row[name] for name in _PLACE}
    return msgspec.convert(told, Mark)


def plate_rows(connection: sa.Connection, rows: Sequence[sa.RowMapping]) -> list[PlateRow]:
    """Rows of the table plates with what other tables say of these plates, as types.

    Each of those tables is asked once for many plates: a server of PostgreSQL is asked over a network.

    Raises:
        ValueError: somebody changed a row to what no plate can have, as a text where a number stands.
    """
    pieces = (rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE))
    return [row for piece in pieces for row in _together(connection, [_but(one) for one in piece])]


def _together(connection: sa.Connection, rows: list[dict[str, Any]]) -> list[PlateRow]:
    # Read along with the plates, so that what is not there costs nothing; None in a store of an older version.
    has = {
        flag: [row["plate"] for row in rows if row.pop(flag)] for flag in ("told", "marked", "archived", "challenged")
    }
    found = _of_plates(connection, defects, [row["plate"] for row in rows], defects.c.number)
    told = _of_plates(connection, tellings, has["told"], tellings.c.output)
    marked = _of_plates(connection, marks, has["marked"], marks.c.id)
    archived = _of_plates(connection, archive, has["archived"], archive.c.plate)
    judged = _of_plates(connection, challenges, has["challenged"], challenges.c.at.desc())
    made: list[PlateRow] = []
    for row in rows:
        plate = row["plate"]
        row |= {name: [] if row[name] is None else row[name] for name in ("causes", "warnings", "optics")}
        row["losses"] = {} if row["losses"] is None else row["losses"]
        row |= {
            "defects": [_but(defect, "plate", "number") for defect in found.get(plate, ())],
            "told": [_but(telling, "plate") for telling in told.get(plate, ())],
            "marks": standing(map(mark_of, marked.get(plate, ()))),
            "archive": next((_but(file, "plate") for file in archived.get(plate, ())), None),
            "challenge": next(map(challenge_in, judged.get(plate, ())), None),
        }
        # Every value has its type, whatever stands in the file.
        made.append(msgspec.convert(row, PlateRow))
    return made


def _of_plates(
    connection: sa.Connection, table: sa.Table, numbers: Sequence[int], order: sa.ColumnElement[Any]
) -> dict[int, list[sa.RowMapping]]:
    """The rows of some plates in another table, by plate, in that order."""
    found: dict[int, list[sa.RowMapping]] = {}
    if numbers:
        columns = SAID if table is marks else table.c
        query = sa.select(*columns).where(table.c.plate.in_(numbers)).order_by(table.c.plate, order)
        for row in connection.execute(query).mappings():
            found.setdefault(row["plate"], []).append(row)
    return found


def _but(row: sa.RowMapping, *names: str) -> dict[str, Any]:
    # SQLAlchemy's names are texts of a kind of their own.
    return {str(name): value for name, value in row.items() if name not in names}


def result_of(row: PlateRow) -> PlateResult:
    """The result that the store has of a plate, without what only its pictures needed."""
    return PlateResult(
        run=row.run,
        plate=row.plate,
        verdict=row.verdict or Verdict.INCONCLUSIVE,
        causes=row.causes,
        reason=row.reason or "",
        complete=bool(row.complete),
        rows=row.rows or 0,
        columns=row.columns or 0,
        windows=row.windows or 0,
        windows_scored=row.windows_scored or 0,
        coverage=row.coverage,
        warnings=row.warnings,
        defects=row.defects,
        image=row.image,
        classifier=row.classifier or "none",
        losses=row.losses,
    )


def told_columns(reader: sa.Engine) -> list[sa.ColumnElement[Any]]:
    """What is told of a plate; what an older store lacks, which is read as it is, is None."""
    with reader.connect() as connection:
        looked = sa.inspect(connection)
        there = {column["name"] for column in looked.get_columns("plates")}
        has = {table.name: looked.has_table(table.name) for table in (tellings, marks, archive, challenges)}
    told = [column for column in plates.c if column.name not in ("uptime_s", "checksum")]
    known = [column if column.name in there else sa.null().label(column.name) for column in told]
    told_of = sa.exists().where(tellings.c.plate == plates.c.plate) if has[tellings.name] else sa.null()
    marked = sa.exists().where(marks.c.plate == plates.c.plate) if has[marks.name] else sa.null()
    archived = sa.exists().where(archive.c.plate == plates.c.plate) if has[archive.name] else sa.null()
    judged = sa.exists().where(challenges.c.plate == plates.c.plate) if has[challenges.name] else sa.null()
    flags = {"told": told_of, "marked": marked, "archived": archived, "challenged": judged}
    return [*known, *(flag.label(name) for name, flag in flags.items())]


def latest(query: sa.Select[Any], limit: int | None, run: str | None) -> sa.Select[Any]:
    """Of that query of plates, those of a run, the latest first, at most so many."""
    query = query.order_by(plates.c.plate.desc()).limit(limit)
    return query if run is None else query.where(plates.c.run == run)
