"""Sheets with their truth from a folder that `linesentry simulate` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.marks import noise_beside
from daemon.lab.data.passed_over import PassedOver
from daemon.lab.data.pictures import (
    Picture,
    PictureError,
    Source,
    SourceError,
    grey_of,
    length_of,
    parse_interference,
    usable,
)
from daemon.lab.data.polarity import SIMULATED, SetPolarity
from models.measure.assessment import TruthBox
from simulator.sheets.products import PRODUCTS

Truth = tuple[TruthBox, ...]


def sheets_of(path: Path) -> Source:
    """The sheets of a folder with an annotations.json.

    Raises:
        SourceError: that file is not as `linesentry simulate` writes it.
    """
    try:
        coco = json.loads((path / "annotations.json").read_text("utf-8"))
        images = {entry["id"]: entry for entry in coco["images"]}
        row_mm, column_mm = float(coco["info"]["row_mm"]), float(coco["info"]["column_mm"])
        marks: dict[int, list[TruthBox]] = {number: [] for number in images}
        for entry in coco["annotations"]:
            marks[entry["image_id"]].append(_of_coco(entry))
        products = {str(entry["product"]) for entry in images.values()}
        plain = [
            (
                str(entry["file_name"]),
                f"{entry['product']}/{entry['seed']}",
                str(entry["product"]),
                parse_interference("+".join(entry["interference"]) or "none", float(entry["strength"])),
                (int(entry["height"]), int(entry["width"])),
                tuple(marks[number]),
            )
            for number, entry in images.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SourceError(
            f"{path / 'annotations.json'} is not as `linesentry simulate` writes it ({type(error).__name__}: {error}): "
            "write the folder again, or give images with masks without it"
        ) from error

    passed = PassedOver()

    def one(name: str, group: str, product: str, interference: str, shape: tuple[int, int], truth: Truth) -> Picture:
        image = grey_of(path / name)
        if image.shape != shape:
            raise PictureError(
                "of another size than annotations.json says: write both again",
                f"{path / name} is {image.shape}, annotations.json says {shape}: write both again",
            )
        noisy = tuple(_with_noise(image, mark) for mark in truth)
        return Picture(name, group, product, image, noisy, interference, image.size * row_mm * column_mm)

    def load(recipe: Recipe) -> Iterator[Picture]:
        del recipe
        return usable(str(path), passed, (partial(one, *sheet) for sheet in plain))

    product = products.pop() if len(products) == 1 else None
    bright = {name: SetPolarity("bright", SIMULATED) for name in sorted({sheet[2] for sheet in plain})}
    return Source(str(path), len(plain), product if product in PRODUCTS else None, load, passed, bright)


def _of_coco(entry: dict[str, Any]) -> TruthBox:
    x, y, width, height = (int(part) for part in entry["bbox"])
    rows = int(entry["segmentation"]["size"][0])
    edges = np.cumsum(np.array(entry["segmentation"]["counts"], np.int64))
    pixels = np.zeros((height, width), np.bool_)
    # Runs go down the columns of the whole picture, every second one is the crack's; each stays in its column.
    for start, end in zip(edges[0:-1:2].tolist(), edges[1::2].tolist(), strict=False):
        column, row = divmod(start, rows)
        pixels[row - y : row - y + end - start, column - x] = True
    known = entry["attributes"]
    return TruthBox(
        box=(x, y, width, height),
        width_px=float(known["width_px"]),
        height_grey=float(known["height_grey"]),
        length_mm=float(known["length_mm"]) if "length_mm" in known else None,
        length_px=length_of(known["polyline"]) if "polyline" in known else float(known["length_px"]),
        visible=float(known.get("visible_share", 1)),
        cluster=int(known["cluster"]) if "cluster" in known else None,
        pixels=pixels,
    )


def _with_noise(image: NDArray[np.uint8], one: TruthBox) -> TruthBox:
    if one.pixels is None or one.height_grey is None:
        return one
    return replace(one, contrast_to_noise=one.height_grey / noise_beside(image, one.box, one.pixels))
