"""The pictures that are left of a plate: its whole sheet where a file has it, else the crops of its worst defects."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Config, Recipe
from daemon.store.evidence import CROP_SIZE, JPEG_QUALITY, crop_at
from daemon.store.overview import draw_overview
from daemon.store.rows import PlateRow, result_of
from models.images import ImageError, open_image
from models.machine.files import whole
from stages.image_sheet import plate_columns

_DRAWN_PX = 4000
"""Longest side of a picture that is drawn anew."""


class PlatePictures:
    """The pictures of one plate; each is read when it is asked for."""

    def __init__(self, row: PlateRow, state: Path, config: Config, recipe: Recipe) -> None:
        self._row, self._state, self._config, self._recipe = row, state, config, recipe
        self._whole: NDArray[np.uint8] | None = None
        self._looked = False

    def whole(self) -> NDArray[np.uint8] | None:
        """The plate at full resolution, uint8 (rows, columns) in plate coordinates; None where no file has it."""
        if not self._looked:
            self._looked = True
            self._whole = self._of_folder()
        return self._whole

    def overview(self) -> Path | None:
        """The picture that was drawn when the plate was judged."""
        path = self._folder / "overview.jpg"
        return path if self._row.pictures and path.is_file() else None

    def crop(self, number: int, x: int, y: int, size: int = CROP_SIZE) -> NDArray[np.uint8] | None:
        """The size x size px around (x, y), the worst pixel of the defect of that number; None where none is left."""
        if (sheet := self.whole()) is not None:
            return crop_at(sheet, x, y, size)
        path = self._folder / f"defect-{number:03d}.png"
        if size != CROP_SIZE or not self._row.pictures or not path.is_file():
            return None
        found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        return np.asarray(found, np.uint8) if found is not None and found.shape == (size, size) else None

    @property
    def _folder(self) -> Path:
        # Noted relative to the state directory, where it is below that.
        return self._state / (self._row.pictures or "")

    def _of_folder(self) -> NDArray[np.uint8] | None:
        """The image that a replay showed, if it is still there and still has the plate's size."""
        row, folder = self._row, self._config.camera.folder
        if row.image is None or folder is None or row.rows is None or row.columns is None:
            return None
        try:
            with open_image(folder / Path(row.image).name, self._config.camera.bits) as image:
                first, last = plate_columns(image.width, self._recipe, self._config.camera.width)
                if (image.height, last - first) != (row.rows, row.columns):
                    return None
                return np.ascontiguousarray(image.rows(0, image.height)[:, first:last])
        except (ImageError, OSError, MemoryError):
            return None


def write_picture(path: Path, row: PlateRow, pictures: PlatePictures) -> str | None:
    """Write the plate's annotated picture; what it was made from, in words, or None where no picture is left.

    Raises:
        OSError: it cannot be written.
    """
    if (image := pictures.whole()) is not None:
        marks = [f"marked: defect {mark.defect} {mark.kind}" for mark in row.marks if mark.defect is not None]
        picture = draw_overview(
            image,
            result_of(row),
            overview_px=_DRAWN_PX,
            title=f"Plate {row.plate}",
            notes=marks,
            numbered=len(row.defects),
        )
        made = BytesIO()
        picture.save(made, "JPEG", quality=JPEG_QUALITY)
        content, what = made.getvalue(), f"drawn from the whole sheet, up to {_DRAWN_PX} px"
    elif (overview := pictures.overview()) is not None:
        content, what = overview.read_bytes(), "as it was drawn when the plate was judged"
    else:
        return None
    with whole(path) as part:
        part.write_bytes(content)
    return what
