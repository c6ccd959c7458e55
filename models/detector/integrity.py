"""What a window's pixels say of the camera that delivered them: traces of what no working camera delivers.

Two exposures of grained metal never agree to the bit over many pixels, so rows or columns that do were copied. Rows
and columns are looked at through some dozens of their pixels; only what agrees there is compared whole. Copies from
farther away are found by fingerprints: of each row and column that falls into the sample by its own content, so that
both copies of it do, a hash goes with the result, and stages/integrity.py looks for equal ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.detector.findings import LEFT, LIT, RIGHT, Integrity

_WORD = 8
"""Px of a word: what is compared at once."""
_WORDS = 8
"""Words of a row or column that are looked at, evenly spread."""
_SHORTEST = 128
"""Px of a row or column; a shorter one says too little."""
_LIT = 4
"""Words that must have light for their row or column to say anything."""
_GRAIN = 0.3
"""Share of their px that are brighter than both neighbours or darker than both: of noise two thirds are, of a ramp
none. Where a strong JPEG compression took the noise away, rows are equal that were not."""
_STEP = 64
"""Grey levels from one px to the next that no lens draws."""
_PLAIN = 0.75
"""Share of rows with such a step and no grain that must be copies: a camera's test picture, for instance."""
_ENLARGED, _AS_OFTEN = (0.2, 0.95), 0.08
"""Shares of rows and of columns that look equal to the one before in a picture enlarged by copying its pixels, and how
far the two may differ."""
_SAMPLE = np.uint64(7)
"""A fingerprint is kept where these bits of it are zero: one of eight."""
_LEAST_LIGHT, _MOST_LIGHT = 32, 250
"""Grey levels between which the sheet is to be seen, not what lies beside it."""
_LEAST_LINES = 64
"""Rows over which a column must hold one value to be called still."""
_FACTORS = np.random.default_rng(20).integers(1, 2**63, _WORDS, np.uint64) * np.uint64(2) + np.uint64(1)
_MIX = np.uint64(0x9E3779B97F4A7C15)

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_] | None


def examine(pixels: Pixels, own: tuple[int, int, int, int], masked: Mask) -> Integrity:
    """The traces in the part of a window that it alone counts.

    Args:
        pixels: the window, (h, w) uint8, any strides along the rows.
        own: x0, y0, x1, y1 of the part, px of the window.
        masked: (h, w), pixels to leave out; None when there are none.
    """
    x0, y0, x1, y1 = own
    if x1 <= x0 or y1 <= y0:
        return Integrity()
    top, left = max(0, y0 - 1), max(0, x0 - 1)
    over, beside = (None, None) if masked is None else (masked[top:y1, x0:x1], masked[y0:y1, left:x1].T)
    rows = _copies(pixels[top:y1, x0:x1], y0 - top, over)
    columns = _copies(pixels[y0:y1, left:x1].T, x0 - left, beside)
    still, lost = _still(pixels[y0:y1, x0:x1], None if masked is None else masked[y0:y1, x0:x1])
    least, most = sorted((rows.alike, columns.alike))
    if _ENLARGED[0] <= least and most <= min(_ENLARGED[1], least + _AS_OFTEN):
        return Integrity(still=still, still_px=lost, enlarged=True)
    return Integrity(rows.equal, columns.equal, rows.marks, columns.marks, still, lost)


class _Copies(NamedTuple):
    equal: int = 0
    """Lines that are equal to the one before them, where that tells something."""
    marks: bytes = b""
    """Fingerprints of the sampled lines."""
    alike: float = 0.0
    """Share of the lines that look equal to the one before them, whether that tells something or not."""


def _copies(lines: Pixels, before: int, masked: Mask) -> _Copies:
    """What of some lines is a copy of the one before, and the fingerprints of the sampled ones.

    Args:
        lines: (n, length), rows or columns.
        before: of the first ones, that belong to the neighbour and are only compared with.
        masked: (n, length); pixels to leave out.
    """
    count, length = lines.shape
    if length < _SHORTEST or count < 2:
        return _Copies()
    samples = np.empty((count, _WORDS, _WORD), np.uint8)
    for place in range(_WORDS):
        first = place * (length - _WORD) // (_WORDS - 1)
        samples[:, place] = lines[:, first : first + _WORD]
        if masked is not None:
            samples[masked[:, first : first + _WORD].any(axis=1), place] = 0
    words: NDArray[np.uint64] = samples.view("<u8")[..., 0]
    alike = np.flatnonzero((words[1:] == words[:-1]).all(axis=1))
    share = alike.size / (count - 1)
    grained, plain = _telling(samples[alike], lines[alike])
    told = grained | (plain & (plain.sum() >= _PLAIN * (count - 1)))
    alike = alike[told]
    equal = int((lines[alike] == lines[alike + 1]).all(axis=1).sum()) if alike.size else 0
    marks: NDArray[np.uint64] = (words[before:] * _FACTORS).sum(axis=1, dtype=np.uint64)
    marks = (marks ^ (marks >> np.uint64(29))) * _MIX
    marks ^= marks >> np.uint64(32)
    chosen = np.flatnonzero(marks & _SAMPLE == 0)
    grained, plain = _telling(samples[before:][chosen], lines[before:][chosen])
    marked = marks[chosen] | plain
    return _Copies(equal, marked[grained | plain].astype("<u8").tobytes(), share)


def _telling(samples: NDArray[np.uint8], lines: Pixels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which lines (n, length) have light and so much grain that no other is equal; which have light and are drawn.

    Args:
        samples: words of the lines, (n, k, px).
        lines: those lines.
    """
    lit = (samples.max(axis=2) >= _LEAST_LIGHT) & (samples.min(axis=2) <= _MOST_LIGHT)
    words = np.count_nonzero(lit, axis=1)
    up, down = samples[..., 1:] > samples[..., :-1], samples[..., 1:] < samples[..., :-1]
    turned = (up[..., 1:] & down[..., :-1]) | (down[..., 1:] & up[..., :-1])
    turns = np.count_nonzero(turned & lit[..., None], axis=(1, 2))
    grained = (words >= _LIT) & (turns >= _GRAIN * (_WORD - 2) * words)
    drawn = (words >= _LIT) & ~grained
    at = np.flatnonzero(drawn)
    drawn[at] = np.abs(np.diff(lines[at].astype(np.int16), axis=1)).max(axis=1) >= _STEP if at.size else False
    return np.asarray(grained), np.asarray(drawn)


def _still(part: Pixels, masked: Mask) -> tuple[bytes, int]:
    """Runs of columns that hold one value over all rows, as said of Integrity.still; px of them that were lit."""
    height, width = part.shape
    if height < _LEAST_LINES:
        return b"", 0
    probes = part[:: height // 8]
    still = (probes == probes[0]).all(axis=0)
    if not still.any():
        return b"", 0
    found = np.flatnonzero(still)
    still[found] = (part[:, found] == part[0, found]).all(axis=0)
    if masked is not None:
        still &= ~masked.any(axis=0)
    lit = still & (part[0] >= _LEAST_LIGHT) & (part[0] <= _MOST_LIGHT)
    runs: list[tuple[int, int, int]] = []
    for of, kind in ((lit, LIT), (still & ~lit, 0)):
        for first, after in _runs(of):
            left = LEFT * (first > 0 and _shows(part[:, first - 1]))
            right = RIGHT * (after < width and _shows(part[:, after]))
            runs.append((first, after, kind | left | right))
    return np.array(sorted(runs), "<i2").tobytes(), int(lit.sum()) * height


def _runs(of: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and after the last of each run of true values."""
    steps = np.diff(of.astype(np.int8), prepend=0, append=0)
    return [(int(a), int(b)) for a, b in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True)]


def _shows(column: Pixels) -> bool:
    """Whether there is light enough for the sheet to be seen, not too much, and grain."""
    up, down = column[1:] > column[:-1], column[1:] < column[:-1]
    turns = np.count_nonzero((up[1:] & down[:-1]) | (down[1:] & up[:-1]))
    return bool(_LEAST_LIGHT <= float(column.mean()) <= _MOST_LIGHT and turns >= _GRAIN * (column.size - 2))
