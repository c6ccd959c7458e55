"""Stored results as people read them: a table for a terminal, plain values for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import printable
from daemon.store.columns import PLATE_COLUMNS
from daemon.store.rows import Ledger, PlateRow, Telling, stored
from daemon.store.tables import as_json
from stages.challenge import Challenge, Change, Kind
from stages.mark import Mark
from stages.plate import Defect, Verdict, found_and_vetoed

_WIDE = 100_000
_SHORT = 7
"""Characters of a hash that tell two versions of a recipe apart."""
_REASON = "reason"
NESTED = {
    "defects": "its defects, worst first, each with the columns of a defect as far as it has them",
    "marks": "what people say of it, as far as it holds",
    "told": "what each output said of it, and what came back",
    "challenge": "what the challenger says of it, with the defects that it keeps, adds and leaves out",
    "losses": "why rows are missing, and how often",
}
"""What of a plate stands in JSON alone, and its meaning."""
_LEAST_NEEDED = (
    "latency",
    "judged",
    "camera",
    "told",
    "challenger",
    "vetoed",
    "image",
    "recipe",
    "crack",
    "part",
    "marks",
)
"""Columns that go where the table is too wide, in this order."""
STYLE = {Verdict.OK: "green", Verdict.NG: "bold red", Verdict.INCONCLUSIVE: "yellow"}


def show_results(console: Console, rows: Sequence[PlateRow], ledger: Ledger) -> None:
    """Print the plates and their sum, as much of each plate as the console is wide.

    Where reasons do not fit beside the rest, they stand below it. Then columns go, the least needed first, and a line
    says which.
    """
    columns = _columns(rows)
    left_out = list[str]()
    if not _fits(console, _table(rows, columns)):
        columns = [column for column in columns if column.name != _REASON]
        for name in _LEAST_NEEDED:
            if _fits(console, _table(rows, columns)):
                break
            if any(column.name == name for column in columns):
                columns = [column for column in columns if column.name != name]
                left_out.append(name)
    console.print(_table(rows, columns))
    if all(column.name != _REASON for column in columns):
        for row in rows:
            if words := _words(row):
                console.print(Text(f"plate {row.plate:<3} {words}"))
    if left_out:
        console.print(Text(f"in a wider window also: {', '.join(left_out)}", "dim"))
    console.print(ledger_line(ledger))


def results_table(rows: Sequence[PlateRow], *, reasons: bool = True) -> Table:
    """The plates as a table, in the order given; times are local. Nothing is cut: what does not fit is wrapped."""
    return _table(rows, [column for column in _columns(rows) if reasons or column.name != _REASON])


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column of the table."""

    name: str
    cell: Callable[[PlateRow], str | Text]
    number: bool = False
    there: bool = True
    """There is anything to show in it."""


def _columns(rows: Sequence[PlateRow]) -> list[_Shown]:
    """The columns that have something to say of these plates."""
    versions = _versions(rows)

    def has(of: Callable[[PlateRow], object]) -> bool:
        return any(of(row) for row in rows)

    def counted(row: PlateRow, index: int) -> str:
        return "" if row.verdict is None else str(found_and_vetoed(row.defects)[index])

    def recipe(row: PlateRow) -> Text:
        words = [row.recipe, *versions.get((row.recipe, row.recipe_sha256), ()), *(["(sim)"] * row.simulated)]
        return Text(printable(" ".join(words)))

    columns = (
        _Shown("plate", lambda row: str(row.plate)),
        _Shown("seen", lambda row: f"{row.seen_at.astimezone():%m-%d %H:%M:%S}"),
        _Shown("image", lambda row: Text(printable(row.image or "")), there=has(lambda row: row.image)),
        _Shown("camera", lambda row: Text(printable(row.camera or "")), there=has(lambda row: row.camera)),
        _Shown("part", lambda row: Text(printable(row.part_id or "")), there=has(lambda row: row.part_id)),
        _Shown("recipe", recipe),
        _Shown("verdict", _verdict),
        _Shown("defects", lambda row: counted(row, 0), number=True),
        _Shown(
            "vetoed",
            lambda row: counted(row, 1),
            number=True,
            there=has(lambda row: found_and_vetoed(row.defects)[1]),
        ),
        _Shown("crack", lambda row: _chance(row.defects), number=True),
        _Shown("judged", lambda row: "" if row.coverage is None else f"{100 * row.coverage:.1f} %", number=True),
        _Shown("latency", lambda row: "" if row.latency_s is None else f"{row.latency_s:.2f} s", number=True),
        _Shown("told", lambda row: ", ".join(f"{one.output} {one.outcome}" for one in row.told), there=has(_told)),
        _Shown("marks", lambda row: _marks(row.marks), there=has(lambda row: row.marks)),
        _Shown("challenger", _would_be, there=has(lambda row: row.challenge)),
        _Shown(_REASON, lambda row: Text(_words(row))),
    )
    return [column for column in columns if column.there]


def _table(rows: Sequence[PlateRow], columns: Sequence[_Shown]) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column.name, justify="right" if column.number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    return table


def _fits(console: Console, table: Table) -> bool:
    # Asked for more width than there is, a table says how wide it would be.
    return console.measure(table, options=console.options.update(width=_WIDE)).maximum <= console.width


def _verdict(row: PlateRow) -> Text:
    return Text("open", "dim") if row.verdict is None else Text(row.verdict.value, STYLE[row.verdict])


def _would_be(row: PlateRow) -> Text:
    """What a challenger would change: the verdict, or the defects that count."""
    if row.challenge is None:
        return Text("")
    said = row.challenge
    if said.kind is Kind.DEFECTS:
        return Text(f"+{said.count(Change.NEW)} -{said.count(Change.GONE)}")
    return Text(said.verdict.value, STYLE[said.verdict]) if said.kind is Kind.VERDICT else Text("same", "dim")


def _told(row: PlateRow) -> bool:
    return bool(row.told)


def _versions(rows: Sequence[PlateRow]) -> dict[tuple[str, str | None], tuple[str, ...]]:
    """The short hash of each version of a recipe, where there are several among the plates."""
    found = {(row.recipe, row.recipe_sha256) for row in rows}
    several = {name for name, _ in found if sum(other == name for other, _ in found) > 1}
    return {(name, digest): ((digest or "?")[:_SHORT],) for name, digest in found if name in several}


def _words(row: PlateRow) -> str:
    """Why the verdict is what it is, and what else there is to say."""
    ids = [] if row.part_unknown is None else [f"id unknown: {row.part_unknown}"]
    return printable("; ".join([*([row.reason] if row.reason else []), *ids, *row.warnings]))


def _marks(marks: Sequence[Mark]) -> str:
    """What people say of a plate, counted: `2 false alarm, 1 missed crack`."""
    counts = Counter(mark.kind for mark in marks)
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def words_of(row: PlateRow) -> list[str]:
    """What stands on a plate's picture, in lines for a terminal: the verdict, each defect with its mark, the rest."""
    ids = [f"{name} {value}" for name, value in (("part", row.part_id), ("batch", row.batch_id)) if value]
    seen = f"{row.seen_at.astimezone():%Y-%m-%d %H:%M:%S}"
    head = ", ".join([f"plate {row.plate}", row.verdict or "open", f"recipe {row.recipe}", f"seen {seen}", *ids])
    marks = {mark.defect: mark for mark in row.marks if mark.defect is not None}
    lines = [head, *([words] if (words := _words(row)) else [])]
    for number, one in enumerate(row.defects, start=1):
        size = f"{one.width} x {one.height} px"
        if one.width_mm is not None and one.height_mm is not None:
            size += f", {one.width_mm:.2f} x {one.height_mm:.2f} mm"
        chance = [] if one.probability is None else [f"crack {100 * one.probability:.0f} %"]
        said = [] if (mark := marks.get(number)) is None else [f"marked {mark.kind}"]
        facts = [f"score {one.score:.2f}", *chance, *(["vetoed"] * one.vetoed), *said]
        lines.append(f"defect {number} at x {one.x}, y {one.y}: {size}, {', '.join(facts)}")
    places = [mark.place for mark in row.marks if mark.place is not None]
    lines += [f"missed crack: {one.shape} {one.x0},{one.y0},{one.x1},{one.y1}" for one in places]
    lines += _challenger_words(row)
    return [printable(line) for line in lines]


def _challenger_words(row: PlateRow) -> list[str]:
    if row.challenge is None:
        return []
    said = row.challenge
    if said.kind is Kind.UNFINISHED:
        return [f"challenger {said.recipe}: {said.verdict}, but the line has not inspected the plate whole"]
    counts = [f"{said.count(one)} {one}" for one in (Change.KEPT, Change.NEW, Change.GONE) if said.count(one)]
    would = f"would be {said.verdict}" if said.kind is Kind.VERDICT else f"{said.verdict} as well"
    lines = [f"challenger {said.recipe}: {would}" + (f"; defects: {', '.join(counts)}" if counts else "")]
    for one in said.defects:
        if one.change is not Change.KEPT:
            what = f"defect {one.number} gone" if one.change is Change.GONE else "defect new"
            size = f"{one.width} x {one.height} px, score {one.score:.2f}"
            lines.append(f"challenger: {what} at x {one.x}, y {one.y}: {size}")
    return lines


def _chance(defects: Sequence[Defect]) -> str:
    """The highest chance of a crack among the defects, where the classifier said one."""
    chances = [defect.probability for defect in defects if defect.probability is not None]
    return f"{100 * max(chances):.0f} %" if chances else ""


def ledger_line(ledger: Ledger) -> str:
    """The plates counted, in one line."""
    decided = f"{ledger.ok} OK + {ledger.ng} NG + {ledger.inconclusive} INCONCLUSIVE"
    return f"{ledger.seen} seen = {decided} + {ledger.open} open"


def results_json(row: PlateRow) -> dict[str, Any]:
    """The plate as values that JSON knows: times as ISO text in UTC, words as text, defects worst first."""
    nested = {name: _plain(getattr(row, name)) for name in NESTED}
    return as_json(row, PLATE_COLUMNS) | nested


def mark_json(mark: Mark) -> dict[str, Any]:
    """A mark as values that JSON knows."""
    return {name: _plain(value) for name, value in asdict(mark).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and not isfinite(value):
        return None  # JSON has no such number
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (Telling, Mark, Defect, Challenge)):
        value = stored(value) if isinstance(value, Defect) else asdict(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value
