"""The detect process and what it does when there is always work."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from daemon.roles.detect import DetectProcess


class Wrong:
    """A detector that computes wrongly."""

    def known_answer(self) -> None:
        raise ArithmeticError("wrong values")


def worker(queue: list[Any]) -> Any:
    made: Any = DetectProcess.__new__(DetectProcess)
    made._queue, made._detector, made._checked_at, made._ready_at = deque(queue), Wrong(), 1000.0, 1000.0
    made._score = lambda _lease: None
    made._say_ready = lambda _now: None
    return made


@pytest.mark.parametrize(("queue", "good_until"), [([], 1030.0), (["lease"] * 2, 1120.0)])
def test_a_detector_that_computes_wrongly_ends_its_process_under_load_too(queue: list[Any], good_until: float) -> None:
    made = worker(queue)
    made.tick(good_until)
    with pytest.raises(ArithmeticError):
        made.tick(good_until + 1.0)
