"""A store with plates that have their verdict, as a service leaves it behind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
DEFECT = Defect(400, 900, 60, 12, 300, 0.91, 420, 905, edge=False)


def result(plate: int, verdict: Verdict, *causes: Cause, reason: str = "", run: str = RUN) -> PlateResult:
    """A plate of 1,300 x 650 px; an NG one has one defect."""
    defects = (DEFECT,) if verdict is Verdict.NG else ()
    why = causes or ((Cause.DEFECT,) if defects else ())
    return PlateResult(run, plate, verdict, why, reason, True, 1300, 650, 9, 9, 1.0, defects=defects)


def judge(state: Path, *results: PlateResult, part: str | None = None) -> None:
    """Commit these verdicts."""
    with Store.open(store_path(state)) as store:
        for run in dict.fromkeys(one.run for one in results):
            store.begin_run(RunFacts(run, "P10B", simulated=False))
            for one in results:
                if one.run == run:
                    store.seen(run, one.plate, datetime.now(UTC), part=Part(part))
                    store.commit_verdict(one, decided_at=datetime.now(UTC))
