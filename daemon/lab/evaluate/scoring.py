"""Pictures with their truth through the path of the product itself: what was found, what was missed.

A picture goes the way of `linesentry inspect`: windows, regions, merging over seams, verdict. Beside what the detector
reports at its settings, the same feature values are read once more with a lower floor, for the curve over scores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.pictures import Picture, Source, SourceError
from daemon.offline.inspect import Progress, inspect_image
from models.classifier.classifier import Classifier
from models.detector.detector import Detector, WindowFinding, WindowView
from models.detector.features import FEATURE, Architecture
from models.images.source import ImageError, ImageSource
from models.machine.cpu import usable_cores
from models.measure.assessment import Found, Scored
from stages.comparison import box_of
from stages.defects import defects_of
from stages.plate import Defect, WindowResult, window_columns
from stages.verdict import standing

FAINTER = 3.0
"""Feature units by which the floor is lowered for the curve: regions with scores from 0.18 on."""

_UNFIT = "refused by the recipe, as for a width that is not its own: take another recipe"


class PatientDetector(Detector):
    """A detector that keeps all it finds, and what a lower floor would find in the same feature values."""

    _values: list[NDArray[np.float32]] | None = None
    _reading_again = False

    def keep(self) -> list[tuple[WindowView, WindowFinding, WindowFinding]]:
        """A fresh list to which each window, its finding and the one of the lower floor are added from now on."""
        self._kept: list[tuple[WindowView, WindowFinding, WindowFinding]] = []
        return self._kept

    def detect(self, views: Sequence[WindowView], judging: Callable[[int], None] | None = None) -> list[WindowFinding]:
        """The findings of windows of one swath, as a Detector's."""
        plain = super().detect(views, judging)
        self._kept.extend(zip(views, plain, self._faint(views) or plain, strict=True))
        return plain

    def _faint(self, views: Sequence[WindowView]) -> list[WindowFinding]:
        """Findings with a lower floor; none where the mode knows no floor."""
        recipe, learnt = self.recipe, self._learnt
        if recipe.threshold.mode != "adaptive":
            return []
        floor = learnt.floor if recipe.threshold.floor is None else recipe.threshold.floor
        threshold = recipe.threshold.model_copy(update={"floor": floor - min(FAINTER, learnt.grow)})
        self.recipe = recipe.model_copy(update={"threshold": threshold})
        self._reading_again = True
        try:
            # The picture's quality was measured already: here of one pixel.
            return super().detect([view._replace(own=(0, 0, 1, 1)) for view in views])
        finally:
            self.recipe, self._reading_again = recipe, False

    def _features(self, views: Sequence[WindowView]) -> list[NDArray[np.float32]]:
        if not self._reading_again or self._values is None:
            self._values = super()._features(views)
        return self._values


def load_detectors(
    recipe: Recipe,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    workers: int | None = None,
    architecture: Architecture = FEATURE,
) -> list[PatientDetector]:
    """One detector for each core (or `workers`), each computing on one thread; one for a GPU.

    Raises:
        DetectorError: the weights or the device cannot be had, or they do not give their known answer.
    """
    torch.set_num_threads(1)
    on_gpu = device != "cpu" and torch.cuda.is_available()
    count = 1 if on_gpu else workers or usable_cores()
    loaded = [PatientDetector.load(recipe, device, architecture=architecture) for _ in range(count)]
    return [detector for detector in loaded if isinstance(detector, PatientDetector)]


@dataclass(frozen=True, slots=True)
class Inspected:
    """A scored picture and how long the detector took."""

    scored: Scored
    seconds: float


def inspect_picture(
    picture: Picture,
    recipe: Recipe,
    detectors: Sequence[PatientDetector],
    classifier: Classifier | None = None,
    progress: Progress | None = None,
) -> Inspected:
    """Inspect one picture as a plate of that recipe.

    What the classifier vetoes is not among what was found; the curve over scores is the detector's alone.

    Raises:
        ImageError: the picture has not the recipe's width.
    """
    kept = [detector.keep() for detector in detectors]
    started = time.monotonic()
    plate = inspect_image(InMemory(picture.image), recipe, detectors, classifier=classifier, progress=progress)
    seconds = time.monotonic() - started
    rows, columns = plate.rows, plate.columns
    results, faint = _results([one for part in kept for one in part], columns, recipe)
    scored = Scored(
        name=picture.name,
        group=picture.group,
        truth=picture.truth,
        found=_with_pixels([one for one in plate.defects if not one.vetoed], results, columns, recipe),
        kind=picture.kind,
        interference=picture.interference,
        rows=rows,
        columns=columns,
        mm2=picture.mm2,
        faint=tuple(Found(box_of(one), one.score) for one in defects_of(faint, rows, columns, recipe)),
        verdict=plate.verdict.value,
        cause=plate.causes[0].value if plate.causes else None,
    )
    return Inspected(scored, seconds)


def scored_plates(
    source: Source,
    recipe: Recipe,
    detectors: Sequence[PatientDetector],
    *,
    classifier: Classifier | None = None,
    look: Callable[[Picture, Inspected], None] | None = None,
    progress: Progress | None = None,
) -> Iterator[Scored]:
    """The pictures of a source one after the other, each dropped when it is scored.

    `look` sees each picture with its result before it is dropped; `progress` is told (windows done, windows) of each.

    Raises:
        SourceError: not one picture can be read and has the recipe's width; others are counted in the source.
    """
    fault, judged = None, False
    for picture in source.pictures(recipe):
        try:
            inspected = inspect_picture(picture, recipe, detectors, classifier, progress)
        except ImageError as error:
            fault = fault or SourceError(f"{picture.name}: {error}")
            source.passed.add(source.name, _UNFIT, f"{picture.name}: {error}")
            continue
        judged = True
        if look is not None:
            look(picture, inspected)
        yield inspected.scored
    if fault is not None and not judged:
        raise fault


class InMemory(ImageSource):
    """A picture that is in memory already."""

    bits = 8

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._image = image
        self.height, self.width = image.shape

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        return self._image[first:last]

    def close(self) -> None:
        """Nothing to let go of."""


def _results(
    kept: list[tuple[WindowView, WindowFinding, WindowFinding]], columns: int, recipe: Recipe
) -> tuple[list[WindowResult], list[WindowResult]]:
    """What was kept as results of windows: at the detector's settings, and with the lower floor."""
    windows = recipe.windows
    across = window_columns(columns, windows)

    def result(view: WindowView, finding: WindowFinding) -> WindowResult:
        return WindowResult(
            run="",
            plate=0,
            window=view.y // windows.stride * across + view.x // windows.stride,
            regions=finding.regions,
            truncated=finding.truncated,
            quality=finding.quality,
            threshold=finding.threshold,
            seconds=0.0,
            scored=finding.scored,
        )

    return [result(view, plain) for view, plain, _ in kept], [result(view, faint) for view, _, faint in kept]


def _with_pixels(
    defects: Sequence[Defect], results: Sequence[WindowResult], columns: int, recipe: Recipe
) -> tuple[Found, ...]:
    """The defects with the pixels of their regions; a region belongs to the smallest box that holds its own."""
    if not defects:
        return ()
    stride, across = recipe.windows.stride, window_columns(columns, recipe.windows)
    x, y, width, height = np.array([box_of(one) for one in defects], np.int64).T
    by_size = np.argsort(width * height, kind="stable")
    runs: list[list[NDArray[np.int32]]] = [[] for _ in defects]
    for result in results:
        row, column = divmod(result.window, across)
        left, top = column * stride, row * stride
        for region in result.regions:
            x0, y0 = region.x + left, region.y + top
            x1, y1 = x0 + region.width, y0 + region.height
            holds = (x <= x0) & (y <= y0) & (x + width >= x1) & (y + height >= y1)
            owner = by_size[holds[by_size]]
            if owner.size:
                own = np.frombuffer(region.runs, "<i4").reshape(-1, 3)
                runs[owner[0]].append(own + np.array((top, left, left), np.int32))
    return tuple(
        Found(box_of(defect), standing(defect, recipe), np.concatenate(own) if own else None)
        for defect, own in zip(defects, runs, strict=True)
    )
