"""A screen that several tests of a module ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from config.load import load_config
from config.schema import Config
from daemon.web.app import application
from daemon.web.server import WebServer
from daemon.web.site import Site

_LONG_S = 60.0


@contextmanager
def asking(state: Path, config: Config | None = None) -> Iterator[Callable[[str], httpx.Response]]:
    """Asks a screen of that state directory for a page."""
    server = WebServer(application(Site(config or load_config(None), state)), "127.0.0.1", 0)
    server.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=_LONG_S) as client:

            def ask(path: str) -> httpx.Response:
                # As a visitor who was never here: no language is remembered.
                client.cookies.clear()
                return client.get(path)

            yield ask
    finally:
        server.close()
