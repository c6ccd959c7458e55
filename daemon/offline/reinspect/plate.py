"""One archived plate through a candidate: its file is proved, inspected, and held against what is stored."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from config.errors import file_text
from daemon.offline.inspect import InspectResult, Progress, inspect_files
from daemon.offline.reinspect.candidate import Candidate
from models.images import open_image
from stages.comparison import Counterparts, Difference, Kind, compare
from stages.plate import Defect, PlateResult, worst_first

_MOST_PICTURES = 12
_SEEN_PX, _AROUND_PX, _SHOWN_PX = 224, 64, 448
"""Side of what a picture shows at least, px beyond a long defect, and the longest side of the picture itself."""
_BLOCK = 1 << 20


class Fault(StrEnum):
    """Why a plate that has a file in the archive was not inspected anew."""

    MISSING = "file missing"
    DAMAGED = "file damaged"
    FAILED = "not inspected"


@dataclass(frozen=True, slots=True)
class Job:
    """A plate to inspect anew."""

    file: str
    """Its path, or an address that fsspec knows, as whoever inspects it sees it."""
    sha256: str
    """Of the file, hex."""
    stored: PlateResult

    @property
    def plate(self) -> int:
        """Its number."""
        return self.stored.plate


@dataclass(frozen=True, slots=True)
class Picture:
    """A piece of a plate."""

    x: int
    """Its box in plate coordinates, px; likewise y, width and height."""
    y: int
    width: int
    height: int
    png: bytes
    """Grey, as large or smaller."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job."""

    plate: int
    candidate: PlateResult | None
    """In the coordinates of the stored plate; None where there is a fault."""
    pictures: tuple[Picture, ...] = ()
    """Of the defects that would change, in their order, the first few; of the plate, where its verdict alone would."""
    fault: Fault | None = None
    words: str = ""
    """Of the fault."""


class Inspector:
    """A candidate that is loaded. Not for several threads at once.

    Raises:
        CandidateError: its weights or the device cannot be used.
    """

    def __init__(self, candidate: Candidate) -> None:
        self._recipe, self._detector, self._classifier = candidate.load()

    def inspect(self, job: Job, progress: Progress | None = None) -> Outcome:
        """Inspect a plate anew; whatever is wrong with its file or its pixels is told as a fault of this plate."""
        try:
            with _proved(job) as path:
                return self._inspect(job, path, progress)
        except FileNotFoundError:
            return _without(job, Fault.MISSING, f"{job.file} is not there")
        except _DamagedError as error:
            return _without(job, Fault.DAMAGED, str(error))
        except Exception as error:  # noqa: BLE001 - storage of any kind raises what it likes; other plates still count
            reason = (
                error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
            )
            return _without(job, Fault.FAILED, f"{job.file} cannot be read: {reason}")

    def _inspect(self, job: Job, path: Path, progress: Progress | None) -> Outcome:
        detectors, classifier = [self._detector], self._classifier
        (result,) = inspect_files([path], self._recipe, detectors, classifier=classifier, progress=progress)
        if result.failed:
            return _without(job, Fault.FAILED, result.plate.reason)
        candidate = _placed(result, job.stored)
        difference = compare(job.stored, candidate)
        return Outcome(job.plate, candidate, tuple(_pictures(path, job.stored, candidate, difference)))


class _DamagedError(Exception):
    pass


@contextmanager
def _proved(job: Job) -> Iterator[Path]:
    """The file here, once its checksum is that of the store.

    Raises:
        FileNotFoundError: it is not there.
        _DamagedError: it is not as it was written.
    """
    if "://" not in job.file:
        with Path(job.file).open("rb") as file:
            _check(hashlib.file_digest(file, "sha256").hexdigest(), job)
        yield Path(job.file)
        return
    import fsspec  # noqa: PLC0415 - an extra, for who names an address

    with TemporaryDirectory(prefix="linesentry-plate-") as folder:
        path = Path(folder, "plate.tif")
        with fsspec.open(job.file, "rb") as source, path.open("w+b") as copy:
            _copy(source, copy)
            copy.seek(0)
            _check(hashlib.file_digest(copy, "sha256").hexdigest(), job)
        yield path


def _copy(source: IO[Any], copy: IO[bytes]) -> None:
    shutil.copyfileobj(source, copy, _BLOCK)


def _check(found: str, job: Job) -> None:
    if found != job.sha256:
        raise _DamagedError(f"{job.file} is not as it was written: its checksum differs")


def _without(job: Job, fault: Fault, words: str) -> Outcome:
    return Outcome(job.plate, None, fault=fault, words=file_text(words))


def _placed(result: InspectResult, stored: PlateResult) -> PlateResult:
    """The result as one of the stored plate, whose columns it may have cut anew."""
    first = result.first_column
    moved = tuple(replace(one, x=one.x + first, peak_x=one.peak_x + first) for one in result.plate.defects)
    return replace(result.plate, run=stored.run, plate=stored.plate, image=stored.image, defects=moved)


# --- pictures ----------------------------------------------------------------------------------------------------


def _pictures(path: Path, stored: PlateResult, candidate: PlateResult, difference: Difference) -> Iterator[Picture]:
    before, after = worst_first(stored.defects), worst_first(candidate.defects)
    with open_image(path) as image:
        if difference.kind is Kind.VERDICT and not difference.changed:
            yield _picture(_whole(image.rows, image.height, image.width), 0, 0, image.width, image.height)
        for one in difference.changed[:_MOST_PICTURES]:
            x, y, width, height = _around(_boxes(one, before, after), image.width, image.height)
            yield _picture(image.rows(y, y + height)[:, x : x + width], x, y, width, height)


def _boxes(one: Counterparts, before: list[Defect], after: list[Defect]) -> list[Defect]:
    named = ((one.stored, before), (one.candidate, after))
    return [defects[number - 1] for number, defects in named if number is not None]


def _around(defects: list[Defect], columns: int, rows: int) -> tuple[int, int, int, int]:
    """A square around the boxes, as far as the plate goes."""
    left, top = min(one.x for one in defects), min(one.y for one in defects)
    right = max(one.x + one.width for one in defects)
    bottom = max(one.y + one.height for one in defects)
    side = max(_SEEN_PX, right - left + _AROUND_PX, bottom - top + _AROUND_PX)
    x = max(0, min((left + right - side) // 2, columns - side))
    y = max(0, min((top + bottom - side) // 2, rows - side))
    return x, y, min(side, columns - x), min(side, rows - y)


def _whole(rows: Any, height: int, width: int) -> NDArray[np.uint8]:  # noqa: ANN401 - a reader of rows
    """The whole plate, made smaller band by band."""
    step = max(1, -(-max(height, width) // _SHOWN_PX))
    bands = [rows(y, min(y + step * 16, height)) for y in range(0, height, step * 16)]
    small = [
        cv2.resize(band, (max(1, width // step), max(1, len(band) // step)), interpolation=cv2.INTER_AREA)
        for band in bands
    ]
    return np.concatenate(small, dtype=np.uint8)


def _picture(pixels: NDArray[np.uint8], x: int, y: int, width: int, height: int) -> Picture:
    longest = max(pixels.shape)
    if longest > _SHOWN_PX:
        size = tuple(max(1, round(side * _SHOWN_PX / longest)) for side in pixels.shape[::-1])
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return Picture(x, y, width, height, cv2.imencode(".png", np.ascontiguousarray(pixels))[1].tobytes())
