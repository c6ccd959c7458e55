"""All plates of a period with their defects, column by column: what a report counts.

A plate takes 90 bytes and a defect 60, so that years of them fit into memory; they are read in pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from daemon.store.challenges import Challenged, challenged
from daemon.store.history import Selection, as_text, conditions_of
from daemon.store.reading import Reader
from daemon.store.rows import Ledger, mark_of
from daemon.store.schema import SAID, defects, events, golden_checks, marks, plates
from stages.mark import Mark, standing
from stages.plate import Cause, Verdict

_PIECE = 5_000
_TOO_LARGE = 1 << 31
_VERDICTS: dict[str | None, int] = {None: -1, **{verdict.value: code for code, verdict in enumerate(Verdict)}}
"""Words of the store, and what stands for them in columns of numbers."""
OPEN = -1
CODES = {verdict: code for code, verdict in enumerate(Verdict)}

Floats = NDArray[np.float64]
OnPiece = Callable[[int], None]
"""Told how many more rows were read."""


@dataclass(frozen=True, slots=True)
class Product:
    """What sheets of one die have in common, as far as is known."""

    name: str | None
    recipe: str


@dataclass(frozen=True, slots=True)
class Plates:
    """Plates, oldest first; each field has one value a plate."""

    number: NDArray[np.int64]
    at: Floats
    """When the switch saw it, s since 1970, UTC."""
    product: NDArray[np.int32]
    """Place in `Period.products`."""
    sheet: NDArray[np.int64]
    """The same for plates that are one sheet which passed again: by part id, else by image file."""
    verdict: NDArray[np.int8]
    """By CODES; OPEN without a verdict."""
    golden: NDArray[np.bool_]
    """The golden sheet, and no product."""
    rows: NDArray[np.int32]
    """px; 0 where it is not known, likewise below."""
    columns: NDArray[np.int32]
    windows: NDArray[np.int32]
    scored: NDArray[np.int32]
    coverage: Floats
    """NaN where it is not known, likewise below."""
    brightness: Floats
    contrast: Floats
    focus: Floats
    unevenness: Floats


@dataclass(frozen=True, slots=True)
class Found:
    """Defects, by plate and number; each field has one value a defect."""

    plate: NDArray[np.int64]
    """Place of its plate in `Period.plates`."""
    number: NDArray[np.int32]
    x: NDArray[np.int32]
    """Its worst pixel, px of the plate."""
    y: NDArray[np.int32]
    width: Floats
    """Of its box, px."""
    height: Floats
    width_mm: Floats
    height_mm: Floats
    area: Floats
    """px."""
    score: Floats
    probability: Floats
    vetoed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """A pass of the golden sheet."""

    at: datetime
    recipe: str
    plate: int
    passed: bool
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """What the store has of a period."""

    ledger: Ledger
    """Of all its plates, those that only the journal knows among them."""
    plates: Plates
    found: Found
    products: tuple[Product, ...]
    causes: Counter[tuple[Verdict, Cause]]
    """How many plates of a verdict had a cause."""
    marks: tuple[Mark, ...]
    """Those that hold, of the period's plates."""
    checks: tuple[GoldenCheck, ...]
    optics: tuple[tuple[datetime, str], ...]
    """When an alarm of the optics began or ended, and what it was."""
    simulated: int
    """Plates that no real camera saw."""
    challenged: tuple[Challenged, ...] = ()
    """What candidates say of its plates."""
    unreadable: int = 0
    """Rows that somebody changed and nobody can read; left out."""
    notes: tuple[str, ...] = field(default=())
    """What is missing or wrong with the store, in words."""


def read_period(reader: Reader, selection: Selection, told: OnPiece = lambda _: None) -> Period:
    """All that a report needs of the selection's plates. Raises StoreError."""
    with reader.store.transaction(write=False) as connection:
        conditions = conditions_of(connection, selection)
        columns = _Columns()
        for piece in _pieces(connection, _plates_query(reader, conditions)):
            columns.take(piece)
            told(len(piece))
        read = columns.plates()
        found, unreadable = _found(connection, conditions, read.number, told)
        said = _marks(connection, conditions)
        checks = _checks(connection, selection, {one.recipe for one in columns.products})
        optics = _optics(connection, selection, read.number)
    return Period(
        ledger=reader.totals(selection),
        plates=read,
        found=found,
        products=tuple(columns.products),
        causes=columns.causes,
        marks=said,
        checks=checks,
        optics=optics,
        simulated=columns.simulated,
        challenged=tuple(challenged(reader.store, selection)),
        unreadable=columns.unreadable + unreadable,
        notes=tuple(reader.notes),
    )


def read_sheets(reader: Reader, selection: Selection) -> Period:
    """The selection's plates with their defects and marks, and nothing else: what maps need. Raises StoreError."""
    with reader.store.transaction(write=False) as connection:
        conditions = conditions_of(connection, selection)
        columns = _Columns()
        for piece in _pieces(connection, _plates_query(reader, conditions)):
            columns.take(piece)
        read = columns.plates()
        found, unreadable = _found(connection, conditions, read.number, lambda _: None)
        said = _marks(connection, conditions)
    counts = [int((read.verdict == code).sum()) for code in (*CODES.values(), OPEN)]
    return Period(
        ledger=Ledger(len(read.number), *counts),
        plates=read,
        found=found,
        products=tuple(columns.products),
        causes=columns.causes,
        marks=said,
        checks=(),
        optics=(),
        simulated=columns.simulated,
        unreadable=columns.unreadable + unreadable,
    )


# --- plates --------------------------------------------------------------------------------------------------------

_PLATE_NUMBERS = ("rows", "columns", "windows", "windows_scored")
_PLATE_VALUES = ("coverage", "brightness", "contrast", "focus", "unevenness")
_PLATE = ("plate", "seen_at", "product", "recipe", "part_id", "image", "verdict", "causes", "simulated")


def _plates_query(reader: Reader, conditions: Sequence[sa.ColumnElement[bool]]) -> sa.Select[Any]:
    known = {str(getattr(column, "name", None)): column for column in reader.store.told}
    plain = {
        "seen_at": sa.type_coerce(plates.c.seen_at, sa.String),  # read by the thousand
        "causes": as_text(plates.c.causes),
    }
    asked = [plain.get(name, known[name]) for name in (*_PLATE, *_PLATE_NUMBERS, *_PLATE_VALUES)]
    query: sa.Select[Any] = sa.select(*asked)
    return query.where(*conditions).order_by(plates.c.seen_at, plates.c.plate)


class _Columns:
    """Rows of plates that become columns, piece by piece."""

    def __init__(self) -> None:
        self.products: dict[Product, int] = {}
        self.causes: Counter[tuple[Verdict, Cause]] = Counter()
        self.simulated = 0
        self.unreadable = 0
        self._sheets: dict[tuple[str, object], int] = {}
        self._causes: dict[str | None, tuple[Cause, ...]] = {}
        self._pieces: list[tuple[NDArray[Any], ...]] = []

    def take(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take some more."""
        try:
            self._add(rows)
        except (ValueError, TypeError, KeyError, OverflowError, msgspec.DecodeError):
            if len(rows) == 1:
                self.unreadable += 1
            else:
                for row in rows:
                    self.take([row])

    def plates(self) -> Plates:
        """All that was taken."""
        if not self._pieces:
            self._add([])
        return Plates(*(np.concatenate(column) for column in zip(*self._pieces, strict=True)))

    def _add(self, rows: Sequence[Sequence[Any]]) -> None:
        named = dict(zip((*_PLATE, *_PLATE_NUMBERS, *_PLATE_VALUES), _turned(rows, 18), strict=True))
        # All of it before anything is counted, so that a piece that cannot be read leaves nothing behind.
        causes = [self._decoded(text) for text in named["causes"]]
        at = np.array([text[:26] for text in named["seen_at"]], "datetime64[us]").astype(np.int64) / 1e6
        verdicts = np.array([_VERDICTS[word] for word in named["verdict"]], np.int8)
        numbers = [_whole(named[name]) for name in _PLATE_NUMBERS]
        values = [_finite(np.array(named[name], np.float64)) for name in _PLATE_VALUES]
        number = np.array(named["plate"], np.int64)
        products = [
            Product(None if name is None else str(name), str(recipe))
            for name, recipe in zip(named["product"], named["recipe"], strict=True)
        ]
        sheets = list(zip(number.tolist(), named["part_id"], named["image"], strict=True))
        words: list[Verdict] = list(Verdict)
        for code, some in zip(verdicts.tolist(), causes, strict=True):
            if code != OPEN:
                self.causes.update((words[code], cause) for cause in some)
        self.simulated += sum(map(bool, named["simulated"]))
        self._pieces.append(
            (
                number,
                at,
                np.array([self.products.setdefault(one, len(self.products)) for one in products], np.int32),
                np.array([self._sheet(*one) for one in sheets], np.int64),
                verdicts,
                np.array([Cause.GOLDEN_SHEET in some for some in causes], bool),
                *numbers,
                *values,
            )
        )

    def _decoded(self, text: str | None) -> tuple[Cause, ...]:
        if text not in self._causes:
            self._causes[text] = msgspec.json.decode(text, type=tuple[Cause, ...] | None) or () if text else ()
        return self._causes[text]

    def _sheet(self, number: int, part: object, image: object) -> int:
        """A number of the sheet, that of its first plate; nothing is kept of plates that nobody named."""
        named = ("part", part) if part is not None else ("image", image)
        return number if named[1] is None else self._sheets.setdefault(named, number)


# --- defects -------------------------------------------------------------------------------------------------------

_DEFECT_NUMBERS = ("plate", "number", "peak_x", "peak_y")
_DEFECT_VALUES = ("width", "height", "width_mm", "height_mm", "area", "score", "probability", "vetoed")


def _found(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]], numbers: NDArray[np.int64], told: OnPiece
) -> tuple[Found, int]:
    """The defects of these plates, and how many cannot be read."""
    asked = [defects.c[name] for name in (*_DEFECT_NUMBERS, *_DEFECT_VALUES)]
    # No join: SQLite would read the defects of all plates, for the sake of their order.
    query = sa.select(*asked).where(defects.c.plate.in_(sa.select(plates.c.plate).where(*conditions)))
    query = query.order_by(defects.c.plate, defects.c.number)
    kept: list[NDArray[np.float64]] = []
    unreadable = 0
    for piece in _pieces(connection, query):
        values, lost = _matrix(piece)
        unreadable += lost
        kept.append(values)
        told(len(piece))
    table = np.concatenate(kept, axis=1) if kept else np.zeros((len(asked), 0), np.float32)
    order = np.argsort(numbers)
    place = np.searchsorted(numbers, table[0], sorter=order) if len(numbers) else np.zeros(0, np.int64)
    place = order[np.minimum(place, len(numbers) - 1)]
    there = numbers[place] == table[0]  # a plate that came or could not be read meanwhile has none
    table, place = table[:, there], place[there]
    number, x, y = (table[row].astype(np.int32) for row in (1, 2, 3))
    width, height, width_mm, height_mm, area, score, probability, vetoed = table[4:]
    sizes = width, height, width_mm, height_mm, area
    return Found(place, number, x, y, *sizes, score, probability, vetoed > 0), unreadable


def _matrix(rows: Sequence[Sequence[Any]]) -> tuple[Floats, int]:
    """The rows as columns of numbers (12, n) without those that hold something else, and how many these are."""
    try:
        values = _finite(np.array(_turned(rows, 12), np.float64))
        _as_whole(values[1 : len(_DEFECT_NUMBERS)])
    except (ValueError, TypeError):
        if len(rows) == 1:
            return np.zeros((12, 0)), 1
        parts = [_matrix([row]) for row in rows]
        return np.concatenate([part for part, _ in parts], axis=1), sum(lost for _, lost in parts)
    return values, 0


_CHECK = tuple(one.name for one in fields(GoldenCheck))


# --- what else -----------------------------------------------------------------------------------------------------


def _marks(connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]]) -> tuple[Mark, ...]:
    if not sa.inspect(connection).has_table(marks.name):  # a store of an earlier version
        return ()
    query = sa.select(*SAID).where(marks.c.plate.in_(sa.select(plates.c.plate).where(*conditions)))
    said: list[Mark] = []
    of_plate: list[Mark] = []
    for row in connection.execute(query.order_by(marks.c.plate, marks.c.id)).mappings():
        mark = mark_of(row)
        if of_plate and of_plate[0].plate != mark.plate:
            said.extend(standing(of_plate))
            of_plate = []
        of_plate.append(mark)
    return (*said, *standing(of_plate))


def _checks(connection: sa.Connection, selection: Selection, recipes: set[str]) -> tuple[GoldenCheck, ...]:
    """Checks of that time and of those recipes; all of that time where no plate is there to say which."""
    if not sa.inspect(connection).has_table(golden_checks.name):
        return ()
    query = sa.select(golden_checks).where(*_within(golden_checks.c.at, selection)).order_by(golden_checks.c.at)
    return tuple(
        msgspec.convert({name: row[name] for name in _CHECK}, GoldenCheck)
        for row in connection.execute(query).mappings()
        if (not recipes or row["recipe"] in recipes) and (selection.shift is None or selection.shift.holds(row["at"]))
    )


def _optics(
    connection: sa.Connection, selection: Selection, numbers: NDArray[np.int64]
) -> tuple[tuple[datetime, str], ...]:
    query = sa.select(events.c.at, events.c.plate, events.c.text).where(events.c.kind == "optics")
    query = query.where(*_within(events.c.at, selection)).order_by(events.c.at, events.c.id)
    found = connection.execute(query).all()
    there = np.isin([row[1] or 0 for row in found], numbers)
    return tuple((row[0], str(row[2])) for row, one in zip(found, there.tolist(), strict=True) if one)


def _within(at: sa.ColumnElement[datetime], selection: Selection) -> list[sa.ColumnElement[bool]]:
    since = [] if selection.since is None else [at >= selection.since]
    return since if selection.until is None else [*since, at < selection.until]


def _pieces(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    yield from connection.execute(query, execution_options={"yield_per": _PIECE}).partitions()


def _turned(rows: Sequence[Sequence[Any]], columns: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [()] * columns


def _whole(values: Sequence[Any]) -> NDArray[np.int32]:
    return _as_whole(np.nan_to_num(np.array(values, np.float64), posinf=np.inf, neginf=-np.inf))


def _as_whole(values: Floats) -> NDArray[np.int32]:
    """Whole numbers. Raises ValueError where one is larger than any of a plate."""
    if not (np.abs(values) < _TOO_LARGE).all():  # nor is NaN
        raise ValueError("a number that no plate can have")
    return values.astype(np.int32)


def _finite(values: Floats) -> Floats:
    """Numbers, NaN where one is not known. Raises ValueError where one is endless."""
    if np.isinf(values).any():
        raise ValueError("an endless number")
    return values


def local(at: float) -> datetime:
    """A moment by this machine's clock."""
    return datetime.fromtimestamp(at, UTC).astimezone()
