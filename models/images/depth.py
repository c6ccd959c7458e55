"""How many bits the samples of an image really have, and what is to be said where nobody knows.

A camera of 10, 12 or 14 bits writes its values into files of 16. Scaled by 16 bits they are dimmed, and a crack drowns.
So the depth is taken from who states it (the user, else the file), and the values are held against it:

| stated | the values | full range | said |
|---|---|---|---|
| no | reach the bits of a sample | those | nothing |
| no | reach fewer | as many as they reach | doubt: the depth is not known |
| yes | reach the bits that were stated | those | nothing |
| yes | reach fewer | those | a warning |
| yes | go beyond, their low bits being 0: they stand at the upper end | all of a sample | nothing |
| yes | go beyond | those that were stated | doubt: the statement is wrong |

A plate whose depth is in doubt is never OK. The values "reach" a bit that more than a few samples have; for going
beyond, the highest sample counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_BITS = 8
"""No camera has fewer; a dark picture of 8 bits is one of 8 bits."""
_FEW = 1e-4
"""Share of the samples that may lie higher: dead pixels, and marks that were drawn in."""
USER = "the setting of bits"
"""Who states it by --bits or camera.bits."""
_HOW = "say how many bits the values have: --bits, or camera.bits for a folder"
_LENGTHS = np.array([number.bit_length() for number in range(65536)], np.uint8)


@dataclass(frozen=True, slots=True)
class Stated:
    """Somebody says how many bits the values have."""

    bits: int
    by: str
    """Who, in words: `the tag MaxSampleValue`."""
    stretched: bool = False
    """By its format's rule such values may be scaled up to all bits of a sample already."""


@dataclass(frozen=True, slots=True)
class Values:
    """What the samples of an image are like."""

    reached: int
    """Bits of all but a few of the samples."""
    highest: int
    low_zeros: int
    """Low bits that are 0 in every sample; 16 where all are 0."""
    beyond: int = 0
    """Samples that need more bits than were stated."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The bits that are taken as full range, and what there is to say."""

    bits: int
    doubt: str = ""
    """Why the depth is not known; empty where it is."""
    warning: str = ""


def measured(bands: Iterable[NDArray[Any]], stated: Stated | None) -> Values:
    """Look at all samples of an image, uint16 of any shape."""
    counts, low = np.zeros(17, np.int64), 0
    highest = beyond = 0
    for band in bands:
        counts += np.bincount(_LENGTHS[band].ravel(), minlength=17)
        low |= int(np.bitwise_or.reduce(band, axis=None))
        highest = max(highest, int(band.max(initial=0)))
        if stated is not None and highest >> stated.bits:
            beyond += int(np.count_nonzero(band >> stated.bits)) if stated.bits < 16 else 0
    above = counts[::-1].cumsum()[::-1]  # samples of so many bits or more
    reached = max((bits for bits in range(1, 17) if above[bits] > _FEW * above[0]), default=0)
    return Values(reached, highest, (low & -low).bit_length() - 1 if low else 16, beyond)


def depth_of(samples: int, stated: Stated | None, values: Values) -> Depth:
    """The depth of an image whose samples have room for so many bits, more than 8."""
    reach = f"the values reach {values.highest:,} of {(1 << samples) - 1:,}"
    if stated is None:
        if values.reached >= samples:
            return Depth(samples)
        taken = max(LEAST_BITS, values.reached)
        return Depth(taken, doubt=f"{reach}: they may have {taken} bits of {samples}, and were taken so; {_HOW}")
    bits = stated.bits
    if values.highest >> bits:
        if bits < samples and (stated.stretched or values.low_zeros >= samples - bits):
            bits = samples
        else:
            words = f"{stated.by} says {bits} bits, and {values.beyond:,} samples go beyond {(1 << bits) - 1:,}"
            return Depth(bits, doubt=f"{words}, up to {values.highest:,}: they are cut off; {_HOW}")
    if values.reached < bits:
        words = f"{stated.by} says {stated.bits} bits, but the values reach {values.highest:,} of {(1 << bits) - 1:,}"
        return Depth(bits, warning=f"{words}: the picture is dark, or the values have fewer bits")
    return Depth(bits)
