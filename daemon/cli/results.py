"""`linesentry results`: plates with their verdicts, as a table for people and as CSV, Parquet or JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from daemon.cli.filters import Filters
from daemon.cli.options import configured, console, fail, takes_order
from daemon.telemetry.printing import say

if TYPE_CHECKING:
    from daemon.store.history import Selection
    from daemon.store.reading import Reader

_SHOWN = 20
"""Plates of the table, where nobody says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Filters):
    """List plates with their verdicts."""

    limit: Annotated[
        int | None, Option(min=1, help=f"plates, the latest first; default: {_SHOWN} in the table, else all")
    ] = None
    json: Annotated[bool, Option("--json", help="JSON on stdout, a line for each plate")] = False
    csv: Annotated[bool, Option("--csv", help="CSV on stdout, a line for each plate")] = False
    parquet: Annotated[Path | None, Option(help="write a Parquet file", metavar="FILE")] = None
    verify: Annotated[
        bool, Option("--verify", help="prove by their checksums that all plates and marks are as they were written")
    ] = False


@takes_order
def results(order: Results) -> None:
    """List plates with their verdicts, the latest first."""
    if sum((order.json, order.csv, order.parquet is not None)) > 1:
        fail("--json, --csv and --parquet are three forms: give one", 2)
    if order.verify and (order.limit is not None or order.csv or order.parquet is not None):
        fail("--verify looks at all that is stored: give it alone, or with --json", 2)
    with results_of(order) as (found, selection):
        if order.verify:
            _verify(found, as_json=order.json)
        elif order.json:
            _json(found, selection, order.limit)
        elif order.csv:
            _csv(found, selection, order.limit)
        elif order.parquet is not None:
            _parquet(found, selection, order.limit, order.parquet)
        else:
            _table(found, selection, order.limit or _SHOWN)
        for note in found.notes:
            say(f"linesentry: {note}")


@contextmanager
def results_of(filters: Filters) -> Iterator[tuple[Reader, Selection]]:
    """The results that the filters are about, and the selection; ends the command where there are none."""
    from daemon.store.asked import Asked, AskedError, selection_of  # noqa: PLC0415 - commands load what they need
    from daemon.store.journal import JournalError, journal_path, read_journal  # noqa: PLC0415
    from daemon.store.reading import reader  # noqa: PLC0415
    from daemon.store.results import StoreError, store_path  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415
    from daemon.store.where import is_there  # noqa: PLC0415

    settings, _ = configured(filters.config, None, filters.state)
    try:
        asked = Asked(**{one.name: getattr(filters, one.name) for one in fields(Asked)})
        selection = selection_of(asked, settings.shifts)
        directory = state_path(settings)
        path = store_path(directory)
        if not is_there(path):
            if last := read_journal(journal_path(directory)).last:
                fail(f"{path} is gone, and numbers up to {last} were given: put it back, or restore a backup")
            fail(f"there are no results at {path}: run `linesentry run`, or name another directory with --state")
        with reader(directory) as found:
            yield found, selection
    except AskedError as error:
        fail(str(error), 2)
    except (StoreError, StateError, JournalError) as error:
        fail(str(error))


def _verify(found: Reader, *, as_json: bool) -> None:
    """Prove the whole store; the command fails where something in it is not as it was written."""
    from dataclasses import asdict  # noqa: PLC0415 - commands load what they need

    from daemon.store.reading import words_of  # noqa: PLC0415

    found.store.check()
    rows, ledger = found.store.check_rows(), found.totals()
    wrong = [*words_of(rows), *found.notes]
    if as_json:
        sys.stdout.write(json.dumps({"plates": ledger.seen, **asdict(rows), "notes": list(found.notes)}) + "\n")
    else:
        old = f"; {rows.without_checksum:,} have no checksum (of an earlier version)" if rows.without_checksum else ""
        console().print(f"{ledger.seen:,} plates, {ledger.open} of them open: {'NOT ' if wrong else ''}as written{old}")
    if wrong:
        fail("; ".join(wrong) + ": do not trust these, and compare with a backup")


def _table(found: Reader, selection: Selection, limit: int) -> None:
    from daemon.store.history import EVERYTHING  # noqa: PLC0415 - commands load what they need
    from daemon.store.view import ledger_line, show_results  # noqa: PLC0415

    rows = list(found.plates(selection, limit))
    ledger = found.totals(selection)
    show_results(console(), rows, ledger)
    if selection != EVERYTHING:
        console().print(f"of all: {ledger_line(found.totals())}")
    if len(rows) < ledger.seen:
        say(f"linesentry: the latest {len(rows)} of {ledger.seen} plates; --limit {ledger.seen} has all")


def _json(found: Reader, selection: Selection, limit: int | None) -> None:
    from daemon.store.view import results_json  # noqa: PLC0415 - commands load what they need

    for row in found.plates(selection, limit):
        sys.stdout.write(json.dumps(results_json(row), allow_nan=False) + "\n")


def _csv(found: Reader, selection: Selection, limit: int | None) -> None:
    from daemon.store.columns import PLATE_COLUMNS  # noqa: PLC0415 - commands load what they need
    from daemon.store.tables import CsvTable  # noqa: PLC0415

    table = CsvTable(sys.stdout, PLATE_COLUMNS)
    for row in found.plates(selection, limit):
        table.add(row)


def _parquet(found: Reader, selection: Selection, limit: int | None, path: Path) -> None:
    from daemon.store.columns import PLATE_COLUMNS  # noqa: PLC0415 - commands load what they need
    from daemon.store.tables import TableError, write_parquet  # noqa: PLC0415

    try:
        count = write_parquet(path, PLATE_COLUMNS, found.plates(selection, limit))
    except TableError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror or error}")
    say(f"linesentry: {count} plates in {path}")
