"""The shaded family: sheets pressed as height maps and lit by a model of light, with jagged cracks.

It shares no formula with the simulator that detectors learn from. What a product shares comes from its die, what
differs from sheet to sheet from the seed. A pixel is 0.05 mm.
"""

import numpy as np

from simulator.strangers.shaded_dies import grain_of, make_die, press, rng_of
from simulator.strangers.shaded_fields import place
from simulator.strangers.shaded_light import expose, fall_off, oil, sense, shade, through_oil
from simulator.strangers.shaded_marks import cut_holes, die_marks, dust, handling
from simulator.strangers.shaded_places import Places
from simulator.strangers.sheet import StrangerSheet

LEAST = 256
"""Fewest rows and columns of a sheet."""


def render(
    seed: int, die: int, cracks: int, rows: int = 2400, columns: int = 3600, *, plain: bool = False
) -> StrangerSheet:
    """One sheet of a product; the same arguments give the same bits.

    Args:
        seed: What differs from sheet to sheet: placement, texture, oil, light, noise and the cracks.
        die: The product, from 0: six kinds take turns.
        cracks: How many cracks it has; 0 for a clean sheet. Each is bright, visible, and 80 px from the next.
        rows: Height of the picture, pixels.
        columns: Width of the picture, pixels.
        plain: Leaves out oil, uneven light, dust and most of the noise.

    Raises:
        ValueError: A number is out of its range, or there is no room for so many cracks.
    """
    if min(seed, die, cracks) < 0 or min(rows, columns) < LEAST:
        raise ValueError(
            f"seed {seed}, die {die} and cracks {cracks} must be 0 or more, rows {rows} and columns {columns} "
            f"at least {LEAST}"
        )
    product = make_die(die)
    placement = place(rng_of("place", die, seed), rows, columns)
    u, v = placement.coordinates(rows, columns)
    height, shine, taken = press(product, u, v, placement)
    rng = rng_of("sheet", die, seed)
    shape = height.copy() if cracks else height
    die_marks(height, product, placement)
    handling(height, rng)
    grain = grain_of(rng, product, rows, columns)
    image = expose(shade(product, height, shine, grain), product.grey * rng.uniform(0.88, 1.12))
    if not plain:
        image *= fall_off(rng, rows, columns)
        film = oil(rng, rows, columns)
        through_oil(image, film)
        taken |= film > 0.08
        dust(image, rng)
    cut_holes(image, product, u, v, placement)
    image = sense(rng, image, plain=plain)
    places = Places(image, shape, taken, product.depth, product.period)
    own = rng_of("cracks", die, seed)
    for number in range(1, cracks + 1):
        places.put(own, number)
    return StrangerSheet(np.clip(np.rint(image), 0, 255).astype(np.uint8), places.instances)
