"""`camera.source: aravis`: a GigE Vision camera by the free library Aravis, without a driver of its maker.

The camera is opened by its address, so that nothing is looked for by broadcast.
"""

from __future__ import annotations

from contextlib import suppress
from ctypes import byref, c_int, c_size_t, c_uint64

import numpy as np

from config.schema import Camera
from daemon.cameras.aravis_features import AravisFeatures
from daemon.cameras.aravis_library import Aravis
from daemon.cameras.device import Device, DeviceLostError, Filled, Native
from daemon.cameras.device_camera import DeviceCamera
from daemon.cameras.features import FeatureError
from stages.camera import CameraError, CameraSetupError

_SUCCESS = 0
"""Of ArvBufferStatus."""
_IMAGES = (1, 4)
"""Of ArvBufferPayloadType: an image, and one with chunks behind it."""
_WORDS = {"vendor": "DeviceVendorName", "model": "DeviceModelName", "serial": "DeviceSerialNumber"}
_LEFT: list[Native] = []
"""Of cameras that were lost: to be freed before one is opened, one at a time, for each takes the library seconds."""
_OLD_SERIAL = "DeviceID"
"""What cameras before SFNC 2.0 call it."""


class AravisCamera(DeviceCamera):
    """The camera at the address `camera.device`."""

    def open_device(self) -> Device:
        """Take control of it."""
        return AravisDevice(self._camera)

    def devices(self) -> list[dict[str, str]]:
        """The one that is named: others would be found by broadcast only."""
        device = AravisDevice(self._camera)
        try:
            return [device.told()]
        finally:
            device.close()


class AravisDevice(Device):
    """A camera that is controlled by us."""

    def __init__(self, camera: Camera) -> None:
        self._aravis = aravis = Aravis()
        assert camera.device is not None
        self._address = self.serial = camera.device
        self._stream: Native = None
        self._held: Native = None
        self._camera: Native = None
        if _LEFT:
            aravis.call("g_object_unref", _LEFT.pop(0))
        if _LEFT:
            raise CameraError(f"the camera {camera.device} is being let go")
        for other in (b"USB3Vision", b"Fake"):
            aravis.call("arv_disable_interface", other)
        try:
            self._camera = aravis.do("arv_camera_new", camera.device.encode())
            device = aravis.call("arv_camera_get_device", self._camera)
            self.features = AravisFeatures(aravis, device)
            self.serial = self.told()["serial"] or camera.device
            controls = aravis.call("arv_gv_device_is_controller", device)
        except (DeviceLostError, FeatureError) as error:
            self.close()
            raise CameraError(
                f"no camera answers at camera.device {camera.device}: {error}; check its power, cable and address"
            ) from error
        if not controls:
            self.close()
            raise CameraError(f"the camera {camera.device} is in use by another program: close that one")

    def told(self) -> dict[str, str]:
        """What it says of itself; what it does not say is empty."""
        has = self.features.names()
        words = {word: self.features.read(name) if name in has else "" for word, name in _WORDS.items()}
        if not words["serial"] and _OLD_SERIAL in has:
            words["serial"] = self.features.read(_OLD_SERIAL)
        return {"id": self._address, **words, "name": ""}

    def start(self, buffers: int) -> None:
        """Begin to fill buffers of the library's."""
        aravis = self._aravis
        try:
            self._stream = aravis.do("arv_camera_create_stream", self._camera, None, None)
            size = aravis.do("arv_camera_get_payload", self._camera)
            for _ in range(buffers):
                aravis.call("arv_stream_push_buffer", self._stream, aravis.call("arv_buffer_new_allocate", size))
            aravis.do("arv_camera_start_acquisition", self._camera)
        except FeatureError as error:
            raise DeviceLostError(str(error)) from error
        self.buffers = buffers

    def next(self, timeout_s: float) -> Filled | None:
        """The next frame that the library has filled, or given up."""
        aravis = self._aravis
        self._give_back()
        micros = max(1, round(1e6 * timeout_s))
        buffer = self._held = aravis.call("arv_stream_timeout_pop_buffer", self._stream, micros)
        if buffer is None:
            self._still_ours()
            return None
        frame_id = int(aravis.call("arv_buffer_get_frame_id", buffer))
        resent = self._resent()
        if aravis.call("arv_buffer_get_status", buffer) != _SUCCESS:
            return Filled(np.empty(0, np.uint8), 0, whole=False, id=frame_id, resent=resent)
        if (kind := aravis.call("arv_buffer_get_payload_type", buffer)) not in _IMAGES:
            raise CameraError(
                f"the camera {self.serial} sends no plain image (payload type {kind}): set it to send one, in "
                "camera.features"
            )
        size, padding, below = c_size_t(), c_int(), c_int()
        data = aravis.call("arv_buffer_get_image_data", buffer, byref(size))
        aravis.call("arv_buffer_get_image_padding", buffer, byref(padding), byref(below))
        return Filled(
            np.ctypeslib.as_array(data, (size.value,)),
            int(aravis.call("arv_buffer_get_image_height", buffer)),
            whole=True,
            width=int(aravis.call("arv_buffer_get_image_width", buffer)),
            id=frame_id,
            padding=padding.value,
            resent=resent,
        )

    def chunk(self, name: str) -> str:
        """Not read: no camera was at hand that has any."""
        feature = name.removeprefix("Chunk")
        raise CameraSetupError(
            f"camera.switch_feature: {name} comes with each strip, which source aravis does not read: take {feature}"
        )

    def waiting(self) -> int:
        """Frames that are filled and not asked for."""
        empty, filled = c_int(), c_int()
        self._aravis.call("arv_stream_get_n_buffers", self._stream, byref(empty), byref(filled))
        return filled.value

    def stop(self) -> None:
        """Stop; what a camera that is gone says to it does not matter."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with suppress(FeatureError, DeviceLostError):
            self._still_ours()  # each word to a camera that is gone takes the library seconds
            self._aravis.do("arv_camera_stop_acquisition", self._camera)
        held, self._held = self._held, None
        if held is not None:
            self._aravis.call("arv_stream_push_buffer", stream, held)
        self._free(stream)

    def close(self) -> None:
        """Let go of it."""
        self.stop()
        camera, self._camera = self._camera, None
        if camera is not None:
            self._free(camera)

    # --- inside --------------------------------------------------------------------------------------------------

    def _free(self, thing: Native) -> None:
        if self._aravis.lost:
            _LEFT.append(thing)
        else:
            self._aravis.call("g_object_unref", thing)

    def _still_ours(self) -> None:
        """Raises DeviceLostError: it, or the library's own heartbeat, was not answered."""
        aravis = self._aravis
        device = aravis.call("arv_camera_get_device", self._camera)
        if aravis.lost or not aravis.call("arv_gv_device_is_controller", device):
            aravis.lost = True
            raise DeviceLostError("it does not answer")

    def _give_back(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._aravis.call("arv_stream_push_buffer", self._stream, held)

    def _resent(self) -> int:
        resent, missing = c_uint64(), c_uint64()
        self._aravis.call("arv_gv_stream_get_statistics", self._stream, byref(resent), byref(missing))
        return resent.value
