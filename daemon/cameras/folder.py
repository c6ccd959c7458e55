"""The folder camera: the images of a folder roll past it as sheets, each read in bands when it is due.

Every image is a sheet, and so a plate with one verdict and the file's name. One that cannot be read, or has not the
width of the recipe's sheets, passes without pixels and says why; which files are no images is told in
daemon/cameras/folder_files.py.
"""

from __future__ import annotations

import itertools
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from config.errors import file_text, printable
from daemon.cameras.folder_files import Listing, listed
from daemon.cameras.registry import CameraOrder
from daemon.cameras.replay import ReplayCamera
from models.images import ImageError, open_image
from simulator.line.replay import Entry, LineSettings, Nothing, Opened, Replay, ReplayError
from stages.camera import CameraSetupError, CameraStatus, Loss, NoStrip, Progress, Sheet, Strip
from stages.image_sheet import cause_of, doubts_of, plate_columns

_MOST_NAMES = 20
"""Names of files that one line of the log tells."""
_MOST_WORDS = 300
"""Characters of what is said of a file."""


class FolderCamera(ReplayCamera):
    """Replays `camera.folder` once, or round and round until as many sheets have passed as are asked for.

    The list of files is made once, when it is opened. An image that is found damaged while it passes loses the strips
    that cannot be read, so that its plate lacks rows.
    """

    def __init__(self, order: CameraOrder) -> None:
        super().__init__(order)
        self._log = structlog.get_logger()
        self._lost = 0
        self._told: set[str] = set()
        """Images of which it was said that they cannot be inspected, for they may come round again."""
        self._blamed: int | None = None
        """The image that the last failure was about."""
        self._opening: Future[None] | None = None
        self._opening_at = 0.0
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="open")
        self._ended = False

    def make_line(self, settings: LineSettings, progress: Progress) -> Replay:
        """List the folder."""
        del progress
        camera = self.order.config.camera
        assert camera.folder is not None
        try:
            self._files = listed(camera.folder)
        except (OSError, ValueError) as error:
            raise CameraSetupError(f"camera.folder: {printable(str(error))}") from error
        self._say_left_out(self._files)
        entries = [Entry(path.name, partial(self._opened, path)) for path in self._files.images]
        plates = len(entries) if self.order.plates is None else self.order.plates
        passing = itertools.islice(itertools.cycle(entries), min(self.order.passed, plates), plates)
        return Replay(passing, settings, (ImageError,))

    def next_strip(self, into: NDArray[np.uint8], timeout_s: float) -> Strip | NoStrip:
        """The next strip; NoStrip.WAITING also while an image is opened, and after rows that cannot be read."""
        if not self._open_next(timeout_s):
            return NoStrip.WAITING
        try:
            strip = super().next_strip(into, timeout_s)
        except ReplayError as error:
            self._lost += 1
            if error.sheet != self._blamed:
                self._blamed = error.sheet
                self._log.warning("rows of an image cannot be read", error=printable(str(error)))
            return NoStrip.WAITING
        if strip is NoStrip.ENDED and not self._ended:
            self._ended = True
            self._say_what_came()
        return strip

    def close(self) -> None:
        """Let go of the images."""
        self._opener.shutdown(wait=True, cancel_futures=True)
        super().close()

    def status(self) -> CameraStatus:
        """What could not be read."""
        return CameraStatus(losses={Loss.UNREADABLE: self._lost})

    # --- images --------------------------------------------------------------------------------------------------

    def _open_next(self, timeout_s: float) -> bool:
        """Have the sheets opened that come next, in a thread: a large one takes longer than a line may be silent."""
        assert self._line is not None
        if self._opening is None:
            if not self._line.opens:
                return True
            self._opening, self._opening_at = self._opener.submit(self._line.open_next), time.monotonic()
        wait([self._opening], timeout_s)
        if not self._opening.done():
            return False
        self._opening.result()
        self._opening = None
        self.stood(time.monotonic() - self._opening_at)
        return True

    def _opened(self, path: Path) -> Opened:
        """The image as a sheet; one that cannot be shown passes without pixels."""
        recipe = self.order.recipe
        name, first = file_text(path.name), recipe.columns.first if recipe.columns else 0
        try:
            source = open_image(path, self.order.config.camera.bits)
            try:
                # By the header alone: no memory is taken for an image that is no sheet.
                columns = plate_columns(source.width, recipe, self.order.config.camera.width)
                source.load()
            except BaseException:
                source.close()
                raise
        except ImageError as error:
            self._lost += 1
            words = _words(str(error))
            if name not in self._told:
                self._told.add(name)
                self._log.warning("an image cannot be inspected", image=printable(name), error=words)
            # As short as the switch can tell.
            nothing = Nothing(max(1, recipe.switch.debounce_rows))
            return Opened(nothing, first, Sheet(name, ((cause_of(error), words),), pixels=False))
        faults = tuple((cause, _words(words)) for cause, words in doubts_of(source))
        warnings = tuple(_words(words) for words in source.warnings)
        return Opened(source, first - columns[0], Sheet(name, faults, warnings))

    # --- what is said of files that are no sheets ------------------------------------------------------------------

    def _say_left_out(self, files: Listing) -> None:
        for why, names in files.left_out.items():
            self._log.info("files of the folder are left out", why=why, count=len(names), files=_some(names))

    def _say_what_came(self) -> None:
        """What came into the folder while it was replayed was not shown."""
        assert self.order.config.camera.folder is not None
        try:
            now = listed(self.order.config.camera.folder)
        except (OSError, ValueError):
            return
        names = [path.name for path in now.images if path not in set(self._files.images)]
        if names:
            told = "images came into the folder after its list was made, and were not replayed: start again for them"
            self._log.warning(told, count=len(names), files=_some(names))


def _words(text: str) -> str:
    return printable(text)[:_MOST_WORDS]


def _some(names: list[str]) -> list[str]:
    """The first names, as they can be shown, and how many more."""
    shown = [printable(name) for name in names[:_MOST_NAMES]]
    return shown if len(names) <= _MOST_NAMES else [*shown, f"and {len(names) - _MOST_NAMES} more"]
