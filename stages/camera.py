"""The door that a line-scan camera fits: its few verbs, the strips it delivers, and the switch's edges with them.

Names follow GenICam SFNC where it has one (docs/reference/glossary.md). How to write one: docs/how-to/add-a-camera.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

import numpy as np
from numpy.typing import NDArray

from stages.plate import Cause

Progress = Callable[[str], None]
"""Told what is being done while it takes long; each call is a sign of life, so call it every second or so."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a camera knows of a sheet as it comes: a replay knows the image that it shows."""

    image: str
    """Name of the image file."""
    faults: tuple[tuple[Cause, str], ...] = ()
    """Why it cannot be OK, each cause in words."""
    warnings: tuple[str, ...] = ()
    """What else belongs to its result."""
    pixels: bool = True
    """False: it passes the switch, and the camera cannot show it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of the photoelectric switch."""

    count: int
    """Edges since the counter started, this one included; a gap says that edges were not heard."""
    row: int
    """Camera row at which it came: the first row of the new level."""
    rising: bool
    sheet: Sheet | None = None
    """Of a rising edge: what is known of the sheet that comes."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Part of a sheet may be missing, for the switch cannot be trusted."""

    row: int
    """A camera row of the sheet."""
    words: str
    """Why, and what was found."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A block of consecutive rows as a camera delivers it."""

    block: int
    """The camera's block id: grows by one with each strip; a repeated one is a stale strip."""
    first_row: int
    """The camera's own count of the strip's first row; a jump says that rows were lost."""
    rows: int
    """Valid rows; a camera that times out delivers a short strip."""
    edges: tuple[Edge, ...]
    """Edges of the switch since the strip before; their rows lie before this strip's end."""
    level: bool
    """Level of the switch before those edges."""
    doubts: tuple[Doubt, ...] = ()
    """About sheets that begin or end here; a camera has none."""
    losses: tuple[tuple[str, int], ...] = ()
    """Why rows before this strip are missing, and how often, each cause once, as far as that is known (Loss).

    Packets that were sent again in time are among them, although no row is missing of these.
    """


class NoStrip(Enum):
    """Why a camera gave no strip; neither is a fault."""

    WAITING = "waiting"
    """Nothing came within the time-out: the belt stands, or a strip is not full yet."""
    ENDED = "ended"
    """The line has ended, and nothing will come any more. A real line never says so."""


class Loss(StrEnum):
    """Causes of loss that a camera counts; they are values of the label `kind` of linesentry_line_faults_total."""

    UNDERRUN = "underrun"
    """A strip came while none of the driver's buffers was free."""
    PACKET = "packet missing"
    """A packet of a strip did not come; the strip was filled up or given up."""
    RESENT = "packet resent"
    """A packet of a strip had to be sent again, and came: no row is missing. Told only where the driver counts it."""
    FAILED = "strip failed"
    """The driver gave up a strip for another reason."""
    MISSING = "strip missing"
    """The camera counted a strip that was not delivered; one that found no buffer may be counted as that too."""
    REPEATED = "strip repeated"
    """A strip had the number of one before it, and was given up."""
    REMOVED = "camera away"
    """The camera did not answer, and was opened anew."""
    FROZEN = "camera frozen"
    """The switch or the encoder moved, and no strip came."""
    UNREADABLE = "image unreadable"
    """An image of a replayed folder was left out, or a strip of it was lost."""


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What a camera says of itself; what it does not know it leaves out."""

    serial: str | None = None
    """Serial number of the device."""
    temperature_c: float | None = None
    """Temperature of the device, degrees Celsius (SFNC DeviceTemperature)."""
    buffers: int = 0
    """Strip buffers of the driver's own; 0: pixels are written straight into the line's."""
    buffers_free: int = 0
    """Those that the driver can fill now; none left means that the next strip is lost."""
    losses: Mapping[Loss, int] = field(default_factory=dict)
    """What was lost since `open`, by cause."""
    fault: str | None = None
    """Why it delivers nothing just now, in words; None where it may deliver."""


class CameraError(Exception):
    """The camera does not work; the message says what was wrong, what was found and what to do."""


class CameraSetupError(CameraError):
    """What the configuration asks for is not there, and trying again does not help: no such class, or no images."""


class LineCamera(ABC):
    """A line-scan camera, with the switch that is wired to it.

    Opened, started, stopped and closed once each, in this order, by one thread. Blocks, rows and edges are counted
    from the start. `stop` and `close` may come at any time and more than once.
    """

    live: bool = True
    """Strips come whether they are taken or not: one that finds no strip buffer is lost. False: the camera waits."""
    has_switch: bool = True
    """The switch is wired to the camera. False: its strips carry no edges, and the level False."""

    def line_moves(self) -> None:  # noqa: B027 - most cameras need not know
        """A switch that is not wired to it has moved: a camera that delivers nothing may be frozen."""

    @abstractmethod
    def open(self, progress: Progress) -> None:
        """Find the device, take hold of it and set it up. Raises CameraError."""

    @abstractmethod
    def start(self) -> None:
        """Begin to deliver. Raises CameraError."""

    @abstractmethod
    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """Write the next strip's pixels into `into` (strip_rows x width, uint8) and say what it is.

        A driver with buffers of its own copies from there; any other writes straight into `into`. Rows beyond the
        strip's valid ones are left as they are, and all of `into` if no strip came.

        Comes back within `timeout_s`, s, and a little: with NoStrip.WAITING if nothing has come. One that stays
        away for longer than restart.hang_s is taken for a hang. NoStrip.ENDED is said again if asked again.

        Raises:
            CameraError: the camera does not work any more.
        """

    @abstractmethod
    def stop(self) -> None:
        """Deliver no more."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device."""

    @abstractmethod
    def status(self) -> CameraStatus:
        """How it is, between `open` and `close`; asked about once a second."""
