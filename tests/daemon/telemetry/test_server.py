from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.serving import short_server
from daemon.serving.short_server import MOST_CONNECTIONS
from daemon.telemetry.metrics import Metrics
from daemon.telemetry.server import Health, MetricsServer, TelemetryError


class Patient:
    """A health that a test can change."""

    health = Health(details={"open_plates": 2})
    answer: Callable[[], Health] | None = None

    def __call__(self) -> Health:
        return self.health if self.answer is None else self.answer()


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def server(patient: Patient) -> Iterator[MetricsServer]:
    server = MetricsServer(Metrics("0.1.0", "P10B").registry, patient, "127.0.0.1", 0)
    yield server
    server.close()


def ask(server: MetricsServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"] or "", response.read()
    finally:
        connection.close()


def connected(server: MetricsServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def rest(client: socket.socket) -> bytes:
    answer = b""
    try:
        while part := client.recv(65536):
            answer += part
    except ConnectionError:
        pass
    return answer


def test_metrics_are_served_in_the_text_format(server: MetricsServer) -> None:
    status, kind, body = ask(server, "/metrics?name=x")
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert b'linesentry_plates_total{verdict="OK"} 0.0' in body


def test_a_healthy_service_says_ok_and_its_details(server: MetricsServer) -> None:
    status, kind, body = ask(server, "/healthz")
    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "reasons": [], "open_plates": 2}


def test_a_failing_service_says_why(server: MetricsServer, patient: Patient) -> None:
    patient.health = Health(("detect is down",))
    status, _, body = ask(server, "/healthz")
    assert status == 503
    assert json.loads(body) == {"status": "failing", "reasons": ["detect is down"]}


def test_a_health_check_that_raises_is_a_failing_service() -> None:
    def broken() -> Health:
        raise RuntimeError("no idea")

    server = MetricsServer(Metrics("0", "P10B").registry, broken, "127.0.0.1", 0)
    status, _, body = ask(server, "/healthz")
    server.close()
    assert status == 503
    assert "no idea" in json.loads(body)["reasons"][0]


def test_other_paths_are_not_found_and_other_methods_not_allowed(server: MetricsServer) -> None:
    assert ask(server, "/")[0] == 404
    assert ask(server, "/../etc/passwd")[0] == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        assert ask(server, "/metrics", method)[::2] == (405, b"use GET, HEAD\n")
    assert ask(server, "/metrics", "HEAD")[0] == 200


def test_a_head_has_no_body(server: MetricsServer) -> None:
    assert ask(server, "/metrics", "HEAD")[::2] == (200, b"")


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"\x00\xff" * 100 + b"\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 70000 + b"\r\n\r\n", b"431"),
    ],
)
def test_a_hostile_request_is_refused_and_the_next_one_served(
    server: MetricsServer, request_bytes: bytes, answer: bytes
) -> None:
    with connected(server) as client:
        client.sendall(request_bytes)
        client.shutdown(socket.SHUT_WR)
        said = rest(client)
    assert answer in said
    assert ask(server, "/healthz")[0] == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300))
def test_no_bytes_stop_the_server(server: MetricsServer, garbage: bytes) -> None:
    with connected(server) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        rest(client)
    assert ask(server, "/healthz")[0] == 200


def test_more_connections_than_allowed_are_closed_and_do_not_add_up(server: MetricsServer) -> None:
    clients = [connected(server) for _ in range(3 * MOST_CONNECTIONS)]
    # The oldest give way, without a word.
    assert all(rest(client) == b"" for client in clients[:-MOST_CONNECTIONS])
    assert ask(server, "/healthz")[0] == 200
    for client in clients:
        client.close()


@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\nX: ", b"G"])
def test_who_asks_is_answered_however_many_others_are_connected_and_do_not(server: MetricsServer, said: bytes) -> None:
    clients = []
    for number in range(200):
        client = connected(server)
        client.sendall(said)
        clients.append(client)
        if number % 40 == 39:
            assert ask(server, "/healthz")[0] == 200
    assert ask(server, "/metrics")[0] == 200
    assert len([thread for thread in threading.enumerate() if "process_request" in thread.name]) <= 64
    for client in clients:
        client.close()


def test_who_asked_before_the_others_came_gets_the_whole_answer(server: MetricsServer, patient: Patient) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> Health:
        asked.set()
        assert go_on.wait(20)
        return Health()

    patient.answer = slow
    with connected(server) as first:
        first.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert asked.wait(20)
        others = [connected(server) for _ in range(40)]
        assert rest(others[0]) == b""
        go_on.set()
        assert b"200 OK" in rest(first)
    for other in others:
        other.close()


def test_a_client_that_never_ends_its_request_is_cut(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_server, "MOST_SECONDS", 0.2)
    with connected(server) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert rest(client) == b""
    assert ask(server, "/healthz")[0] == 200


def test_closing_cuts_what_is_open_and_frees_the_port(server: MetricsServer) -> None:
    client = connected(server)
    client.sendall(b"GET /metrics HTTP/1.1\r\n")
    server.close()
    assert rest(client) == b""
    client.close()
    again = MetricsServer(Metrics("0", "P10B").registry, Patient(), "127.0.0.1", server.port)
    assert ask(again, "/healthz")[0] == 200
    again.close()


def test_a_port_in_use_is_told_with_what_to_do(server: MetricsServer) -> None:
    with pytest.raises(TelemetryError, match=rf"127.0.0.1:{server.port}: Address already in use; set telemetry"):
        MetricsServer(Metrics("0", "P10B").registry, Patient(), "127.0.0.1", server.port)
