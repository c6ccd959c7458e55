"""Crops of a product's own sheets at their own scale, on half of which cracks are painted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.detector.crops import LabelledCrop
from models.training.detector.metal import Paint

_PAINTED = 0.5
_HARD = 0.3
"""Share of the crops that lie around a place which the weights so far take for a crack, where there are any."""
_AGAIN = 2 / 3
"""Share of the crops that were drawn before: painting one takes longer than learning from it."""
_POOL, _LEAST_POOL = 240, 48
"""Crops that are kept to be drawn again, the oldest making room; and from how many on they are."""
_HOLE, _LEAST_HOLE = 0.25, 41
"""What is darker than so large a share of a sheet's brighter quarter, over so many px along both axes, is a hole."""
_MOST_NOISE = 1.0
"""Sigma of the noise that is added, grey levels: the ground has its own."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A piece of a good sheet."""

    pixels: NDArray[np.uint8]
    """(rows, columns), grey levels."""
    ignored: NDArray[np.bool_] | None = None
    """Which of them are not learnt from; None: all are."""
    holes: NDArray[np.bool_] | None = None
    """Where there is no metal, and so never a crack; None: it is metal everywhere."""
    hard: tuple[tuple[int, int], ...] = ()
    """x, y of what the weights so far take for a crack, and of what is one."""
    cracks: NDArray[np.bool_] | None = None
    """Where somebody says that there is a real one; None: there is none."""


class ProductGround:
    """Draws crops of the pieces, each pixel of all as likely as any other.

    Args:
        pieces: of good sheets.
        paint: adds cracks (models.training.detector.metal.Paint).
        polarity: of the recipe; the network knows bright lines alone, so dark ones are learnt on the negative.

    Raises:
        ValueError: no piece.
    """

    def __init__(
        self, pieces: Sequence[Ground], paint: Paint, polarity: Literal["bright", "dark", "both"] = "bright"
    ) -> None:
        if not pieces:
            raise ValueError("there is no ground to learn from")
        self._pieces, self._paint, self._polarity = pieces, paint, polarity
        sizes = np.array([piece.pixels.size for piece in pieces], np.float64)
        self._chances = sizes / sizes.sum()
        self._hard = [(piece, place) for piece in pieces for place in piece.hard]
        self._pool: list[LabelledCrop] = []
        self._drawn = 0

    def fingerprint(self) -> str:
        """SHA-256 over the pieces' pixels and what is ignored of them."""
        found = hashlib.sha256()
        for piece in self._pieces:
            found.update(repr(piece.pixels.shape).encode() + piece.pixels.tobytes())
            found.update(b"" if piece.ignored is None else np.packbits(piece.ignored).tobytes())
            found.update(b"" if piece.cracks is None else np.packbits(piece.cracks).tobytes())
        return found.hexdigest()

    def __call__(self, rng: np.random.Generator, size: int) -> LabelledCrop:
        """A square crop of a random piece, mirrored at its borders where it is too small; often one of before."""
        if len(self._pool) >= _LEAST_POOL and rng.random() < _AGAIN:
            return self._pool[int(rng.integers(len(self._pool)))]
        crop = self.fresh(rng, size)
        if len(self._pool) < _POOL:
            self._pool.append(crop)
        else:
            self._pool[self._drawn % _POOL] = crop
        self._drawn += 1
        return crop

    def fresh(self, rng: np.random.Generator, size: int) -> LabelledCrop:
        """The same, and never one of before."""
        piece, left, top = self._place(rng, size)
        cut = slice(top, top + size), slice(left, left + size)
        grey = _square(piece.pixels[cut], size).astype(np.float32)
        ignored = np.zeros(grey.shape, np.bool_)
        if piece.ignored is not None:
            ignored = _square(piece.ignored[cut].view(np.uint8), size) > 0
        if self._polarity == "dark" or (self._polarity == "both" and rng.random() < 0.5):
            grey = 255 - grey
        noise = rng.uniform(0, _MOST_NOISE)
        mask = np.zeros(grey.shape, np.bool_)
        if piece.cracks is not None:
            mask, unsure = _seen_as(grey, _square(piece.cracks[cut].view(np.uint8), size) > 0)
            ignored |= unsure
        elif rng.random() < _PAINTED:
            plain = grey.copy()
            mask, unsure = self._paint(rng, grey, noise)
            if piece.holes is not None:
                holes = _square(piece.holes[cut].view(np.uint8), size) > 0
                grey[holes] = plain[holes]
                mask, unsure = mask & ~holes, unsure & ~holes
            ring = cv2.dilate(mask.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
            ignored |= unsure | (ring & ~mask)
        grey += rng.standard_normal(grey.shape).astype(np.float32) * np.float32(noise)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8), mask, ignored

    def _place(self, rng: np.random.Generator, size: int) -> tuple[Ground, int, int]:
        if self._hard and rng.random() < _HARD:
            piece, (x, y) = self._hard[int(rng.integers(len(self._hard)))]
            left, top = x - int(rng.integers(size)), y - int(rng.integers(size))
        else:
            piece = self._pieces[int(rng.choice(len(self._pieces), p=self._chances))]
            rows, columns = piece.pixels.shape
            left, top = (int(rng.integers(max(1, length - size + 1))) for length in (columns, rows))
        rows, columns = piece.pixels.shape
        return piece, max(0, min(left, columns - size)), max(0, min(top, rows - size))


def _seen_as(grey: NDArray[np.float32], crack: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The pixels of a real crack to be learnt, and those that are not judged: beside it, and where it is a dark one.

    The network knows bright lines alone.
    """
    around = cv2.dilate(crack.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    beside = around & ~crack
    if crack.any() and beside.any() and float(np.median(grey[crack])) > float(np.median(grey[beside])):
        return crack, beside
    return np.zeros_like(crack), around


def holes_of(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a sheet, grey levels (rows, columns), shows no metal: ports, and what lies beyond its edges."""
    dark = (pixels < _HOLE * float(np.percentile(pixels[::8, ::8], 75))).view(np.uint8)
    # Narrow shadows on the metal are no holes; the rim of one is soft.
    opened = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((_LEAST_HOLE, _LEAST_HOLE), np.uint8))
    return np.asarray(cv2.dilate(opened, np.ones((7, 7), np.uint8)) > 0)


def _square(part: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Mirrored to size x size where it is too small."""
    down, right = max(0, size - part.shape[0]), max(0, size - part.shape[1])
    if down or right:
        part = np.asarray(cv2.copyMakeBorder(part, 0, down, 0, right, cv2.BORDER_REFLECT), np.uint8)
    return np.ascontiguousarray(part)
