"""The camera that comes with the binding `genicam`: a GenTL producer with three devices that film a bouncing ball.

Its chunk NrBounces counts the ball's bounces, and so its lowest bit is a switch that changes with each.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from config.load import load_config, load_recipe, with_overrides
from config.schema import Config
from daemon.cameras.gentl import GentlCamera
from daemon.cameras.registry import CameraOrder

needs_genicam = pytest.mark.skipif(
    importlib.util.find_spec("genicam") is None, reason="needs the package genicam (the extra [gentl])"
)
WIDTH, STRIP = 700, 100
FEATURES: dict[str, Any] = {
    "PixelFormat": "Mono8",
    "ComponentEnable[Range]": False,
    "ChunkEnable[NrBounces]": True,
    "ChunkEnable[Scan3dData]": False,
    "AcquisitionFrameRate": 100,
    "BouncingBallSize": 40,
}
BOUNCE_STRIPS = 60
"""From bounce to bounce, as the ball and the frame are here."""


def producer() -> Path:
    """The .cti file."""
    spec = importlib.util.find_spec("genicam")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "viky.cti"


def section(**changes: Any) -> dict[str, Any]:
    """The configuration's section `camera`."""
    return {
        "source": "gentl",
        "producer": str(producer()),
        "device": "VikyTL_DEV_red",
        "width": WIDTH,
        "strip_rows": STRIP,
        "features": FEATURES,
        "switch_feature": "ChunkNrBounces",
        "switch_bit": 0,
        **changes,
    }


def configured(**changes: Any) -> Config:
    """A configuration with that camera."""
    return with_overrides(load_config(None), {f"camera.{key}": value for key, value in section(**changes).items()})


def camera(directory: Path, **changes: Any) -> GentlCamera:
    """The camera, not open yet."""
    return GentlCamera(CameraOrder(configured(**changes), load_recipe("P10B"), directory))
