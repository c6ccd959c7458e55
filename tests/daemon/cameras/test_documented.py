"""The camera of docs/how-to/add-a-camera.md, run as it stands there."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from config.load import load_config, load_recipe, with_overrides
from daemon.cameras.registry import CameraOrder, open_camera
from stages.camera import CameraError, NoStrip
from tests.daemon.cameras.conformance import conforms
from tests.daemon.cameras.grabber import Grabber, Sent, documented_camera

ROWS, WIDTH = 32, 3000
STRIPS: list[Sent] = [
    (2 <= number < 5, np.full((ROWS if number != 6 else 10, WIDTH), 20 + number, np.uint8)) for number in range(8)
]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tcp_camera.py").write_text(documented_camera(), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    sys.modules.pop("tcp_camera", None)
    return "tcp_camera:TcpCamera"


def order(source: str, device: str, directory: Path) -> CameraOrder:
    keys = {"camera.source": source, "camera.device": device, "camera.strip_rows": ROWS, "camera.width": WIDTH}
    return CameraOrder(with_overrides(load_config(None), keys), load_recipe("P10B"), directory)


def test_it_is_a_whole_camera_in_forty_lines() -> None:
    assert len([line for line in documented_camera().splitlines() if line.strip()]) <= 40


def test_it_keeps_the_rules_and_gives_every_pixel(source: str, tmp_path: Path) -> None:
    with Grabber(STRIPS, ROWS) as grabber:
        module, _, name = source.partition(":")
        camera = getattr(importlib.import_module(module), name)(order(source, grabber.address, tmp_path))
        delivered = conforms(camera, ROWS, WIDTH, strips=len(STRIPS))
    for (_, pixels), (_, sent) in zip(delivered, STRIPS, strict=True):
        np.testing.assert_array_equal(pixels, sent)
    edges = [edge for strip, _ in delivered for edge in strip.edges]
    assert [(edge.count, edge.row, edge.rising) for edge in edges] == [(1, 2 * ROWS, True), (2, 5 * ROWS, False)]


def test_a_grabber_that_sends_nothing_is_waited_for_and_one_that_hangs_up_is_an_error(
    source: str, tmp_path: Path
) -> None:
    with Grabber([], ROWS) as grabber:
        camera = open_camera(order(source, grabber.address, tmp_path), lambda _: None)
        camera.start()
        buffer = np.zeros((ROWS, WIDTH), np.uint8)
        assert [camera.next_strip(buffer, 0.02) for _ in range(3)] == [NoStrip.WAITING] * 3
    with pytest.raises(CameraError, match="hung up"):
        camera.next_strip(buffer, 5.0)
    camera.close()


def test_a_grabber_that_is_not_there_is_named(source: str, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"no camera at '127\.0\.0\.1:1'.*check camera\.device"):
        open_camera(order(source, "127.0.0.1:1", tmp_path), lambda _: None)
