"""The folder camera: the images of a folder roll past it as sheets, each read in bands when it is due."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from daemon.cameras.folder_files import image_files
from daemon.cameras.registry import CameraOrder
from daemon.cameras.replay import ReplayCamera
from models.images import ImageError, open_image
from simulator.line.replay import Entry, LineSettings, Picture, Replay, ReplayError
from stages.camera import CameraError, CameraSetupError, CameraStatus, Loss, NoStrip, Progress, Strip

_FAILURES = (ImageError, OSError, ValueError)
_MOST_UNREADABLE = 100
"""A folder with more images in a row that cannot be read is no line."""


class FolderCamera(ReplayCamera):
    """Replays `camera.folder` once, or for as long as plates are asked for.

    An image that cannot be read, or does not fit the camera, is left out with a warning. One that turns out to be
    damaged while it passes loses the strips that cannot be read, so that its plate lacks rows.
    """

    def __init__(self, order: CameraOrder) -> None:
        super().__init__(order)
        self._log = structlog.get_logger()
        self._lost = 0
        self._unreadable = 0
        """Images that could not be read, one after the other."""
        self._blamed: int | None = None
        """The image that the last failure was about."""

    def make_line(self, settings: LineSettings, progress: Progress) -> Replay:
        """List the folder."""
        del progress
        order = self.order
        folder = order.config.camera.folder
        assert folder is not None
        first = order.recipe.columns.first if order.recipe.columns else 0
        try:
            return FolderLine(
                folder, open_image, first, repeat=order.plates is not None, settings=settings, failures=_FAILURES
            )
        except (OSError, ValueError) as error:
            raise CameraSetupError(f"camera.folder: {error}") from error

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """The next strip; NoStrip.WAITING also after an image that was left out."""
        try:
            strip = super().next_strip(into, timeout_s)
        except ReplayError as error:
            self._leave_out(error)
            return NoStrip.WAITING
        if isinstance(strip, Strip):
            self._unreadable, self._blamed = 0, None
        return strip

    def status(self) -> CameraStatus:
        """What could not be read."""
        return CameraStatus(losses={Loss.UNREADABLE: self._lost})

    def _leave_out(self, error: ReplayError) -> None:
        self._lost += 1
        if error.sheet == self._blamed:
            return
        self._blamed = error.sheet
        self._unreadable += 1
        if self._unreadable > _MOST_UNREADABLE:
            raise CameraError(f"{self._unreadable} images in a row cannot be replayed; the last: {error}") from error
        self._log.warning("an image is left out", error=str(error))


class FolderLine(Replay):
    """A folder's images pass the camera in natural order (2.png before 10.png); each is opened when it is due."""

    def __init__(
        self,
        folder: Path,
        open_image: Callable[[Path], Picture],
        first_column: int = 0,
        *,
        repeat: bool = False,
        settings: LineSettings | None = None,
        failures: tuple[type[Exception], ...] = (OSError, ValueError),
    ) -> None:
        """Replay the folder once, or for ever. Masks (*_mask.*) are left out.

        `failures` are what `open_image` and its pictures raise for an image that cannot be read.

        Raises OSError for a folder that cannot be listed, and ValueError for one without images.
        """
        self.files = image_files(folder)
        entries = [Entry(path.name, partial(open_image, path), first_column) for path in self.files]
        passing = itertools.cycle(entries) if repeat else iter(entries)
        super().__init__(passing, settings or LineSettings(), failures)
