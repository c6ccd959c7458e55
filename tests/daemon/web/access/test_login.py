"""The login as a person meets it, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from daemon.web.access.users import Role
from tests.daemon.web.access.conftest import PASSWORD, Guarded
from tests.daemon.web.conftest import needs_chromium
from tests.daemon.web.watch import serious


@needs_chromium
def test_a_person_logs_in_and_out_by_the_keyboard(guarded: Callable[..., Guarded], page: Page) -> None:
    screen = guarded()
    screen.add("erika", Role.ENGINEER)
    page.goto(f"{screen.address}/login?lang=de&next=/users")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    expect(page.get_by_label("Name")).to_be_focused()
    assert serious(page) == []
    page.keyboard.type("Erika")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Benutzer")).to_be_visible()
    expect(page.get_by_role("cell", name="angemeldet")).to_be_visible()
    assert serious(page) == []
    page.get_by_role("button", name="Abmelden").press("Enter")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    assert screen.whats()[0][:2] == ("erika", "logout")
