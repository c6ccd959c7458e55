"""Looking at a camera before it inspects: which there are, what they are set to, what they deliver, how sharp it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from config.schema import Config, Recipe
from daemon.cameras.device_camera import DeviceCamera, asked_features
from daemon.cameras.features import Feature, FeatureError, Value, as_text, is_true, lacking, number
from daemon.cameras.registry import CameraOrder, camera_class, open_any_camera
from stages.camera import CameraError, CameraSetupError, LineCamera, NoStrip, Progress, Strip

ESSENTIAL = (
    "DeviceVendorName",
    "DeviceModelName",
    "DeviceSerialNumber",
    "DeviceFirmwareVersion",
    "DeviceTemperature",
    "DeviceScanType",
    "Width",
    "Height",
    "OffsetX",
    "PixelFormat",
    "AcquisitionMode",
    "AcquisitionLineRate",
    "AcquisitionFrameRate",
    "ExposureTime",
    "Gain",
    "BlackLevel",
    "TriggerSelector",
    "TriggerMode",
    "TriggerSource",
    "TriggerActivation",
    "EncoderSelector",
    "EncoderSource",
    "EncoderDivider",
    "EncoderResolution",
    "EncoderValue",
    "LineSelector",
    "LineMode",
    "LineStatus",
    "LineStatusAll",
    "ChunkModeActive",
    "ChunkSelector",
    "ChunkEnable",
)
"""The features that a line needs, in the order in which they are shown."""
_TIMEOUT_S = 0.2
_SILENCE_S = 10.0
"""After so many seconds without a strip there is something to say."""
_PROFILE = 60
"""Places of a column profile."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A feature, and what the configuration asks of it."""

    feature: Feature
    asked: str | None
    """What the configuration would set; None where it says nothing."""
    differs: bool


@dataclass(frozen=True, slots=True)
class Sharpness:
    """How sharp a strip is, and how bright its columns are."""

    focus: float
    """As the recipe's gate measures it: 0.1 to 1 is sharp."""
    thirds: tuple[float, float, float]
    """Of the left, middle and right columns: unequal ones say that the lens is tilted."""
    profile: NDArray[np.float64]
    """Mean grey levels of the columns, in equal parts."""


def devices(config: Config, recipe: Recipe) -> list[dict[str, str]]:
    """The devices that the configured driver knows. Raises CameraError."""
    with TemporaryDirectory() as folder:
        return _device_camera(config, recipe, Path(folder)).devices()


def features(config: Config, recipe: Recipe, *, everything: bool = False) -> tuple[str, list[Shown], list[str]]:
    """Serial number and features of the configured device, and what is asked of it that it lacks, in words.

    Nothing is set. Raises CameraError.
    """
    asked = asked_features(config.camera)
    with TemporaryDirectory() as folder:
        device = _device_camera(config, recipe, Path(folder)).open_device()
        try:
            names = device.features.names()
            wanted = names if everything else [name for name in (*ESSENTIAL, *asked) if name in names]
            shown = [_shown(device.features.feature(name), asked.get(name)) for name in dict.fromkeys(wanted)]
            told = lacking(device.features, asked)
        except FeatureError as error:
            raise CameraError(f"the camera {device.serial} does not say what it is set to: {error}") from error
        finally:
            device.close()
    return device.serial, shown, told


def _shown(feature: Feature, value: Value | None) -> Shown:
    asked = None if value is None else as_text(feature, value)
    if asked is None or feature.value is None:
        return Shown(feature, asked, differs=False)
    if feature.kind == "boolean":
        return Shown(feature, asked, differs=is_true(asked) != is_true(feature.value))
    if feature.kind in ("integer", "float"):
        with suppress(ValueError):
            return Shown(feature, asked, differs=abs(number(asked) - number(feature.value)) > 1e-9)
    return Shown(feature, asked, differs=asked != feature.value)


@dataclass(frozen=True, slots=True)
class Grabbed:
    """What was written."""

    rows: int
    lost: int
    """Of them, rows that the camera did not deliver; they are black."""
    seconds: float
    losses: dict[str, int]


def grab(config: Config, recipe: Recipe, rows: int, out: Path, progress: Progress) -> Grabbed:
    """Write the next rows of the camera into a TIFF, uint8, rows x width, whole or not at all.

    Raises:
        CameraError: the camera does not work, or delivers nothing for 10 s, or ended before so many rows.
        OSError: the file cannot be written.
    """
    import tifffile  # noqa: PLC0415 - other commands need none

    from models.machine.files import whole  # noqa: PLC0415

    width = config.camera.width
    out.parent.mkdir(parents=True, exist_ok=True)
    with started(config, recipe, progress) as camera, whole(out) as part:
        # The file itself is the memory: a sheet may be larger than what is free.
        image = tifffile.memmap(part, shape=(rows, width), dtype=np.uint8, bigtiff=True, photometric="minisblack")
        first: int | None = None
        began, done, lost = time.monotonic(), 0, 0
        for strip, pixels in strips(camera, config, progress):
            first = strip.first_row if first is None else first
            at = min(strip.first_row - first, rows)
            count = min(strip.rows, rows - at)
            image[at : at + count] = pixels[:count]
            lost, done = lost + at - done, at + count
            progress(f"{done:,} of {rows:,} rows")
            if done >= rows:
                break
        else:
            raise CameraError(f"the camera ended after {done:,} rows of {rows:,}: ask for fewer")
        seconds = time.monotonic() - began
        image.flush()
        losses = {str(cause): count for cause, count in camera.status().losses.items() if count}
    return Grabbed(rows, lost, seconds, losses)


def sharpness(pixels: NDArray[np.uint8]) -> Sharpness:
    """Of a strip, rows x columns, uint8."""
    from models.detector.quality import measure  # noqa: PLC0415 - other commands need none of it

    left, middle, right = np.array_split(pixels, 3, axis=1)
    means = pixels.mean(axis=0)
    parts = np.array([part.mean() for part in np.array_split(means, min(_PROFILE, len(means)))])
    thirds = (measure(left, None).focus, measure(middle, None).focus, measure(right, None).focus)
    return Sharpness(measure(pixels, None).focus, thirds, parts)


@contextmanager
def started(config: Config, recipe: Recipe, progress: Progress) -> Iterator[LineCamera]:
    """The configured camera, delivering; with or without a switch. Raises CameraError."""
    with TemporaryDirectory() as folder:
        camera = open_any_camera(CameraOrder(config, recipe, Path(folder)), progress)
        try:
            camera.start()
            yield camera
        finally:
            camera.stop()
            camera.close()


def strips(camera: LineCamera, config: Config, progress: Progress) -> Iterator[tuple[Strip, NDArray[np.uint8]]]:
    """Its strips with their valid pixels, which the next one overwrites. Raises CameraError: 10 s without any."""
    into = np.zeros((config.camera.strip_rows, config.camera.width), np.uint8)
    came_at = time.monotonic()
    while True:
        strip = camera.next_strip(into, _TIMEOUT_S)
        silent_s = time.monotonic() - came_at
        if isinstance(strip, Strip):
            came_at = time.monotonic()
            yield strip, into[: strip.rows]
        elif strip is NoStrip.ENDED:
            return
        elif silent_s > _SILENCE_S:
            raise CameraError(f"no strip came for {_SILENCE_S:.0f} s: does the belt run, and does the trigger come?")
        elif silent_s > 1:
            progress(f"no strip for {silent_s:.0f} s")


def _device_camera(config: Config, recipe: Recipe, folder: Path) -> DeviceCamera:
    camera = camera_class(config.camera.source)(CameraOrder(config, recipe, folder))
    if not isinstance(camera, DeviceCamera):
        raise CameraSetupError(f"camera.source is {config.camera.source}, which has no devices and no features")
    return camera
