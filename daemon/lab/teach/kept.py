"""The sheets of a line's latest plates called OK, as far as their pictures are still there."""

from __future__ import annotations

from pathlib import Path

from config.schema import Config
from daemon.lab.teach.sheets import TeachError
from daemon.store.history import Selection
from daemon.store.reading import read_results
from daemon.store.results import StoreError, store_path
from daemon.store.state import StateError, state_path
from daemon.store.where import is_there
from stages.plate import Verdict


def kept_sheets(config: Config, last: int) -> list[Path]:
    """The image files of the latest plates called OK, the latest first; a file that passed twice is one sheet.

    The store keeps an overview and crops of a plate, never its pixels. So whole sheets are there only of a line that
    inspects a folder of images, which stay where they are.

    Raises:
        TeachError: there is no result store, or no picture of its plates is left.
    """
    try:
        path = store_path(state_path(config))
        if not is_there(path):
            raise TeachError(f"there are no results at {path}: run `linesentry run`, or name another with --state")
        plates = read_results(path.parent, None, Selection(verdict=Verdict.OK)).plates
    except (StoreError, StateError) as error:
        raise TeachError(str(error)) from error
    folder = config.camera.folder
    named = list(dict.fromkeys(plate.image for plate in plates if plate.image))
    found = [] if folder is None else [folder / name for name in named if (folder / name).is_file()]
    if not found:
        raise TeachError(
            f"of {len(plates)} plates called OK no whole picture is there: the results keep overviews and crops, and "
            "whole sheets only where `camera.source` is folder. Save 8 to 30 good sheets as images from the camera's "
            "own software, and name them: linesentry teach good/*.png"
        )
    return found[:last]
