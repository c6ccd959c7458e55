"""Pictures kept as evidence: an overview of the plate with its defects boxed, and a crop of each defect.

Where the classifier gave an answer, the crop that it saw lies beside, coloured by what speaks for a crack.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from config.schema import Results
from daemon.store.overview import draw_overview
from daemon.store.pictures import free_bytes
from models.classifier import crops as classified
from models.classifier.overlay import overlay
from models.machine.files import whole
from stages.plate import HEAT_CELLS, Heat, PlateResult, worst_first

CROP_SIZE = 224
"""Side of a defect's crop, px at 1:1."""

JPEG_QUALITY = 90

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

DEFAULTS = Results()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was written of a plate, and what could not be."""

    directory: Path
    overview: Path | None = None
    crops: tuple[Path, ...] = ()
    heats: tuple[Path, ...] = ()
    errors: tuple[str, ...] = ()
    no_room: bool = False
    """What is not there was left out because too little room is left on the disk."""


def write_evidence(
    image: NDArray[np.uint8],
    result: PlateResult,
    directory: Path,
    settings: Results = DEFAULTS,
    *,
    title: str | None = None,
    notes: Sequence[str] = (),
    stem: str = "",
    keep_free: int = 0,
) -> Evidence:
    """Write the overview picture and the crops of the worst defects of a plate, vetoed ones only after all others.

    `image` is the plate, uint8 (rows, columns), read in place and never copied whole; with no pixel there is no
    picture. `title` (null: the plate's number) and `notes` go into the legend. Files are <stem>-overview.jpg and
    <stem>-defect-001.png and on (without a stem overview.jpg and so on), numbered as the boxes are, 1 being the worst,
    and defect-001-heat.png where the classifier said where it saw the crack; each appears whole or not at all, and
    only as long as `keep_free` bytes stay free on the disk. What fails is returned as a sentence: evidence never stands
    in the way of a verdict.
    """
    if image.size == 0:
        return Evidence(directory)
    title = f"Plate {result.plate}" if title is None else title
    crops: list[Path] = []
    heats: list[Path] = []
    overview: Path | None = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        worst = worst_first(result.defects)[: settings.crops]
        picture = draw_overview(
            image, result, overview_px=settings.overview_px, title=title, notes=notes, numbered=len(worst)
        )
        prefix = f"{stem}-" if stem else ""
        write = partial(_written, keep_free=keep_free)
        overview = write(directory / f"{prefix}overview.jpg", _jpeg(picture))
        for number, defect in enumerate(worst, start=1):
            crop = cv2.imencode(".png", crop_at(image, defect.peak_x, defect.peak_y))[1]
            crops.append(write(directory / f"{prefix}defect-{number:03d}.png", crop.tobytes()))
            if defect.heat is not None:
                heats.append(write(directory / f"{prefix}defect-{number:03d}-heat.png", _heat(image, defect.heat)))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong with a picture, verdicts go on being committed
        failure = f"pictures of plate {result.plate} in {directory}: {type(error).__name__}: {error}"
        no_room = isinstance(error, OSError) and error.errno in _NO_ROOM
        return Evidence(directory, overview, tuple(crops), tuple(heats), (failure,), no_room)
    return Evidence(directory, overview, tuple(crops), tuple(heats))


def crop_at(image: NDArray[np.uint8], x: int, y: int, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """The size x size px around (x, y) at 1:1, a copy; beyond the image its edge is repeated."""
    rows, columns = image.shape
    across = np.clip(np.arange(x - size // 2, x - size // 2 + size), 0, columns - 1)
    down = np.clip(np.arange(y - size // 2, y - size // 2 + size), 0, rows - 1)
    return image[np.ix_(down, across)]


def _heat(image: NDArray[np.uint8], heat: Heat) -> bytes:
    """The crop that the classifier saw, coloured by its evidence, as PNG."""
    cells = np.frombuffer(heat.cells, np.uint8).reshape(HEAT_CELLS, HEAT_CELLS)
    coloured = overlay(classified.crop_at(image, heat.x, heat.y), cells)
    return cv2.imencode(".png", coloured[:, :, ::-1])[1].tobytes()


def _jpeg(picture: Image.Image) -> bytes:
    out = BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _written(path: Path, content: bytes, keep_free: int) -> Path:
    """The file, written whole; raises OSError and leaves nothing, also where less than `keep_free` would be free."""
    if keep_free and free_bytes(path.parent) - len(content) < keep_free:
        raise OSError(errno.ENOSPC, "the room left on the disk is kept for the result store")
    with whole(path) as part:
        part.write_bytes(content)
    return path
