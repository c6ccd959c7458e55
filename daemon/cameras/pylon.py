"""`camera.source: pylon`: Basler's cameras by Basler's own driver, and the camera emulator that comes with it.

Only the device class that `camera.interface` names is searched: pylon would look for cameras on every network
otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from config.schema import Camera
from daemon.cameras.choice import chosen
from daemon.cameras.device import RESENT_COUNTS, Device, DeviceLostError, Filled, Native
from daemon.cameras.device_camera import DeviceCamera
from daemon.cameras.extras import load
from daemon.cameras.features import plain
from daemon.cameras.pylon_features import PylonFeatures
from stages.camera import CameraError

EMULATOR = "BaslerCamEmu"
_NO_ID = 2**64 - 1
"""The block id of a camera that has none."""


class PylonCamera(DeviceCamera):
    """A device of the class `camera.interface`."""

    def open_device(self) -> Device:
        """The device that `camera.device` names, or the only one."""
        return PylonDevice(self._camera)

    def devices(self) -> list[dict[str, str]]:
        """The devices of that class."""
        return [_told(info) for info in _found(_pylon(self._camera), self._camera)]


def _pylon(camera: Camera) -> Native:
    if camera.interface == EMULATOR:
        os.environ.setdefault("PYLON_CAMEMU", "1")
    return load("pylon", "pypylon.pylon")


def _found(pylon: Native, camera: Camera) -> list[Native]:
    wanted = pylon.DeviceInfo()
    wanted.SetDeviceClass(camera.interface)
    try:
        return list(pylon.TlFactory.GetInstance().EnumerateDevices([wanted]))
    except pylon.GenericException as error:
        raise CameraError(f"camera.interface: {camera.interface} cannot be searched: {plain(error)}") from error


def _told(info: Native) -> dict[str, str]:
    return {
        "id": info.GetFullName(),
        "vendor": info.GetVendorName(),
        "model": info.GetModelName(),
        "serial": info.GetSerialNumber(),
        "name": info.GetUserDefinedName(),
    }


class PylonDevice(Device):
    """A device that is open."""

    serial = "?"

    def __init__(self, camera: Camera) -> None:
        self._pylon = _pylon(camera)
        self._genicam = load("pylon", "pypylon.genicam")
        self._held: Native = None
        self._resent: Native = None
        """Its count of packets that were sent again."""
        found = _found(self._pylon, camera)
        info = found[chosen([_told(one) for one in found], camera.device)]
        self.serial = info.GetSerialNumber()
        self._camera: Native = self._pylon.InstantCamera()
        try:
            self._camera.Attach(self._pylon.TlFactory.GetInstance().CreateDevice(info))
            self._camera.Open()
            self.features = PylonFeatures(self._genicam, self._camera)
        except self._pylon.GenericException as error:
            self.close()
            raise CameraError(
                f"the camera {self.serial} cannot be opened: {plain(error)}; does another program have it?"
            ) from error

    def start(self, buffers: int) -> None:
        """Begin, every frame in its order."""
        with self._loss():
            self._camera.MaxNumBuffer.Value = buffers
            nodes = self._camera.GetStreamGrabberNodeMap()
            self._resent = next((node for name in RESENT_COUNTS if (node := nodes.GetNode(name)) is not None), None)
            self._camera.StartGrabbing(self._pylon.GrabStrategy_OneByOne)
        self.buffers = buffers

    def next(self, timeout_s: float) -> Filled | None:
        """The next frame that the driver has filled."""
        self._give_back()
        with self._loss():
            if self._camera.IsCameraDeviceRemoved():
                raise DeviceLostError("it was removed")
            milliseconds = max(0, round(1000 * timeout_s))
            result = self._camera.RetrieveResult(milliseconds, self._pylon.TimeoutHandling_Return)
            if result is None or not result.IsValid():
                return None
            self._held = result
            number = None if result.BlockID == _NO_ID else int(result.BlockID)
            resent = self._count_resent()
            if not result.GrabSucceeded():
                return Filled(np.empty(0, np.uint8), 0, whole=False, id=number, resent=resent)
            data = np.frombuffer(result.GetImageMemoryView(), np.uint8)
            width, padding = int(result.Width), int(result.PaddingX)
            return Filled(data, int(result.Height), True, width, number, padding, resent=resent)

    def chunk(self, name: str) -> str:
        """A value that came with the last frame."""
        return PylonFeatures(self._genicam, self._camera, self._held.ChunkDataNodeMap).read(name)

    def waiting(self) -> int:
        """Frames that are filled and not asked for."""
        with self._loss():
            return int(self._camera.NumReadyBuffers.Value)

    def stop(self) -> None:
        """Stop; what a device that is gone says to it does not matter."""
        self._give_back()
        self._quietly(self._camera.StopGrabbing)

    def close(self) -> None:
        """Let go of the device."""
        self.stop()
        self._quietly(self._camera.Close)
        self._quietly(self._camera.DestroyDevice)

    def _count_resent(self) -> int | None:
        readable = self._resent is not None and self._genicam.IsReadable(self._resent)
        return int(self._resent.Value) if readable else None

    def _give_back(self) -> None:
        result, self._held = self._held, None
        if result is not None:
            self._quietly(result.Release)

    def _quietly(self, step: Callable[[], object]) -> None:
        with suppress(self._pylon.GenericException):
            step()

    @contextmanager
    def _loss(self) -> Iterator[None]:
        try:
            yield
        except self._pylon.GenericException as error:
            raise DeviceLostError(plain(error)) from error
