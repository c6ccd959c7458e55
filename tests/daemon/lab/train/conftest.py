from __future__ import annotations

import pytest

from models.training.classifier import progressive


@pytest.fixture(autouse=True)
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progressive, "_SIDES", ((2.0, 32),))
