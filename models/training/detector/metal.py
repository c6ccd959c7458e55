"""Crops of photographs of real metal: what of a photograph is seen, at which scale and contrast."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.detector.crops import LabelledCrop
from models.training.photographs import Photograph, group_key, held_out, photographs, read, unnamed

_LEAST_HEIGHT, _MOST_HEIGHT = 12.0, 60.0  # grey levels: the plates' 7-46, a little more for textured photographs
_NEGATIVE_SHARE = 0.4
"""Of the crops of clean photographs: a recipe for dark cracks shows the network negatives."""
_MARKED_SHARE = 0.5
"""Of the crops of a photograph with marks, so many lie around one; the others anywhere."""

Paint = Callable[[np.random.Generator, NDArray[np.float32], float], tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""Adds cracks in place to a picture (grey levels) whose noise has that sigma; their pixels, and those not judged."""


class RealMetal:
    """Crops of photographs, enlarged to the plates' scale and lowered to the plates' contrast.

    Scratches are too few to learn cracks on metal from, so cracks are also painted on photographs without defects.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        paint: Paint | None = None,
        part: Literal["all", "training", "validation"] = "all",
    ) -> None:
        """Read them.

        Args:
            folders: each as `models.training.photographs.photographs` takes it; groups that are held out are left out.
            paint: adds cracks to photographs; without it only real ones are learnt.
            part: of the groups that are not held out, one in five is for validation.

        Raises:
            ValueError: a folder has no manifest, or nothing in them can be learnt from.
        """
        every = [one for data in folders for one in photographs(data)]
        passed = [one for one in every if not (one.scratched or one.clean)]
        self.passed_over = dict(Counter(f"{one.collection}/{one.kind}" for one in passed))
        """Photographs by set and class that are of no use: without a mask, or perhaps with a bright line."""
        self.unnamed = [path for data in folders for path in unnamed(data, every)]
        """Pictures in the folders that no manifest and no mask names."""
        usable = [one for one in every if one.scratched or one.clean]
        known = [one for one in usable if not held_out(one.group)]
        self.held_out = len(usable) - len(known)
        """Photographs of groups that are kept for tests."""
        self.groups = frozenset(group_key(one.group) for one in known)
        """Those that are learnt from or chosen by, for a model card."""
        if part != "all":
            kept = _validation(known)
            known = [one for one in known if (one.group in kept) == (part == "validation")]
        self.scratched = [_as_bright(photograph) for photograph in known if photograph.scratched]
        self.clean = [read(photograph) for photograph in known if photograph.clean]
        self._paint = paint
        if not self.scratched and not self.clean:
            raise ValueError(
                f"{', '.join(map(str, folders))}: no photograph with marked cracks or scratches and none without "
                f"defects in the groups that are not held out ({part}), of {len(every)} in all: give more groups"
            )

    def fingerprint(self) -> str:
        """SHA-256 over the photographs' pixels and marks: the same wherever the same data is used."""
        each = sorted(
            hashlib.sha256(repr(one[0].shape).encode() + b"".join(part.tobytes() for part in one)).hexdigest()
            for one in (*self.scratched, *self.clean)
        )
        return hashlib.sha256("\n".join(each).encode()).hexdigest()

    def __call__(self, rng: np.random.Generator, size: int) -> LabelledCrop:
        """A square crop of a random photograph, mirrored at its borders where it is too small."""
        if self.scratched and (not self.clean or rng.random() < 0.45):
            return self._crop(rng, size, self.scratched, painted=False)
        return self._crop(rng, size, self.clean, painted=self._paint is not None and rng.random() < 0.45)

    def _crop(self, rng: np.random.Generator, size: int, pool: list[LabelledCrop], *, painted: bool) -> LabelledCrop:
        # A clean one may be anything from afar to close by; the width of a scratch allows less.
        marked = pool is self.scratched
        factor = rng.uniform(0.8, 2.2) if marked else math.exp(rng.uniform(math.log(0.6), math.log(3.5)))
        window = _window(rng, pool[int(rng.integers(len(pool)))], math.ceil(size / factor))
        image, mask, ignore = (_square(_enlarged(part, factor), size) for part in window)
        gain = rng.uniform(0.35, 1.2)
        if mask.any():
            height = _height(image, mask)
            gain = min(1.2, np.exp(rng.uniform(np.log(_LEAST_HEIGHT), np.log(_MOST_HEIGHT))) / height)
        mean = image.mean()
        grey = (image.astype(np.float32) - mean) * gain + np.clip(mean + rng.uniform(-40, 40), 40, 200)
        if not marked and rng.random() < _NEGATIVE_SHARE:
            grey = 255 - grey
        noise = rng.uniform(0, 2)
        if painted and self._paint is not None:
            cracks, unsure = self._paint(rng, grey, noise)
            mask, ignore = cracks.view(np.uint8), unsure.view(np.uint8)
        grey += rng.standard_normal(grey.shape).astype(np.float32) * np.float32(noise)
        ring = np.asarray(cv2.dilate(mask, np.ones((9, 9), np.uint8)), np.uint8) & (1 - mask)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8), mask > 0, (ignore | ring) > 0


def _as_bright(photograph: Photograph) -> LabelledCrop:
    """As a recipe shows it to the network, which knows bright lines: dark cracks as the picture's negative."""
    image, marks, other = read(photograph)
    return (255 - image if photograph.polarity == "dark" else image), marks, other


def _validation(known: Sequence[Photograph]) -> set[str]:
    """One in five groups of those with marks and of the others, by their names' hash."""
    marked = {one.group for one in known if one.scratched}
    found = set[str]()
    for groups in (marked, {one.group for one in known} - marked):
        found.update(sorted(groups, key=lambda group: hashlib.sha256(group.encode()).digest())[1::5])
    return found


def _window(rng: np.random.Generator, photograph: LabelledCrop, side: int) -> LabelledCrop:
    """A square of a photograph, `side` px or as far as the photograph reaches, often around a marked pixel."""
    image, mask, ignore = photograph
    rows, columns = image.shape
    marked = np.flatnonzero(mask)
    if len(marked) and rng.random() < _MARKED_SHARE:
        y, x = divmod(int(rng.choice(marked)), columns)
        top, left = y - int(rng.integers(side)), x - int(rng.integers(side))
    else:
        top, left = (int(rng.integers(max(1, length - side + 1))) for length in (rows, columns))
    top, left = max(0, min(top, rows - side)), max(0, min(left, columns - side))
    place = slice(top, top + side), slice(left, left + side)
    return image[place], mask[place], ignore[place]


def _height(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float:
    around = cv2.dilate(mask, np.ones((15, 15), np.uint8)) > mask
    inside = np.percentile(image[mask > 0], 75)
    return float(max(5.0, inside - (np.median(image[around]) if around.any() else image.mean())))


def _enlarged(part: NDArray[Any], factor: float) -> NDArray[np.uint8]:
    mode = cv2.INTER_NEAREST if part.dtype == np.bool_ else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part.astype(np.uint8), None, fx=factor, fy=factor, interpolation=mode), np.uint8)


def _square(part: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Mirrored to size x size where it is too small, from the top left: crops are flipped and turned later anyway."""
    down, right = max(0, size - part.shape[0]), max(0, size - part.shape[1])
    if down or right:
        part = np.asarray(cv2.copyMakeBorder(part, 0, down, 0, right, cv2.BORDER_REFLECT), np.uint8)
    return part[:size, :size]
