"""The pages of results over a store in PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from daemon.store.results import store_path
from daemon.store.where import note_url
from tests.daemon.web.served import asking
from tests.daemon.web.stores import HOSTILE, add_hostile, fill
from tests.postgres_server import needs_postgres, postgres_server


@needs_postgres
def test_they_say_the_same_and_say_where_a_server_is_away(tmp_path: Path) -> None:
    with postgres_server() as server, asking(tmp_path) as ask:
        note_url(store_path(tmp_path), server.url())
        with fill(tmp_path, 30) as store:
            add_hostile(store, 31)
        filtered = ("verdict=NG", "cause=focus", "shift=00:00-00:00", "place=4000,12000,400", "marked=1", "part=%27")
        for path in ("history?before=99999999999999999-999999999", *(f"history?{one}" for one in filtered)):
            assert ask(f"/{path}").status_code == 200, path
        assert ">9</td>" in ask("/history?product=P10B").text
        assert "1 place repeats" in ask("/places?product=P10B").text
        assert ask("/drift?product=P10B").status_code == 200
        for path in ("history", "places", "drift"):
            assert HOSTILE not in ask(f"/{path}").text
        assert len(ask("/history/sheets.csv").text.splitlines()) == 32
        server.kill()
        answer = ask("/history")
        assert (answer.status_code, "cannot be reached" in answer.text) == (503, True)
