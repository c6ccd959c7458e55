"""The web process: what is served, and when."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from config.load import load_config
from config.schema import Tls
from daemon.web.access.audit import COMMAND_LINE, Note, What
from daemon.web.access.book import Book
from daemon.web.access.users import Role
from daemon.wire import messages as m
from tests.daemon.conftest import Parent
from tests.daemon.web.access.conftest import pair
from tests.opcua_plc import free_port


def test_a_screen_for_others_is_served_once_it_has_a_user(parent: Callable[..., Parent], tmp_path: Path) -> None:
    certificate, key = pair(tmp_path)
    config, port = load_config(None), free_port()
    outside = {"host": "0.0.0.0", "port": port, "tls": Tls(certificate=certificate, key=key)}
    held = parent("web", config=config.model_copy(update={"web": config.web.model_copy(update=outside)}))
    while held.hear(m.Heartbeat).note != "is not served":
        pass
    by = Note("root", What.USER_ADDED, "anna", COMMAND_LINE)
    Book(tmp_path).add("anna", Role.ENGINEER, "hash", by)
    while held.hear(m.Heartbeat).note != "serves":
        pass
    trust, until = ssl.create_default_context(cafile=str(certificate)), time.monotonic() + 30
    with httpx.Client(verify=trust) as client:
        while time.monotonic() < until:
            try:
                answer = client.get(f"https://127.0.0.1:{port}/")
                break
            except httpx.ConnectError:
                time.sleep(0.05)
    assert (answer.status_code, answer.text) == (401, "log in first\n")
