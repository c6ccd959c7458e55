"""The page of the service, in a real browser."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from config.load import load_config
from daemon.web.service import shown_configuration
from daemon.wire.messages import Area, LinePlate, LineRole, LineTrouble, LogLine, Progress, ServiceState
from stages.plc import Trouble
from tests.daemon.web.conftest import Network, Screen, needs_chromium
from tests.daemon.web.test_now import HOSTILE

_LONG_MS = 30_000
RUNS = {"detect": LineRole(1, 2, 3, "window 7", 512_000_000), "merge": LineRole(1, 1, 0, "1 plates open", 90_000_000)}


def service_state(**values: object) -> ServiceState:
    known: dict[str, object] = {
        "at": time.monotonic(),
        "version": "0.1",
        "facts": {"run": "a" * 32, "recipe": "P10B", "recipe_sha256": "b" * 64, "batch_id": None, "simulated": "False"},
        "recipes": ("P10B", "02CG"),
        "metrics_port": 9123,
        "slots": {"free": 2, "filling": 1, "held": 0},
        "log": (LogLine("2026-11-30T10:00:00.5Z", "warning", "merge", "plate hangs", "plate=3"),),
    }
    return ServiceState(**{**known, **values})  # type: ignore[arg-type]


def told(one: Screen, **values: object) -> None:
    one.site.live.put_service(service_state(**values))


@needs_chromium
def test_it_says_what_runs_what_it_runs_with_and_what_it_warned_of_and_keeps_up(
    screen: Callable[..., Screen], page: Page
) -> None:
    one = screen()
    plate = LinePlate(3, 1, 700, closed=False, progress=Progress(5, 0, None), recipe="P10B", part_id="P7")
    one.tell(
        roles=RUNS, plates=(plate,), troubles=(LineTrouble(Area.PROCESSES, Trouble.PROCESS_DOWN, "detect-1 is down"),)
    )
    told(one)
    page.goto(f"{one.address}/service")
    for said in (
        "detect 1 of 2 ✕ down 3 512 MB window 7",
        "Together 602 MB",
        "3 slots: 2 free, 1 filling, 0 held",
        "3 P7 1, being taken 700 5 P10B",
        "A process is down. The service starts it again. detect-1 is down",
        "2026-11-30 10:00:00 UTC warning merge plate hangs plate=3",
        "b" * 64,
        "P10B, 02CG",
    ):
        assert said in " ".join(page.inner_text("main").split())
    assert page.get_by_role("link", name="Metrics").get_attribute("href") == "http://127.0.0.1:9123/metrics"
    one.tell(roles={"detect": LineRole(2, 2, 4, "idle")})
    expect(page.locator("#live")).to_contain_text("2 of 2", timeout=_LONG_MS)
    expect(page.locator("#live")).to_contain_text("The service is well.")


@needs_chromium
def test_a_screen_or_a_line_that_says_nothing_any_more_is_said(
    screen: Callable[..., Screen], page: Page, network: Network
) -> None:
    one = screen()
    one.tell(roles=RUNS)
    page.goto(f"{one.address}/service")
    expect(page.get_by_role("alert")).to_have_count(0)
    one.tell(roles=RUNS, at=0.0)
    expect(page.get_by_role("alert")).to_contain_text("THE LINE SAYS NOTHING", timeout=_LONG_MS)
    one.server.close()
    expect(page.locator("#lost")).to_be_visible(timeout=_LONG_MS)
    network.errors.clear()


@needs_chromium
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_names_from_outside_do_no_harm_and_nobody_is_kept_out(
    screen: Callable[..., Screen], page: Page, scheme: str
) -> None:
    one = screen()
    line = LogLine("2026-11-30T10:00:00Z", "error", HOSTILE, HOSTILE, HOSTILE)
    plate = LinePlate(3, None, 0, closed=False, progress=None, recipe=HOSTILE, part_id=HOSTILE)
    one.tell(
        roles={"line": LineRole(0, 1, 0, HOSTILE)},
        plates=(plate,),
        troubles=(LineTrouble(Area.PLC, Trouble.ATTENTION, HOSTILE),),
        simulated=True,
    )
    told(one, facts={"recipe": HOSTILE}, recipes=(HOSTILE,), log=(line,))
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    page.goto(f"{one.address}/service")
    assert page.locator("main img").count() == 0
    assert page.inner_text("main").count("<img src=x") >= 7
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


def test_before_the_line_has_said_anything_the_page_says_so(screen: Callable[..., Screen]) -> None:
    answer = httpx.get(f"{screen().address}/service")
    assert answer.status_code == 200
    assert "The line has said nothing yet." in answer.text


def test_the_dashboard_that_ships_can_be_taken_from_it(screen: Callable[..., Screen]) -> None:
    answer = httpx.get(f"{screen().address}/service/dashboard.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="linesentry.json"'
    assert answer.json()["panels"]


def test_what_may_be_secret_in_the_configuration_is_not_shown() -> None:
    config = load_config(None)
    url = "https://user:hunter2@mes.example:8443/verdicts?key=hunter2"
    secret = config.model_copy(update={"batch_id": url})
    shown = yaml.safe_load(shown_configuration(secret))
    assert "hunter2" not in shown_configuration(secret)
    assert shown["batch_id"] == "https://mes.example:8443/verdicts"
    assert shown["slots"] == config.slots
    assert shown_configuration(config) == yaml.safe_dump(
        config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100
    )
