"""A line whose results are in PostgreSQL: its server is killed in mid-run, and no verdict is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.store.reading import read_results
from daemon.store.results import Store, store_path
from stages.plate import Verdict
from tests.integration.conftest import Service
from tests.postgres_server import needs_postgres, postgres_server

PLATES = 6


@pytest.mark.debian
@needs_postgres
def test_a_server_that_is_killed_in_mid_run_costs_no_verdict(service: Callable[..., Service]) -> None:
    with postgres_server() as server:
        one = service(store={"url": server.url()})
        one.start(PLATES)
        one.wait_for(lambda: len(one.finals()) >= 2)
        server.kill()
        one.wait_for(lambda: one.logged("result store failed", kind="broken"))
        server.start()
        one.wait_for(lambda: len(one.finals()) >= 4)
        assert one.finish() == 0, one.stderr()
        found = read_results(one.state, None)
        assert (found.ledger.seen, found.ledger.open, found.notes) == (PLATES, 0, [])
        assert sorted(row.plate for row in found.plates) == list(range(1, PLATES + 1))
        told = {line["plate"]: line["verdict"] for line in one.logged("plate final")}
        assert {row.plate: row.verdict for row in found.plates} == {
            plate: Verdict(word) for plate, word in told.items()
        }
        assert not one.logged("process ended")
        with Store.open(store_path(one.state), read_only=True) as store:
            assert store.check_rows().changed == ()
        assert not store_path(one.state).exists()
