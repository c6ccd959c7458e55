"""Stored results as people read them: a table for a terminal, plain values for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from config.errors import printable
from daemon.store.rows import Ledger, PlateRow, Telling, stored
from stages.mark import Mark
from stages.plate import Defect, Verdict, found_and_vetoed

_WIDE = 100_000
_SHORT = 7
"""Characters of a hash that tell two versions of a recipe apart."""
STYLE = {Verdict.OK: "green", Verdict.NG: "bold red", Verdict.INCONCLUSIVE: "yellow"}


def show_results(console: Console, rows: Sequence[PlateRow], ledger: Ledger) -> None:
    """Print the plates and their sum; where reasons do not fit beside the rest, they stand below it."""
    table = results_table(rows)
    # Asked for more width than there is, a table says how wide it would be.
    if console.measure(table, options=console.options.update(width=_WIDE)).maximum <= console.width:
        console.print(table)
    else:
        console.print(results_table(rows, reasons=False))
        for row in rows:
            if words := _words(row):
                console.print(Text(f"plate {row.plate:<3} {words}"))
    console.print(ledger_line(ledger))


def results_table(rows: Sequence[PlateRow], *, reasons: bool = True) -> Table:
    """The plates as a table, in the order given; times are local. Nothing is cut: what does not fit is wrapped."""
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    vetoes = any(found_and_vetoed(row.defects)[1] for row in rows)
    numbers = ("defects", *(["vetoed"] if vetoes else []), "crack", "judged", "latency")
    images, told = any(row.image for row in rows), any(row.told for row in rows)
    marked = any(row.marks for row in rows)
    parts, cameras = any(row.part_id for row in rows), any(row.camera for row in rows)
    versions = _versions(rows)
    for name in (
        "plate",
        "seen",
        *(["image"] if images else []),
        *(["camera"] if cameras else []),
        *(["part"] if parts else []),
        "recipe",
        "verdict",
        *numbers,
        *(["told"] if told else []),
        *(["marks"] if marked else []),
        *(["reason"] if reasons else []),
    ):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        verdict = Text("open", "dim") if row.verdict is None else Text(row.verdict.value, STYLE[row.verdict])
        table.add_row(
            str(row.plate),
            f"{row.seen_at.astimezone():%m-%d %H:%M:%S}",
            *([Text(printable(row.image or ""))] if images else []),
            *([Text(printable(row.camera or ""))] if cameras else []),
            *([Text(printable(row.part_id or ""))] if parts else []),
            " ".join([row.recipe, *versions.get((row.recipe, row.recipe_sha256), ()), *(["(sim)"] * row.simulated)]),
            verdict,
            *(
                "" if row.verdict is None else str(count)
                for count in found_and_vetoed(row.defects)[: 2 if vetoes else 1]
            ),
            _chance(row.defects),
            "" if row.coverage is None else f"{100 * row.coverage:.1f} %",
            "" if row.latency_s is None else f"{row.latency_s:.2f} s",
            *([", ".join(f"{one.output} {one.outcome}" for one in row.told)] if told else []),
            *([_marks(row.marks)] if marked else []),
            *([Text(_words(row))] if reasons else []),
        )
    return table


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
    plain = {field.name: _plain(getattr(row, field.name)) for field in fields(row) if field.name != "defects"}
    return plain | {"defects": [stored(defect) for defect in row.defects]}


def mark_json(mark: Mark) -> dict[str, Any]:
    """A mark as values that JSON knows."""
    return {name: _plain(value) for name, value in asdict(mark).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (Telling, Mark)):
        return {name: _plain(part) for name, part in asdict(value).items()}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return value
