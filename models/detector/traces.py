"""Measures of what samples of rows or columns say of the camera: noise, bits, and lines that do not go on.

All take samples of lines: of each of n neighbouring rows (or columns) k words of 8 px side by side, at the same places
of each. What is dark or near white says nothing and is left out.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_LIGHT, MOST_LIGHT = 32, 250
"""Grey levels between which the sheet is to be seen, not what lies beside it."""
_LEAST_WORDS = 3
"""Words with light for lines to say anything."""
_LEAST_LINES = 64
_EVERY = 4
"""Bits are looked at in each so-many-th line."""
_LEAST_FLIPS = 25
"""Flips of a bit from which its neighbour is judged by it."""
_MANY = 4.0
"""Standard deviations by which a count must differ from another to be no chance."""
_FAR, _HALF = 96, 48
"""Grey levels from one px to the next: farther than any surface goes; half as far, that comes before it."""
_AROUND = 4
"""Lines on each side of a break that are compared, and as many beyond them, of which none must change so."""
_EDGE = 9
"""Lines at either end in which no break is looked for."""
_LEAST_BROKEN = 1
"""Words that break for a line to be looked at whole."""
_MOST_BREAKS = 8
"""Lines that are looked at whole."""
_LEAST_BLOCKS = 12
"""Parts of 8 px of a line with light, for it to say anything."""
_CHANGE = 2.0
"""Grey levels by which a part changes at a break, beyond twice what it changes beside it."""
_EXCESS, _STEP = 4.0, 16.0
"""A word breaks where its energy of differences is so many times its usual one, and so much, grey levels squared;"""
_EVENLY = 0.25
"""Spread of the ratio of both sides, as a share of its distance from 1, of a change of gain."""
_SAME = 0.9
"""Correlation over a break from which on the picture is the same."""
_OPPOSITE, _NEGATIVE = 0.8, 10.0
"""The same of a negative, and grey levels by which the mean of both sides may differ from that of black and white."""
_SHARP = 0.25
"""and where those before and after are smaller by so much: a lens draws no edge in one line."""

Samples = NDArray[np.uint8]


class Bits(NamedTuple):
    """How the bits of neighbouring pixels differ; each the worst of all parts and bits, with its bit."""

    excess: tuple[float, int] = (0.0, 0)
    """How much more often a bit alone differs than the one below it does, as a share of pairs that are equal: a bit
    that follows no neighbour has 1, noise makes it fall from bit to bit."""
    follows: tuple[float, int] = (1.0, 0)
    """Flips of a bit for one of the bit above it, which cannot flip oftener on a surface: 0 of a bit that is stuck."""
    leaps: float = 0.0
    """Share of pairs farther from each other than any surface goes, where those half as far are fewer."""


class Break(NamedTuple):
    """A line from which on a picture is not the one before."""

    at: int
    """Line after the break."""
    share: float
    """Of the lit parts of the line that change there, and not beside it."""
    kind: Literal["shifted", "negative", "gain", ""]
    """Empty where the edge of something fits as well."""


class Sampled(NamedTuple):
    """Words of neighbouring lines that show the sheet somewhere."""

    words: Samples
    """(n, k, 8)."""
    grey: NDArray[np.float32]
    """The same, (n, 8 k)."""
    energy: NDArray[np.float32]
    """Mean squared difference of each word to the same of the line before, (n - 1, k)."""


def sampled(samples: Samples) -> Sampled | None:
    """The lit words of lines, or None where they are too few, or the lines are."""
    count = len(samples)
    if count < _LEAST_LINES:
        return None
    grey = samples.reshape(count, -1).astype(np.float32)
    brightest, darkest = grey[::4].max(axis=0).reshape(-1, 8), grey[::4].min(axis=0).reshape(-1, 8)
    lit = (brightest.max(axis=1) >= LEAST_LIGHT) & (darkest.min(axis=1) <= MOST_LIGHT)
    k = int(lit.sum())
    if k < _LEAST_WORDS:
        return None
    if k < lit.size:
        samples = samples[:, lit]
        grey = samples.reshape(count, -1).astype(np.float32)
    steps = grey[1:] - grey[:-1]
    steps *= steps
    return Sampled(samples, grey, np.asarray(steps @ _means(k, 1), np.float32))


@cache
def _means(k: int, lines: int) -> NDArray[np.float32]:
    """What takes some lines of k words of 8 px to the mean of each word over them: products of matrices are quick."""
    words = np.repeat(np.eye(k, dtype=np.float32), 8, axis=0)
    return np.tile(words, (lines, 1)) / np.float32(8 * lines)


def whiteness_of(lines: Sampled) -> float:
    """Variance of the means of 8 x 8 px over what white noise would give them: 1 for noise, more for a surface.

    Infinite where the lines are too dark.
    """
    many, k = len(lines.grey) // 8, lines.energy.shape[1]
    blocks = lines.grey[: 8 * many].reshape(many, -1)
    means, squares = blocks @ _means(k, 8), (blocks * blocks) @ _means(k, 8)
    if float(means.mean()) < LEAST_LIGHT:
        return np.inf
    noise = float((squares - means * means).mean()) / 63
    return float(means.var()) / max(noise, 1e-6)


def alternation(lines: Sampled) -> tuple[float, float]:
    """Energy of the differences from line to line over that to the line after next, and how much more it is."""
    over_next = lines.grey[2::4] - lines.grey[:-2:4]
    far = _median(np.square(over_next).mean(axis=1))
    near = _median(lines.energy[::4].mean(axis=1))
    return near / max(far, 1.0), near - far


def scatter(lines: Sampled) -> tuple[float, float, float]:
    """How much lines differ from the one before, and within each from px to px; and their variance.

    Both are shares of what pixels without any relation would differ by: near 1 where nothing goes on from one to the
    next. Each line's own brightness is taken off, for ground metal has lines of that.
    """
    grey = lines.grey - lines.grey.mean(axis=1, keepdims=True)
    words = grey.reshape(len(grey), -1, 8)
    variance = float((grey * grey).mean())
    most = 2 * max(variance, 1e-6)
    across, within = grey[1:] - grey[:-1], words[..., 1:] - words[..., :-1]
    return float((across * across).mean()) / most, float((within * within).mean()) / most, variance


def _median(values: NDArray[np.float32]) -> float:
    return float(np.sort(values)[values.size // 2])


def bits_of(lines: Sampled) -> Bits:
    """How the bits of px side by side differ, in a sample of lines."""
    words = lines.words[::_EVERY]
    one, other = words[..., 1:], words[..., :-1]
    counts, apart = _counts(one ^ other), _counts(np.maximum(one, other) - np.minimum(one, other))
    equal = np.maximum(counts[:, :1], 1)
    alone = counts[:, _ALONE]
    # From bit 3 on: what the lower ones do is noise.
    over = (alone[:, 3:] - alone[:, 2:-1] - _MANY * np.sqrt(alone[:, 3:] + alone[:, 2:-1] + 1)) / equal
    flips = counts.astype(np.float32) @ _SET
    enough = flips[:, 1:] >= _LEAST_FLIPS
    follow = np.where(enough, flips[:, :-1] / np.maximum(flips[:, 1:], 1), 1.0)
    # Of the whole alone: the edge of an oil patch leaps too.
    leaps = int(apart[-1, _FAR:].sum()) - 2 * int(apart[-1, _HALF:_FAR].sum())
    worst, least = int(over.max(axis=0).argmax()), int(follow.min(axis=0).argmin())
    return Bits(
        (float(over[:, worst].max()), worst + 3),
        (float(follow[:, least].min()), least),
        leaps / max(1, int(apart[-1].sum())),
    )


def _counts(values: Samples) -> NDArray[np.int64]:
    """How often each value comes in each quarter of the window, where a fault may begin, and in all, (5, 256)."""
    lines, words = len(values) // 2, values.shape[1] // 2
    quarters = [part for half in (values[:lines], values[lines:]) for part in (half[:, :words], half[:, words:])]
    counts = np.array([np.bincount(quarter.ravel(), minlength=256) for quarter in quarters])
    return np.concatenate([counts, counts.sum(axis=0, keepdims=True)])


_ALONE = 1 << np.arange(8)
_SET = ((np.arange(256)[:, None] >> np.arange(8)[None]) & 1).astype(np.float32)


def break_of(lines: Sampled, whole: Samples) -> Break | None:
    """The clearest break, if there is a line where one may be, from the 10th line to the 10th last.

    Args:
        lines: samples.
        whole: the lines they are of, (n, length).
    """
    energy = lines.energy
    usual = np.maximum(np.sort(energy[::4], axis=0)[len(energy) // 8], 1.0)
    inner = energy[_EDGE:-_EDGE]
    high = (inner >= _EXCESS * usual) & (inner >= _STEP)
    count = high.sum(axis=1, dtype=np.int8)
    places = np.flatnonzero(count >= _LEAST_BROKEN)
    best = None
    for place in places[np.argsort(-count[places], kind="stable")][:_MOST_BREAKS]:
        beside = np.maximum(energy[place + _EDGE - 1], energy[place + _EDGE + 1])
        sharp = high[place] & (beside <= np.maximum(_SHARP * inner[place], 2 * usual))
        if np.count_nonzero(sharp) < _LEAST_BROKEN:
            continue
        found = _looked_at(whole, int(place) + _EDGE + 1)
        if found is not None and (best is None or found.share > best.share):
            best = found
    return best


def _looked_at(lines: Samples, at: int) -> Break | None:
    """How many parts of the lines change for good between the line before `at` and it."""
    width = lines.shape[1] // 8 * 8
    around = lines[at - 2 * _AROUND : at + 2 * _AROUND, :width].reshape(4, _AROUND, width // 8, 8)
    earlier, before, after, later = around.mean(axis=(1, 3), dtype=np.float32)
    lit = (np.minimum(before, after) >= LEAST_LIGHT) & (np.maximum(before, after) <= MOST_LIGHT)
    if np.count_nonzero(lit) < _LEAST_BLOCKS:
        return None
    drift = np.maximum(np.abs(before - earlier), np.abs(later - after))
    changed = np.abs(after - before) >= _CHANGE + 2 * drift
    share = float(np.count_nonzero(changed & lit) / np.count_nonzero(lit))
    return Break(at, share, _kind(before[lit], after[lit]))


def _kind(before: NDArray[np.float32], after: NDArray[np.float32]) -> Literal["shifted", "negative", "gain", ""]:
    """What happened to the means of parts of a line, (n,), from one side of a break to the other."""
    both, steps = before + after, after - before
    alike = float(np.corrcoef(before, after)[0, 1]) if before.std() > 0 and after.std() > 0 else 0.0
    if alike <= -_OPPOSITE and abs(float(both.mean()) - 255) <= _NEGATIVE:
        return "negative"
    if alike >= _SAME:
        # The same picture goes on, brighter or darker; beside the edge of a sheet another one begins.
        ratio = after / before
        return "gain" if float(ratio.std()) <= _EVENLY * abs(float(ratio.mean()) - 1) else ""
    return "shifted" if abs(float(steps.mean())) < 0.75 * float(steps.std()) else ""
