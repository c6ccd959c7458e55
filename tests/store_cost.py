"""What the store costs: commits a second, and the questions of a history page over years of plates.

The tables of docs/reference/store.md are the output of `python -m tests.store_cost`, alone and with `--postgres`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from daemon.store.history import Box, Position, Selection, causes, page, totals
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.rows import stored, verdict_values
from daemon.store.schema import defects, marks, plates, upkeep
from daemon.store.shifts import Shift
from daemon.store.where import note_url
from stages.plate import Cause, Defect, PlateResult, Verdict
from tests.postgres_server import postgres_server

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=False, product="P10B", batch_id="B1")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
EVERY_S = 60.0
"""From plate to plate: 200,000 are 139 days."""
ROWS, COLUMNS, DEFECTS = 20_000, 14_653, 5
OTHERS = (Cause.FOCUS, Cause.BRIGHTNESS, Cause.ROWS_MISSING, Cause.OVERLOAD)
COMMITS, ROUNDS, CHUNK = 300, 9, 5_000


def told(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a table


def made(plate: int, rng: np.random.Generator) -> PlateResult:
    """20 % NG and 2 % INCONCLUSIVE, of which some causes are rare; every plate has five defects, most of them weak."""
    chance = rng.random()
    verdict = Verdict.NG if chance < 0.2 else Verdict.INCONCLUSIVE if chance < 0.22 else Verdict.OK
    cause = OTHERS[min(3, int(rng.exponential(0.7)))]
    why = {Verdict.OK: (), Verdict.NG: (Cause.DEFECT,), Verdict.INCONCLUSIVE: (cause,)}[verdict]
    xs, ys = rng.integers(0, COLUMNS - 60, DEFECTS).tolist(), rng.integers(0, ROWS - 90, DEFECTS).tolist()
    found = tuple(
        Defect(
            x, y, 60, 90, 500, 0.75, x + 30, y + 45, edge=False, x_mm=x / 24, y_mm=y / 19, width_mm=2.5, height_mm=4.7
        )
        for x, y in zip(xs, ys, strict=True)
    )
    reason = "; ".join(f"{one}: a value that was found and what the recipe allows" for one in why)
    return PlateResult(RUN, plate, verdict, why, reason, True, ROWS, COLUMNS, 825, 825, 1.0, defects=found)


def rows(count: int, rng: np.random.Generator) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for plate in range(1, count + 1):
        result = made(plate, rng)
        at = BEGAN + timedelta(seconds=EVERY_S * plate)
        row = {
            "plate": plate,
            "run": RUN,
            "seen_at": at,
            "recipe": "P10B",
            "product": f"P{plate // 5000 % 4}",
            "part_id": f"S{plate:07}",
            "batch_id": f"B{plate // 500}",
            "simulated": False,
            "decided_at": at + timedelta(seconds=5),
            "latency_s": 0.4,
            "uptime_s": EVERY_S * plate,
            **dict.fromkeys(("recipe_sha256", "configuration_sha256", "weights_sha256", "code_sha256"), "c" * 64),
            **verdict_values(result),
            "checksum": "0" * 16,
        }
        yield row, [{"plate": plate, "number": n, **stored(one)} for n, one in enumerate(result.defects, 1)]


def fill(store: Store, count: int) -> None:
    """So many plates at once; a mark for each hundredth."""
    made_rows = rows(count, np.random.default_rng(1))
    while chunk := list(islice(made_rows, CHUNK)):
        with store.transaction() as connection:
            connection.execute(sa.insert(plates), [row for row, _ in chunk])
            connection.execute(sa.insert(defects), [one for _, found in chunk for one in found])
            said = [row["plate"] for row, _ in chunk if row["plate"] % 100 == 0]
            if said:
                told_of = {"at": BEGAN, "kind": "false alarm", "defect": 1, "who": "anna"}
                connection.execute(sa.insert(marks), [{"plate": plate, **told_of} for plate in said])
            connection.execute(sa.update(upkeep).values(begun=upkeep.c.begun + len(chunk)))
        if chunk[-1][0]["plate"] % 50_000 == 0:
            print(f"{chunk[-1][0]['plate']:,} plates", file=sys.stderr, flush=True)  # noqa: T201 - progress


def commits(store: Store, after: int) -> float:
    """Plates a second that record can commit: seen, and a verdict with five defects."""
    rng, begun = np.random.default_rng(2), time.perf_counter()
    for plate in range(after + 1, after + 1 + COMMITS):
        store.seen(RUN, plate, datetime.now(UTC))
        store.commit_verdict(made(plate, rng), decided_at=datetime.now(UTC))
    return COMMITS / (time.perf_counter() - begun)


def questions(store: Store, count: int) -> dict[str, Callable[[], object]]:
    """What a history page asks."""
    end = BEGAN + timedelta(seconds=EVERY_S * (count + 1))
    shift, month = end - timedelta(hours=8), end - timedelta(days=30)
    nights = Shift(clock(22), clock(6))
    (middle,) = page(store, Selection(part=f"S{count // 2:07}"), 1)
    return {
        "the latest 50 plates": lambda: page(store, Selection(), 50),
        "50 plates in the middle": lambda: page(store, Selection(), 50, before=Position(middle.seen_at, middle.plate)),
        "50 NG": lambda: page(store, Selection(verdict=Verdict.NG), 50),
        "50 INCONCLUSIVE of a month": lambda: page(store, Selection(since=month, verdict=Verdict.INCONCLUSIVE), 50),
        "50 of a rare cause": lambda: page(store, Selection(cause=Cause.OVERLOAD), 50),
        "50 of a product, NG": lambda: page(store, Selection(product="P1", verdict=Verdict.NG), 50),
        "50 of a batch": lambda: page(store, Selection(batch=f"B{count // 1000}"), 50),
        "the plate of a part": lambda: page(store, Selection(part="S0000777"), 50),
        "50 with a defect at a place": lambda: page(store, Selection(place=Box(7000, 9000, 7100, 9100)), 50),
        "50 of a shift": lambda: page(store, Selection(since=shift), 50),
        "totals of a shift": lambda: totals(store, Selection(since=shift)),
        "totals of a month": lambda: totals(store, Selection(since=month)),
        "totals of a batch": lambda: totals(store, Selection(batch="B7")),
        "totals of a product": lambda: totals(store, Selection(product="P1")),
        "totals of all": lambda: totals(store, Selection()),
        "causes of a shift": lambda: causes(store, Selection(since=shift)),
        "causes of a month": lambda: causes(store, Selection(since=month)),
        "causes of all": lambda: causes(store, Selection()),
        "50 of the night shifts": lambda: page(store, Selection(shift=nights), 50),
        "totals of the night shifts of a month": lambda: totals(store, Selection(since=month, shift=nights)),
        "totals of all night shifts": lambda: totals(store, Selection(shift=nights)),
        "50 marked": lambda: page(store, Selection(marked=True), 50),
        "totals at a place": lambda: totals(store, Selection(place=Box(7000, 9000, 7500, 9500))),
    }


def measured(state: Path, count: int, ready: Callable[[], str]) -> None:
    """Fill the store of a state directory and ask; `ready` has all in its place, and tells the size."""
    path = store_path(state)
    with Store.open(path) as store:
        store.begin_run(FACTS)
        empty = commits(store, 1_000_000_000)
        with store.transaction() as connection:
            connection.execute(sa.delete(plates))
        fill(store, count)
        full = commits(store, count)
        store.settle()
    told(f"| commits a second, new store | {empty:.0f} |")
    told(f"| commits a second, {count:,} plates | {full:.0f} |")
    told(f"| size | {ready()} |")
    with Store.open(path, read_only=True) as store:
        for name, ask in questions(store, count).items():
            took = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                ask()
                took.append(1000 * (time.perf_counter() - begun))
            told(f"| {name} | {min(took):.1f} ms | {sorted(took)[ROUNDS // 2]:.1f} ms |")


def main() -> None:
    """With --postgres in a server, which is made for it and waits for the disk as it does by default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int, nargs="?", default=200_000, help="plates")
    parser.add_argument("--postgres", action="store_true", help="in a server of PostgreSQL")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        if not asked.postgres:
            measured(state, asked.count, lambda: f"{store_path(state).stat().st_size / 1e6:.0f} MB")
            return
        with postgres_server(durable=True) as server:
            note_url(store_path(state), server.url())

            def ready() -> str:
                # As the server does by itself, some time after so many rows.
                server.run("VACUUM ANALYZE")
                return server.run("SELECT pg_database_size(current_database()) / 1000000") + " MB"

            measured(state, asked.count, ready)


if __name__ == "__main__":
    main()
