"""How a camera is found by `camera.source` and opened."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.schema import Config, Recipe
from stages.camera import CameraSetupError, LineCamera, Progress

CAMERAS = {
    "simulator": "daemon.cameras.simulated:SimulatedCamera",
    "folder": "daemon.cameras.folder:FolderCamera",
    "gentl": "daemon.cameras.gentl:GentlCamera",
    "pylon": "daemon.cameras.pylon:PylonCamera",
    "aravis": "daemon.cameras.aravis:AravisCamera",
}
"""`camera.source` to module and class; a module, and what it needs, is loaded only where its camera is opened."""

TRUTH_FILE = "truth.json"
"""File of the order's directory in which a camera that knows its sheets' true defects says them."""


@dataclass(frozen=True, slots=True)
class CameraOrder:
    """What a camera's constructor is given."""

    config: Config
    """`config.camera` is the camera's own section."""
    recipe: Recipe
    """The product that passes."""
    directory: Path
    """Directory of this run, for files that its other processes may read."""
    plates: int | None = None
    """Sheets after which a replay ends; None: when its images are through, or never."""
    passed: int = 0
    """Sheets that an earlier camera of this run has shown: a replay of files goes on with the next."""


def open_camera(order: CameraOrder, progress: Progress) -> LineCamera:
    """The camera that `camera.source` names, opened and not yet started.

    Raises:
        CameraError: it cannot be opened; CameraSetupError: there is no such camera, or it has no switch.
    """
    camera = open_any_camera(order, progress)
    if order.config.camera.switch.source == "camera" and not camera.has_switch:
        camera.close()
        raise CameraSetupError(
            f"the camera {order.config.camera.source} has no switch, so no sheet would be seen: "
            "wire the photoelectric switch to the camera and name it in camera.switch_feature, or set camera.switch"
        )
    return camera


def open_any_camera(order: CameraOrder, progress: Progress) -> LineCamera:
    """The same, also of a camera without a switch: to look at what it delivers. Raises CameraError."""
    camera = camera_class(order.config.camera.source)(order)
    try:
        camera.open(progress)
    except BaseException:
        camera.close()
        raise
    return camera


def camera_class(source: str) -> Callable[[CameraOrder], LineCamera]:
    """The class that `camera.source` names; its module is imported. Raises CameraSetupError."""
    module, _, name = CAMERAS.get(source, source).partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CameraSetupError(
            f"camera.source is {source}: {error}; install its package beside linesentry, or correct the name"
        ) from error
    except Exception as error:  # a module of somebody else's may raise anything
        raise CameraSetupError(f"camera.source is {source}: its module cannot be imported: {error!r}") from error
    if not (isinstance(found, type) and issubclass(found, LineCamera)):
        raise CameraSetupError(f"camera.source is {source}: found no subclass of stages.camera.LineCamera there")
    maker: Callable[[CameraOrder], LineCamera] = found
    return maker
