"""What a re-inspection takes with one and two workers: `python -m tests.reinspect_cost`, on a machine of two cores.

Networks are loaded before the clock starts. Each way does the same plates, once after the other and in turns, and must
come to the same results.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from config.load import load_recipe
from daemon.offline.reinspect.candidate import candidate_of
from daemon.offline.reinspect.cluster import by_dask
from daemon.offline.reinspect.plate import Inspector, Job, Outcome
from daemon.store.rows import result_of
from daemon.telemetry.printing import say
from tests.archived import archived_plates, encoded, repeated
from tests.dask_cluster import dask_cluster

_TIMES, _ROUNDS = 40, 2
Way = Callable[[Sequence[Job]], Iterator[Outcome]]


def main() -> None:
    """Measure and print."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("plates", "one", "two"):
            (folder / part).mkdir()
        plates = archived_plates(folder / "plates")
        candidate = candidate_of(load_recipe(str(plates.recipe)), plates.settings)
        rows = [(row, row.archive) for row in plates.rows]
        jobs = [Job(str(plates.file(row.plate)), kept.sha256 or "", result_of(row)) for row, kept in rows if kept]
        inspector = Inspector(candidate)
        with dask_cluster(folder / "one") as one, dask_cluster(folder / "two") as two:
            for cluster, workers in ((one, 1), (two, 2)):
                for _ in range(workers):
                    cluster.add_worker()
            ways: dict[str, Way] = {
                "in this process": lambda some: map(inspector.inspect, some),
                "one Dask worker": lambda some: by_dask(candidate, some, one.address),
                "two Dask workers": lambda some: by_dask(candidate, some, two.address),
            }
            _measure(ways, repeated(jobs, _TIMES))


def _measure(ways: dict[str, Way], jobs: Sequence[Job]) -> None:
    results = {name: encoded(list(way(jobs))) for name, way in ways.items()}
    same = len({tuple(one) for one in results.values()}) == 1
    say(f"{len(jobs)} plates, results {'the same to the bit' if same else 'DIFFER'}", error=False)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            assert len(list(way(jobs))) == len(jobs)
            taken[name].append(time.perf_counter() - started)
    for name, seconds in taken.items():
        say(f"{name}: {median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})", error=False)
    say("load of the machine: " + ", ".join(f"{one:.1f}" for one in os.getloadavg()), error=False)


if __name__ == "__main__":
    main()
