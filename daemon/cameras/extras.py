"""Packages that only some cameras need: loaded where their camera is opened, and asked for in words where missing."""

from __future__ import annotations

import ctypes
import importlib
import warnings
from types import ModuleType

from models.machine import packages
from stages.camera import CameraSetupError

EXTRAS = {"gentl": "genicam", "pylon": "pypylon"}
"""`camera.source` to the package that it needs; the extra of linesentry is named as the source."""
ARAVIS = "libaravis-0.8.so.0"
NO_ARAVIS = "needs the library Aravis: run apt-get install libaravis-0.8-0"


def missing(source: str) -> str | None:
    """What to do where the package of that camera is not installed; None where it is, or none is needed."""
    why = packages.missing(EXTRAS[source], source) if source in EXTRAS else None
    if source == "aravis":
        try:
            ctypes.CDLL(ARAVIS)
        except OSError:
            why = NO_ARAVIS
    return None if why is None else f"found {source}, which {why}"


def load(source: str, module: str) -> ModuleType:
    """That module of the package that the camera needs. Raises CameraSetupError: it is not installed."""
    why = missing(source)
    if why is not None:
        raise CameraSetupError(f"camera.source: {why}")
    try:
        with warnings.catch_warnings():
            # Bindings made by SWIG warn while they load, and crash where a warning is an error.
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as error:
        raise CameraSetupError(f"camera.source: {module} is installed and cannot be loaded: {error}") from error
