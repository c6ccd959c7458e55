"""Aravis' fake camera, which speaks GigE Vision over loopback: packets that are lost, and a camera that dies."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from config.errors import ConfigError
from config.load import load_config, load_recipe, with_overrides
from daemon.cameras import extras
from daemon.cameras.aravis import AravisCamera, AravisDevice
from daemon.cameras.aravis_library import Aravis
from daemon.cameras.features import set_features
from daemon.cameras.registry import CameraOrder
from stages.acquire import Assembler
from stages.camera import CameraError, CameraSetupError, Loss, Strip
from stages.copies import SlotsFree
from stages.events import Place, PlateClosed, StripDelivered
from stages.plate import Cause
from stages.switch import SwitchState
from tests.daemon.cameras.conformance import conforms

WIDTH, STRIP = 1024, 256
ADDRESS = "127.0.0.1"
PROGRAM = "arv-fake-gv-camera-0.8"


def _installed() -> bool:
    return extras.missing("aravis") is None and shutil.which(PROGRAM) is not None


needs_aravis = [
    pytest.mark.debian,
    pytest.mark.skipif(not _installed(), reason="needs Debian's packages libaravis-0.8-0 and aravis-tools"),
]
pytestmark = needs_aravis
Fake = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def fake() -> Iterator[Fake]:
    """Switches a fake camera on; it is at its address when this comes back."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        command = [PROGRAM, "-i", ADDRESS, "-s", "GV07", *options]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        until = time.monotonic() + 10
        while not _answers():
            assert started[-1].poll() is None, "does another program hold its port, 3956?"
            assert time.monotonic() < until
            time.sleep(0.02)
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


def _answers() -> bool:
    """Whether something listens at its control port."""
    return f"{int.from_bytes(bytes([127, 0, 0, 1])[::-1]):08X}:{3956:04X}" in Path("/proc/net/udp").read_text("ascii")


def made(directory: Path, **changes: Any) -> AravisCamera:
    section: dict[str, Any] = {
        "source": "aravis",
        "device": ADDRESS,
        "width": WIDTH,
        "strip_rows": STRIP,
        "features": {"PixelFormat": "Mono8", "ExposureTimeAbs": 10000, "TestRegister": 0},
        "switch_feature": "TestRegister",
        "switch_bit": 0,
        **changes,
    }
    config = with_overrides(load_config(None), {f"camera.{key}": value for key, value in section.items()})
    return AravisCamera(CameraOrder(config, load_recipe("P10B"), directory))


class Line:
    """A camera whose switch the test sets (a register of it), and what becomes of its strips."""

    def __init__(self, camera: AravisCamera) -> None:
        self.camera = camera
        self.plates: list[PlateClosed] = []
        self.taken = 0
        self._into = np.zeros((STRIP, WIDTH), np.uint8)
        self._assembler = Assembler(load_recipe("P10B"), "skip", switch=SwitchState(1, count=0))
        self._assembler.handle(SlotsFree(tuple(Place(slot, 1, WIDTH) for slot in range(8))))

    def until(self, there: Callable[[], bool]) -> None:
        """Take strips until that is so."""
        most = time.monotonic() + 30
        while not there():
            assert time.monotonic() < most
            strip = self.camera.next_strip(self._into, 0.2)
            if isinstance(strip, Strip):
                self.taken += 1
                done = self._assembler.handle(StripDelivered(0, strip, 0.0))
                self.plates += [order for order in done if isinstance(order, PlateClosed)]

    def strips(self, count: int) -> None:
        """Take so many; a busy machine has answers without a strip between them."""
        enough = self.taken + count
        self.until(lambda: self.taken >= enough)

    def sheet(self, strips: int) -> None:
        """Let a sheet pass, and the belt until it is cut."""
        before = len(self.plates)
        self.set(1)
        self.strips(strips)
        self.set(0)
        self.until(lambda: len(self.plates) > before)

    def whole_sheet(self) -> PlateClosed:
        """Of several, for a busy machine loses packets too."""
        for _ in range(5):
            self.sheet(3)
            if not self.plates[-1].causes:
                break
        return self.plates[-1]

    def set(self, level: int) -> None:
        assert self.camera._device is not None
        self.camera._device.features.write("TestRegister", str(level))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    opened: list[AravisCamera] = []

    def start(**changes: Any) -> Line:
        opened.append(made(tmp_path, **changes))
        opened[-1].open(lambda _: None)
        opened[-1].start()
        return Line(opened[-1])

    yield start
    for one in opened:
        one.close()


def test_it_keeps_the_rules_of_a_camera(fake: Fake, tmp_path: Path) -> None:
    fake()
    delivered = conforms(made(tmp_path), STRIP, WIDTH)
    assert all(np.unique(pixels).size > 100 for _, pixels in delivered), "a slope that moves"
    assert made(tmp_path).devices() == [
        {"id": ADDRESS, "vendor": "Aravis", "model": "Fake", "serial": "GV07", "name": ""}
    ]


def test_a_sheet_is_whole_and_one_of_which_packets_were_lost_lacks_rows_and_says_why(
    fake: Fake, line: Callable[..., Line]
) -> None:
    process = fake()
    whole = line()
    whole.strips(2)
    assert whole.whole_sheet().causes == ()
    assert whole.camera.status().losses[Loss.RESENT] == 0, "it counts them"
    whole.camera.close()
    process.kill()
    process.wait()
    fake("--gvsp-lost-ratio=5")  # of 1,000
    lossy = line()
    lossy.strips(2)
    lossy.sheet(12)
    (plate,) = lossy.plates
    assert plate.causes == (Cause.ROWS_MISSING,)
    assert plate.rows_missing > 0
    assert plate.losses["packet missing"] >= 1
    assert lossy.camera.status().losses[Loss.PACKET] >= plate.losses["packet missing"]


@pytest.mark.long
def test_a_camera_that_dies_is_looked_for_and_the_sheet_after_it_is_whole(
    fake: Fake, line: Callable[..., Line]
) -> None:
    process = fake()
    one = line()
    one.strips(2)
    with capture_logs() as logs:
        one.set(1)
        one.strips(2)
        process.kill()
        process.wait()
        one.until(lambda: one.camera.status().fault is not None)
        assert one.camera.status().fault == "camera GV07 is away"
        fake()
        one.until(lambda: one.camera.status().fault is None)
        one.until(lambda: bool(one.plates))
        assert one.whole_sheet().causes == ()
    first = one.plates[0]
    assert Cause.ROWS_MISSING in first.causes
    assert first.losses["camera away"] == 1
    told = [entry["event"] for entry in logs if entry["log_level"] in ("warning", "error")]
    assert told[0] == "the camera is away, and is looked for"
    assert told[-1] == "the camera is back"


@pytest.mark.parametrize(
    ("features", "why"),
    [
        ({"PixelFormt": "Mono8"}, "the camera has no feature PixelFormt; the nearest it has: PixelFormat"),
        ({"PixelFormat": "Mono9"}, "PixelFormat cannot be Mono9; the nearest it can: Mono8"),
        ({"ExposureTimeAbs": 1e12}, r"ExposureTimeAbs cannot be 1000000000000\.0; allowed: 10 to 1e\+07"),
        ({"TriggerMode[LineStart]": "On"}, "no selector of TriggerMode has the entry LineStart"),
        ({"DeviceID": "x"}, "DeviceID cannot be set to x as the camera is now"),
    ],
)
def test_what_the_camera_lacks_or_does_not_take_is_said(
    features: dict[str, Any], why: str, fake: Fake, tmp_path: Path
) -> None:
    fake()
    with pytest.raises(CameraSetupError, match=why):
        made(tmp_path, features=features).open(lambda _: None)


def test_a_selector_is_set_and_set_back(fake: Fake, line: Callable[..., Line], tmp_path: Path) -> None:
    process = fake()
    described = tmp_path / "camera.xml"
    camera = made(tmp_path)
    camera.open(lambda _: None)
    described.write_bytes(description_of(camera))
    camera.close()
    process.kill()
    process.wait()
    fake("--genicam", str(described))
    one = line(features={"TriggerMode[AcquisitionStart]": "Off"})
    assert one.camera._device is not None
    features = one.camera._device.features
    assert features.selectors("TriggerMode") == ("TriggerSelector",)
    assert features.read("TriggerSelector") == "FrameStart"
    with pytest.raises(CameraSetupError, match="has the entry LineStart; it has TriggerSelector: FrameStart, Acq"):
        set_features(features, {"TriggerMode[LineStart]": "On"})


def description_of(camera: AravisCamera) -> bytes:
    """The fake camera's own, with the selector that its maker forgot to say."""
    library = ctypes.CDLL(extras.ARAVIS)
    library.arv_device_get_genicam_xml.restype = ctypes.c_char_p
    library.arv_device_get_genicam_xml.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t))
    assert isinstance(camera._device, AravisDevice)
    device = camera._device._aravis.call("arv_camera_get_device", camera._device._camera)
    text: bytes = library.arv_device_get_genicam_xml(device, ctypes.byref(ctypes.c_size_t()))
    start = b'<Enumeration Name="TriggerSelector" NameSpace="Standard">'
    assert start in text
    return text.replace(start, start + b"<pSelected>TriggerMode</pSelected>")


def test_a_camera_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"no camera answers at camera.device 127\.0\.0\.1: .*check its power"):
        made(tmp_path).open(lambda _: None)


@pytest.mark.long
def test_a_camera_that_another_program_has_is_said(fake: Fake, tmp_path: Path) -> None:
    fake()
    first = made(tmp_path)
    first.open(lambda _: None)
    try:
        with pytest.raises(CameraError, match=r"the camera 127\.0\.0\.1 is in use by another program"):
            made(tmp_path).open(lambda _: None)
    finally:
        first.close()


def test_a_switch_that_comes_with_each_strip_is_refused(fake: Fake, line: Callable[..., Line]) -> None:
    fake()
    with pytest.raises(CameraSetupError, match=r"no feature ChunkTestRegister|take TestRegister"):
        line(switch_feature="ChunkTestRegister").strips(1)


def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "ARAVIS", "libaravis-none.so")
    assert extras.missing("aravis") == f"found aravis, which {extras.NO_ARAVIS}"
    monkeypatch.setattr("daemon.cameras.aravis_library.ARAVIS", "libaravis-none.so")
    with pytest.raises(CameraSetupError, match=r"apt-get install libaravis-0\.8-0"):
        Aravis()


def test_without_an_address_nothing_is_looked_for() -> None:
    with pytest.raises(ConfigError, match="device names no address"):
        with_overrides(load_config(None), {"camera.source": "aravis"})
