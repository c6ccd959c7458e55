"""Which of the devices that a driver knows is the camera that the configuration names."""

from __future__ import annotations

from collections.abc import Sequence

from stages.camera import CameraError, CameraSetupError

NONE_THERE = "no camera is there: check its power, its cable, camera.interface, and camera.producer where it has one"


def chosen(found: Sequence[dict[str, str]], device: str | None) -> int:
    """Index of the device that has this id, serial number or name; None: the only one.

    Args:
        found: id, vendor, model, serial and name of each device; what is not known is empty.
        device: `camera.device`.

    Raises:
        CameraError: no such device is there, or several of that name.
        CameraSetupError: there are several, and none is named.
    """
    if not found:
        raise CameraError(NONE_THERE)
    wanted = [index for index, words in enumerate(found) if device is None or device in words.values()]
    if len(wanted) == 1:
        return wanted[0]
    listed = ", ".join(map(_listed, found))
    if device is None:
        raise CameraSetupError(f"camera.device is missing, and there are {len(found)} cameras: {listed}")
    many = "is the name of several cameras" if wanted else "is not there"
    raise CameraError(f"camera.device: {device} {many}; there are: {listed}")


def _listed(words: dict[str, str]) -> str:
    """What it can be named by: serial number and id, where the one does not hold the other."""
    serial, id_ = words["serial"], words["id"]
    return id_ if serial in id_ else f"{serial} ({id_})"
