"""How a crack of given sizes is painted: rough, as brittle metal has them, and smooth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.lab.pod.sizes import Ranges, Sizes
from simulator.crops import rough
from simulator.crops.ridges import log_uniform
from simulator.sheets.cracks import Form, centre_line, paint
from simulator.sheets.reference import load_reference

_ROUGHNESS = (0.002, 0.13)
"""Root mean square of a centre line's way across as a share of its length, of rough cracks."""
_SEEN = 0.4
"""Share of a crack's greatest strength from which on a place is its own: it thins out and breaks off."""
_TRACE = 0.05
"""Grey levels below which paint is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A crack that is ready to be laid down."""

    added: NDArray[np.float32]
    """Grey levels, (rows, columns)."""
    inside: NDArray[np.bool_]
    """Its own pixels."""
    angle: float
    """Degrees from the rows' direction, on the sheet."""


Painter = Callable[[np.random.Generator, Sizes, Ranges], Stroke]


def _rough(rng: np.random.Generator, sizes: Sizes, ranges: Ranges) -> Stroke:
    """A line that wanders, whose width and strength vary, with forks, strands and gaps: simulator.crops.rough."""
    angle = rng.uniform(0, math.pi)
    drawn = rough.any_form(rng)
    form = replace(
        drawn,
        height=sizes.contrast,
        step=sizes.step,
        width=sizes.width,
        roughness=drawn.roughness or log_uniform(rng, *_ROUGHNESS),
        soft=(min(drawn.soft[0], sizes.width / 2), min(drawn.soft[1], sizes.width / 2)),
    )
    # Of a sheet's length in px: pixels are not square.
    px = sizes.length / math.hypot(math.cos(angle) * ranges.column, math.sin(angle) * ranges.row)
    direction = math.atan2(math.sin(angle) / ranges.row, math.cos(angle) / ranges.column)
    strands = rough.crack(rng, form, px, direction)
    reach = 2 * max(float(strand.width.max()) for strand in strands) + 12
    low = np.min([strand.points.min(0) for strand in strands], axis=0) - reach
    high = np.max([strand.points.max(0) for strand in strands], axis=0) + reach
    columns, rows = np.ceil(high - low).astype(int).tolist()
    added, strength, line = (np.zeros((rows, columns), kind) for kind in (np.float32, np.float32, np.bool_))
    for strand in strands:
        one = rough.draw(form, strand._replace(points=strand.points - low.astype(np.float32)), (rows, columns))
        if one is None:
            continue
        place = np.s_[one.y : one.y + one.added.shape[0], one.x : one.x + one.added.shape[1]]
        added[place] = np.where(np.abs(one.added) > np.abs(added[place]), one.added, added[place])
        strength[place] = np.maximum(strength[place], one.strength)
        line[place] |= one.inside
    # Its contrast is that of its strongest place, wherever it thins out.
    added *= np.float32(sizes.contrast / max(float(added[line].max(initial=0.0)), _TRACE))
    own = line & (strength > _SEEN * float(strength[line].max(initial=0.0)))
    return _trimmed(added, own, math.degrees(angle) % 180.0)


def _smooth(rng: np.random.Generator, sizes: Sizes, ranges: Ranges) -> Stroke:
    """A gently bent line of one width and strength that fades in at its ends: simulator.sheets.cracks."""
    angle = rng.uniform(0, math.pi)
    line = centre_line(rng, angle, sizes.length, abs(rng.normal(0, 0.15)))
    form = Form(
        width_mm=sizes.width * ranges.column,
        height=sizes.contrast,
        step=sizes.step,
        decay_mm=rng.uniform(*load_reference().cracks.decay) * ranges.column,
        mirrored=bool(rng.random() < 0.5),
        taper=rng.uniform(0.08, 0.2),
    )
    patch = paint(line, form, ranges.column, ranges.row, None)
    assert patch is not None
    return _trimmed(patch.added, patch.inside, math.degrees(angle) % 180.0)


def _trimmed(added: NDArray[np.float32], inside: NDArray[np.bool_], angle: float) -> Stroke:
    """Without the margins that hold no paint."""
    held = (np.abs(added) > _TRACE) | inside
    x, y, width, height = cv2.boundingRect(held.view(np.uint8))
    return Stroke(added[y : y + height, x : x + width], inside[y : y + height, x : x + width], angle)


FORMS: dict[str, Painter] = {"rough": _rough, "smooth": _smooth}
"""By name, the headline first."""
