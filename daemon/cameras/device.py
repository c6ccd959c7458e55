"""What a driver's device is to the camera behind stages/camera.py: features by name, and frames one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.cameras.features import Features

RESENT_COUNTS = ("Statistic_Resend_Packet_Count", "StreamPacketResendReceivedPacketCount")
"""Features of a driver's stream that count the packets that came when they were sent again, by maker: Basler, FLIR."""
Native = Any
"""An object of a driver's binding, which has no types."""


class DeviceLostError(Exception):
    """The device does not answer: it was unplugged, lost its power, or its driver gave up."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A buffer that the driver has filled. It is the driver's again with the next call of `next` or `stop`."""

    data: NDArray[np.uint8]
    """The image's bytes, one dimension; empty where the frame is not whole."""
    rows: int
    """Rows that the camera delivered."""
    whole: bool
    """Every packet came."""
    width: int | None = None
    """Pixels of a row; None: the driver does not say."""
    id: int | None = None
    """The camera's count of its frames; None: it has none."""
    padding: int = 0
    """Bytes at the end of each row that are no pixels."""
    unstored: int = 0
    """Frames that found no buffer since the start, by the driver's count."""
    resent: int | None = None
    """Packets that came when they were sent again, since some time before; None: the driver does not count them."""


class Device(ABC):
    """A camera that is open; made by a function of its driver's module, which raises CameraError where it cannot be.

    Every method may raise DeviceLostError, `stop` and `close` none.
    """

    features: Features
    serial: str
    """Serial number, or whatever else names the device."""
    buffers: int = 0
    """Buffers of the driver's, between `start` and `stop`."""

    @abstractmethod
    def start(self, buffers: int) -> None:
        """Begin to fill so many buffers, or the least number that the driver needs."""

    @abstractmethod
    def next(self, timeout_s: float) -> Filled | None:
        """The next frame, in order; None: none came in time."""

    @abstractmethod
    def chunk(self, name: str) -> str:
        """A value that came with the last frame. Raises FeatureError."""

    @abstractmethod
    def waiting(self) -> int:
        """Filled buffers that were not asked for yet."""

    @abstractmethod
    def stop(self) -> None:
        """Fill no more."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""
