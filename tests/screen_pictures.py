"""Makes the screen's pictures in docs/: `python -m tests.screen_pictures`, from a real line and a real browser."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.daemon.web.conftest import CHROMIUM, SWITCHES
from tests.integration.conftest import Service
from tests.results_pictures import draw

DOCS = Path(__file__).parents[1] / "docs"
_SLOWLY = {"line_rate_hz": 350.0, "gap_rows": 1500}
"""Rows a second, so that a sheet takes seconds, and time to look at its verdict."""
_WAIT_S = 180.0


def settled(page: Page) -> None:
    """Wait for a sheet that is half judged, beside a verdict that is no wait."""
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        kind = page.locator("#verdict").get_attribute("data-kind")
        rows = page.locator("#recent a").count()
        share = page.locator("#sheet-state").inner_text()
        if kind == "NG" and rows >= 4 and any(f"Judged {tens}" in share for tens in range(3, 8)):
            return
        page.wait_for_timeout(100)
    raise TimeoutError("the line never looked like that")


def main() -> None:
    """Make them anew."""
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        one = Service(
            Path(directory),
            recipe={"length": {"nominal_rows": 2600}},
            camera=_SLOWLY,
            simulator={"density": 1, "sheets": 5, "seed": 21},
            web={"enabled": True, "port": 0},
        )
        one.start()
        try:
            address = str(one.wait_for(lambda: one.logged("the screen is served"), 120)[-1]["address"])
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
            page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en", color_scheme="dark")
            page.set_default_timeout(_WAIT_S * 1000)
            page.goto(address)
            settled(page)
            page.screenshot(path=DOCS / "screen_now.jpg", type="jpeg", quality=80)
            page.goto(address + "service")
            page.wait_for_timeout(1500)
            page.screenshot(path=DOCS / "screen_service.jpg", type="jpeg", quality=80)
            draw(browser)
            browser.close()
        finally:
            one.end()


if __name__ == "__main__":
    main()
