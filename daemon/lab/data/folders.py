"""Pictures with their truth from folders: simulated sheets, photographs with a manifest, images with masks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.marks import instances, marks_of, noise_beside
from daemon.lab.data.pictures import Picture, Source, SourceError, length_of, parse_interference
from models.measure.assessment import TruthBox
from models.training.photographs import Photograph, grey, held_out, labels_of, manifest_of, photographs, read
from simulator.sheets.products import PRODUCTS
from simulator.sheets.write import mask_path

_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


def folder(path: Path, *, enlarge: float = 1.0, contrast: float = 1.0, all_groups: bool = False) -> Source:
    """The pictures of a folder, by what lies in it.

    annotations.json: sheets that `linesentry simulate` wrote. manifest.csv, there or up to two folders above:
    photographs of real metal (models.training.photographs). Otherwise images NAME.png (or TIFF, BMP, JPEG), also in
    folders below, each with NAME_mask.png: 8 bit masks mark defects by any value but 0, 16 bit ones give each its own
    value. Photographs and images with masks are those of the groups that training on that folder holds out, unless
    `all_groups`.

    Args:
        path: the folder.
        enlarge: photographs and images with masks are enlarged so many times.
        contrast: and their distance from their mean grey value is multiplied by this.
        all_groups: take photographs and images of groups that may have been trained on, too.

    Raises:
        SourceError: there is nothing in it that can be evaluated on.
    """
    if not path.is_dir():
        raise SourceError(f"{path} is no folder: name one with annotations.json, manifest.csv, or images and masks")
    if (path / "annotations.json").is_file():
        if enlarge != 1 or contrast != 1:
            raise SourceError(f"{path} holds simulated sheets: --enlarge and --contrast are for photographs")
        return _sheets(path)
    change = _Change(enlarge, contrast)
    manifest = manifest_of(path)
    return _pairs(path, change, all_groups) if manifest is None else _photographs(path, manifest, change, all_groups)


@dataclass(frozen=True, slots=True)
class _Change:
    """What brings photographs to the plates' scale and contrast."""

    enlarge: float
    contrast: float

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.enlarge != 1:
            image = np.asarray(
                cv2.resize(image, None, fx=self.enlarge, fy=self.enlarge, interpolation=cv2.INTER_LINEAR), np.uint8
            )
        if self.contrast == 1:
            return image
        mean = image.mean()
        return np.asarray(np.clip(np.rint((image - mean) * self.contrast + mean), 0, 255), np.uint8)

    def labels(self, mask: NDArray[Any], recipe: Recipe) -> NDArray[np.int32]:
        """A mask's defects, numbered: by its own values if it has 16 bits."""
        numbered = mask.dtype == np.uint16
        mask = mask if numbered else np.asarray(mask > 0, np.uint8)
        if self.enlarge != 1:
            mask = np.asarray(
                cv2.resize(mask, None, fx=self.enlarge, fy=self.enlarge, interpolation=cv2.INTER_NEAREST), mask.dtype
            )
        return np.asarray(mask, np.int32) if numbered else instances(mask > 0, recipe)


def _sheets(path: Path) -> Source:
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

    def load(recipe: Recipe) -> Iterator[Picture]:
        del recipe
        for name, group, product, interference, shape, truth in plain:
            image = _grey(path / name)
            if image.shape != shape:
                raise SourceError(f"{path / name} is {image.shape}, annotations.json says {shape}: write both again")
            noisy = tuple(_with_noise(image, one) for one in truth)
            yield Picture(name, group, product, image, noisy, interference, image.size * row_mm * column_mm)

    product = products.pop() if len(products) == 1 else None
    return Source(str(path), len(plain), product if product in PRODUCTS else None, load)


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
        length_mm=float(known["length_mm"]),
        length_px=length_of(known["polyline"]),
        visible=float(known["visible_share"]),
        cluster=int(known["cluster"]),
        pixels=pixels,
    )


def _with_noise(image: NDArray[np.uint8], one: TruthBox) -> TruthBox:
    if one.pixels is None or one.height_grey is None:
        return one
    return replace(one, contrast_to_noise=one.height_grey / noise_beside(image, one.box, one.pixels))


def _photographs(path: Path, manifest: Path, change: _Change, all_groups: bool) -> Source:
    try:
        every = photographs(path)
    except (OSError, ValueError) as error:
        raise SourceError(str(error)) from error
    known = [one for one in every if _marked(one) or one.clean]
    chosen = [one for one in known if all_groups or held_out(one.group)]
    if not chosen:
        raise SourceError(
            f"{manifest} names {len(every)} images in {path}, none of which can be judged"
            + ("" if all_groups or not known else " in a held-out group: try --all-groups")
        )

    def load(recipe: Recipe) -> Iterator[Picture]:
        for one in chosen:
            sign = _marked(one)
            if sign is not None and recipe.polarity not in (sign, "both"):
                continue
            image, scratch, other = _read(one)
            image = change.image(image)
            marks = marks_of(image, change.labels(scratch, recipe), recipe.polarity)
            rest = marks_of(image, change.labels(other, recipe), recipe.polarity)
            yield Picture(
                name=one.image.relative_to(path.resolve()).as_posix(),
                group=one.group,
                kind=f"{one.collection}/{one.kind}",
                image=image,
                truth=(*marks, *(replace(mark, asked=False) for mark in rest)),
            )

    return Source(str(path), len(chosen), None, load, len(known) - len(chosen))


def _marked(photograph: Photograph) -> str | None:
    """The polarity of the cracks or scratches that are marked in it, if any are."""
    if photograph.scratched:
        return "bright"
    dark = photograph.collection == "mt" and photograph.kind == "MT_Crack" and photograph.mask is not None
    return "dark" if dark else None


def _read(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    try:
        image, scratch, other = read(photograph)
    except ValueError as error:
        raise SourceError(str(error)) from error
    if _marked(photograph) == "dark" and photograph.mask is not None:
        scratch = _mask(photograph.mask, image.shape) > 0
    return image, scratch, other


def _pairs(path: Path, change: _Change, all_groups: bool) -> Source:
    root = path.resolve()
    places = {mask.parent for mask in root.rglob("*_mask.png")} or {root}
    images = [image for place in sorted(places) for image in sorted(place.iterdir()) if _is_image(image)]
    if not images:
        raise SourceError(
            f"{path} holds neither annotations.json nor manifest.csv nor images: name a folder written by "
            "`linesentry simulate`, one with a manifest.csv, or images NAME.png with NAME_mask.png"
        )
    alone = [one for one in images if not mask_path(one).is_file()]
    if alone:
        raise SourceError(
            f"{len(alone)} of {len(images)} images in {path} have no mask ({alone[0].relative_to(root)} needs "
            f"{mask_path(alone[0]).name}): give each one, of zeros where there is no defect"
        )
    try:
        every = photographs(path)
    except ValueError as error:
        raise SourceError(str(error)) from error
    chosen = [one for one in every if all_groups or held_out(one.group)]
    if not chosen:
        raise SourceError(
            f"none of the {len(every)} pictures in {path} is in a group that training holds out (each is a group of "
            "its own): give --all-groups if nothing was trained on them, or more pictures"
        )

    def load(recipe: Recipe) -> Iterator[Picture]:
        for one in chosen:
            image = _grey(one.image)
            mask = _mask(mask_path(one.image), image.shape)
            image = change.image(image)
            marks = marks_of(image, change.labels(mask, recipe), recipe.polarity)
            yield Picture(one.image.relative_to(root).as_posix(), one.group, one.collection, image, marks)

    return Source(str(path), len(chosen), None, load, len(every) - len(chosen))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.stem.endswith("_mask")


def _grey(path: Path) -> NDArray[np.uint8]:
    try:
        return grey(path)
    except ValueError as error:
        raise SourceError(str(error)) from error


def _mask(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        mask = labels_of(path)
    except ValueError as error:
        raise SourceError(f"{error}; give a mask of 8 or 16 bit grey values") from error
    if mask.shape != shape:
        raise SourceError(f"{path} is {mask.shape}, its image is {shape}: a mask is grey and of its image's size")
    return mask
