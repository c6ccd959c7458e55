"""Files of features: as Basler's own software saves them, and as nobody should."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemon.cameras.extras import load
from daemon.cameras.feature_file import read_feature_file
from daemon.cameras.pylon import PylonDevice
from stages.camera import CameraError, CameraSetupError
from tests.daemon.cameras import viky
from tests.daemon.cameras.test_pylon import made, needs_pypylon


@needs_pypylon
def test_what_pylon_saved_is_set_and_what_it_changed_is_told(tmp_path: Path) -> None:
    one, file = made(tmp_path, tmp_path), tmp_path / "saved.pfs"
    device = one.open_device()
    assert isinstance(device, PylonDevice)
    try:
        for name, value in [("ExposureTime", "123"), ("PixelFormat", "Mono12"), ("ReverseX", "true")]:
            device.features.write(name, value)
        device.features.write("LineSelector", "Line2")
        device.features.write("LineInverter", "true")
        load("pylon", "pypylon.pylon").FeaturePersistence.Save(str(file), device._camera.GetNodeMap())
    finally:
        device.close()
    fresh = made(tmp_path, tmp_path, feature_file=file, features={"Gain": 3}, width=1024, strip_rows=256)
    with capture_logs() as logs:
        fresh.open(lambda _: None)
    fresh.close()
    (told,) = [line for line in logs if line["event"] == "feature file is loaded"]
    assert told["changed"]["PixelFormat"] == ("Mono8", "Mono12")
    assert told["changed"]["ReverseX"] == ("false", "true")
    assert told["changed"]["LineInverter[Line2]"] == ("false", "true")
    assert float(told["changed"]["ExposureTime"][1]) == 123
    assert "LineInverter[Line1]" not in told["changed"]
    assert "Gain" not in told["changed"]


@viky.needs_genicam
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            b"# made by hand\nWidth\t700\nnonsense\n",
            r"f.pfs:3: is no feature: a name, a tab and a value stand in a line",
        ),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"Width\t700\n" * 200_000, "is larger than 1 MiB"),
        (b"Wdth\t700\n", "camera.feature_file: the camera has no feature Wdth; the nearest it has: Width"),
        (b"PixelFormat\tMono12\nHeight\t-1\n", "PixelFormat cannot be Mono12 .*; Height cannot be -1 .*"),
    ],
)
def test_a_file_that_is_none_or_asks_for_what_there_is_not_is_refused(tmp_path: Path, text: bytes, why: str) -> None:
    (tmp_path / "f.pfs").write_bytes(text)
    with pytest.raises(CameraSetupError, match=why):
        viky.camera(tmp_path, feature_file=tmp_path / "f.pfs").open(lambda _: None)


@needs_pypylon
def test_the_order_of_a_file_need_not_be_that_in_which_its_values_are_allowed(tmp_path: Path) -> None:
    """The greatest OffsetX depends on the Width that comes after it."""
    file = tmp_path / "f.pfs"
    file.write_text("OffsetX\t3500\nWidth\t512\n", encoding="utf-8")
    one = made(tmp_path, tmp_path, feature_file=file, features={}, width=512, strip_rows=256)
    with capture_logs() as logs:
        one.open(lambda _: None)
    one.close()
    assert logs[0]["changed"] == {"OffsetX": ("0", "3500"), "Width": ("1024", "512")}


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"camera.feature_file: .*no.pfs: No such file or directory"):
        read_feature_file(tmp_path / "no.pfs")
