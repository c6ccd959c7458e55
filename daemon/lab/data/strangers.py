"""Sheets of the yardsticks: families that share no formula with what a network has learnt from, die by die.

Of every two sheets of a die the second is clean, so that false alarms are counted on metal without a crack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.marks import marks_of
from daemon.lab.data.pictures import Picture, Source, SourceError
from daemon.lab.data.polarity import SIMULATED, SetPolarity
from simulator.sheets.order import FAMILIES, MakeSheets
from simulator.sheets.products import Product
from simulator.sheets.truth import column_runs
from simulator.sheets.write import mask_path, write_coco, write_sheet
from simulator.strangers import drawn, shaded

DIES = range(6)
"""Of a family that is named without its dies."""
FIRST_SEED = 1
CRACKS = 8
"""Of a sheet that is not clean."""
_RENDER = {"shaded": shaded.render, "drawn": drawn.render}
Shape = tuple[int, int]
SHAPE: Shape = (2400, 3600)
"""Rows and columns of a sheet."""
_PITCH = Product("stranger", 0, 0, row_mm=0.05, column_mm=0.05)


def is_family(name: str) -> bool:
    """Whether what `--simulate` names is a family, and no product."""
    return name.partition(":")[0] in FAMILIES


def strangers(
    name: str, plates: int, *, seed: int | None = None, cracks: int | None = None, shape: Shape = SHAPE
) -> list[Source]:
    """Sheets made on the fly, a source for each die.

    Args:
        name: `shaded` for all dies, `shaded:2` for one, `shaded:0-5` for a range.
        plates: of a die; every second one is clean.
        seed: the first one.
        cracks: of a sheet that is not clean; None: 8.
        shape: rows and columns of a sheet.

    Raises:
        SourceError: dies that are none.
    """
    family, _, asked = name.partition(":")
    first = FIRST_SEED if seed is None else seed
    return [_die(family, die, range(first, first + plates), cracks, shape) for die in _dies(asked)]


def _dies(asked: str) -> range:
    if not asked:
        return DIES
    found = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", asked)
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise SourceError(f"dies {asked!r} are none: name one as shaded:2, or a range as shaded:0-5")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _die(family: str, die: int, seeds: range, cracks: int | None, shape: Shape) -> Source:
    def make(recipe: Recipe) -> Iterator[Picture]:
        del recipe
        for number, seed in enumerate(seeds):
            image, instances = _rendered(family, seed, die, 0 if number % 2 else cracks, shape)
            yield Picture(
                name=f"{family}-{die}/{seed}",
                group=f"{family}-{die}/{seed}",
                kind=f"{family}, die {die}",
                image=image,
                truth=marks_of(image, instances.astype(np.int32), "bright"),
                mm2=image.size * _PITCH.row_mm * _PITCH.column_mm,
            )

    bright = {f"{family}, die {die}": SetPolarity("bright", SIMULATED)}
    return Source(f"{family}, die {die} (simulated)", len(seeds), None, make, polarities=bright)


def _rendered(
    family: str, seed: int, die: int, cracks: int | None, shape: Shape
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    sheet = _RENDER[family](seed, die, CRACKS if cracks is None else cracks, *shape)
    return sheet.image, sheet.instances


def write_strangers(order: MakeSheets, told: Callable[[int, int], object], shape: Shape = SHAPE) -> list[Path]:
    """Write the sheets of one die as `simulate` writes those of a product, and return the pictures' paths.

    Raises:
        ValueError: interference, which these families have of their own.
        OSError: a file cannot be written.
    """
    assert order.family is not None
    if order.interference:
        raise ValueError("--interference is for products: a family has oil and light of its own")
    order.out.mkdir(parents=True, exist_ok=True)
    name = f"{order.family}-{order.die}"
    pictures, images, annotations = list[Path](), list[dict[str, object]](), list[dict[str, object]]()
    for number in range(order.plates):
        image, instances = _rendered(order.family, order.seed + number, order.die, order.density, shape)
        picture = order.out / f"{name}_{order.seed + number}.{order.format}"
        write_sheet(picture, image, instances)
        pictures.append(picture)
        rows, columns = image.shape
        images.append(
            {
                "id": number + 1,
                "file_name": picture.name,
                "width": columns,
                "height": rows,
                "product": name,
                "seed": order.seed + number,
                "interference": [],
                "strength": order.strength,
                "mask_file_name": mask_path(picture).name,
            }
        )
        annotations += _annotations(image, instances, number + 1, len(annotations) + 1)
        told(number + 1, order.plates)
    write_coco(order.out / "annotations.json", _PITCH, images, annotations)
    return pictures


def _annotations(
    image: NDArray[np.uint8], instances: NDArray[np.uint16], number: int, first: int
) -> Iterator[dict[str, object]]:
    """Those of one sheet: what can be measured of each crack stands for what its maker knows."""
    rows, columns = image.shape
    for index, mark in enumerate(marks_of(image, instances.astype(np.int32), "bright")):
        assert mark.pixels is not None
        x, y, _, _ = mark.box
        counts = list(column_runs(mark.pixels, x, y, rows, columns))
        measured = {"width_px": mark.width_px, "height_grey": mark.height_grey, "length_px": mark.length_px}
        yield {
            "id": first + index,
            "image_id": number,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": list(mark.box),
            "area": int(mark.pixels.sum()),
            "segmentation": {"size": [rows, columns], "counts": counts},
            "attributes": {name: round(value or 0.0, 3) for name, value in measured.items()},
        }
