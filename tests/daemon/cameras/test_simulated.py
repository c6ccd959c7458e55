"""The simulated camera: rendered sheets, their truth, and the line rate."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from config.load import load_config, with_overrides
from config.schema import Recipe
from daemon.cameras.registry import TRUTH_FILE, CameraOrder, open_camera
from daemon.cameras.simulated import SimulatedCamera
from stages.camera import CameraStatus, LineCamera, NoStrip, Strip
from tests.daemon.cameras.conformance import conforms

ROWS, WIDTH = 32, 400
RECIPE = Recipe.model_validate(
    {"name": "tiny", "length": {"nominal_rows": 300}, "columns": {"first": 50, "last": 350}, "least_rows": 100}
)


def order(directory: Path, plates: int | None = None, **camera: Any) -> CameraOrder:
    section = {"width": WIDTH, "strip_rows": ROWS, "gap_rows": 40, **camera}
    keys = {f"camera.{key}": value for key, value in section.items()}
    keys |= {"simulator.sheets": 2, "simulator.density": 1}
    return CameraOrder(with_overrides(load_config(None), keys), RECIPE, directory, plates)


def opened(directory: Path, **camera: Any) -> LineCamera:
    camera_ = open_camera(order(directory, **camera), lambda _: None)
    camera_.start()
    return camera_


def test_it_keeps_the_rules_of_a_camera_and_ends_after_its_plates(tmp_path: Path) -> None:
    delivered = conforms(SimulatedCamera(order(tmp_path, plates=2)), ROWS, WIDTH, strips=1000)
    edges = [edge for strip, _ in delivered for edge in strip.edges]
    assert [edge.rising for edge in edges] == [True, False, True, False]
    assert [last.row - first.row for first, last in itertools.pairwise(edges)][::2] == [300, 300]


def test_it_keeps_the_rules_at_a_line_rate(tmp_path: Path) -> None:
    conforms(SimulatedCamera(order(tmp_path, line_rate_hz=2000.0)), ROWS, WIDTH, strips=10)


def test_it_says_the_truth_of_as_many_sheets_as_pass(tmp_path: Path) -> None:
    open_camera(order(tmp_path, plates=1), lambda _: None).close()
    assert len(json.loads((tmp_path / TRUTH_FILE).read_text(encoding="utf-8"))) == 1
    open_camera(order(tmp_path), lambda _: None).close()
    truth = json.loads((tmp_path / TRUTH_FILE).read_text(encoding="utf-8"))
    assert len(truth) == 2
    assert all(set(box) == {"x", "y", "width", "height", "visible"} for boxes in truth for box in boxes)


def test_without_a_rate_it_waits_for_who_takes_its_strips_and_never_lets_them_wait(tmp_path: Path) -> None:
    camera = opened(tmp_path)
    assert not camera.live
    buffer = np.zeros((ROWS, WIDTH), np.uint8)
    assert all(isinstance(camera.next_strip(buffer, 0.0), Strip) for _ in range(20))
    assert camera.status() == CameraStatus()


def test_at_a_rate_a_strip_comes_when_its_last_row_has_passed(tmp_path: Path) -> None:
    began = time.monotonic()  # its rows pass from its opening on
    camera = opened(tmp_path, line_rate_hz=32.0)
    assert camera.live
    buffer = np.zeros((ROWS, WIDTH), np.uint8)
    answers: list[Strip | NoStrip] = []
    while not answers or not isinstance(answers[-1], Strip):
        answers.append(camera.next_strip(buffer, 0.05))
    assert time.monotonic() - began >= ROWS / 32.0
    assert len(answers) > 1
    assert set(answers[:-1]) == {NoStrip.WAITING}


def test_strips_that_nobody_asked_for_in_time_are_not_skipped(tmp_path: Path) -> None:
    camera = opened(tmp_path, line_rate_hz=10_000.0)
    time.sleep(0.1)
    buffer = np.zeros((ROWS, WIDTH), np.uint8)
    strips = [camera.next_strip(buffer, 1.0) for _ in range(3)]
    assert [strip.block for strip in strips if isinstance(strip, Strip)] == [0, 1, 2]


def shown(directory: Path, **ageing: Any) -> np.ndarray[Any, Any]:
    """The rows of one sheet, with the optics as the configuration says."""
    made = order(directory, plates=1)
    keys = {f"simulator.ageing.{key}": value for key, value in ageing.items()}
    made = CameraOrder(with_overrides(made.config, keys), made.recipe, directory, 1)
    camera = open_camera(made, lambda _: None)
    camera.start()
    rows, buffer = [], np.zeros((ROWS, WIDTH), np.uint8)
    while isinstance(strip := camera.next_strip(buffer, 1.0), Strip):
        rows.append(buffer[: strip.rows].copy())
    camera.close()
    return np.concatenate(rows)


def test_it_shows_the_faults_of_the_optics_that_are_asked_for(tmp_path: Path) -> None:
    clean = shown(tmp_path).astype(np.float64)
    darker = shown(tmp_path, light=0.2).astype(np.float64)
    dusty = shown(tmp_path, dust_column=200, dust=0.5).astype(np.float64)
    assert darker.mean() < 0.9 * clean.mean()
    assert set(np.flatnonzero(dusty.mean(axis=0) < 0.9 * clean.mean(axis=0))) == set(range(200, 206))
