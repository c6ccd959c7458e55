"""The page of one plate, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from stages.mark import MarkKind, Shape
from tests.daemon.web.conftest import Network, Screen, needs_chromium
from tests.daemon.web.sheet.conftest import ANOTHER, HOSTILE, OVERVIEW_ALONE, WITH_CRACKS, Sheets

pytestmark = needs_chromium
_LONG_MS = 30_000


def opened(page: Page, one: Screen, plate: int = WITH_CRACKS, more: str = "") -> None:
    page.goto(f"{one.address}/sheet/{plate}{more}")
    expect(page.locator("#viewer")).to_have_attribute("data-open", "yes", timeout=_LONG_MS)


def stored(page: Page, words: str) -> None:
    expect(page.locator("#said")).to_contain_text(words, timeout=_LONG_MS)


def test_defects_are_stepped_through_by_keys_of_any_keyboard(
    screen: Callable[..., Screen], page: Page, sheets: Sheets
) -> None:
    one, count = screen(sheets.state), len(sheets.row().defects)
    assert count >= 3
    opened(page, one)
    current = page.locator("a[data-defect][aria-current=true]")
    boxes = page.locator(".boxes rect.found")
    expect(boxes).to_have_count(count)
    expect(current).to_have_attribute("data-defect", "1")
    page.keyboard.press("n")
    expect(current).to_have_attribute("data-defect", "2")
    expect(page.locator("#said")).to_contain_text(f"Defect 2 of {count}")
    expect(page.locator("#defect-2")).to_be_visible()
    expect(page.locator("#defect-1")).to_be_hidden()
    expect(page.locator("#defect-2 img")).to_have_count(2)
    # The key of N on a keyboard that writes Cyrillic, then P where the keys are arranged in another way.
    press = "(one) => document.body.dispatchEvent(new KeyboardEvent('keydown', {...one, bubbles: true}))"
    page.evaluate(press, {"key": "т", "code": "KeyN"})
    expect(current).to_have_attribute("data-defect", "3")
    page.evaluate(press, {"key": "p", "code": "KeyR"})
    expect(current).to_have_attribute("data-defect", "2")
    page.locator("[data-do=previous]").click()
    page.locator("[data-do=previous]").click()
    expect(current).to_have_attribute("data-defect", str(count))


def test_marks_by_keyboard_end_up_in_the_store_and_the_same_way_out(
    screen: Callable[..., Screen], page: Page, sheets: Sheets
) -> None:
    opened(page, screen(sheets.state))
    page.keyboard.press("n")
    page.keyboard.press("f")
    page.keyboard.press("2")
    stored(page, "Defect 2: False alarm (stain)")
    (mark,) = sheets.row().marks
    assert (mark.kind, mark.defect, mark.why) == (MarkKind.FALSE_ALARM, 2, "stain")
    expect(page.locator("a[data-defect='2'] [data-mark-of]")).to_contain_text("False alarm")
    page.keyboard.press("u")
    page.keyboard.press("0")
    stored(page, "no mark")
    page.keyboard.press("p")
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    stored(page, "Defect 1: Confirmed")
    assert [(one.kind, one.defect) for one in sheets.row().marks] == [(MarkKind.CONFIRMED, 1)]
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    stored(page, "no mark")
    assert sheets.row().marks == ()


def test_missed_cracks_are_drawn_by_mouse_and_by_keyboard(
    screen: Callable[..., Screen], page: Page, sheets: Sheets
) -> None:
    opened(page, screen(sheets.state))
    frame = page.locator("#viewer").bounding_box()
    assert frame is not None
    middle = (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    page.keyboard.press("m")
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 30, steps=4)
    page.mouse.up()
    stored(page, "Drawn")
    page.keyboard.press("1")
    stored(page, "Missed crack (crack)")
    (box,) = [mark.place for mark in sheets.row().marks if mark.place is not None]
    # The middle of the picture is that of the plate, 700 px a side, and the picture is as high as the viewer.
    scale = 700 / frame["height"]
    assert box.shape is Shape.BOX
    assert abs(box.x0 - 350) < 40
    assert abs(box.y0 - 350) < 40
    assert abs((box.x1 - box.x0) - 60 * scale) < 12
    assert abs((box.y1 - box.y0) - 30 * scale) < 12
    page.keyboard.press("l")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    stored(page, "Drawn")
    page.keyboard.press("2")
    stored(page, "necking")
    line = sheets.row().marks[-1].place
    assert line is not None
    assert line.shape is Shape.LINE
    assert line.y0 == line.y1
    assert line.x1 > line.x0
    expect(page.locator(".boxes .missed")).to_have_count(2)
    for left in (1, 0):
        page.locator("#missed-cracks button").first.click()
        expect(page.locator("#missed-cracks button")).to_have_count(left, timeout=_LONG_MS)
    expect(page.locator("#missed-cracks li")).to_have_text("None is marked.")
    assert sheets.row().marks == ()


def test_a_plate_without_a_file_shows_its_overview_and_why_with_boxes_over_it(
    screen: Callable[..., Screen], page: Page, sheets: Sheets
) -> None:
    opened(page, screen(sheets.state), OVERVIEW_ALONE)
    expect(page.locator(".notice")).to_contain_text("not archived")
    expect(page.locator(".notice")).to_contain_text("small picture")
    expect(page.locator(".boxes rect.found")).to_have_count(len(sheets.row(OVERVIEW_ALONE).defects))
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_file_that_is_deleted_meanwhile_is_said_in_words(
    screen: Callable[..., Screen], page: Page, sheets: Sheets, network: Network
) -> None:
    one, file = screen(sheets.state), sheets.made.file(ANOTHER)
    away = file.with_name("away")
    file.rename(away)
    try:
        page.goto(f"{one.address}/sheet/{ANOTHER}")
        expect(page.locator("#trouble")).to_contain_text("not there any more", timeout=_LONG_MS)
    finally:
        page.goto("about:blank")
        away.rename(file)
    network.errors.clear()


def test_hostile_words_are_shown_as_they_are_and_run_nothing(
    screen: Callable[..., Screen], page: Page, sheets: Sheets
) -> None:
    one = screen(sheets.state)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    opened(page, one, ANOTHER)
    for name in ("Part", "Recipe", "Image file", "Batch"):
        assert page.locator(f"dt:text-is('{name}') + dd").text_content() == HOSTILE
    assert page.locator("main img[src=x]").count() == 0
    opened(page, one, WITH_CRACKS)
    expect(page.locator("td bdi").filter(has_text="onerror")).to_have_count(1)
    assert page.locator("main script").count() == 0


@pytest.mark.parametrize(("language", "width", "height"), [("en", 1280, 800), ("de", 390, 844)])
def test_nothing_serious_is_found_by_axe_and_nothing_lies_beside_the_screen(
    screen: Callable[..., Screen], page: Page, sheets: Sheets, language: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    opened(page, screen(sheets.state), more=f"?lang={language}")
    page.keyboard.press("f")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("html").get_attribute("lang") == language


@pytest.mark.parametrize("path", ["/sheet/99", "/sheet/01", "/sheet/x", "/sheet/%3Cscript%3E", f"/sheet/{'9' * 5000}"])
def test_a_plate_that_is_not_there_is_a_page_that_says_so(
    screen: Callable[..., Screen], sheets: Sheets, path: str
) -> None:
    answer = httpx.get(screen(sheets.state).address + path, timeout=60)
    assert answer.status_code == 404
    assert re.search("no such page|no such sheet", answer.text)
    assert "<script>" not in answer.text
