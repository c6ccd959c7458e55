"""What is looked for on every page in a browser."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def serious(page: Page) -> list[str]:
    """What axe finds on the page that is serious or critical."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def harmless(page: Page, name: str) -> None:
    """A name is on the page as its text, and nothing of it became part of the page."""
    assert name in (page.locator("main").text_content() or "")
    assert page.locator("main img[src='x']").count() == 0
    assert page.locator("main script").count() == 0
