"""An image file as a sheet: which of its columns are the plate, and what of the file keeps its plate from being OK.

Shared by those who inspect files and by the camera that replays them, so that both say the same.
"""

from __future__ import annotations

from config.schema import Recipe
from models.images import ImageError, ImageSource
from stages.plate import Cause


class WidthError(ImageError):
    """The image has not the width of the recipe's sheets."""


def plate_columns(width: int, recipe: Recipe, camera_width: int) -> tuple[int, int]:
    """The image columns [first, last) that are the plate.

    With columns in the recipe, an image as wide as they are is the plate itself, and one as wide as the camera is cut
    as the service cuts it; any other width cannot be placed. A recipe without columns takes the whole image.

    Raises:
        WidthError: the image has neither width.
    """
    columns = recipe.columns
    if columns is None or width == columns.count:
        return 0, width
    if width == camera_width and columns.last <= width:
        return columns.first, columns.last
    raise WidthError(
        f"the image is {width:,} px wide; a plate of recipe {recipe.name} is {columns.count:,} px wide and a row of "
        f"the camera {camera_width:,} px; give the recipe of this product, or the recipe general for any size"
    )


def cause_of(error: ImageError) -> Cause:
    """The cause that an image which cannot be inspected ends with."""
    return Cause.WRONG_WIDTH if isinstance(error, WidthError) else Cause.UNREADABLE


def doubts_of(source: ImageSource) -> tuple[tuple[Cause, str], ...]:
    """What of an image that was loaded keeps its plate from being OK, each cause with its words."""
    faults: list[tuple[Cause, str]] = []
    if source.depth_doubt:
        faults.append((Cause.DEPTH, source.depth_doubt))
    if source.further_pages:
        faults.append((Cause.FURTHER_PAGES, source.further_pages))
    return tuple(faults)
