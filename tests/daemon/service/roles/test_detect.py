"""The detect process and what it does when there is always work."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from daemon.service.roles.detect import DetectProcess
from daemon.wire.plate_memory import Hold, PlateMemory
from models.detector.detector import Detector, DetectorError
from stages.events import Lease, Place
from stages.lease_queue import LeaseQueue
from stages.plate import Window
from tests.daemon.conftest import SHAPE, plan_of


class Wrong:
    """A detector that computes wrongly."""

    def known_answer(self) -> None:
        raise ArithmeticError("wrong values")


def worker(leases: int) -> Any:
    made: Any = DetectProcess.__new__(DetectProcess)
    made._queue, made._detectors, made._checked_at, made._ready_at = LeaseQueue(0, 1, 8), {1: Wrong()}, 1000.0, 1000.0
    for number in range(1, leases + 1):
        made._queue.take(Lease(number, 0, 1, Place(0, 1, 120), 60, ()))
    made._score = lambda _lease: None
    made._say_ready = lambda _now: None
    return made


@pytest.mark.parametrize(("leases", "good_until"), [(0, 1030.0), (2, 1120.0)])
def test_a_detector_that_computes_wrongly_ends_its_process_under_load_too(leases: int, good_until: float) -> None:
    made = worker(leases)
    made.tick(good_until)
    with pytest.raises(ArithmeticError):
        made.tick(good_until + 1.0)


def test_weights_that_are_not_those_that_results_name_are_refused_at_the_start(tmp_path: Path) -> None:
    """As when the file was replaced while the service was running, and a worker is started anew."""
    with closing(PlateMemory.create(SHAPE)) as memory:
        plan = plan_of(tmp_path, "detect", 0, plates_fd=memory.fd)
        made = DetectProcess(msgspec.structs.replace(plan, facts=plan.facts | {"weights_sha256": "12" * 32}))
        with pytest.raises(DetectorError, match=r"service started with 1212.*restart the service"):
            made.start()
        made.supervisor.close()
        made.context.destroy(linger=0)


def test_values_that_are_no_numbers_have_the_detector_proved_before_a_result_is_sent(tmp_path: Path) -> None:
    """A bit that flips in a worker's memory ends the worker; its lease goes to another."""
    with closing(PlateMemory.create(SHAPE)) as memory:
        plan = plan_of(tmp_path, "detect", 0, plates_fd=memory.fd)
        made = DetectProcess(plan)
        made._detectors[1] = Detector.load(made.recipe, device="cpu")
        with torch.no_grad():
            list(made._detectors[1]._network.parameters())[-1].fill_(torch.nan)
        lease = Lease(1, 0, 7, memory.free_places()[0], 100, (Window(0, 0, 0, 0, 50, 100),))
        with pytest.raises(DetectorError, match="restart, check memory"):
            made._score(lease)
        made.supervisor.close()
        made.context.destroy(linger=0)


def test_a_lease_of_a_plate_that_is_final_and_whose_recipe_is_forgotten_is_dropped_and_of_an_open_one_never(
    tmp_path: Path,
) -> None:
    with closing(PlateMemory.create(SHAPE)) as memory:
        made = DetectProcess(plan_of(tmp_path, "detect", 0, plates_fd=memory.fd))
        memory.open(Place(0, 1, SHAPE.columns, 2), 7)
        lease = Lease(1, 0, 7, Place(0, 1, SHAPE.columns, 2), 100, (Window(0, 0, 0, 0, 50, 100),))
        with pytest.raises(DetectorError, match="recipe 2 of plate 7 is not loaded here"):
            made._score(lease)
        memory.release(0, Hold.TILE)
        made._score(lease)
        assert made.tally.values()["results_dropped_total/stale slot"] == 1
        made.supervisor.close()
        made.context.destroy(linger=0)
