"""The page of places: a map of a product's latest sheets, and places that repeat."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from daemon.store.marks import add_mark
from daemon.store.results import Store, store_path
from stages.mark import Mark, MarkKind, Place, Shape
from tests.daemon.web.conftest import Screen, needs_chromium
from tests.daemon.web.served import asking
from tests.daemon.web.stores import COLUMNS, HERE, HOSTILE, ROWS, add_hostile, fill
from tests.daemon.web.watch import harmless, serious

SHEETS = 45


def mark(kind: MarkKind, plate: int, **values: object) -> Mark:
    given: dict[str, object] = {"defect": None, "place": None, "why": None, **values}
    return Mark(plate=plate, kind=kind, who="anna", at=datetime.now(UTC), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 sheets, of which 14 have a defect at one place; one is of another product, with a hostile name."""
    folder = tmp_path_factory.mktemp("state")
    with fill(folder, SHEETS) as store:
        add_mark(store, mark(MarkKind.CONFIRMED, 3, defect=1))
        add_mark(store, mark(MarkKind.FALSE_ALARM, 6, defect=2))
        add_mark(store, mark(MarkKind.MISSED, 7, place=Place(Shape.BOX, 100, 200, 140, 260)))
        add_hostile(store, SHEETS + 1)
    return folder


@pytest.fixture(scope="module")
def ask(state: Path) -> Iterator[Callable[[str], httpx.Response]]:
    with asking(state) as ask_it:
        yield ask_it


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_place_that_repeats_is_an_alarm_with_its_sheets_and_how_often_it_would_be_false(
    ask: Callable[[str], httpx.Response],
) -> None:
    text = ask("/places?product=P10B").text
    (alarm,) = re.findall(r'role="alert">(.*?)</p>', text, re.DOTALL)
    assert words(alarm) == "▲ 1 place repeats more often than chance allows: look at the die there."
    said = words(text)
    assert f"On 14 of {SHEETS} sheets; chance would give" in said
    assert "Chance alone names a place on at most 1 of 100 such pages" in said
    assert re.findall(r'<a href="/sheet/(\d+)">', text)[:3] == ["45", "42", "39"]
    (there,) = re.findall(r'href="/history\?([^"]*place=[^"]*)"', text)
    listed = ask(f"/history?{unescape(there)}").text
    assert len(re.findall(r'<th scope="row">', listed)) == 14


def test_the_map_has_the_shape_of_the_sheet_and_each_defect_and_mark_at_its_place(
    ask: Callable[[str], httpx.Response],
) -> None:
    text = ask("/places?product=P10B").text
    assert f'<rect class="sheet" width="{COLUMNS}" height="{ROWS}"/>' in text
    (dots,) = re.findall(r'<path class="dot" d="([^"]*)"', text)
    drawn = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h0", dots)}
    # Each NG sheet has one at the place and one elsewhere; what lies beyond the sheet's size is not drawn.
    expected = {
        place
        for plate in range(3, SHEETS + 1, 3)
        if plate % 10
        for place in ((HERE[0] + plate % 9, HERE[1] - plate % 7), (plate * 140 + 90, plate * 290 + 90))
        if place[0] < COLUMNS and place[1] < ROWS
    }
    assert drawn == expected
    signs = re.findall(r'<path class="sign (\w+)" d="[^"]*" transform="translate\((\d+) (\d+)\)', text)
    assert ("confirmed", str(HERE[0] + 3), str(HERE[1] - 3)) in signs
    assert ("false_alarm", "930", "1830") in signs
    assert ("missed", "120", "230") in signs


def test_the_product_of_the_latest_sheet_is_shown_where_none_is_asked_for(
    ask: Callable[[str], httpx.Response],
) -> None:
    said = words(ask("/places").text)
    assert HOSTILE in said
    assert "Of fewer than 3 sheets nothing can be said" in said
    assert "No judged sheet is like that" in words(ask("/places?product=P99").text)


@pytest.mark.parametrize("query", ["product=%00", f"recipe={'x' * 501}", "product=P10B&sheets=99999999", "sheets=-1"])
def test_an_address_that_means_nothing_harms_nothing(ask: Callable[[str], httpx.Response], query: str) -> None:
    answer = ask(f"/places?{query}")
    assert answer.status_code == (400 if "%00" in query or "xxx" in query else 200)


def test_an_empty_store_and_none_say_so(screen: Callable[..., Screen], tmp_path: Path) -> None:
    address = screen(tmp_path).address
    assert "start the line" in httpx.get(f"{address}/places").text
    Store.open(store_path(tmp_path)).close()
    assert "No judged sheet is like that" in httpx.get(f"{address}/places").text


@needs_chromium
def test_it_can_be_read_by_everybody_on_a_panel_and_on_a_phone(
    screen: Callable[..., Screen], state: Path, page: Page
) -> None:
    page.goto(f"{screen(state).address}/places?product=&recipe=")
    harmless(page, HOSTILE)
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
