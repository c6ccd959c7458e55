"""What a window's pixels say of the camera that delivered them: traces of what no working camera delivers.

Two exposures of grained metal never agree to the bit over many pixels, so rows or columns that do were copied. Rows
and columns are looked at through some dozens of their pixels; only what agrees there is compared whole. Copies from
farther away are found by fingerprints: of each row and column that falls into the sample by its own content, so that
both copies of it do, a hash goes with the result, and stages/integrity.py looks for equal ones.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.detector.findings import LEFT, LIT, RIGHT, Broken, Integrity
from models.detector.traces import (
    LEAST_LIGHT,
    MOST_LIGHT,
    Bits,
    alternation,
    bits_of,
    break_of,
    sampled,
    scatter,
    whiteness_of,
)

Axis = Literal["rows", "columns"]

# What the measures of models/detector/traces.py must reach; docs/decisions/0035-integrity.md has the margins.
NOISE = 1.5
"""Whiteness below which a window holds nothing but noise."""
EXCESS, STUCK, LEAPS = 0.05, 0.02, 0.02
"""Of a bit that follows no neighbour, of one that is stuck, and of the highest one."""
ALTERNATING: dict[Axis, tuple[float, float]] = {"rows": (1.6, 6.0), "columns": (2.5, 36.0)}
"""Of every second row or column that is another's; how much energy that must be at least, grey levels squared. Odd and
even columns of a good camera may differ by some grey levels."""
SCATTERED, _GOES_ON, _CONTRAST = 0.9, 0.3, 36.0
"""Of lines of which none goes on from the one before; most of it from px to px within them; and least variance, grey
levels squared."""
BROKEN = {"shifted": 0.5, "negative": 0.5, "gain": 0.9}
"""Least share of a line that changes at a break."""

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
_NARROW, _THIRD = 4, 3
"""Windows across a plate of which each is looked at in full; on a wider one every so-many-th is."""
_BEFORE = 20
"""Rows of the window above, and columns of the one beside, that are looked at with a window's own."""
_LEAST_LINES = 64
"""Rows over which a column must hold one value to be called still."""
_FACTORS = np.random.default_rng(20).integers(1, 2**63, _WORDS, np.uint64) * np.uint64(2) + np.uint64(1)
_MIX = np.uint64(0x9E3779B97F4A7C15)

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_] | None


def examine(
    pixels: Pixels, own: tuple[int, int, int, int], masked: Mask, along: Collection[Axis] = ("rows", "columns")
) -> Integrity:
    """The traces in the part of a window that it alone counts.

    Args:
        pixels: the window, (h, w) uint8, any strides along the rows.
        own: x0, y0, x1, y1 of the part, px of the window.
        masked: (h, w), pixels to leave out; None when there are none.
        along: whether rows, columns or both are compared, see axes_of.
    """
    x0, y0, x1, y1 = own
    if x1 <= x0 or y1 <= y0:
        return Integrity()
    top, left = max(0, y0 - _BEFORE), max(0, x0 - _BEFORE)
    over, beside = (None, None) if masked is None else (masked[top:y1, x0:x1], masked[y0:y1, left:x1].T)
    rows = _lines(pixels[top:y1, x0:x1], over) if "rows" in along else _NO_LINES
    columns = _lines(pixels[y0:y1, left:x1].T, beside) if "columns" in along else _NO_LINES
    still, lost = _still(pixels[y0:y1, x0:x1], None if masked is None else masked[y0:y1, x0:x1])
    down, across = _copies(rows, y0 - top), _copies(columns, x0 - left)
    least, most = sorted((down.alike, across.alike))
    if _ENLARGED[0] <= least and most <= min(_ENLARGED[1], least + _AS_OFTEN):
        return Integrity(still=still, still_px=lost, enlarged=True)
    picture = _Picture() if masked is not None and masked.any() else _picture(rows, columns, (top, left))
    return Integrity(down.equal, across.equal, down.marks, across.marks, still, lost, False, *picture)


def axes_of(row: int, column: int, across: int) -> tuple[Axis, ...]:
    """What is compared in a window, by its place in the plate's grid of so many windows across.

    On a wide plate rows are compared in every third window of a band, columns in every third band: what is wrong with a
    camera's rows is so across a tap at least, with its columns along, and both halves of a copy are compared.
    """
    if across <= _NARROW:
        return ("rows", "columns")
    axes: tuple[tuple[Axis, bool], ...] = (("rows", column % _THIRD == 0), ("columns", row % _THIRD == 0))
    return tuple(axis for axis, wanted in axes if wanted)


class _Lines(NamedTuple):
    whole: Pixels
    """(n, length), rows or columns."""
    samples: Pixels
    """Words of them, (n, words, px); masked ones are 0. Empty where the lines are too short to say anything."""


_NO_LINES = _Lines(np.empty((0, 0), np.uint8), np.empty((0, _WORDS, _WORD), np.uint8))


def _lines(lines: Pixels, masked: Mask) -> _Lines:
    count, length = lines.shape
    if length < _SHORTEST or count < 2:
        return _Lines(lines, np.empty((0, _WORDS, _WORD), np.uint8))
    samples = np.empty((count, _WORDS, _WORD), np.uint8)
    for place in range(_WORDS):
        first = place * (length - _WORD) // (_WORDS - 1)
        samples[:, place] = lines[:, first : first + _WORD]
        if masked is not None:
            samples[masked[:, first : first + _WORD].any(axis=1), place] = 0
    return _Lines(lines, samples)


class _Picture(NamedTuple):
    """The last fields of Integrity."""

    lit: bool = False
    noise: float = 0.0
    bits: int = 0
    broken: tuple[Broken, ...] = ()


def _picture(rows: _Lines, columns: _Lines, start: tuple[int, int]) -> _Picture:
    """What the picture itself says: noise, bits, and where it does not go on."""
    whiteness, noise, bits, broken = 0.0, 0.0, 0, list[Broken]()
    axes: list[tuple[_Lines, Axis, int]] = [(rows, "rows", start[0]), (columns, "columns", start[1])]
    for place, (lines, along, first) in enumerate(axes):
        # Half of the words are enough here.
        seen = sampled(lines.samples[:, ::2])
        if seen is None:
            continue
        whiteness = max(whiteness, whiteness_of(seen))
        noise = max(noise, float(np.sqrt(seen.energy.mean() / 2)))
        if place == 0 or not len(rows.samples):
            bits = _wrong_bits(bits_of(seen))
        near, more = alternation(seen)
        if near >= ALTERNATING[along][0] and more >= ALTERNATING[along][1]:
            broken.append(Broken("alternating", along, first, 1.0))
        apart, within, variance = scatter(seen)
        if apart >= SCATTERED and within <= _GOES_ON and variance >= _CONTRAST:
            broken.append(Broken("scattered", along, first, 1.0))
        at = break_of(seen, lines.whole)
        if at is not None and at.kind and at.share >= BROKEN[at.kind]:
            broken.append(Broken(at.kind, along, first + at.at, at.share))
    if any(one.kind == "alternating" for one in broken):
        bits = 0  # neighbours differ for another reason
    lit = 0 < whiteness < np.inf
    return _Picture(lit, noise if lit and whiteness < NOISE else 0.0, bits, tuple(broken))


def _wrong_bits(bits: Bits) -> int:
    wrong = 0
    if bits.excess[0] >= EXCESS:
        wrong |= 1 << bits.excess[1]
    if bits.follows[0] <= STUCK:
        wrong |= 1 << bits.follows[1]
    return wrong | (128 if bits.leaps >= LEAPS else 0)


class _Copies(NamedTuple):
    equal: int = 0
    """Lines that are equal to the one before them, where that tells something."""
    marks: bytes = b""
    """Fingerprints of the sampled lines."""
    alike: float = 0.0
    """Share of the lines that look equal to the one before them, whether that tells something or not."""


def _copies(lines: _Lines, before: int) -> _Copies:
    """What of some lines is a copy of the one before, and the fingerprints of the sampled ones.

    Args:
        lines: with the last ones of the neighbour.
        before: how many those are.
    """
    if not len(lines.samples):
        return _Copies()
    first = max(0, before - 1)
    whole, samples = lines.whole[first:], lines.samples[first:]
    words: NDArray[np.uint64] = samples.view("<u8")[..., 0]
    alike = np.flatnonzero((words[1:] == words[:-1]).all(axis=1))
    count = len(words) - 1
    equal, share = 0, alike.size / max(1, count)
    if share >= _ENLARGED[0]:
        # Smooth metal looks so in a few words; only an enlarged picture is so from end to end.
        seen = whole[alike]
        shown = (seen.max(axis=1) >= LEAST_LIGHT) & (seen.min(axis=1) <= MOST_LIGHT)
        share *= float(((seen == whole[alike + 1]).all(axis=1) & shown).mean())
    if alike.size:
        grained, plain = _telling(samples[alike], whole[alike])
        told = alike[grained | (plain & (plain.sum() >= _PLAIN * count))]
        equal = int((whole[told] == whole[told + 1]).all(axis=1).sum())
    own = before - first
    marks: NDArray[np.uint64] = words[own:] @ _FACTORS
    marks = (marks ^ (marks >> np.uint64(29))) * _MIX
    marks ^= marks >> np.uint64(32)
    chosen = np.flatnonzero(marks & _SAMPLE == 0)
    grained, plain = _telling(samples[own:][chosen], whole[own:][chosen])
    marked = marks[chosen] | plain
    return _Copies(equal, marked[grained | plain].astype("<u8").tobytes(), share)


def _telling(samples: NDArray[np.uint8], lines: Pixels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which lines (n, length) have light and so much grain that no other is equal; which have light and are drawn.

    Args:
        samples: words of the lines, (n, k, px).
        lines: those lines.
    """
    lit = (samples.max(axis=2) >= LEAST_LIGHT) & (samples.min(axis=2) <= MOST_LIGHT)
    words = np.count_nonzero(lit, axis=1)
    up, down = samples[..., 1:] > samples[..., :-1], samples[..., 1:] < samples[..., :-1]
    turned = (up[..., 1:] & down[..., :-1]) | (down[..., 1:] & up[..., :-1])
    turns = np.count_nonzero(turned & lit[..., None], axis=(1, 2))
    grained = (words >= _LIT) & (turns >= _GRAIN * (_WORD - 2) * words)
    drawn = (words >= _LIT) & ~grained
    if np.count_nonzero(drawn) < _PLAIN * len(drawn):
        return np.asarray(grained), np.zeros_like(drawn)
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
    lit = still & (part[0] >= LEAST_LIGHT) & (part[0] <= MOST_LIGHT)
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
    return bool(LEAST_LIGHT <= float(column.mean()) <= MOST_LIGHT and turns >= _GRAIN * (column.size - 2))
