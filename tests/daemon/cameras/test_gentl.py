"""The GenTL camera with a real producer: what it delivers, what it loses, what it refuses, and how it comes back."""

from __future__ import annotations

import re
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from config.load import load_config, load_recipe
from daemon.cameras.device import Filled
from daemon.cameras.gentl import GentlCamera, GentlDevice
from daemon.cameras.registry import CameraOrder
from stages.acquire import Assembler
from stages.camera import CameraError, CameraSetupError, Loss, NoStrip, Strip
from stages.copies import SlotsFree
from stages.events import Place, PlateClosed, StripDelivered
from stages.plate import Cause
from stages.switch import SwitchState
from tests.daemon.cameras.conformance import conforms
from tests.daemon.cameras.viky import BOUNCE_STRIPS, FEATURES, STRIP, WIDTH, camera, needs_genicam, producer

pytestmark = needs_genicam


def strips_of(one: GentlCamera, count: int, most_s: float = 20.0) -> list[Strip]:
    """So many strips, waited for."""
    taken: list[Strip] = []
    into, until = np.zeros((STRIP, WIDTH), np.uint8), time.monotonic() + most_s
    while len(taken) < count and time.monotonic() < until:
        strip = one.next_strip(into, 0.1)
        if isinstance(strip, Strip):
            taken.append(strip)
    assert len(taken) == count
    return taken


def test_it_keeps_the_rules_of_a_camera_and_shows_what_the_producer_films(tmp_path: Path) -> None:
    delivered = conforms(camera(tmp_path), STRIP, WIDTH)
    for strip, pixels in delivered:
        assert strip.rows == STRIP
        # A bright field, and the ball.
        assert np.unique(pixels).size > 1
        assert np.median(pixels) == 255


@pytest.mark.parametrize(("counts", "counted"), [(("NoSuch", "StreamAnnouncedBufferCount"), True), ((), False)])
def test_a_count_of_resent_packets_is_the_streams_own_where_it_has_one(
    counts: tuple[str, ...], counted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This producer has none, so another count of its stream stands for it: the way to it is the same."""
    if counts:
        monkeypatch.setattr("daemon.cameras.gentl.RESENT_COUNTS", counts)
    one = camera(tmp_path)
    one.open(lambda _: None)
    try:
        one.start()
        strips_of(one, 2)
        assert one.status().losses.get(Loss.RESENT) == (0 if counted else None)
        assert one._device is not None
        filled = None
        while filled is None:
            filled = one._device.next(0.5)
        assert filled.resent == (one._device.buffers if counted else None)
    finally:
        one.close()


def test_its_switch_comes_with_the_strips_and_lies_at_the_bounces(tmp_path: Path) -> None:
    one = camera(tmp_path)
    one.open(lambda _: None)
    try:
        one.start()
        edges = [edge for strip in strips_of(one, 2 * BOUNCE_STRIPS) for edge in strip.edges]
        lost = one.status().losses[Loss.MISSING]
    finally:
        one.close()
    assert [edge.rising for edge in edges][:2] == [True, False]
    # The ball flies from wall to wall in the same number of strips; beside lost ones an edge is put farther out.
    assert abs(edges[1].row - edges[0].row - BOUNCE_STRIPS * STRIP) <= (1 + lost) * STRIP


def test_strips_that_find_no_buffer_are_a_gap_of_as_many_rows_and_counted(tmp_path: Path) -> None:
    one = camera(tmp_path, buffers=4)
    one.open(lambda _: None)
    try:
        one.start()
        before = strips_of(one, 1)[-1]
        # The producer goes on, and nobody gives its buffers back.
        time.sleep(0.3)
        strips = [before, *strips_of(one, 8)]
        with capture_logs() as logs:
            lost = one.status().losses[Loss.MISSING]
            one.status()
    finally:
        one.close()
    assert [line["lost"] for line in logs] == [{"strip missing": lost}], "each loss is told once"
    assert lost >= 10
    assert strips[-1].block - before.block == 8 + lost
    assert strips[-1].first_row - before.first_row == (8 + lost) * STRIP


def test_a_camera_that_is_taken_away_is_opened_again_and_the_rows_between_are_missing(tmp_path: Path) -> None:
    one = camera(tmp_path)
    one.open(lambda _: None)
    with capture_logs() as logs:
        try:
            one.start()
            before = strips_of(one, 3)[-1]
            # The driver's device is closed behind the camera's back: every further call of the driver fails for real.
            one._device._device.close()  # type: ignore[union-attr]
            assert one.next_strip(np.zeros((STRIP, WIDTH), np.uint8), 0.1) is NoStrip.WAITING
            assert (one.status().serial, one.status().fault) == ("0 is away", "camera 0 is away")
            assert one.status().buffers == 0
            after = strips_of(one, 3)
            status = one.status()
        finally:
            one.close()
    assert after[0].first_row > before.first_row + STRIP
    assert after[0].block > before.block + 1
    assert after[0].first_row - before.first_row >= STRIP + 64, "a sheet that came meanwhile lacks rows"
    assert all((strip.first_row - after[0].first_row) % STRIP == 0 for strip in after)
    assert status.losses[Loss.REMOVED] == 1
    assert status.serial == "0"
    assert [line["event"] for line in logs if line["log_level"] in ("error", "warning")] == [
        "the camera is away, and is looked for",
        "the camera is back",
    ]


def test_a_camera_that_delivers_nothing_while_its_switch_moves_is_frozen(tmp_path: Path) -> None:
    """The ball's size stands for the switch: a feature of the real device, changed after the device was stopped."""
    one = camera(tmp_path, switch_feature="BouncingBallSize")
    one.open(lambda _: None)
    into = np.zeros((STRIP, WIDTH), np.uint8)
    with capture_logs() as logs:
        try:
            one.start()
            strips_of(one, 2)
            device = one._device
            assert device is not None
            device.features.write("AcquisitionStop", "true")
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                one.next_strip(into, 0.1)
            assert not logs, "a belt that stands is no fault"
            device.features.write("BouncingBallSize", "39")
            until = time.monotonic() + 10.0
            while time.monotonic() < until and not logs:
                assert one.next_strip(into, 0.05) is NoStrip.WAITING
        finally:
            one.close()
    assert [line["event"] for line in logs] == ["the camera is frozen: no strip, although the line moves"]
    assert logs[0]["moved"] == ["BouncingBallSize"]
    assert one.status().losses[Loss.FROZEN] == 1


def test_a_frozen_camera_is_opened_anew_and_sheets_that_its_switch_saw_meanwhile_are_plates_without_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.cameras.motion._RESTART_S", 4.0)
    # An even size of the ball is no sheet, and an odd one is a sheet.
    one = camera(tmp_path, switch_feature="BouncingBallSize", switch_bit=0)
    one.open(lambda _: None)
    machine, plates = Assembler(load_recipe("P10B"), "skip", switch=SwitchState(1, count=0)), []
    machine.handle(SlotsFree((Place(0, 1, WIDTH),)))
    try:
        one.start()
        for strip in strips_of(one, 2):
            machine.handle(StripDelivered(0, strip, 0.0))
        device = one._device
        assert device is not None
        device.features.write("AcquisitionStop", "true")
        into, until = np.zeros((STRIP, WIDTH), np.uint8), time.monotonic() + 30
        for size, level in [("40", False), ("39", True), ("40", False), ("39", True), ("40", False)]:
            device.features.write("BouncingBallSize", size)
            asked_at = one._asked_at
            while (one._frames._level != level or one._asked_at == asked_at) and time.monotonic() < until:
                one.next_strip(into, 0.05)
        while one._device is device and time.monotonic() < until:
            one.next_strip(into, 0.05)
        for strip in strips_of(one, 5):
            done = machine.handle(StripDelivered(0, strip, 0.0))
            plates += [order for order in done if isinstance(order, PlateClosed)]
        assert one._device is not device
    finally:
        one.close()
    assert one.status().losses[Loss.FROZEN] == 1
    assert len(plates) == 2
    assert all(Cause.ROWS_MISSING in plate.causes for plate in plates)


def test_the_configurations_of_the_page_are_read_and_the_ball_is_filmed_as_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "genicam-camera.md").read_text(encoding="utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    maker, aravis, emulator, ball = (tmp_path / f"{number}.yaml" for number in range(4))
    for path, block in zip((maker, aravis, emulator, ball), blocks, strict=True):
        path.write_text(block.replace("producer: viky.cti", f"producer: {producer()}"), encoding="utf-8")
    assert load_config(maker).camera.features["TriggerMode"] == "On"
    assert load_config(aravis).camera.device == "192.168.1.20"
    assert load_config(emulator).camera.interface == "BaslerCamEmu"
    camera = GentlCamera(CameraOrder(load_config(ball), load_recipe("P10B"), tmp_path))
    conforms(camera, STRIP, WIDTH, strips=3)


def test_what_a_driver_says_of_a_frame_is_not_believed_beyond_its_bytes(tmp_path: Path) -> None:
    one = camera(tmp_path, switch_feature=None)
    one.open(lambda _: None)
    into, row = np.full((STRIP, WIDTH), 7, np.uint8), np.zeros(WIDTH, np.uint8)
    device = one._device
    assert device is not None
    try:
        one.start()
        assert one._delivered(device, Filled(row, 2, whole=True, id=1), into) is NoStrip.WAITING
        assert one._delivered(device, Filled(row, 1, whole=True, id=2, padding=1), into) is NoStrip.WAITING
        assert one._delivered(device, Filled(row, 0, whole=True, id=3), into) is NoStrip.WAITING
        assert (into == 7).all()
        with pytest.raises(CameraError, match=f"delivered 101 x None px, and was set to {STRIP} x {WIDTH}"):
            one._delivered(device, Filled(row, STRIP + 1, whole=True, id=4), into)
        with pytest.raises(CameraError, match="delivered 1 x 699 px"):
            one._delivered(device, Filled(row, 1, whole=True, width=WIDTH - 1, id=4), into)
        strip = one._delivered(device, Filled(row, 1, whole=True, width=WIDTH, id=4), into)
        assert strip == Strip(3, 3 * STRIP, 1, (), level=False, losses=(("packet missing", 2), ("strip failed", 1)))
        assert (into[0] == 0).all()
        told = one.status().losses
        assert {cause: count for cause, count in told.items() if count} == {Loss.PACKET: 2, Loss.FAILED: 1}
    finally:
        one.close()


def test_a_camera_that_is_lost_while_it_is_set_up_is_said_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = camera(tmp_path)
    opened = one.open_device()
    assert isinstance(opened, GentlDevice)
    # Its driver closes it, and every call of the features fails for real.
    opened._device.close()
    monkeypatch.setattr(one, "open_device", lambda: opened)
    with pytest.raises(CameraError, match="the camera 0 cannot be set up: "):
        one.open(lambda _: None)
    again = camera(tmp_path)
    again.open(lambda _: None)
    again.close()


def test_what_was_set_is_read_back_and_logged(tmp_path: Path) -> None:
    one = camera(tmp_path)
    with capture_logs() as logs:
        one.open(lambda _: None)
    one.close()
    (told,) = [line for line in logs if line["event"] == "camera is set up"]
    assert told["features"] == {
        "PixelFormat": "Mono8",
        "ComponentEnable[Range]": "false",
        "ChunkEnable[NrBounces]": "true",
        "ChunkEnable[Scan3dData]": "false",
        "AcquisitionFrameRate": "100",
        "BouncingBallSize": "40",
        "Width": str(WIDTH),
        "Height": str(STRIP),
    }


def test_a_whole_number_may_be_hexadecimal(tmp_path: Path) -> None:
    one = camera(tmp_path, features={**FEATURES, "BouncingBallSize": "0x28"})
    with capture_logs() as logs:
        one.open(lambda _: None)
    one.close()
    (told,) = [line for line in logs if line["event"] == "camera is set up"]
    assert told["features"]["BouncingBallSize"] == "40"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"features": {"PixelFomat": "Mono8"}},
            "the camera has no feature PixelFomat; the nearest it has: PixelFormat",
        ),
        ({"features": {"PixelFormat": "Mono12"}}, "PixelFormat cannot be Mono12; the nearest it can: Mono8"),
        ({"features": {"PixelFormat": "RGBa8"}}, "PixelFormat is RGBa8; linesentry reads Mono8, Mono10"),
        (
            {"features": {"ComponentEnable[Rang]": True}},
            "has the entry Rang; it has ComponentSelector: Intensity, Rang",
        ),
        ({"features": {"Width2": 1}}, "no feature Width2; the nearest it has: Width"),
        ({"features": {"PayloadSize": 5}}, "PayloadSize cannot be set to 5 as the camera is now"),
        ({"width": 5000}, "Width cannot be 5000; allowed: 100 to 800"),
        ({"line_rate_hz": 2e4}, "no feature AcquisitionLineRate; the nearest it has: AcquisitionFrameRate"),
        ({"switch_feature": "LineStatus"}, "camera.switch_feature: the camera has no feature LineStatus"),
        ({"device": None}, "there are 3 cameras: 0 .VikyTL_DEV_red., 1 .VikyTL_DEV_green., 2 .VikyTL_DEV_blue"),
        ({"device": "red"}, "camera.device: red is not there; there are: 0 .VikyTL_DEV_red"),
        ({"interface": "eth0"}, "camera.interface: the producer has no eth0; it has: VikyTL_ITF_UnivIF"),
        ({"producer": "/no.cti"}, "camera.producer: found /no.cti, which is no file"),
        ({"producer": __file__}, "camera.producer: .* does not work: .*invalid ELF header"),
    ],
)
def test_what_the_camera_lacks_or_refuses_is_said_with_what_it_has(
    changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    with pytest.raises(CameraError, match=why):
        camera(tmp_path, **changes).open(lambda _: None)


def test_a_chunk_that_does_not_come_is_said_with_what_to_set(tmp_path: Path) -> None:
    one = camera(tmp_path, features={**FEATURES, "ChunkEnable[NrBounces]": False})
    one.open(lambda _: None)
    try:
        one.start()
        with pytest.raises(CameraError, match=r"did not come with the strip .*ChunkEnable\[NrBounces\]: true"):
            strips_of(one, 1)
    finally:
        one.close()


def test_without_the_package_the_command_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = camera(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CameraSetupError, match="found gentl, which needs the package genicam: run ") as told:
        one.open(lambda _: None)
    assert str(told.value).endswith(f"{sys.executable} -m pip install 'linesentry[gentl]'")
