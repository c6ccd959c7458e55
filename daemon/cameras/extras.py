"""Packages that only some cameras need: loaded where their camera is opened, and asked for in words where missing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from types import ModuleType

from stages.camera import CameraSetupError

EXTRAS = {"gentl": "genicam", "pylon": "pypylon"}
"""`camera.source` to the package that it needs; the extra of linesentry is named as the source."""


def missing(source: str) -> str | None:
    """What to do where the package of that camera is not installed; None where it is, or none is needed."""
    package = EXTRAS.get(source)
    if package is None or importlib.util.find_spec(package) is not None:
        return None
    return (
        f"found {source}, which needs the package {package}: run {sys.executable} -m pip install 'linesentry[{source}]'"
    )


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
