"""The screen as it is served, and a real browser before it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from config.load import load_config
from config.schema import Config
from daemon.web.app import application
from daemon.web.line.board import Board
from daemon.web.server import WebServer
from daemon.web.site import Site
from daemon.wire.messages import LineState
from daemon.wire.plate_memory import PlateMemory

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
# A page on a busy machine takes its time; what is waited for ends the wait.
expect.set_options(timeout=30_000)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt install chromium")


@dataclass
class Screen:
    """A screen that is served on a free port, of a service that a test speaks for."""

    site: Site
    server: WebServer
    board: Board
    _said: dict[str, object] = field(default_factory=dict)
    _teller: threading.Thread | None = None
    _closed: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def tell(self, **values: object) -> None:
        """The line is like that from now on, and says so again and again; once where `at` is given."""
        self._said = values
        self.site.live.put(line_state(**values))
        if self._teller is None:
            self._teller = threading.Thread(target=self._tell_again, daemon=True)
            self._teller.start()

    def close(self) -> None:
        """Neither serve nor tell."""
        self._closed.set()
        self.server.close()
        if self._teller is not None:
            self._teller.join()

    def _tell_again(self) -> None:
        while not self._closed.wait(0.2):
            said = self._said
            if "at" not in said:
                self.site.live.put(line_state(**said))


def line_state(**values: object) -> LineState:
    """A line at rest, but for what is given."""
    quiet: dict[str, object] = {
        "at": time.monotonic(),
        "run": "a" * 32,
        "recipe": "P10B",
        "simulated": False,
        "troubles": (),
        "seen": 0,
        "verdicts": {},
        "last": None,
        "plates": (),
        "roles": {},
        "slots_free": 3,
        "slots": 3,
        "camera_rows": 0.0,
        "stopping": False,
    }
    return LineState(**{**quiet, **values})  # type: ignore[arg-type]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Callable[..., Screen]]:
    """Makes a screen of a state directory; of an empty one where none is given."""
    served: list[Screen] = []

    def make(
        state: Path | None = None, config: Config | None = None, memory: PlateMemory | None = None, port: int = 0
    ) -> Screen:
        site = Site(config or load_config(None), state or tmp_path, memory=memory)
        app = application(site)
        one = Screen(site, WebServer(app, "127.0.0.1", port), app.state.board)
        one.server.start()
        served.append(one)
        return one

    yield make
    for one in served:
        one.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file: while playwright is open, this thread can run no other event loop."""
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        yield one
        one.close()


@dataclass
class Network:
    """What a page asked of others than the screen, and what it said in its console."""

    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def page(browser: Browser, network: Network) -> Iterator[Page]:
    """A page of 1,280 x 800 that reaches this machine alone; afterwards it asked nobody else and met no error."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en")

    def here_alone(route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            network.strangers.append(route.request.url)
            route.abort()

    context.route("**/*", here_alone)
    one = context.new_page()
    one.on("pageerror", lambda error: network.errors.append(str(error)))
    one.on("console", lambda said: network.errors.append(said.text) if said.type == "error" else None)
    yield one
    context.close()
    assert network.strangers == []
    assert network.errors == []
