from __future__ import annotations

import pytest

from models.training.classifier import progressive


@pytest.fixture(autouse=True)
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progressive, "_SIDES", ((2.0, 32),))


@pytest.fixture(autouse=True)
def exports_where_they_are_asked_for(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take half of a short training's time, so only tests marked `exports` make them."""
    if request.node.get_closest_marker("exports") is None:
        monkeypatch.setattr("daemon.lab.train.classifier.exported", lambda *_: "not exported")
