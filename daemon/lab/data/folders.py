"""Pictures with their truth from folders: simulated sheets, photographs with a manifest, images with masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.marks import instances, marks_of
from daemon.lab.data.passed_over import PassedOver
from daemon.lab.data.pictures import Picture, PictureError, Source, SourceError, grey_of, usable
from daemon.lab.data.polarity import SetPolarity, polarities_of
from daemon.lab.data.sheets_folder import sheets_of
from models.measure.assessment import TruthBox
from models.training.learnt_groups import UNKNOWN, LearntGroups
from models.training.photographs import (
    Photograph,
    Polarity,
    is_picture,
    labels_of,
    manifest_of,
    photographs,
    read,
    unnamed,
)
from simulator.sheets.write import mask_path

_UNUSABLE = "picture or mask cannot be read, or they differ in size: write them again, or take them out"

_NOTHING = "cracked, but its mask marks nothing, or slips under 4 px: mark the crack, or write another class"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which pictures of a folder are judged, and how."""

    enlarge: float = 1.0
    """Photographs and images with masks are enlarged so many times,"""
    contrast: float = 1.0
    """and their distance from their mean grey value is multiplied by this."""
    all_groups: bool = False
    """Groups that the weights learnt from are judged, too."""
    learnt: LearntGroups = UNKNOWN
    """What the weights learnt from."""
    polarity: Polarity | None = None
    """How all cracks differ from their ground, where one knows it better than the manifest and the pictures."""

    def passed_over(self, one: Photograph) -> str | None:
        """Why a photograph is not judged; None: it is."""
        return one.unusable or (None if self.all_groups else self.learnt.passed_over(one.group))


def folder(path: Path, choice: Choice | None = None) -> Source:
    """The pictures of a folder, by what lies in it.

    annotations.json: sheets that `linesentry simulate` wrote, all of them. manifest.csv, there or up to two folders
    above: photographs of real metal (models.training.photographs). Otherwise images NAME.png (or TIFF, BMP, JPEG), also
    in folders below, each with NAME_mask.png: 8 bit masks mark defects by any value but 0, 16 bit ones give each its
    own value.

    Raises:
        SourceError: there is nothing in it that can be evaluated on.
    """
    choice = Choice() if choice is None else choice
    if not path.is_dir():
        raise SourceError(f"{path} is no folder: name one with annotations.json, manifest.csv, or images and masks")
    if (path / "annotations.json").is_file():
        if choice.enlarge != 1 or choice.contrast != 1:
            raise SourceError(f"{path} holds simulated sheets: --enlarge and --contrast are for photographs")
        return sheets_of(path)
    manifest = manifest_of(path)
    return _pairs(path, choice) if manifest is None else _photographs(path, manifest, choice)


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


def _photographs(path: Path, manifest: Path, choice: Choice) -> Source:
    root, passed = path.resolve(), PassedOver()
    every = _listed(path)
    if not every:
        raise SourceError(f"{manifest} names 0 images in {path}: name a folder whose pictures it names")
    _count(passed, path, unnamed(path, every), f"not named by {manifest.name}: give them a row")
    chosen = _chosen(path, every, choice, passed)
    polarities = polarities_of([one for one in chosen if one.marked], _tried, choice.polarity)
    change = _Change(choice.enlarge, choice.contrast)

    def one(photograph: Photograph, recipe: Recipe) -> Picture:
        try:
            image, crack, other = read(photograph)
        except ValueError as error:
            raise PictureError(_UNUSABLE, str(error)) from error
        image = change.image(image)
        polarity = _of(polarities, photograph)
        marks = _marks(photograph, image, change.labels(crack, recipe), polarity)
        rest = marks_of(image, change.labels(other, recipe), polarity)
        return Picture(
            name=photograph.image.relative_to(root).as_posix(),
            group=photograph.group,
            kind=f"{photograph.collection}/{photograph.kind}",
            image=image,
            truth=(*marks, *(replace(mark, asked=False) for mark in rest)),
        )

    return _source(path, chosen, one, passed, polarities)


def _pairs(path: Path, choice: Choice) -> Source:
    root, passed = path.resolve(), PassedOver()
    places = {mask.parent for mask in root.rglob("*_mask.png")} or {root}
    images = [image for place in sorted(places) for image in sorted(place.iterdir()) if is_picture(image)]
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
    every = _listed(path)
    _count(passed, path, unnamed(path, every), "without a mask: give each NAME.png a NAME_mask.png")
    chosen = _chosen(path, every, choice, passed)
    polarities = polarities_of([one for one in chosen if one.marked], _tried, choice.polarity)
    change = _Change(choice.enlarge, choice.contrast)

    def one(photograph: Photograph, recipe: Recipe) -> Picture:
        image = grey_of(photograph.image)
        mask = _mask(mask_path(photograph.image), image.shape)
        image = change.image(image)
        marks = _marks(photograph, image, change.labels(mask, recipe), _of(polarities, photograph))
        name = photograph.image.relative_to(root).as_posix()
        return Picture(name, photograph.group, photograph.collection, image, marks)

    return _source(path, chosen, one, passed, polarities)


def _marks(
    photograph: Photograph, image: NDArray[np.uint8], labels: NDArray[np.int32], polarity: str
) -> tuple[TruthBox, ...]:
    """The defects of a photograph.

    Raises:
        PictureError: it is cracked, and nothing is marked: it must not pass for a clean one.
    """
    marks = marks_of(image, labels, polarity)
    if photograph.cracked and not marks:
        raise PictureError(_NOTHING, f"{photograph.image}: nothing is marked on a picture that is cracked")
    return marks


def _source(
    path: Path,
    chosen: Sequence[Photograph],
    one: Callable[[Photograph, Recipe], Picture],
    passed: PassedOver,
    polarities: dict[str, SetPolarity],
) -> Source:
    def load(recipe: Recipe) -> Iterator[Picture]:
        return usable(str(path), passed, (partial(one, photograph, recipe) for photograph in chosen))

    return Source(str(path), len(chosen), None, load, passed, polarities)


def _listed(path: Path) -> list[Photograph]:
    try:
        return photographs(path)
    except (OSError, ValueError) as error:
        raise SourceError(str(error)) from error


def _chosen(path: Path, every: Sequence[Photograph], choice: Choice, passed: PassedOver) -> list[Photograph]:
    """Those that are judged; the others are counted.

    Raises:
        SourceError: there is none.
    """
    chosen = []
    for one in every:
        reason = choice.passed_over(one)
        if reason is None:
            chosen.append(one)
        else:
            passed.add(str(path), reason, str(one.image))
    if not chosen:
        raise SourceError(f"none of the {len(every)} pictures in {path} can be judged: {passed.words()}")
    return chosen


def _count(passed: PassedOver, path: Path, images: Sequence[Path], reason: str) -> None:
    for one in images:
        passed.add(str(path), reason, str(one))


def _tried(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
    try:
        image, crack, _ = read(photograph)
    except ValueError:  # counted when it is to be judged
        return None
    return image, crack


def _of(polarities: dict[str, SetPolarity], photograph: Photograph) -> str:
    known = polarities.get(photograph.collection)
    return "both" if known is None else known.polarity


def _mask(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        mask = labels_of(path)
    except ValueError as error:
        raise PictureError(_UNUSABLE, f"{error}; give a mask of 8 or 16 bit grey values") from error
    if mask.shape != shape:
        raise PictureError(
            _UNUSABLE, f"{path} is {mask.shape}, its image is {shape}: a mask is grey and of its image's size"
        )
    return mask
