"""Whatever a stranger asks of the screen, it answers in the protocol's own words, and the next one is served."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.load import load_config
from daemon.store.results import RunFacts, Store, store_path
from daemon.web.app import application
from daemon.web.site import Site
from stages.plate import Cause, Defect, PlateResult, Verdict
from tests.daemon.web.served import asking

RUN = "a" * 32
WORDS = (
    "",
    "1",
    "-1",
    "9" * 400,
    "1e308",
    "nan",
    "\x00",
    "\udcff",
    "..",
    "../../etc/passwd",
    "%2e%2e%2f",
    "<script>",
    "'; DROP TABLE plates; --",
    "2026-13-45",
    "0001-01-01",
    "9999-12-31T23:59:59+23:59",
    "\uff11",
    "OK",
    "x" * 5_000,
)
KEYS = (
    "plate",
    "since",
    "until",
    "shift",
    "recipe",
    "product",
    "batch",
    "part",
    "verdict",
    "cause",
    "marked",
    "place",
    "before",
    "page",
    "days",
    "lang",
    "next",
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], httpx.Response]]:
    """A screen of three plates."""
    state = tmp_path_factory.mktemp("state")
    crack = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        for plate in (1, 2, 3):
            result = PlateResult(
                RUN, plate, Verdict.NG, (Cause.DEFECT,), "a crack", True, 900, 800, 4, 4, 1.0, defects=(crack,)
            )
            store.commit_verdict(result, decided_at=datetime.now(UTC))
    with asking(state) as asked:
        yield asked


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of all routes, with what they take by name."""
    app = application(Site(load_config(None), tmp_path_factory.mktemp("other")))
    return sorted(str(getattr(route, "path", "/")) for route in app.routes)


def escaped(word: str) -> str:
    return quote(word.encode("utf-8", "surrogateescape"), safe="")


@settings(max_examples=30)
@given(
    which=st.integers(0, 100),
    word=st.sampled_from(WORDS),
    asked=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(WORDS)), max_size=3),
)
@example(0, "", [("since", "0001-01-01"), ("until", "9999-12-31T23:59:59+23:59")])
def test_no_path_and_no_query_is_a_fault_of_the_screen(
    ask: Callable[[str], httpx.Response], paths: list[str], which: int, word: str, asked: list[tuple[str, str]]
) -> None:
    path = paths[which % len(paths)]
    if "events" in path or "stream" in path:
        return  # it goes on for as long as somebody listens
    while "{" in path:
        path = path[: path.index("{")] + escaped(word) + path[path.index("}") + 1 :]
    query = urlencode([(key, value.encode("utf-8", "surrogateescape")) for key, value in asked])
    assert ask(f"{path}?{query}").status_code < 500


@settings(max_examples=20)
@given(
    head=st.sampled_from(
        [b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: ", b"POST /login HTTP/1.1\r\nHost: x\r\n"]
    ),
    rest=st.binary(max_size=300),
)
@example(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ", b"\xff" * 100 + b"\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: x\r\nX: ", b"y" * 100_000)
def test_no_bytes_are_a_fault_of_the_screen(ask: Callable[[str], httpx.Response], head: bytes, rest: bytes) -> None:
    port = ask("/").url.port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(head + rest)
        client.shutdown(socket.SHUT_WR)
        try:
            said = client.recv(100)
        except ConnectionError:
            said = b""
    assert not said.startswith(b"HTTP/1.1 5")
    assert ask("/").status_code < 500
