"""What is left of a plate's picture: tiles of its file in the archive, else the overview that was drawn of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from daemon.store.archive_file import TILE, levels_of
from daemon.store.overview import plate_place
from daemon.store.rows import PlateRow
from daemon.web.sheet.stored import StoredPlate, archive_file, picture_path
from daemon.web.site import Site

OVERVIEW = "overview.jpg"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows of a plate."""

    told: dict[str, Any] | None
    """For its script: tiles, or one picture and where on it the plate lies; None where none is left."""
    why: str
    """The word of why the whole picture is not there; empty where it is."""
    detail: str = ""
    """The store's own words of that."""


def picture_of(site: Site, plate: StoredPlate) -> Picture:
    """The picture of a plate."""
    row = plate.row
    size = (row.rows or 0, row.columns or 0)
    if archive_file(site, row) is not None and min(size) > 0:
        levels = [[columns, rows] for rows, columns in levels_of(*size)]
        return Picture({"tiles": f"/sheet/{row.plate}/tiles", "side": TILE, "levels": levels}, "")
    why, detail = _why_not(row)
    return Picture(_overview(site, plate, size), why, detail)


def _why_not(row: PlateRow) -> tuple[str, str]:
    if row.verdict is None:
        return "not_yet", ""
    if row.archive is None:
        return "not_chosen", ""
    return ("gone", row.archive.missing or "") if row.archive.path is None else ("strange", "")


def _overview(site: Site, plate: StoredPlate, size: tuple[int, int]) -> dict[str, Any] | None:
    """The stored overview: the plate stands in the middle above, and its legend below it."""
    if OVERVIEW not in plate.pictures:
        return None
    try:
        with Image.open(picture_path(site, plate.row, OVERVIEW), formats=("JPEG",)) as picture:
            width, height = picture.size
    except (OSError, Image.DecompressionBombError):
        return None
    told: dict[str, Any] = {"overview": f"/sheet/{plate.row.plate}/overview.jpg", "size": [width, height]}
    place = plate_place(*size, site.config.results.overview_px, (width, height)) if min(size) > 0 else None
    if place is not None:
        told |= {"scale": place[0], "left": place[1]}
    return told
