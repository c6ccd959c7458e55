"""The page of the sheet on the line, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.daemon.web.conftest import Network, Screen, needs_chromium

pytestmark = needs_chromium
_LONG_MS = 30_000


def test_what_the_line_says_is_shown_and_a_line_that_falls_silent_is_said(
    screen: Callable[..., Screen], page: Page
) -> None:
    one = screen()
    one.tell(recipe="EA10B")
    page.goto(one.address)
    expect(page.locator("#state")).to_contain_text("EA10B", timeout=_LONG_MS)
    expect(page.get_by_role("alert")).to_be_hidden()
    one.tell(at=time.monotonic() - 60)
    expect(page.get_by_role("alert")).to_contain_text("THE LINE SAYS NOTHING", timeout=_LONG_MS)


def test_a_lost_connection_is_said_in_large_letters(
    screen: Callable[..., Screen], page: Page, network: Network
) -> None:
    one = screen()
    one.tell()
    page.goto(one.address)
    one.server.close()
    alarm = page.get_by_role("alert")
    expect(alarm).to_contain_text("NO CONNECTION", timeout=_LONG_MS)
    assert float(re.sub("px", "", alarm.evaluate("one => getComputedStyle(one).fontSize"))) >= 40
    network.errors.clear()
