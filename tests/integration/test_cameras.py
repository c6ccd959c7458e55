"""The service with a camera that is no replay: the documented one, over a real connection; standing, hanging, gone.

And one by a GenTL producer, from its driver's buffers to the verdict.
"""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from daemon.cameras.simulated import product_of
from daemon.store.state import ROOT
from simulator.sheets.sheet import render
from stages.plate import Cause, Verdict
from tests.daemon.cameras import viky
from tests.daemon.cameras.grabber import Grabber, Sent, documented_camera
from tests.daemon.cameras.test_pylon import needs_pypylon
from tests.integration.conftest import COLUMNS, Service
from tests.integration.emulated_camera import ORDER_VARIABLE

Make = Callable[..., Service]

ROWS, WIDTH, STRIP = 1280, 2048, 128
"""A sheet of ten strips, so that the grabber, which looks at its switch once a strip, sees its true length."""
HANG_S = 1.5
OWN = '''
import time
from stages.camera import CameraError, CameraStatus, LineCamera, NoStrip

class Stuck(LineCamera):
    """Comes back from its driver far too late, once a process."""
    def __init__(self, order): ...
    def open(self, progress): ...
    def start(self): ...
    def next_strip(self, into, timeout_s):
        time.sleep(600)
    def stop(self): ...
    def close(self): ...
    def status(self):
        return CameraStatus()

class Unplugged(Stuck):
    def next_strip(self, into, timeout_s):
        raise CameraError("the cable is out; push it in")
    def close(self):
        print("camera closed", flush=True)
'''


def camera_service(service: Make, directory: Path, source: str, hang_s: float = HANG_S) -> Service:
    """A service with that camera, whose module lies in `directory`; silence is a hang after `hang_s`.

    It has a buffer for each strip, since the grabber sends as fast as it can.
    """
    (directory / "tcp_camera.py").write_text(documented_camera(), encoding="utf-8")
    (directory / "own_cameras.py").write_text(OWN, encoding="utf-8")
    return service(
        camera={"source": source, "device": None, "strip_rows": STRIP, "width": WIDTH, "buffers": 32},
        recipe={"length": {"nominal_rows": ROWS}, "columns": {"first": 300, "last": 300 + COLUMNS}},
        restart={"hang_s": hang_s, "budget": 2, "period_s": 60.0},
    )


def strips_of(one: Service) -> list[Sent]:
    """A sheet between empty belts, cut into strips: the switch is half a strip, its offset, before the sheet."""
    empty = np.full((STRIP, WIDTH), 10, np.uint8)
    rows = np.full((ROWS + 6 * STRIP, WIDTH), 10, np.uint8)
    first = 2 * STRIP + one.recipe.offset_rows
    rows[first : first + ROWS, 300 : 300 + COLUMNS] = render(product_of(one.recipe), 5, 0).image
    blocks = [rows[row : row + STRIP] for row in range(0, len(rows), STRIP)]
    sheet = range(2, 2 + ROWS // STRIP)
    return [(number in sheet, pixels) for number, pixels in enumerate([*blocks, empty])]


class Systemd:
    """Hears what the service says to systemd."""

    def __init__(self, path: Path) -> None:
        self.pings = 0
        """Pings of the watchdog."""
        self.environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            if message == b"WATCHDOG=1":
                self.pings += 1


def stay_while_it_stands(one: Service, systemd: Systemd, times: int) -> None:
    """Until it has stood for the so manyth time, for longer than a hang, and was called well all the while."""
    told = one.wait_for(lambda: one.logged("no strip comes: the line stands")[times - 1 :])
    assert told[0]["silent_s"] > HANG_S
    pinged = systemd.pings
    one.wait_for(lambda: systemd.pings > pinged + 3)
    assert json.loads(one.ask("/healthz"))["status"] == "ok"


def test_a_belt_that_stands_is_waited_for_and_the_sheet_under_the_camera_keeps_its_verdict(
    service: Make, tmp_path: Path
) -> None:
    """The documented camera, as it stands in the docs, over TCP: it stands before the sheet and in its middle."""
    one = camera_service(service, tmp_path, "tcp_camera:TcpCamera")
    systemd = Systemd(tmp_path / "notify")
    stands = {1: threading.Event(), 6: threading.Event()}
    try:
        with Grabber(strips_of(one), STRIP, stands) as grabber:
            config = one.config.read_text(encoding="utf-8")
            one.config.write_text(config.replace("device: null", f"device: {grabber.address}"), encoding="utf-8")
            one.start(1, {"PYTHONPATH": str(tmp_path), **systemd.environment})
            one.wait_for(lambda: one.logged("service ready"))
            for times, goes_on in enumerate(stands.values(), 1):
                stay_while_it_stands(one, systemd, times)
                goes_on.set()
            assert one.finish() == 0, one.stderr()
    finally:
        systemd.close()
    assert not one.logged("process ended")
    assert len(one.logged("strips come again")) == 2
    (row,) = one.verdicts().values()
    assert (row.rows, row.verdict) == (ROWS, Verdict.OK), row.reason


def test_a_camera_that_stays_away_is_a_hang_and_is_found(service: Make, tmp_path: Path) -> None:
    one = camera_service(service, tmp_path, "own_cameras:Stuck")
    one.start(1, {"PYTHONPATH": str(tmp_path)})
    one.wait_for(lambda: one.logged("process ended", process="line-0", reason="hang"))
    one.wait_for(lambda: one.logged("process ended", process="acquire-0", reason="line restarted"))


def test_a_camera_that_fails_is_let_go_and_said_and_its_role_is_lost_when_that_does_not_end(
    service: Make, tmp_path: Path
) -> None:
    one = camera_service(service, tmp_path, "own_cameras:Unplugged", hang_s=60.0)
    one.start(1, {"PYTHONPATH": str(tmp_path)})
    assert one.finish() == 1
    failed = one.logged("the camera does not work", source="own_cameras:Unplugged")
    assert {line["error"] for line in failed} == {"the cable is out; push it in"}
    assert one.stdout().count("camera closed") == len(failed) == 3
    assert "Traceback" not in one.stderr()
    assert {line["reason"] for line in one.logged("process ended", process="line-0")} == {"died"}
    assert all(Cause.ROLE_LOST in row.causes for row in one.verdicts().values())


def test_every_file_of_a_folder_has_one_verdict_and_is_named_in_it_though_the_line_dies(
    service: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "sheets"
    folder.mkdir()
    one = service(camera={"source": "folder", "folder": str(folder), "line_rate_hz": 3000})
    sheet = render(product_of(one.recipe), 5, 0).image
    good = bytes(imagecodecs.png_encode(sheet))
    for name, data in {
        "1.png": good,
        "2.png": good[:-5000],
        "3.png": bytes(imagecodecs.png_encode(np.pad(sheet, ((0, 0), (0, 100))))),
        "4.tif": good,
        "5.png": good,
        "10.png": b"",
    }.items():
        (folder / name).write_bytes(data)
    one.start()
    one.wait_for(lambda: 4 in one.plates() if one.logged("plate final") else False)
    one.kill("line-0")
    assert one.finish() == 3
    rows = sorted(one.verdicts().values(), key=lambda row: row.plate)
    assert [row.image for row in rows] == ["1.png", "2.png", "3.png", "4.tif", "5.png", "10.png"]
    causes = {row.image: row.causes for row in rows}
    assert causes["1.png"] == ()
    assert causes["2.png"] == (Cause.UNREADABLE,)
    assert causes["3.png"] == (Cause.WRONG_WIDTH,)
    # The line dies about the two good pictures before the last: what it cut short or let pass says so.
    cut = {Cause.ACQUISITION_DIED, Cause.NO_ROWS}
    assert all(not causes[image] or cut & set(causes[image]) for image in ("4.tif", "5.png")), causes
    assert causes["10.png"] == (Cause.UNREADABLE,)
    assert {line["image"] for line in one.logged("plate final")} == {row.image for row in rows}


@viky.needs_genicam
def test_a_genicam_camera_is_inspected_from_its_producer_to_the_verdict(service: Make) -> None:
    rows = viky.BOUNCE_STRIPS * viky.STRIP
    one = service(
        camera=viky.section(buffers=16, features={**viky.FEATURES, "AcquisitionFrameRate": 50}),
        recipe={"length": {"nominal_rows": rows}, "columns": {"first": 0, "last": viky.WIDTH}},
        overload="skip",
    )
    one.start()
    one.wait_for(lambda: len(one.finals()) >= 2)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    assert one.logged("camera is set up", camera="0")
    plates = list(one.verdicts().values())[:2]
    for plate in plates:
        assert plate.camera == "0"
        assert plate.rows is not None
        complete = Cause.ROWS_MISSING not in plate.causes
        assert abs(plate.rows - rows) <= viky.STRIP or not complete, plate.reason
        # The field is white: too bright to be a sheet, so the picture came through to the gates.
        assert plate.verdict is not Verdict.OK
        assert {Cause.BRIGHTNESS, Cause.SATURATION, Cause.COVERAGE} & set(plate.causes), plate.reason


@needs_pypylon
def test_buffers_that_fail_and_a_camera_that_is_pulled_out_have_the_right_verdicts(
    service: Make, tmp_path: Path
) -> None:
    """Basler's emulator shows a sheet over and over: whole, with two strips lost, pulled out in its middle, whole."""
    folder = tmp_path / "strips"
    folder.mkdir()
    one = service(
        camera={
            "source": "tests.integration.emulated_camera:Emulated",
            "interface": "BaslerCamEmu",
            "width": WIDTH,
            "strip_rows": STRIP,
            "buffers": 16,
            "switch_feature": "UserOutputValue",
            "features": {
                "TestImageSelector": "Off",
                "ImageFilename": str(folder),
                "ImageFileMode": "On",
                "ExposureTime": 1,
                "AcquisitionFrameRate": 15,
            },
        },
        recipe={"length": {"nominal_rows": ROWS}, "columns": {"first": 300, "last": 300 + COLUMNS}},
        overload="skip",
        slots=8,
    )
    strips = strips_of(one)[:-1]
    for number, (_, pixels) in enumerate(strips):
        tifffile.imwrite(folder / f"{number:02}.tif", pixels)
    # Strips fail within the second sheet; the camera is pulled out in the third, and begins anew.
    cycle = len(strips)
    faults = {str(cycle + 6): "buffers", str(2 * cycle + 5): "removal"}
    order = json.dumps({"levels": [level for level, _ in strips], "faults": faults})
    one.start(None, {ORDER_VARIABLE: order, "PYTHONPATH": str(ROOT)})
    one.wait_for(lambda: len(one.finals()) >= 4)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    whole, failed, pulled, after = [one.verdicts()[plate] for plate in (1, 2, 3, 4)]
    for row in (whole, after):
        assert (row.verdict, row.rows) == (Verdict.OK, ROWS), row.reason
    for row in (failed, pulled):
        assert row.verdict is Verdict.INCONCLUSIVE, row.reason
        assert Cause.ROWS_MISSING in row.causes
    assert failed.rows == ROWS
    assert (whole.losses, failed.losses, pulled.losses, after.losses) == (
        {},
        {"packet missing": 2},
        {"camera away": 1},
        {},
    )
    assert [line["cause"] for line in one.logged("the camera is away, and is looked for")] == ["camera away"]
    assert not one.logged("process ended")
