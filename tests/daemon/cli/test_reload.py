"""What `linesentry reload` says while it waits, and what it ends with."""

from __future__ import annotations

import importlib
import json
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.service.control import Control
from daemon.service.recipe_answers import Answer, Reply

CHANGED = Answer("changed", "recipe 02CG judges from plate 8 on", "02CG", "ab" * 32, 8)


@pytest.mark.parametrize(("takes_s", "tell_s"), [(0.0, 60.0), (1.0, 0.05)])
def test_what_is_waited_for_is_said_where_the_answer_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_s: float, tell_s: float
) -> None:
    monkeypatch.setattr(importlib.import_module("daemon.cli.reload"), "_TELL_S", tell_s)
    control = Control(tmp_path)
    asked: list[Reply] = []

    def serve() -> None:
        while not asked:
            control.step(time.monotonic(), lambda _, reply: asked.append(reply))
            time.sleep(0.005)
        time.sleep(takes_s)
        asked[0](CHANGED)

    service = threading.Thread(target=serve)
    service.start()
    told = CliRunner().invoke(app, ["reload", "--state", str(tmp_path), "--json"])
    service.join()
    control.close()
    assert (told.exit_code, json.loads(told.stdout)["first_plate"]) == (0, 8)
    assert ("the answer comes once all processes" in told.stderr) == (takes_s > 0)
