"""One count of plates: what the service says that it saw is what the store has, however it ends."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from daemon.store.journal import journal_path, read_journal
from daemon.store.reading import read_results
from daemon.store.results import store_path
from stages.plate import Cause, Verdict
from tests.integration.conftest import Service

Make = Callable[..., Service]


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Another program holds the store."""
    with closing(sqlite3.connect(store_path(service.state), timeout=20, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def test_there_is_one_count_of_plates_whatever_ends_the_service(service: Make) -> None:
    """Killed while the store is locked, then stopped on a line that is faster than the inspection."""
    one = service(
        overload="skip",
        slots=2,
        drain_s=1.0,
        camera={"line_rate_hz": 8000},
        restart={"hang_s": 30},
        lease={"least_s": 30},
    )
    one.start()
    one.wait_for(lambda: len(one.finals()) >= 1)
    with locked(one):
        stored = max(one.plates())
        one.wait_for(lambda: read_journal(journal_path(one.state)).last > stored + 1)
        one.send(signal.SIGKILL)
        one.finish()
    read = read_results(one.state, None)
    killed = [row.plate for row in reversed(read.plates)]
    assert killed == list(range(1, read.ledger.seen + 1))
    assert all(row.verdict is None for row in read.plates if row.plate > stored)

    one.start()
    one.wait_for(lambda: len(one.finals()) >= 1)
    one.kill("detect-0", signal.SIGSTOP)
    one.wait_for(lambda: one.logged("plate final", verdict=Verdict.INCONCLUSIVE))
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert sorted(rows) == list(range(1, len(rows) + 1)), "no number is given twice, and none is missing between"
    for plate in killed:
        assert rows[plate].run == rows[1].run
        if plate > stored:
            assert (rows[plate].verdict, rows[plate].causes) == (Verdict.INCONCLUSIVE, (Cause.SERVICE_DIED,))
    own = [row for row in rows.values() if row.run != rows[1].run]
    assert [row.plate for row in own] == list(range(len(killed) + 1, len(rows) + 1))
    (ended,) = one.logged("service ended")
    assert {verdict: ended[verdict.lower()] for verdict in Verdict} == {
        verdict: [row.verdict for row in own].count(verdict) for verdict in Verdict
    }
    assert (ended["seen"], ended["open"]) == (len(own), 0)
