"""What people marked, written for others: crops and masks with a manifest, or COCO."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.offline.marked import Lost, Marked

CRACK, WITHOUT = "crack", "without_crack"
_SET = "marks"


@dataclass(slots=True)
class Written:
    """How much was written, and what could not be."""

    cracks: int = 0
    without: int = 0
    lost: int = 0
    """Marks of which no picture is left."""


class OutError(Exception):
    """Nothing can be written there; the message says what to do."""


def write_crops(out: Path, found: Iterable[Marked | Lost]) -> Written:
    """Write crops and masks with the manifest that `train` and `teach` take; a plate is a group.

    Raises:
        OutError: the folder is not empty.
        OSError: it cannot be written.
    """
    rows: list[tuple[str, ...]] = []

    def add(one: Marked) -> None:
        kind = CRACK if one.crack else WITHOUT
        image, label = f"{kind}/{one.name}.png", f"{kind}/{one.name}_mask.png" if one.crack else ""
        _store(out / image, one.image)
        if label:
            _store(out / label, one.mask.astype(np.uint8) * np.uint8(255))
        rows.append((image, label, _SET, f"{one.plate.run[:8]}-{one.plate.plate:06d}", kind))

    for kind in (CRACK, WITHOUT):
        _folder(out, kind)
    written = _each(found, add)
    # Last: a folder without it is not whole.
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "mask_or_label", "set", "group", "class"), *rows])
    return written


def write_coco(out: Path, found: Iterable[Marked | Lost]) -> Written:
    """Write crops and annotations.json in COCO's form: a crack is an annotation, a false alarm an image without one.

    Raises:
        OutError: the folder is not empty.
        OSError: it cannot be written.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []

    def add(one: Marked) -> None:
        name = f"{one.name}.png"
        _store(out / "images" / name, one.image)
        height, width = one.image.shape
        told = {"plate": one.plate.plate, "recipe": one.plate.recipe, "product": one.plate.product}
        told |= {"batch_id": one.plate.batch_id, "part_id": one.plate.part_id, "mark": one.mark.kind.value}
        seen = one.plate.seen_at.isoformat()
        images.append(
            {"id": len(images) + 1, "file_name": name, "width": width, "height": height, "date_captured": seen, **told}
        )
        if one.crack:
            annotations.append({"id": len(annotations) + 1, "image_id": len(images), **_annotation(one.mask)})

    _folder(out, "images")
    written = _each(found, add)
    whole = {
        "info": {"description": "what people marked on plates", "version": "1"},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": CRACK, "supercategory": "defect"}],
    }
    (out / "annotations.json").write_text(json.dumps(whole, allow_nan=False, indent=1), encoding="utf-8")
    return written


def _each(found: Iterable[Marked | Lost], add: Callable[[Marked], None]) -> Written:
    written = Written()
    for one in found:
        if isinstance(one, Lost):
            written.lost += 1
            continue
        add(one)
        written.cracks += one.crack
        written.without += not one.crack
    return written


def _annotation(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Box, area and outlines of a crack; where its pixels are too few for an outline, that of its box."""
    ys, xs = np.nonzero(mask)
    x, y = int(xs.min()), int(ys.min())
    width, height = int(xs.max()) - x + 1, int(ys.max()) - y + 1
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    polygons = [outline.reshape(-1).astype(float).tolist() for outline in outlines if len(outline) >= 3]
    box = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {
        "category_id": 1,
        "bbox": [x, y, width, height],
        "area": int(mask.sum()),
        "segmentation": polygons or [[float(value) for value in box]],
        "iscrowd": 0,
    }


def _folder(out: Path, name: str) -> None:
    with suppress(FileNotFoundError):
        if any(one.name not in (CRACK, WITHOUT) or any(one.iterdir()) for one in out.iterdir()):
            raise OutError(f"{out} is not empty: name a new folder")
    (out / name).mkdir(parents=True, exist_ok=True)


def _store(path: Path, picture: NDArray[np.uint8]) -> None:
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
