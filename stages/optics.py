"""The optics over many plates: light that fades, uneven light, dust, focus and length, from what each plate shows.

No pixel is touched for it: a worker tells the mean of each column of its windows with the picture's quality
(models/detector/quality.py), and a plate's profile is put together from those. Sheets differ, and a product's die has
its own pattern; so the mean of the first plates is the reference, and a running mean of the latest is held against it.

| the watch is | from | until |
|---|---|---|
| learning | its first plate, or a reference that was taken back | as many plates as the limits say |
| watching | then | the reference is taken back, or the camera's flat field is another |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from config.schema import OpticsLimits, Recipe
from models.detector.findings import COLUMN_STEPS
from models.detector.swaths import own_area
from stages.plate import PlateResult, WindowResult, window_columns

Profile = NDArray[np.float64]

_SMOOTH = 64
"""Columns over which light changes slowly; dust is narrower."""
_EDGE = 64
"""Columns beside the outermost that are always lit, which are left out: a sheet's edge wanders there."""
_ENDS = 0.8
"""An alarm ends when its value is below this share of the limit, so that it does not come and go."""


class OpticalFault(StrEnum):
    """What is wrong with the optics; the same words in log, metrics and store."""

    LIGHT = "light"
    UNEVEN = "uneven light"
    DUST = "dust"
    FOCUS = "focus"
    LENGTH = "length"


class Dust(msgspec.Struct, frozen=True):
    """Columns side by side that are darker on plate after plate, in plate coordinates, half-open."""

    first: int
    last: int
    depth: float
    """Share of the light that is missing in the darkest."""


class OpticsState(msgspec.Struct, frozen=True):
    """How the optics are after a plate; None where that is not known yet."""

    learnt: int
    """Plates that the reference is the mean of."""
    changes: dict[OpticalFault, float | None]
    """Light and focus: lost share, negative when gained. Uneven light: spread of the change over the columns, as a
    share. Dust: lost share in the darkest columns. Length: share by which plates are longer than nominal."""
    dust: tuple[Dust, ...] = ()
    faults: tuple[OpticalFault, ...] = ()
    """Those that stand now."""


class _Means(msgspec.Struct):
    """Means over plates."""

    plates: int = 0
    light: float = 0.0
    focus: float = 0.0
    length: float | None = None
    profile: bytes = b""
    """float32, 0 where not known."""

    def take(self, seen: _Seen, most: int) -> None:
        """Take one more; after the first `most` plates older ones fade."""
        self.plates += 1
        weight = 1 / min(self.plates, most)
        self.light += weight * (seen.light - self.light)
        self.focus += weight * (seen.focus - self.focus)
        if seen.length is not None:
            known = seen.length if self.length is None else self.length
            self.length = known + weight * (seen.length - known)
        before = np.frombuffer(self.profile, np.float32)
        if len(before) != len(seen.profile):
            before = np.zeros(len(seen.profile), np.float32)
        mixed = np.where(before > 0, before + weight * (seen.profile - before), seen.profile)
        self.profile = np.where(seen.profile > 0, mixed, before).astype(np.float32).tobytes()


class Kept(msgspec.Struct):
    """What outlives the process: to be stored, and given to the next watch."""

    reference: _Means
    present: _Means
    faults: tuple[OpticalFault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one plate says."""

    light: float
    focus: float
    length: float | None
    profile: Profile


def profile_of(results: Iterable[WindowResult], columns: int, recipe: Recipe) -> bytes:
    """The mean of each plate column over its windows, little-endian uint16, in 1 / COLUMN_STEPS grey; 0: not known.

    Empty where no window says anything.
    """
    windows = recipe.windows
    across = window_columns(columns, windows)
    totals, counts = np.zeros(columns), np.zeros(columns)
    for result in results:
        means = np.frombuffer(result.quality.columns, "<u2")
        x = result.window % max(1, across) * windows.stride
        x0, _, x1, _ = own_area(x, 0, min(windows.size, columns - x), 1, columns, windows.size, windows.stride)
        if len(means) == x1 - x0 > 0:
            # By its size: the last band of a plate may have few rows. Sums of whole numbers, so no order changes them.
            weight = result.quality.unmasked
            totals[x + x0 : x + x1] += weight * means.astype(np.float64)
            counts[x + x0 : x + x1] += weight * (means > 0)
    if not counts.any():
        return b""
    # A column that is lit in a part of its windows only lies at the sheet's edge.
    known = counts >= max(1.0, 0.9 * counts.max())
    return np.where(known, np.rint(totals / np.maximum(counts, 1)), 0).astype("<u2").tobytes()


def unevenness(profile: bytes) -> float | None:
    """How much brighter the brightest stretch of a plate's columns is than the darkest, as a share of their mean."""
    slow = _slow(np.frombuffer(profile, "<u2") / COLUMN_STEPS)
    return None if slow is None else float((slow.max() - slow.min()) / slow.mean())


class OpticsWatch:
    """Holds the latest plates against the first ones.

    Args:
        limits: from which change on it is an alarm, and over how many plates means are taken.
        recipe: whose nominal length plates are held against.
        kept: what the watch before it knew; None: nothing, the reference is to be learnt.
    """

    def __init__(self, limits: OpticsLimits, recipe: Recipe, kept: Kept | None = None) -> None:
        self._limits = limits
        self._nominal = None if recipe.length is None else recipe.length.nominal_rows
        self.kept = kept or Kept(_Means(), _Means())

    @property
    def learning(self) -> bool:
        """Whether the reference is not whole yet."""
        return self.kept.reference.plates < self._limits.plates

    @property
    def profiles(self) -> tuple[Profile, Profile]:
        """Grey levels by column, of the reference and of the latest plates; 0 where not known."""
        kept = (self.kept.reference.profile, self.kept.present.profile)
        reference, present = (np.frombuffer(one, np.float32).astype(np.float64) for one in kept)
        return reference, present

    def take(self, result: PlateResult, profile: bytes) -> OpticsState | None:
        """How the optics are after this plate; None for one that says nothing of them, as it was not seen whole."""
        seen = self._seen(result, profile)
        if seen is None:
            return None
        kept = self.kept
        if len(kept.reference.profile) not in (0, 4 * len(seen.profile)):
            kept.reference, kept.present = _Means(), _Means()
        if self.learning:
            kept.reference.take(seen, self._limits.plates)
        kept.present.take(seen, self._limits.plates)
        state = self._state()
        kept.faults = state.faults
        return state

    def _seen(self, result: PlateResult, profile: bytes) -> _Seen | None:
        quality = result.quality
        if not result.complete or not quality.lit or not profile:
            return None
        return _Seen(
            light=quality.total / quality.lit,
            focus=quality.focus,
            length=None if self._nominal is None else result.rows / self._nominal - 1,
            profile=np.frombuffer(profile, "<u2") / COLUMN_STEPS,
        )

    def _state(self) -> OpticsState:
        reference, present = self.kept.reference, self.kept.present
        changes: dict[OpticalFault, float | None] = dict.fromkeys(OpticalFault)
        changes[OpticalFault.LENGTH] = present.length
        dust: tuple[Dust, ...] = ()
        if not self.learning:
            changes[OpticalFault.LIGHT] = 1 - present.light / reference.light
            changes[OpticalFault.FOCUS] = 1 - present.focus / reference.focus if reference.focus > 0 else None
            before, now = self.profiles
            share = np.where((before > 0) & (now > 0), now / np.maximum(before, 1e-6), 0)
            slow = _slow(share)
            if slow is not None:
                changes[OpticalFault.UNEVEN] = float((slow.max() - slow.min()) / slow.mean())
                dust = _dust(share, self._limits.dust)
                changes[OpticalFault.DUST] = max((one.depth for one in dust), default=0.0)
        return OpticsState(reference.plates, changes, dust, self._faults(changes))

    def _faults(self, changes: dict[OpticalFault, float | None]) -> tuple[OpticalFault, ...]:
        """Those beyond their limit, and those that were and have not come well within it."""
        limits = {
            OpticalFault.LIGHT: self._limits.light,
            OpticalFault.UNEVEN: self._limits.uneven,
            OpticalFault.DUST: self._limits.dust,
            OpticalFault.FOCUS: self._limits.focus,
            OpticalFault.LENGTH: self._limits.length,
        }
        standing: list[OpticalFault] = []
        for fault, change in changes.items():
            if change is None or self.kept.present.plates < self._limits.plates:
                continue
            # A focus that got better is none; light may be too much as well as too little.
            size = change if fault is OpticalFault.FOCUS else abs(change)
            if size > limits[fault] * (_ENDS if fault in self.kept.faults else 1):
                standing.append(fault)
        return tuple(standing)


def _inner(profile: Profile) -> slice:
    """The columns that lie on every sheet."""
    known = np.flatnonzero(profile > 0)
    return slice(int(known[0]) + _EDGE, int(known[-1]) + 1 - _EDGE) if len(known) > 2 * _EDGE else slice(0, 0)


def _slow(profile: Profile) -> Profile | None:
    """What a profile is over stretches of columns, the sheet's edges and what is not known left out."""
    inner = profile[_inner(profile)]
    inner = inner[inner > 0]
    stretches = len(inner) // _SMOOTH
    if not stretches:
        return None
    return np.median(inner[: stretches * _SMOOTH].reshape(stretches, _SMOOTH), axis=1)


def _dust(share: Profile, limit: float) -> tuple[Dust, ...]:
    """Narrow columns that are darker than those around them by more than the limit; the deepest few."""
    around, depth, inner = _around(share), np.zeros(len(share)), _inner(share)
    depth[inner] = np.where((share > 0) & (around > 0), 1 - share / np.maximum(around, 1e-6), 0)[inner]
    deep = np.flatnonzero(np.diff(np.concatenate([[0], (depth > limit * _ENDS).astype(np.int8), [0]])))
    found = [
        Dust(int(first), int(last), float(depth[first:last].max()))
        for first, last in zip(deep[::2], deep[1::2], strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.depth)[:_MOST_DUST])


_MOST_DUST = 16
"""Places that are told; more of them say no more."""


def _around(share: Profile) -> Profile:
    """The light around each column: the median of the stretch that it lies in, even between two."""
    places, medians = [], []
    for first in range(0, len(share), _SMOOTH):
        known = share[first : first + _SMOOTH]
        known = known[known > 0]
        if len(known) >= _SMOOTH // 4:
            places.append(first + _SMOOTH / 2)
            medians.append(float(np.median(known)))
    if not places:
        return np.zeros(len(share))
    return np.interp(np.arange(len(share)), places, medians)
