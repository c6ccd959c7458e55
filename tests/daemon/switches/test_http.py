"""PUT /switch over a real connection, from friends and strangers."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.schema import SwitchHttp
from daemon.switches.door import SwitchError
from daemon.switches.http import HttpSwitch

FULL_WIDTH = "\N{FULLWIDTH DIGIT ONE}"
"""A digit for Python, and none in HTTP."""


@pytest.fixture
def switch() -> Iterator[HttpSwitch]:
    one = HttpSwitch(SwitchHttp(port=0))
    one.open()
    yield one
    one.close()


def put(
    switch: HttpSwitch, body: bytes = b"1", *, path: str = "/switch", method: str = "PUT", **headers: str
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", switch.port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def levels(switch: HttpSwitch) -> list[bool]:
    return [reading.level for reading in switch.readings()]


def test_a_request_is_a_level_from_the_time_at_which_it_came(switch: HttpSwitch) -> None:
    assert levels(switch) == [False]
    before = time.monotonic()
    assert put(switch, b"1") == (200, b"1\n")
    after = time.monotonic()
    (said, now) = switch.readings()
    assert said.level
    assert now.level
    assert before <= said.began == said.came <= after <= now.came
    assert put(switch, b"0\n")[0] == 200
    assert put(switch, b"1")[0] == 200
    assert levels(switch) == [False, True, True]
    assert levels(switch) == [True]
    assert switch.fault is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"body": b"2"}, 400),
        ({"body": b""}, 400),
        ({"body": b"1" * 17}, 413),
        ({"body": b"1" * 100_000}, 413),
        ({"path": "/"}, 404),
        ({"path": "/switch?level=1"}, 404),
        ({"method": "GET"}, 405),
        ({"method": "POST"}, 405),
        ({"method": "OPTIONS", "Origin": "http://evil.example", "Access_Control_Request_Method": "PUT"}, 405),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:9465"}, 421),
        ({"Host": "["}, 421),
        ({"Content_Length": "-1"}, 413),
        ({"Content_Length": FULL_WIDTH}, 413),
    ],
)
def test_whoever_asks_otherwise_changes_nothing(switch: HttpSwitch, asked: dict[str, str], code: int) -> None:
    if asked.get("Content_Length") == FULL_WIDTH:
        with socket.create_connection(("127.0.0.1", switch.port), timeout=20) as client:
            client.sendall(f"PUT /switch HTTP/1.0\r\nHost: localhost\r\nContent-Length: {FULL_WIDTH}\r\n\r\n1".encode())
            assert client.recv(100).split()[1] == str(code).encode()
    else:
        assert put(switch, **asked)[0] == code  # type: ignore[arg-type]
    assert levels(switch) == [False]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_nonsense_changes_nothing_and_holds_up_nobody(switch: HttpSwitch, nonsense: bytes) -> None:
    with socket.create_connection(("127.0.0.1", switch.port), timeout=20) as client:
        client.sendall(nonsense)
    assert put(switch, b"0")[0] == 200
    assert not any(levels(switch))


def test_more_requests_than_anybody_listens_to_are_refused(switch: HttpSwitch) -> None:
    taken = [switch.hear(number % 2 == 0) for number in range(1100)]
    assert taken == [True] * 1000 + [False] * 100
    assert put(switch)[0] == 503
    assert levels(switch)[:3] == [True, False, True]
    assert put(switch)[0] == 200


def test_where_a_token_is_asked_for_nobody_else_is_heard(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-of-the-line\n", encoding="ascii")
    one = HttpSwitch(SwitchHttp(port=0, token_file=tmp_path / "token"))
    one.open()
    try:
        assert put(one)[0] == 401
        assert put(one, Authorization="Bearer secret-of-the-lin")[0] == 401
        assert levels(one) == [False]
        assert put(one, Authorization="Bearer secret-of-the-line", Host="inspector-7")[0] == 200
    finally:
        one.close()


def test_beyond_this_machine_nobody_is_heard_without_a_token() -> None:
    with pytest.raises(ValidationError, match="name a token_file"):
        SwitchHttp(host="0.0.0.0")
    assert SwitchHttp(host="::1").token_file is None


def test_an_address_that_is_taken_is_said_with_the_keys_to_change(switch: HttpSwitch) -> None:
    other = HttpSwitch(SwitchHttp(port=switch.port))
    with pytest.raises(SwitchError, match=rf"cannot listen on 127.0.0.1:{switch.port}: .*in use; set host, port"):
        other.open()
    other.close()
