"""Roles live in the simulation while a test of this folder runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daemon.lab.faults.roles import replaced


@pytest.fixture(autouse=True)
def _simulated() -> Iterator[None]:
    with replaced():
        yield
