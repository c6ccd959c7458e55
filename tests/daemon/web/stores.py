"""Stores of results that tests of the pages look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=False, product="P10B", batch_id="B1")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e=1+1" + "x" * 140
FORMULA = '=HYPERLINK("http://example.org")'
ROWS, COLUMNS = 19_214, 9_777
HERE = (4_000, 12_000)
"""Where every third sheet of a store has a defect."""


def defect(x: int, y: int) -> Defect:
    return Defect(
        x - 10, y - 50, 20, 100, 600, 0.8, x, y, edge=False, x_mm=x / 24, y_mm=y / 19, width_mm=0.8, height_mm=5.2
    )


def result(plate: int, verdict: Verdict, causes: Sequence[Cause] = (), found: Sequence[Defect] = ()) -> PlateResult:
    return PlateResult(RUN, plate, verdict, tuple(causes), "", True, ROWS, COLUMNS, 561, 561, 1.0, defects=tuple(found))


def fill(state: Path, count: int = 60, begin: datetime | None = None) -> Store:
    """So many sheets, one a minute up to now: every third is NG, every tenth INCONCLUSIVE for its focus."""
    begin = begin or datetime.now(UTC) - timedelta(minutes=count)
    store = Store.open(store_path(state))
    store.begin_run(FACTS)
    for plate in range(1, count + 1):
        at = begin + timedelta(minutes=plate)
        store.seen(RUN, plate, at, facts=replace(FACTS, simulated=plate == 1), part=Part(f"S{plate:03}", "B1"))
        there = HERE[0] + plate % 9, HERE[1] - plate % 7
        if plate % 10 == 0:
            store.commit_verdict(result(plate, Verdict.INCONCLUSIVE, (Cause.FOCUS,)), decided_at=at)
        elif plate % 3 == 0:
            found = [defect(*there), defect(plate * 140 + 90, plate * 290 + 90)]
            store.commit_verdict(result(plate, Verdict.NG, (Cause.DEFECT,), found), decided_at=at)
        else:
            store.commit_verdict(result(plate, Verdict.OK), decided_at=at)
    return store


def add_hostile(store: Store, plate: int) -> None:
    """A sheet of which every name is what nobody should be able to write."""
    at = datetime.now(UTC)
    facts = replace(FACTS, recipe=HOSTILE, product=HOSTILE)
    store.seen(RUN, plate, at, facts=facts, part=Part(HOSTILE, FORMULA), image=HOSTILE, camera=HOSTILE)
    store.commit_verdict(result(plate, Verdict.NG, (Cause.DEFECT,), [defect(*HERE)]), decided_at=at)
