"""The screen of a real line."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.daemon.web.conftest import CHROMIUM, SWITCHES, needs_chromium
from tests.integration.conftest import Service

Make = Callable[..., Service]
_LONG_MS = 60_000


def address(one: Service) -> str:
    """Where the last of its screens is served."""
    return str(one.wait_for(lambda: one.logged("the screen is served"), 90)[-1]["address"])


def first_state(url: str) -> dict[str, object]:
    """The first event of the stream that knows of the line."""
    with httpx.stream("GET", url + "events", timeout=30) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and (said := json.loads(line[6:]).get("line")) is not None:
                return dict(said)
    raise AssertionError("the stream ended")


@needs_chromium
def test_a_browser_follows_the_line_is_told_when_its_screen_dies_and_follows_it_again(service: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = service(web={"enabled": True, "port": port}, camera={"line_rate_hz": 1000.0}, overload="skip")
    one.start()
    url = address(one)
    assert first_state(url)["recipe"] == "small"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en")
        page.set_default_timeout(_LONG_MS)
        page.goto(url)
        expect(page.get_by_text("SIMULATED")).to_be_visible(timeout=_LONG_MS)
        first = judged_sheet(page, 0)
        assert judged_sheet(page, first) > first
        # Windows are judged and rows come while the sheet passes.
        page.wait_for_function(
            "() => /Taken [1-9]/.test(document.body.innerText) && /Judged [1-9]/.test(document.body.innerText)"
        )
        with ExitStack() as held:
            told = [held.enter_context(httpx.stream("GET", url + "events", timeout=30)).iter_lines() for _ in range(10)]
            assert all(any('"kind": "NG"' in line for line in lines) for lines in told)
        one.kill("web-0")
        one.wait_for(lambda: one.logged("process ended", process="web-0", reason="died"))
        before = max(one.finals())
        one.wait_for(lambda: len(one.logged("the screen is served")) == 2)
        assert judged_sheet(page, before) > before
        expect(page.get_by_role("alert")).to_be_hidden()
        page.goto(url + "service")
        expect(page.locator("#live")).to_contain_text("process ended", timeout=_LONG_MS)
        browser.close()
    one.send(signal.SIGTERM)
    assert one.finish() == 0
    assert set(one.verdicts()) == set(range(1, max(one.finals()) + 1))


def judged_sheet(page: Page, after: int) -> int:
    """The next sheet above that number whose verdict the page shows."""
    return int(
        page.wait_for_function(
            "after => {"
            "  const said = document.getElementById('verdict-of').textContent;"
            "  const number = Number((/^Verdict of sheet ([0-9]+)$/.exec(said) ?? [0, 0])[1]);"
            "  return number > after && number;"
            "}",
            arg=after,
        ).json_value()
    )


@pytest.mark.long
def test_the_line_goes_on_without_its_screen(service: Make) -> None:
    one = service(web={"enabled": True, "port": 0})
    one.start(6)
    state = first_state(address(one))
    assert state["simulated"] is True
    one.kill("web-0")
    assert one.finish() == 0
    assert len(one.verdicts()) == 6


@pytest.mark.long
def test_a_line_whose_screen_has_no_port_inspects(service: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = service(web={"enabled": True, "port": taken.getsockname()[1]})
        one.start(2)
        one.wait_for(lambda: one.logged("the screen is not served"))
        assert one.finish() == 0
    assert len(one.verdicts()) == 2
