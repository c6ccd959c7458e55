"""What the pages of results cost over years of plates; a table of docs/reference/store.md is its output.

`python -m tests.pages_cost`: the first argument is the number of plates (200,000), the second a folder that keeps the
store for further runs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from starlette.testclient import TestClient

from config.load import load_config
from daemon.store.results import Store, store_path
from daemon.web.app import application
from daemon.web.site import Site
from tests.store_cost import FACTS, fill, told

PAGES = (
    "/",
    "/sheet/100000",
    "/history",
    "/history?verdict=NG&shift=06:00-14:00&until=2026-05-19",
    "/history?cause=focus",
    "/history?place=7000,9000,500",
    "/places",
    "/places?sheets=1000&product=P1",
    "/drift",
    "/drift?sheets=5000&product=P1",
)
ROUNDS = 5


def measure(state: Path) -> None:
    """Ask each page, and tell the median time of a core and of all."""
    site = Site(load_config(None), state)
    client = TestClient(application(site), base_url="http://127.0.0.1", client=("127.0.0.1", 5000))
    for address in PAGES:
        cores, wholes = [], []
        for _ in range(ROUNDS):
            begun, core = time.perf_counter(), time.process_time()
            answer = client.get(address)
            wholes.append(time.perf_counter() - begun)
            cores.append(time.process_time() - core)
            assert answer.status_code == 200, address
        core, whole = (1000 * sorted(took)[ROUNDS // 2] for took in (cores, wholes))
        told(f"| `{address}` | {core:.0f} ms | {whole:.0f} ms |")


def main() -> None:
    """Fill a store where there is none, and measure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        state = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder)
        if not store_path(state).exists():
            with Store.open(store_path(state)) as store:
                store.begin_run(FACTS)
                fill(store, count)
                store.end_run()
        measure(state)


if __name__ == "__main__":
    main()
