"""The page of drift: control charts of a product's latest sheets, and the points that lie out of limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page

from daemon.store.results import Store, store_path
from daemon.store.schema import plates
from tests.daemon.web.conftest import Screen, needs_chromium
from tests.daemon.web.served import asking
from tests.daemon.web.stores import HOSTILE, add_hostile, fill
from tests.daemon.web.watch import harmless, serious

SHEETS = 45


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 sheets; the light falls by a tenth with the 41st, when dust is said too. One more has hostile names."""
    folder, rng = tmp_path_factory.mktemp("state"), np.random.default_rng(1)
    with fill(folder, SHEETS) as store:
        with store.transaction() as connection:
            for plate in range(1, SHEETS + 1):
                late = plate > 40
                seen = {"brightness": (117 if late else 130) + rng.normal(0, 1), "focus": 0.3 + rng.normal(0, 0.01)}
                values = {**seen, "optics": ["dust"] if late else []}
                connection.execute(sa.update(plates).where(plates.c.plate == plate).values(**values))
        add_hostile(store, SHEETS + 1)
    return folder


@pytest.fixture(scope="module")
def ask(state: Path) -> Iterator[Callable[[str], httpx.Response]]:
    with asking(state) as ask_it:
        yield ask_it


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())


def section(text: str, name: str) -> str:
    (found,) = re.findall(rf'aria-labelledby="chart-{name}">(.*?)</section>', text, re.DOTALL)
    return str(found)


def test_points_out_of_limits_are_told_by_shape_and_in_words_with_their_sheets(
    ask: Callable[[str], httpx.Response],
) -> None:
    text = ask("/drift?product=P10B").text
    light = section(text, "brightness")
    assert light.count('class="beyond"') == light.count("▼") >= 4
    assert "below the limit" in words(light)
    assert "out of limits: 0" in section(text, "focus")
    assert 'class="beyond"' not in section(text, "focus")
    (alarm,) = re.findall(r'role="alert">(.*?)</p>', text, re.DOTALL)
    assert words(alarm) == "▲ At the latest sheet the watch over the optics says: dust."
    assert "of the latest 45 sheets are out of their limits" in words(text)
    address = unescape(re.findall(r'href="/history\?([^"]*)"', light)[0])
    listed = re.findall(r'<th scope="row"><a href="/sheet/(\d+)"', ask(f"/history?{address}").text)
    assert listed
    assert all(int(number) > 40 for number in listed)


def test_a_time_may_be_chosen_and_what_cannot_be_understood_is_said(ask: Callable[[str], httpx.Response]) -> None:
    assert "fewer than 10 points" in words(ask("/drift?product=P10B&since=1d&sheets=200&until=41m").text)
    answer = ask("/drift?since=soon&product=P10B")
    assert (answer.status_code, "soon" in words(answer.text)) == (400, True)
    assert 'value="soon"' in answer.text
    assert "No judged sheet is like that" in words(ask("/drift?product=P99").text)
    assert HOSTILE in unescape(ask("/drift").text)


def test_an_empty_store_and_none_say_so(screen: Callable[..., Screen], tmp_path: Path) -> None:
    address = screen(tmp_path).address
    assert "start the line" in httpx.get(f"{address}/drift").text
    Store.open(store_path(tmp_path)).close()
    assert "No judged sheet is like that" in httpx.get(f"{address}/drift").text


@needs_chromium
def test_it_can_be_read_by_everybody_on_a_panel_and_on_a_phone(
    screen: Callable[..., Screen], state: Path, page: Page
) -> None:
    address = screen(state).address
    page.goto(f"{address}/drift?product=P10B")
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{address}/drift")
    harmless(page, HOSTILE)
