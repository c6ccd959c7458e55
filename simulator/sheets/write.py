"""Rendered sheets as files: pictures, instance masks and one COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from simulator.sheets.order import MakeSheets
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.reference import Reference
from simulator.sheets.sheet import render


def simulate(
    order: MakeSheets,
    *,
    product: Product | None = None,
    reference: Reference | None = None,
    on_progress: Callable[[int, int, int], object] | None = None,
) -> list[Path]:
    """Render sheets of seeds `seed`, `seed` + 1, ... into the order's folder, byte-identical for the same order.

    Writes <product>_<seed>.png (or a tiled .tiff), <product>_<seed>_mask.png (uint16, 0 is the sheet, k the crack of
    instance k) and annotations.json (COCO); returns the pictures' paths. `product` takes the place of the one that the
    order names. `on_progress` gets (sheet, rows done, rows).

    Raises:
        ValueError: An unknown product or format, fewer than one sheet, or what `render` refuses.
        OSError: A file cannot be written.
    """
    if product is None:
        if order.product not in PRODUCTS:
            raise ValueError(f"unknown product {order.product!r}: choose from {', '.join(PRODUCTS)}")
        product = PRODUCTS[order.product]
    if order.plates < 1:
        raise ValueError(f"{order.plates} sheets were asked for: ask for 1 or more")
    if order.format not in {"png", "tiff"}:
        raise ValueError(f"unknown format {order.format!r}: choose png or tiff")
    order.out.mkdir(parents=True, exist_ok=True)
    pictures: list[Path] = []
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(order.plates):

        def progress(done: int, rows: int, index: int = index) -> None:
            if on_progress is not None:
                on_progress(index, done, rows)

        sheet = render(
            product,
            order.seed + index,
            order.density,
            interference=[kind.value for kind in order.interference],
            strength=order.strength,
            on_progress=progress,
            reference=reference,
        )
        picture = order.out / f"{product.name}_{order.seed + index}.{order.format}"
        write_sheet(picture, sheet.image, sheet.truth.mask())
        pictures.append(picture)
        image, found = sheet.truth.coco(picture.name, index + 1, len(annotations) + 1)
        images.append(image | {"mask_file_name": mask_path(picture).name})
        annotations.extend(found)
    write_coco(order.out / "annotations.json", product, images, annotations)
    return pictures


def mask_path(picture: Path) -> Path:
    """Where the mask of a picture lies: NAME_mask.png beside NAME with any ending."""
    return picture.with_name(f"{picture.stem}_mask.png")


def write_sheet(picture: Path, image: NDArray[np.uint8], instances: NDArray[np.uint16]) -> None:
    """Write a picture, by its name as PNG or tiled TIFF, and its instance mask beside it.

    Raises:
        OSError: a file cannot be written.
    """
    if picture.suffix == ".png":
        _write_png(picture, image)
    else:
        tifffile.imwrite(
            picture,
            image,
            tile=(512, 512),
            compression="zstd",
            predictor=True,
            compressionargs={"level": 1},
            photometric="minisblack",
            metadata=None,
            software=False,
            maxworkers=1,
        )
    _write_png(mask_path(picture), instances)


def _write_png(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    if not cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f"{path} could not be written: check that the folder is writable and has room")


def write_coco(path: Path, product: Product, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
    """Write what is known of a folder's pictures; the product says how large a px is, mm."""
    coco = {
        "info": {
            "description": "simulated sheets with microcracks",
            "row_mm": product.row_mm,
            "column_mm": product.column_mm,
        },
        "categories": [{"id": 1, "name": "microcrack", "supercategory": "defect"}],
        "images": images,
        "annotations": annotations,
    }
    path.write_text(json.dumps(coco, separators=(",", ":")) + "\n", "utf-8")
