"""Stored results as people read them: a table for a terminal, plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from rich.table import Table
from rich.text import Text

from daemon.store.rows import Ledger, PlateRow, stored
from stages.plate import Defect, Verdict, found_and_vetoed

STYLE = {Verdict.OK: "green", Verdict.NG: "bold red", Verdict.INCONCLUSIVE: "yellow"}


def results_table(rows: Sequence[PlateRow]) -> Table:
    """The plates as a table, in the order given; times are local."""
    table = Table(header_style="bold", box=None)
    vetoes = any(found_and_vetoed(row.defects)[1] for row in rows)
    numbers = ("defects", *(["vetoed"] if vetoes else []), "crack", "judged", "latency")
    for name in ("plate", "seen", "recipe", "verdict", *numbers):
        right = name in numbers
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    table.add_column("reason", overflow="fold", ratio=1)
    for row in rows:
        verdict = Text("open", "dim") if row.verdict is None else Text(row.verdict.value, STYLE[row.verdict])
        table.add_row(
            str(row.plate),
            f"{row.seen_at.astimezone():%m-%d %H:%M:%S}",
            row.recipe + (" (sim)" if row.simulated else ""),
            verdict,
            *(
                "" if row.verdict is None else str(count)
                for count in found_and_vetoed(row.defects)[: 2 if vetoes else 1]
            ),
            _chance(row.defects),
            "" if row.coverage is None else f"{100 * row.coverage:.1f} %",
            "" if row.latency_s is None else f"{row.latency_s:.2f} s",
            Text("; ".join([row.reason, *row.warnings] if row.reason else row.warnings)),
        )
    return table


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


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
