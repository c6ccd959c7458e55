"""How `camera.source` becomes a camera that is open, or an error that says why not."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import load_config, load_recipe, with_overrides
from daemon.cameras.registry import CAMERAS, CameraOrder, open_camera
from stages.camera import CameraError, LineCamera

OWN = """
from stages.camera import CameraError, CameraStatus, LineCamera, NoStrip

said = []

class Camera(LineCamera):
    def __init__(self, order):
        said.append("made")
    def open(self, progress):
        progress("looks for it")
        said.append("open")
    def start(self):
        said.append("start")
    def next_strip(self, into, timeout_s):
        return NoStrip.ENDED
    def stop(self):
        said.append("stop")
    def close(self):
        said.append("close")
    def status(self):
        return CameraStatus()

class Unplugged(Camera):
    def open(self, progress):
        raise CameraError("no device")

class Switchless(Camera):
    has_switch = False

class Other:
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the camera module `own_cameras` says that was done to it."""
    (tmp_path / "own_cameras.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    sys.modules.pop("own_cameras", None)
    said: list[str] = importlib.import_module("own_cameras").said
    return said


def opened(source: str, tmp_path: Path, said: list[str]) -> LineCamera:
    config = with_overrides(load_config(None), {"camera.source": source})
    return open_camera(CameraOrder(config, load_recipe("P10B"), tmp_path), said.append)


def test_a_camera_of_ones_own_is_opened_by_module_and_class_and_not_started(own: list[str], tmp_path: Path) -> None:
    opened("own_cameras:Camera", tmp_path, own)
    assert own == ["made", "looks for it", "open"]


def test_a_camera_that_does_not_open_is_closed(own: list[str], tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no device"):
        opened("own_cameras:Unplugged", tmp_path, own)
    assert own == ["made", "close"]


def test_a_camera_without_a_switch_is_refused_since_no_sheet_would_be_seen(own: list[str], tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="has no switch, so no sheet would be seen"):
        opened("own_cameras:Switchless", tmp_path, own)
    assert own[-1] == "close"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("no_such_module:Camera", "No module named 'no_such_module'; install its package beside linesentry"),
        ("own_cameras:Nothing", "has no attribute 'Nothing'"),
        ("own_cameras:Other", "found no subclass of stages.camera.LineCamera"),
    ],
)
def test_what_is_no_camera_is_said(source: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=f"camera.source is {source}.*{why}"):
        opened(source, tmp_path, [])


@pytest.mark.parametrize("source", ["simulatr", "module", "module:", ":Class", "a b:C", "a:b:C", "os.system('x')"])
def test_a_source_that_can_be_no_camera_is_refused_with_the_configuration(source: str) -> None:
    with pytest.raises(
        ConfigError, match=r"camera.*allowed: simulator, folder, gentl, pylon, aravis, or module:Class of"
    ):
        with_overrides(load_config(None), {"camera.source": source, "camera.folder": "/"})


def test_the_configuration_knows_every_camera_that_ships(tmp_path: Path) -> None:
    for source in CAMERAS:
        given = {"camera.source": source, "camera.folder": tmp_path, "camera.producer": tmp_path / "x.cti"}
        given |= {"camera.interface": "BaslerUsb", "camera.device": "192.0.2.1"}
        assert with_overrides(load_config(None), given).camera.source == source


@pytest.mark.parametrize("unwanted", ["cv2", "torch", "simulator", "models.images", "tifffile", "genicam", "pypylon"])
def test_finding_a_camera_loads_nothing_of_those_that_are_not_opened(unwanted: str) -> None:
    code = f"import sys, daemon.cameras.registry, stages.camera; sys.exit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("module", ["replay", "folder", "simulated"])
def test_no_camera_loads_torch(module: str) -> None:
    code = f"import sys, daemon.cameras.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_folder_camera_loads_no_opencv() -> None:
    code = "import sys, daemon.cameras.folder; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("source", "rate", "waits"), [("folder", None, True), ("folder", 5.0, False), ("a:B", None, False)]
)
def test_only_a_replay_without_a_line_rate_waits(source: str, rate: float | None, waits: bool, tmp_path: Path) -> None:
    keys = {"camera.source": source, "camera.line_rate_hz": rate, "camera.folder": tmp_path}
    assert with_overrides(load_config(None), keys).camera.waits is waits
