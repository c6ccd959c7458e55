"""Basler's camera emulator: wide strips from image files, buffers that fail, and a camera that is pulled out."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from structlog.testing import capture_logs

from config.load import load_config, load_recipe, with_overrides
from daemon.cameras.pylon import PylonCamera
from daemon.cameras.registry import CameraOrder
from stages.acquire import Assembler
from stages.camera import CameraError, Loss, NoStrip, Strip
from stages.copies import SlotsFree
from stages.events import Place, PlateClosed, StripDelivered
from stages.plate import Cause
from stages.switch import SwitchState
from tests.daemon.cameras.conformance import conforms

needs_pypylon = pytest.mark.skipif(
    importlib.util.find_spec("pypylon") is None, reason="needs the package pypylon (the extra [pylon])"
)
pytestmark = needs_pypylon
WIDTH, STRIP = 16384, 512
FRAMES = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images that the emulator shows in turn, of grey levels 50, 51 and 52 to the left and brighter to the right."""
    path = tmp_path_factory.mktemp("frames")
    for number in range(FRAMES):
        row = (50 + number + np.arange(WIDTH) // 128).astype(np.uint8)
        tifffile.imwrite(path / f"{number}.tif", np.tile(row, (STRIP, 1)))
    return path


def made(directory: Path, folder: Path, **changes: Any) -> PylonCamera:
    features = {
        "WidthMax": 32768,
        "HeightMax": 32768,
        "PixelFormat": "Mono8",
        "TestImageSelector": "Off",
        "ImageFilename": str(folder),
        "ImageFileMode": "On",
        "ExposureTime": 1,
        "AcquisitionFrameRate": 30,
        "UserOutputValue[UserOutput1]": False,
    }
    section: dict[str, Any] = {
        "source": "pylon",
        "interface": "BaslerCamEmu",
        "width": WIDTH,
        "strip_rows": STRIP,
        "buffers": 4,
        "features": features,
        "switch_feature": "UserOutputValue",
        **changes,
    }
    config = with_overrides(load_config(None), {f"camera.{key}": value for key, value in section.items()})
    return PylonCamera(CameraOrder(config, load_recipe("P10B"), directory))


@pytest.fixture
def camera(tmp_path: Path, folder: Path) -> Iterator[PylonCamera]:
    """At work."""
    one = made(tmp_path, folder)
    one.open(lambda _: None)
    try:
        one.start()
        yield one
    finally:
        one.close()


class Line:
    """A camera whose switch the test sets (an output of the emulator's), and what becomes of its strips."""

    def __init__(self, camera: PylonCamera) -> None:
        self.camera = camera
        self.plates: list[PlateClosed] = []
        self._into = np.zeros((STRIP, WIDTH), np.uint8)
        self._assembler = Assembler(load_recipe("P10B"), "skip", switch=SwitchState(1, count=0))
        self._assembler.handle(SlotsFree(tuple(Place(slot, 1, WIDTH) for slot in range(8))))

    def set(self, feature: str, value: str) -> None:
        assert self.camera._device is not None
        self.camera._device.features.write(feature, value)

    def strips(self, count: int) -> list[int]:
        """Take so many; the grey level at the left of each."""
        taken: list[int] = []
        until = time.monotonic() + 30
        while len(taken) < count and time.monotonic() < until:
            strip = self.camera.next_strip(self._into, 0.2)
            if isinstance(strip, Strip):
                taken.append(int(self._into[0, 0]))
                done = self._assembler.handle(StripDelivered(0, strip, 0.0))
                self.plates += [order for order in done if isinstance(order, PlateClosed)]
        assert len(taken) == count
        return taken

    def sheet(self, strips: int) -> None:
        """Let a sheet pass, and some belt behind it."""
        self.set("UserOutputValue", "true")
        self.strips(strips)
        self.set("UserOutputValue", "false")
        self.strips(2)


def test_it_keeps_the_rules_of_a_camera_at_the_width_of_a_line(tmp_path: Path, folder: Path) -> None:
    delivered = conforms(made(tmp_path, folder), STRIP, WIDTH, strips=6)
    lefts = [int(pixels[0, 0]) for _, pixels in delivered]
    assert set(lefts) == {50, 51, 52}
    assert all((np.diff(pixels[STRIP - 1, ::128].astype(int)) == 1).all() for _, pixels in delivered)


def test_a_sheet_between_edges_of_the_switch_is_whole_and_in_order(camera: PylonCamera) -> None:
    line = Line(camera)
    lefts = line.strips(3)
    assert [(after - before) % FRAMES for before, after in itertools.pairwise(lefts)] == [1, 1]
    line.sheet(6)
    (plate,) = line.plates
    assert plate.causes == ()
    assert plate.rows == 6 * STRIP
    losses = camera.status().losses
    assert sum(losses.values()) == 0
    assert Loss.RESENT in losses, "pylon counts them"


def test_buffers_that_fail_within_a_sheet_make_it_inconclusive_and_the_next_one_is_whole(camera: PylonCamera) -> None:
    line = Line(camera)
    line.strips(2)
    line.set("UserOutputValue", "true")
    line.strips(3)
    line.set("ForceFailedBufferCount", "2")
    line.set("ForceFailedBuffer", "true")
    line.strips(8)
    line.set("UserOutputValue", "false")
    line.strips(2)
    line.sheet(5)
    first, second = line.plates
    assert first.causes == (Cause.ROWS_MISSING,)
    assert first.rows_missing == 2 * STRIP
    assert camera.status().losses[Loss.PACKET] == 2
    assert (second.causes, second.rows) == ((), 5 * STRIP)


def test_a_camera_that_is_pulled_out_in_mid_sheet_comes_back_and_the_next_sheet_is_inspected(
    camera: PylonCamera,
) -> None:
    line = Line(camera)
    line.strips(2)
    line.set("UserOutputValue", "true")
    line.strips(3)
    with capture_logs() as logs:
        line.set("FirePnPCallbackValue", "1")
        line.set("FirePnPCallback", "true")
        until = time.monotonic() + 10
        while camera.status().serial != "0815-0000 is away" and time.monotonic() < until:
            camera.next_strip(np.zeros((STRIP, WIDTH), np.uint8), 0.1)
        assert camera.next_strip(np.zeros((STRIP, WIDTH), np.uint8), 0.0) is NoStrip.WAITING
        # It is set up anew, its output off: the sheet has left meanwhile.
        line.strips(3)
    line.sheet(5)
    first, second = line.plates
    assert Cause.ROWS_MISSING in first.causes
    assert (second.causes, second.rows) == ((), 5 * STRIP)
    assert camera.status().losses[Loss.REMOVED] == 1
    assert [line["event"] for line in logs if line["log_level"] != "info"] == [
        "the camera is away, and is looked for",
        "the camera is back",
    ]


@pytest.mark.parametrize("pixels", ["Mono10", "Mono12", "Mono16"])
def test_deeper_pixels_are_scaled_by_their_full_range(tmp_path: Path, folder: Path, pixels: str) -> None:
    features = {"PixelFormat": pixels, "TestImageSelector": "Testimage1"}
    one = made(tmp_path, folder, width=1024, strip_rows=256, features=features)
    plain = made(tmp_path, folder, width=1024, strip_rows=256, features={**features, "PixelFormat": "Mono8"})
    frames = []
    for camera in (one, plain):
        ((_, frame),) = conforms(camera, 256, 1024, strips=1)
        frames.append(frame)
    deep, eight = frames
    assert deep.max() >= eight.max() - 1 > 200
    assert abs(float(deep.mean()) - float(eight.mean())) < 1.5


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"device": "123"}, "camera.device: 123 is not there; there are: Emulation .0815-0000"),
        ({"features": {"ExposurTime": 1}}, "no feature ExposurTime; the nearest it has: ExposureTime"),
        ({"features": {"PixelFormat": "Mono10p"}}, "PixelFormat cannot be Mono10p; the nearest it can: Mono10"),
        ({"features": {}, "width": 16384}, "Width cannot be 16384; allowed: 1 to 4096"),
        ({"switch_feature": "LineStatus"}, "camera.switch_feature: the camera has no feature LineStatus; the nearest"),
    ],
)
def test_what_the_camera_lacks_or_refuses_is_said(
    changes: dict[str, Any], why: str, tmp_path: Path, folder: Path
) -> None:
    with pytest.raises(CameraError, match=why):
        made(tmp_path, folder, **changes).open(lambda _: None)
