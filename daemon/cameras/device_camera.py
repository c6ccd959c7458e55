"""A camera with a driver of its own, whose features have GenICam SFNC names: what all such cameras share.

It is asked whether it lives while no strip comes; one that went away is opened again and again, ever more rarely, and
the line waits for it. What passed meanwhile is lost, so that the plate in the beam is INCONCLUSIVE.
"""

from __future__ import annotations

import time
from abc import abstractmethod

import numpy as np
import structlog
from numpy.typing import NDArray

from config.schema import Camera
from daemon.cameras.device import Device, DeviceLostError, Filled
from daemon.cameras.feature_file import load_features, read_feature_file
from daemon.cameras.features import FeatureError, Setting, Value, is_true, lacking, number, set_features
from daemon.cameras.frames import Frame, FrameCounter
from daemon.cameras.motion import Motion
from daemon.cameras.pixels import FORMATS, Converter
from daemon.cameras.registry import CameraOrder
from stages.camera import CameraError, CameraSetupError, CameraStatus, LineCamera, Loss, NoStrip, Progress, Strip

_ALIVE_S = 0.2
"""Seconds between two questions to a camera that delivers nothing."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
"""Before a camera that went away is looked for; twice as long each time."""
_CAUSES = (Loss.MISSING, Loss.PACKET, Loss.REPEATED, Loss.FAILED, Loss.REMOVED, Loss.FROZEN)
_SAID = (Loss.REMOVED, Loss.FROZEN, Loss.RESENT)
"""They have lines of their own in the log, or lose no rows."""
_CHUNK = "Chunk"
"""Values whose names begin so come with a frame."""


def asked_features(camera: Camera) -> dict[str, Value]:
    """What is set: the configuration's features, then what the other keys say of the geometry and the rate."""
    geometry: dict[str, Value] = {"Width": camera.width, "Height": camera.strip_rows}
    rate: dict[str, Value] = {} if camera.line_rate_hz is None else {"AcquisitionLineRate": camera.line_rate_hz}
    return {**camera.features, **geometry, **rate}


def unchunked(name: str) -> str:
    """The feature that can be read at any time and says what that value of a frame says."""
    return name.removeprefix(_CHUNK)


class DeviceCamera(LineCamera):
    """Delivers what a driver's device delivers."""

    def __init__(self, order: CameraOrder) -> None:
        self._camera = order.config.camera
        recipe = order.recipe
        self.has_switch = self._camera.switch_feature is not None
        self._log = structlog.get_logger()
        self._device: Device | None = None
        self._converter: Converter | None = None
        self._frames = FrameCounter(self._camera.strip_rows, recipe.offset_rows, recipe.switch.debounce_rows)
        self._motion = Motion()
        self._watched: tuple[str, ...] = ()
        """Features that move while the line does."""
        self._moves = 0
        """Of a switch that is not wired to it."""
        self._serial: str | None = None
        self._asked_at = 0.0
        self._pause_s, self._due_at = _FIRST_PAUSE_S, 0.0
        self._away_since: float | None = None
        self._told: dict[Loss, int] = {}
        """Losses that the log knows of."""
        self._buffers = self._free = 0
        self._unstored = self._unstored_before = 0
        """Strips that found no buffer, by the driver's count since it was last opened; and before that."""

    @abstractmethod
    def open_device(self) -> Device:
        """The device that the configuration names. Raises CameraError."""

    @abstractmethod
    def devices(self) -> list[dict[str, str]]:
        """Which devices there are: id, vendor, model, serial, name; what is not known is empty. Raises CameraError."""

    # --- the door ------------------------------------------------------------------------------------------------

    def open(self, progress: Progress) -> None:
        """Take hold of the device, and set its features."""
        progress(f"opening the camera ({self._camera.source})")
        self._open()

    def start(self) -> None:
        """Begin to deliver."""
        self._start()

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """The next strip; NoStrip.WAITING also after a frame that was given up, and while the camera is away."""
        if self._device is None:
            return self._look_for_it(timeout_s)
        try:
            filled = self._device.next(timeout_s)
            if filled is None:
                self._ask_it(self._device)
                return NoStrip.WAITING
            return self._delivered(self._device, filled, into)
        except (DeviceLostError, FeatureError) as error:
            self._lost(str(error))
            return NoStrip.WAITING

    def line_moves(self) -> None:
        """The switch has moved, which is not wired to it."""
        self._moves += 1

    def stop(self) -> None:
        """Deliver no more."""
        if self._device is not None:
            self._device.stop()

    def close(self) -> None:
        """Let go of the device."""
        device, self._device = self._device, None
        if device is not None:
            device.stop()
            device.close()

    def status(self) -> CameraStatus:
        """What the driver knows; a camera that is away has no buffers."""
        # Each cause from its first 0 on, so that what watches the counts sees the first one too.
        losses = {cause: self._frames.losses[cause] for cause in _CAUSES}
        losses[Loss.UNDERRUN] = self._unstored_before + self._unstored
        if Loss.RESENT in self._frames.losses:
            losses[Loss.RESENT] = self._frames.losses[Loss.RESENT]
        new = {str(cause): count - self._told.get(cause, 0) for cause, count in losses.items() if cause not in _SAID}
        if new := {cause: count for cause, count in new.items() if count}:
            self._log.warning("the camera did not deliver all: rows are missing", camera=self._serial, lost=new)
        self._told = losses
        away = self._away_since is not None
        serial, fault = (f"{self._serial} is away", f"camera {self._serial} is away") if away else (self._serial, None)
        return CameraStatus(serial, self._temperature(), self._buffers, self._free, losses, fault)

    # --- at work -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        device = self.open_device()
        try:
            if self._camera.feature_file is not None:
                changed = load_features(device.features, read_feature_file(self._camera.feature_file))
                self._log.info("feature file is loaded", file=str(self._camera.feature_file), changed=changed)
            settings = set_features(device.features, asked_features(self._camera))
            self._say(device, settings)
            self._converter = self._made_converter(device)
            self._watched = self._found_watched(device)
        except (DeviceLostError, FeatureError) as error:
            device.close()
            raise CameraError(f"the camera {device.serial} cannot be set up: {error}") from error
        except BaseException:
            device.close()
            raise
        self._device, self._serial = device, device.serial

    def _start(self) -> None:
        assert self._device is not None
        try:
            self._device.start(self._camera.buffers)
        except (DeviceLostError, FeatureError) as error:
            raise CameraError(f"the camera {self._serial} does not start: {error}") from error
        self._buffers = self._free = self._device.buffers
        self._unstored_before, self._unstored = self._unstored_before + self._unstored, 0
        self._asked_at = time.monotonic()
        self._motion.strip(self._asked_at)

    def _delivered(self, device: Device, filled: Filled, into: NDArray[np.uint8]) -> Strip | NoStrip:
        assert self._converter is not None
        now = time.monotonic()
        self._motion.strip(now)
        self._free = max(0, device.buffers - device.waiting() - 1)
        self._unstored = filled.unstored
        if filled.rows > len(into) or filled.width not in (None, into.shape[1]):
            raise CameraError(
                f"the camera {self._serial} delivered {filled.rows} x {filled.width} px, and was set to {len(into)} x "
                f"{into.shape[1]}: does another program change it?"
            )
        stride = self._converter.row_bytes + filled.padding
        whole = filled.whole and len(filled.data) >= filled.rows * stride
        level = self._level(device) if whole else False
        strip = self._frames.take(Frame(filled.rows, whole, filled.id, filled.unstored, level, filled.resent))
        if strip is None:
            return NoStrip.WAITING
        self._converter.write(filled.data, stride, into[: filled.rows])
        return strip

    def _level(self, device: Device) -> bool:
        name = self._camera.switch_feature
        if name is None:
            return False
        if not name.startswith(_CHUNK):
            return self._high(device.features.read(name))
        try:
            return self._high(device.chunk(name))
        except FeatureError as error:
            raise CameraError(
                f"camera.switch_feature: {name} did not come with the strip ({error}): in camera.features, set "
                f"ChunkModeActive: true and ChunkEnable[{unchunked(name)}]: true"
            ) from error

    def _high(self, text: str) -> bool:
        """Whether the switch's feature says that a sheet is there: a boolean, or a bit of a number."""
        bit = self._camera.switch_bit
        if bit is None:
            return is_true(text)
        return bool(int(text, 0) >> bit & 1)

    def _ask_it(self, device: Device) -> None:
        """Whether the camera lives, and whether it should have delivered something."""
        now = time.monotonic()
        if now - self._asked_at < _ALIVE_S:
            return
        self._asked_at = now
        device.features.read("Width")
        seen = {name: device.features.read(name) for name in self._watched}
        self._motion.seen((*seen.values(), str(self._moves)), now)
        if self._camera.switch_feature is not None and (text := seen.get(unchunked(self._camera.switch_feature))):
            self._frames.hear(self._high(text))
        if self._motion.alarm(now):
            self._frames.losses[Loss.FROZEN] += 1
            self._log.error(
                "the camera is frozen: no strip, although the line moves",
                camera=self._serial,
                silent_s=round(self._motion.silent_s(now), 1),
                moved=[*self._watched, *(["camera.switch"] if self._moves else [])],
            )
        if self._motion.restart(now):
            self._lost("it froze")

    # --- away ----------------------------------------------------------------------------------------------------

    def _lost(self, why: str) -> None:
        now = time.monotonic()
        self._log.error(
            "the camera is away, and is looked for", camera=self._serial, error=why, cause=str(Loss.REMOVED)
        )
        self._frames.away()
        self.close()
        self._buffers = self._free = 0
        self._away_since, self._pause_s, self._due_at = now, _FIRST_PAUSE_S, now + _FIRST_PAUSE_S

    def _look_for_it(self, timeout_s: float) -> NoStrip:
        wait_s = self._due_at - time.monotonic()
        if wait_s > timeout_s:
            time.sleep(timeout_s)
            return NoStrip.WAITING
        time.sleep(max(0.0, wait_s))
        try:
            self._open()
            self._start()
        except CameraError as error:
            self.close()
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            self._due_at = time.monotonic() + self._pause_s
            self._log.warning("the camera is still away", error=str(error), again_in_s=round(self._pause_s, 1))
            return NoStrip.WAITING
        assert self._away_since is not None
        away_s, self._away_since = time.monotonic() - self._away_since, None
        self._log.warning("the camera is back", camera=self._serial, away_s=round(away_s, 1))
        return NoStrip.WAITING

    # --- set up --------------------------------------------------------------------------------------------------

    def _say(self, device: Device, settings: list[Setting]) -> None:
        found = {setting.name: setting.found for setting in settings}
        self._log.info("camera is set up", camera=device.serial, features=found)
        for setting in settings:
            if setting.rounded:
                self._log.warning(
                    "the camera rounded a feature", feature=setting.name, asked=setting.asked, found=setting.found
                )

    def _made_converter(self, device: Device) -> Converter:
        name = device.features.read("PixelFormat")
        if name not in FORMATS:
            raise CameraSetupError(
                f"camera.features: the camera's PixelFormat is {name}; linesentry reads {', '.join(FORMATS)}: set one"
            )
        try:
            return Converter(FORMATS[name], self._camera.width)
        except ValueError as error:
            raise CameraSetupError(f"camera.width: {error}") from error

    def _found_watched(self, device: Device) -> tuple[str, ...]:
        """What shows that the line moves: the encoder's count and the switch, where they can be read at any time."""
        names = device.features.names()
        switch = self._camera.switch_feature
        if switch is not None and (missing := lacking(device.features, [switch])):
            raise CameraSetupError(f"camera.switch_feature: {missing[0]}")
        wanted = ("EncoderValue", *([] if switch is None else [unchunked(switch)]))
        return tuple(name for name in wanted if name in names and device.features.feature(name).value is not None)

    def _temperature(self) -> float | None:
        """The device's own, where it has one."""
        device = self._device
        if device is None or "DeviceTemperature" not in device.features.names():
            return None
        try:
            return number(device.features.read("DeviceTemperature"))
        except (DeviceLostError, FeatureError):
            return None
