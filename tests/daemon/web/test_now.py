"""The page of the sheet on the line, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from daemon.store.results import store_path
from daemon.wire.messages import Area, LinePlate, LineTrouble, Progress
from daemon.wire.plate_memory import PlateMemory, Shape
from stages.events import Place
from stages.optics import OpticalFault
from stages.plate import Cause, Verdict
from stages.plc import Trouble
from tests.daemon.web.conftest import Network, Screen, needs_chromium
from tests.daemon.web.judged import judge, result

pytestmark = needs_chromium
_LONG_MS = 30_000
HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202egnp.x\u2069" + "x" * 200
OLD = {"at": 0.0}


@pytest.fixture
def memory() -> Iterator[PlateMemory]:
    """One plate of which half the rows have come."""
    with closing(PlateMemory.create(Shape(1, 2000, 1300))) as one:
        one.pixels(0)[:] = np.linspace(40, 200, 1300).astype(np.uint8)
        one.open(Place(0, 1, 1300), 3)
        one.set_rows(0, 1300)
        yield one


def sheet(plate: int = 3, rows: int = 1300, boxes: int = 1) -> LinePlate:
    """A sheet of which the first 4 of 12 windows are judged."""
    progress = Progress(4, boxes, None, b"\x0f", ((200, 300, 40, 40),) * boxes)
    return LinePlate(plate, 0, rows, False, progress, "P10B", "P7", None, 1300, 2000, 600, 3)


def colour(page: Page, x: float, y: float) -> list[int]:
    """Of the picture of the sheet on the line, at shares of its width and height: red, green, blue."""
    found = page.locator("#sheet-picture").evaluate(
        "(one, [x, y]) => [...one.getContext('2d').getImageData(one.width * x, one.height * y, 1, 1).data]", [x, y]
    )
    return list(found)[:3]


def shown(page: Page, kind: str) -> None:
    expect(page.locator("#verdict")).to_have_attribute("data-kind", kind, timeout=_LONG_MS)


def test_the_verdict_is_said_in_words_shape_and_colour_with_the_sheet_that_it_is_of(
    screen: Callable[..., Screen], page: Page, tmp_path: Path
) -> None:
    one = screen()
    page.goto(one.address)
    seen = set()
    verdicts = {Verdict.OK: "The sheet may go on.", Verdict.NG: "Take the sheet out.", Verdict.INCONCLUSIVE: "focus"}
    for plate, (verdict, said) in enumerate(verdicts.items(), start=1):
        causes = (Cause.FOCUS,) if verdict is Verdict.INCONCLUSIVE else ()
        judge(tmp_path, result(plate, verdict, *causes))
        one.tell(last=plate)
        shown(page, verdict)
        expect(page.locator("#verdict-of")).to_have_text(f"Verdict of sheet {plate}")
        expect(page.locator("#todo")).to_contain_text(said)
        look = page.locator("#word").evaluate(
            "one => [one.textContent, getComputedStyle(one.closest('section')).backgroundColor,"
            "[...document.querySelectorAll('.shape g')].filter(g => getComputedStyle(g).display !== 'none').length]"
        )
        assert look[2] == 1
        seen.add(tuple(look))
        # 10 mm at 96 dpi, for an eye at three metres.
        assert page.locator("#word").evaluate("one => parseFloat(getComputedStyle(one).fontSize)") >= 38
    assert len(seen) == 3
    expect(page.locator("#recent tr")).to_have_count(3)
    assert page.locator("#recent a").first.get_attribute("href") == "/sheet/3"
    assert page.evaluate("document.documentElement.scrollHeight") <= 800, "a panel of 1,280 x 800 shows all of it"


def test_the_sheet_fills_as_it_comes_and_is_bright_where_it_is_judged(
    memory: PlateMemory, screen: Callable[..., Screen], page: Page, tmp_path: Path
) -> None:
    judge(tmp_path)
    one = screen(memory=memory)
    one.tell(plates=(sheet(boxes=0),))
    page.goto(one.address)
    expect(page.locator("#sheet-title")).to_contain_text("Sheet 3", timeout=_LONG_MS)
    expect(page.locator("#sheet-state")).to_have_text("Taken 65 % · Judged 33 % · Places found: 0")
    page.wait_for_function(
        "() => document.getElementById('sheet-picture').getContext('2d').getImageData(200, 20, 1, 1).data[0] > 60"
    )
    judged, waiting, to_come = (colour(page, 0.9, share) for share in (0.1, 0.55, 0.9))
    assert judged[0] > 120
    assert 20 < waiting[0] < judged[0] / 2
    assert to_come == [11, 15, 20]
    shown(page, "none")


def test_nothing_old_is_shown_once_the_line_falls_silent(
    screen: Callable[..., Screen], page: Page, tmp_path: Path
) -> None:
    judge(tmp_path, result(1, Verdict.OK))
    one = screen()
    one.tell(last=1)
    page.goto(one.address)
    shown(page, "OK")
    one.tell(last=1, **OLD)
    alarm = page.get_by_role("alert")
    expect(alarm).to_contain_text("THE LINE SAYS NOTHING", timeout=_LONG_MS)
    shown(page, "unknown")
    expect(page.locator("#verdict")).not_to_contain_text("OK")
    assert page.locator(".recent").evaluate("one => getComputedStyle(one).filter") == "grayscale(1)"
    one.tell(last=1)
    shown(page, "OK")
    expect(alarm).to_be_hidden()


def test_a_lost_connection_is_said_in_large_letters_and_the_page_recovers_by_itself(
    screen: Callable[..., Screen], page: Page, network: Network, tmp_path: Path
) -> None:
    judge(tmp_path, result(1, Verdict.OK))
    one = screen()
    one.tell(last=1)
    page.goto(one.address)
    shown(page, "OK")
    one.server.close()
    alarm = page.get_by_role("alert")
    expect(alarm).to_contain_text("NO CONNECTION", timeout=_LONG_MS)
    assert float(re.sub("px", "", alarm.evaluate("one => getComputedStyle(one).fontSize"))) >= 40
    shown(page, "unknown")
    screen(port=one.server.port).tell(last=1)
    shown(page, "OK")
    expect(alarm).to_be_hidden()
    network.errors.clear()


def test_a_store_that_cannot_be_read_is_said_in_place_of_an_old_verdict(
    screen: Callable[..., Screen], page: Page, tmp_path: Path
) -> None:
    judge(tmp_path, result(1, Verdict.OK))
    one = screen()
    one.tell(last=1)
    page.goto(one.address)
    shown(page, "OK")
    for path in tmp_path.glob("results.sqlite*"):
        path.unlink()
    store_path(tmp_path).write_bytes(b"no database at all" * 99)
    one.tell(last=2, verdicts={"OK": 2})
    shown(page, "unread")
    expect(page.locator("#word")).to_have_text("RESULTS CANNOT BE READ")
    expect(page.locator("#verdict")).not_to_contain_text("may go on")


def test_each_health_of_the_line_is_said_in_words_and_simulated_cannot_be_overlooked(
    screen: Callable[..., Screen], page: Page
) -> None:
    one = screen()
    one.tell(
        simulated=True,
        optics=(OpticalFault.DUST,),
        troubles=(LineTrouble(Area.CAMERA, Trouble.CAMERA, "no frame for 3 s"),),
    )
    page.goto(one.address)
    health = page.locator("#health")
    expect(health).to_contain_text("Camera or switch do not work. Call maintenance. no frame for 3 s", timeout=_LONG_MS)
    expect(health).to_contain_text("There is dust in the light path.")
    expect(health.locator("[data-state=fault]")).to_have_count(1)
    band = page.get_by_text("SIMULATED")
    expect(band).to_be_visible()
    assert page.locator("#simulated").evaluate("one => one.getBoundingClientRect().width") > 1200


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_names_from_outside_do_no_harm_and_nobody_is_kept_out(
    screen: Callable[..., Screen], page: Page, tmp_path: Path, scheme: str
) -> None:
    judge(tmp_path, result(1, Verdict.INCONCLUSIVE, Cause.FOCUS, reason=HOSTILE), result(2, Verdict.NG), part=HOSTILE)
    one = screen()
    one.tell(recipe=HOSTILE, last=2, simulated=True, troubles=(LineTrouble(Area.DISK, Trouble.ATTENTION, HOSTILE),))
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.goto(one.address)
    shown(page, "NG")
    expect(page.locator("#health")).to_contain_text(HOSTILE)
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize(("language", "said"), [("de", "VON HAND PRÜFEN"), ("zh", "请人工检查")])
def test_what_to_do_is_said_in_the_visitors_language(
    screen: Callable[..., Screen], page: Page, tmp_path: Path, language: str, said: str
) -> None:
    judge(tmp_path, result(1, Verdict.INCONCLUSIVE, Cause.OVERLOAD))
    one = screen()
    one.tell(last=1)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{one.address}/?lang={language}")
    shown(page, "INCONCLUSIVE")
    expect(page.locator("#word")).to_have_text(said)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "a phone shows it without scrolling sideways"


def test_ten_screens_at_once_are_told_the_same_and_the_store_is_asked_once(
    screen: Callable[..., Screen], tmp_path: Path
) -> None:
    judge(tmp_path, result(1, Verdict.OK))
    one = screen()
    one.tell(last=1)
    with ExitStack() as held:
        client = held.enter_context(httpx.Client(timeout=30))
        streams = [held.enter_context(client.stream("GET", f"{one.address}/events")).iter_lines() for _ in range(10)]
        for lines in streams:
            told = (json.loads(text[6:]).get("line") for text in lines if text.startswith("data: "))
            assert any(said and said["verdict"]["kind"] == "OK" for said in told)
    assert one.board.recent_version == 1
