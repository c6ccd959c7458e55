"""The screen of a real line."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import httpx

from tests.integration.conftest import Service

Make = Callable[..., Service]


def address(one: Service) -> str:
    """Where the last of its screens is served."""
    return str(one.wait_for(lambda: one.logged("the screen is served"))[-1]["address"])


def first_state(url: str) -> dict[str, object]:
    """The first event of the stream that knows of the line."""
    with httpx.stream("GET", url + "events", timeout=30) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and (said := json.loads(line[6:]))["line"] is not None:
                return dict(said["line"])
    raise AssertionError("the stream ended")


def test_the_line_goes_on_without_its_screen(service: Make) -> None:
    one = service(web={"enabled": True, "port": 0})
    one.start(6)
    state = first_state(address(one))
    assert state["recipe"] == "small"
    assert state["simulated"] is True
    one.kill("web-0")
    one.wait_for(lambda: one.logged("process ended", process="web-0", reason="died"))
    one.wait_for(lambda: len(one.logged("the screen is served")) == 2)
    assert one.finish() == 0
    assert len(one.verdicts()) == 6


def test_a_line_whose_screen_has_no_port_inspects(service: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = service(web={"enabled": True, "port": taken.getsockname()[1]})
        one.start(2)
        one.wait_for(lambda: one.logged("the screen is not served"))
        assert one.finish() == 0
    assert len(one.verdicts()) == 2
