"""`linesentry inspect`: the stages of the line in one process, on image files.

An image is read in bands of one row of windows, so that memory stays bounded; windows, defects and verdict are
computed by the same functions as in the service, a swath of windows at a time. The results of a window do not depend on
the number of threads.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from config.errors import file_text
from config.schema import Camera, Recipe, Windows
from daemon.offline.networks import Device, load_classifier, load_detectors
from models.detector.swaths import most_windows, rows_seen, swaths_across
from models.images import ImageError, ImageSource, open_image
from models.machine.memory import available_bytes
from stages.camera import Sheet
from stages.defects import defects_of
from stages.events import ClassifyCrops, Place
from stages.image_sheet import cause_of, doubts_of, plate_columns
from stages.opinions import Opinions, can_wait
from stages.plate import (
    Cause,
    PlateResult,
    Verdict,
    Window,
    WindowResult,
    window_at,
    window_columns,
    window_rows,
    without_windows,
)
from stages.verdict import facts_of, judged

if TYPE_CHECKING:
    from daemon.store.evidence import Evidence
    from models.classifier.classifier import Classifier
    from models.detector.detector import Detector

CAMERA_WIDTH = int(Camera().width)
_CROPS_AT_ONCE = 16
_MOST_IN_MEMORY = 1 << 30
"""Bytes of a plate's pixels that are kept in memory; a P10B sheet has 188 million."""
Progress = Callable[[int, int], None]
"""Told the windows done and the windows in all."""


@dataclass(frozen=True, slots=True)
class InspectResult:
    """What is said of one image file."""

    image: str
    plate: PlateResult
    width: int | None
    """px that were inspected; None when the file could not be opened."""
    height: int | None
    seconds: float
    first_column: int = 0
    """Image column of the plate's column 0: not 0 where the recipe's columns were cut from a full camera row."""
    warnings: tuple[str, ...] = ()
    failed: bool = False
    """The image could not be inspected; the plate's reason says why."""
    evidence: Evidence | None = None


def load_and_inspect(
    paths: Iterable[Path],
    recipe: Recipe,
    device: Device = "auto",
    *,
    bits: int | None = None,
    pictures: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[InspectResult]:
    """Load the networks and inspect image files; where they cannot be loaded, that is said of each image."""
    try:
        detectors = load_detectors(recipe, device)
        classifier = load_classifier(recipe, device)
    except Exception as error:  # noqa: BLE001 - whatever stops the networks stops each image, and is said of each
        for path in paths:
            yield failure(path, f"the networks cannot be loaded: {error}; run linesentry doctor")
        return
    yield from inspect_files(
        paths, recipe, detectors, classifier=classifier, bits=bits, pictures=pictures, progress=progress
    )


def inspect_files(
    paths: Iterable[Path],
    recipe: Recipe,
    detectors: Sequence[Detector],
    *,
    classifier: Classifier | None = None,
    bits: int | None = None,
    pictures: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[InspectResult]:
    """Inspect image files one after the other, and yield their results in that order.

    A file that cannot be inspected yields an INCONCLUSIVE result with cause UNREADABLE and the reason; the others
    are still done. `detectors` are of this recipe, one for each thread that is to compute. Without a `classifier` a
    recipe that asks for one is decided as the service decides where its classifier is lost.
    """
    stems: set[str] = set()
    for path in paths:
        started = time.monotonic()
        width = height = kept = None
        notes: tuple[str, ...] = ()
        try:
            with open_image(path, bits) as source:
                width, height = source.width, source.height
                first, last = plate_columns(width, recipe, CAMERA_WIDTH)
                if pictures is not None:
                    try:
                        kept = _room_for(height, last - first, pictures)
                    except OSError as error:
                        lacks = f"no pictures of {file_text(path.name)}"
                        notes += (f"{file_text(str(pictures))}: {error.strerror}; {lacks}",)
                plate = inspect_image(source, recipe, detectors, classifier=classifier, progress=progress, keep=kept)
        except (ImageError, OSError, MemoryError) as error:
            reason = str(error) or "not enough memory"
            cause = cause_of(error) if isinstance(error, ImageError) else Cause.UNREADABLE
            yield failure(path, reason, cause, width=width, height=height, seconds=time.monotonic() - started)
            continue
        except Exception as error:  # noqa: BLE001 - a fault in one image must not cost the others, nor be hidden
            reason = f"inspection failed: {type(error).__name__}: {error}; run linesentry doctor"
            yield failure(path, reason, width=width, height=height, seconds=time.monotonic() - started)
            continue
        result = InspectResult(
            image=str(path),
            plate=plate,
            width=last - first,
            height=height,
            seconds=time.monotonic() - started,
            first_column=first,
            warnings=notes + plate.warnings,
        )
        yield result if pictures is None or kept is None else _with_pictures(result, kept, path, pictures, stems)


def inspect_image(
    source: ImageSource,
    recipe: Recipe,
    detectors: Sequence[Detector],
    *,
    classifier: Classifier | None = None,
    progress: Progress | None = None,
    keep: NDArray[np.uint8] | None = None,
) -> PlateResult:
    """Inspect one image as a plate of which every row is there.

    Every row is read, so that damage anywhere shows. An image smaller than the widest template is INCONCLUSIVE (too
    small). `keep`, uint8 of the plate's shape, is filled with its pixels. The classifier sees what the service would
    let it see, and has all the time that it needs.

    Raises:
        ImageError: the image is damaged, does not fit in memory, or has not the recipe's width.
    """
    first, last = plate_columns(source.width, recipe, CAMERA_WIDTH)
    rows, columns = source.height, last - first
    opinions = Opinions(recipe, absent=classifier is None)
    if classifier is not None and keep is None and recipe.classifier.mode != "off":
        keep = _room_for(rows, columns, Path(tempfile.gettempdir()))
    bands = _bands(source, first, last, recipe.windows, keep)
    results: list[WindowResult] = []
    if min(rows, columns) < max(template.width for template in recipe.templates):
        deque(bands, maxlen=0)
    else:
        results = _score(bands, rows, columns, recipe, detectors=detectors, progress=progress)
    place = Place(0, 0, columns)
    asked = [question for result in results for question in opinions.ask(result, place, columns)]
    if classifier is not None and keep is not None:
        _classify(classifier, keep, asked, opinions)
    facts = facts_of("", 0, rows=rows, columns=columns, results=results, recipe=recipe)
    sheet = Sheet("", doubts_of(source), source.warnings)
    facts = replace(facts, sheet=sheet, classifier=opinions.summary(0, inspected=bool(results)))
    defects = defects_of(results, rows, columns, recipe, opinions.of(0))
    return judged(facts, defects, results, columns, recipe)


def failure(
    path: Path | str,
    reason: str,
    cause: Cause = Cause.UNREADABLE,
    *,
    width: int | None = None,
    height: int | None = None,
    seconds: float = 0.0,
) -> InspectResult:
    """The result of an image that could not be inspected."""
    plate = without_windows("", 0, Verdict.INCONCLUSIVE, (cause,), reason)
    plate = replace(plate, rows=height or 0, columns=width or 0)
    return InspectResult(str(path), plate, width, height, seconds, failed=True)


def to_json(result: InspectResult) -> dict[str, Any]:
    """The object of one image: the same keys whatever happened, plain JSON values, mm None without a pitch."""
    plate = result.plate
    return {
        "image": file_text(result.image),
        "verdict": plate.verdict.value,
        "reason": plate.reason,
        "causes": [cause.value for cause in plate.causes],
        "complete": plate.complete,
        "width": result.width,
        "height": result.height,
        "first_column": result.first_column,
        "windows": plate.windows,
        "coverage": _number(plate.coverage),
        "classifier": plate.classifier,
        "warnings": list(result.warnings),
        "defects": [
            {
                "x": defect.x,
                "y": defect.y,
                "width": defect.width,
                "height": defect.height,
                "x_mm": _number(defect.x_mm),
                "y_mm": _number(defect.y_mm),
                "width_mm": _number(defect.width_mm),
                "height_mm": _number(defect.height_mm),
                "score": _number(defect.score),
                "probability": _number(defect.probability),
                "vetoed": defect.vetoed,
                "edge": defect.edge,
                "area": defect.area,
                "peak_x": defect.peak_x,
                "peak_y": defect.peak_y,
            }
            for defect in plate.defects
        ],
        "seconds": round(result.seconds, 6),
    }


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


# --- bands and windows -----------------------------------------------------------------------------------------


def _bands(
    source: ImageSource, first: int, last: int, windows: Windows, keep: NDArray[np.uint8] | None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Each row of windows from the top: the first row of its pixels, and the pixels, uint8 (rows, columns).

    The rows above and below that are seen with it are among them; each image row is read once.
    """
    rows, columns = source.height, last - first
    band, above, read = np.empty((0, columns), np.uint8), 0, 0
    for row in range(window_rows(rows, windows)):
        top, bottom = rows_seen(row * windows.stride, windows.size)
        bottom = min(bottom, rows)
        shared = band[top - above :]
        band, above = np.empty((bottom - top, columns), np.uint8), top
        band[: len(shared)] = shared
        if read < bottom:
            fresh = source.rows(read, bottom)[:, first:last]
            band[read - top :] = fresh
            if keep is not None:
                keep[read:bottom] = fresh
            read = bottom
        yield top, band


def _score(
    bands: Iterable[tuple[int, NDArray[np.uint8]]],
    rows: int,
    columns: int,
    recipe: Recipe,
    *,
    detectors: Sequence[Detector],
    progress: Progress | None,
) -> list[WindowResult]:
    """The results of all windows, in their order; while one band is computed the next is read."""
    from stages.detect import score_windows  # noqa: PLC0415 - brings torch, which the readers do without

    windows = recipe.windows
    across = window_columns(columns, windows)
    total = across * window_rows(rows, windows)
    parts = swaths_across(across, most_windows(windows, recipe.resolution))
    idle: SimpleQueue[Detector] = SimpleQueue()
    for detector in detectors:
        idle.put(detector)

    def score(band: NDArray[np.uint8], swath: list[Window], top: int) -> list[WindowResult]:
        detector = idle.get()
        try:
            return score_windows(detector, band, swath, windows, run="", plate=0, top=top)
        finally:
            idle.put(detector)

    results: list[WindowResult] = []
    waiting: deque[list[Future[list[WindowResult]]]] = deque()

    def gather() -> None:
        for future in waiting.popleft():
            results.extend(future.result())
            if progress is not None:
                progress(len(results), total)

    pool = ThreadPoolExecutor(len(detectors), thread_name_prefix="detect")
    try:
        for row, (top, band) in enumerate(bands):
            swaths = [[window_at(row * across + column, rows, columns, windows) for column in part] for part in parts]
            waiting.append([pool.submit(score, band, swath, top) for swath in swaths])
            if len(waiting) > 1:
                gather()
        while waiting:
            gather()
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _classify(
    classifier: Classifier, pixels: NDArray[np.uint8], asked: Sequence[ClassifyCrops], opinions: Opinions
) -> None:
    """Answer what was asked of a plate, and what is asked upon that; what cannot wait comes first."""
    from stages.classify import Work  # noqa: PLC0415 - brings torch, which the readers do without

    work, waiting = Work(), list(asked)
    while waiting or len(work):
        while waiting and len(work) < _CROPS_AT_ONCE:
            question = min(waiting, key=lambda one: can_wait(one.crops))
            waiting.remove(question)
            work.add(question, pixels)
        for answered in work.compute(lambda _recipe: classifier, _CROPS_AT_ONCE):
            waiting += opinions.take(answered)


# --- pictures --------------------------------------------------------------------------------------------------


def _room_for(rows: int, columns: int, pictures: Path) -> NDArray[np.uint8]:
    """Room for a plate's pixels: in memory, or in a nameless file beside the pictures where they would crowd it.

    Raises:
        OSError: there is no room in either.
    """
    if rows * columns <= min(available_bytes() // 4, _MOST_IN_MEMORY):
        return np.empty((rows, columns), np.uint8)
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=pictures) as file:
        os.posix_fallocate(file.fileno(), 0, rows * columns)  # a full disk is told here, not by a signal later
        return np.memmap(file, np.uint8, "r+", shape=(rows, columns))


def _with_pictures(
    result: InspectResult, pixels: NDArray[np.uint8], path: Path, pictures: Path, stems: set[str]
) -> InspectResult:
    """The result with its pictures written; files of equal name in several folders get a number."""
    from daemon.store.evidence import write_evidence  # noqa: PLC0415 - only for those who want pictures

    stem, number = path.stem, 1
    while stem in stems:
        number += 1
        stem = f"{path.stem}-{number}"
    stems.add(stem)
    evidence = write_evidence(pixels, result.plate, pictures, title=file_text(path.name), stem=stem)
    return replace(result, evidence=evidence, warnings=result.warnings + evidence.errors)
