"""The products of the drawn family: six kinds of dies, each with its own form, look, finish and wear."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.strangers.drawn_forms import COARSE, Course, Relief, bead, studs, waves
from simulator.strangers.drawn_metal import FINISHES
from simulator.strangers.drawn_ridges import Look


@dataclass(frozen=True)
class Product:
    """What the sheets of a die have in common but for their form.

    Attributes:
        base: grey level of flat metal.
        finishes: how often each of FINISHES comes, together 1.
        texture: strength of the surface, grey levels.
        coarse: how coarse it is, 1 is usual.
        wear: how worn the tool is, 1 is usual.
    """

    base: float
    finishes: tuple[float, ...]
    texture: float
    coarse: float
    wear: float


def product(rng: np.random.Generator, die: int, rows: int, columns: int) -> tuple[Product, Relief]:
    """Product and form number `die`: the kind is `die` modulo the number of kinds, the rest is random."""
    kind = _KINDS[die % len(_KINDS)]
    return kind(rng, rows, columns)


def _weights(rng: np.random.Generator, favour: str) -> tuple[float, ...]:
    """How often each finish comes: `favour` in most sheets."""
    raw = rng.uniform(0.1, 1, len(FINISHES)) * 0.25 + np.array([name == favour for name in FINISHES])
    return tuple(float(v) for v in raw / raw.sum())


def _chevrons(rng: np.random.Generator, rows: int, columns: int) -> tuple[Product, Relief]:
    """Chevrons with strong uneven crest lines that run along whole ridges."""
    course = Course(
        pitch=rng.uniform(125, 190),
        slope=rng.uniform(0.35, 0.75),
        fold=columns / rng.uniform(1.7, 4),
        round_=rng.uniform(10, 60),
        margin=rng.uniform(60, 140),
    )
    look = Look(14, 46, rng.uniform(4, 7), 0, 0.1, 0.45, rng.uniform(120, 350), 0.03, -9, 26)
    return Product(rng.uniform(85, 112), _weights(rng, "mottled"), 5, 1, 1), waves(rng, course, look, rows, columns)


def _flat(rng: np.random.Generator, rows: int, columns: int) -> tuple[Product, Relief]:
    """Quiet and flat: a bead around, another inside."""
    relief = Relief(
        np.zeros((rows, columns), np.float32), np.full((rows // COARSE, columns // COARSE), 1e3, np.float32)
    )
    look = Look(11, 16, 4, 0, 0, 0.35, 300, 0.02, 0, 0)
    inset, corner = rng.uniform(170, 260), rng.uniform(120, 260)
    middle = columns / 2, rows / 2
    relief = bead(rng, look, relief, (*middle, middle[0] - inset, middle[1] - inset), corner, rng.uniform(70, 110))
    x, y = (float(v) for v in middle * rng.uniform(0.7, 1.3, 2))
    box = (x, y, columns * rng.uniform(0.1, 0.2), rows * rng.uniform(0.12, 0.22))
    relief = bead(rng, look, relief, box, min(box[2:]) * rng.uniform(0.4, 1), rng.uniform(60, 100))
    return Product(rng.uniform(110, 145), _weights(rng, "brushed"), 3, 1, 1.3), relief


def _studs(rng: np.random.Generator, rows: int, columns: int) -> tuple[Product, Relief]:
    """Studs on a lattice in coarse metal."""
    look = Look(13, 30, rng.uniform(4, 6), 0, 0, 0.35, 200, 0, -12, 0)
    relief = studs(rng, look, rng.uniform(190, 300), rows, columns)
    favour = str(rng.choice(["grains", "peel"]))
    return Product(rng.uniform(85, 120), _weights(rng, favour), 7.5, 1.35, 0.7), relief


def _washboard(rng: np.random.Generator, rows: int, columns: int) -> tuple[Product, Relief]:
    """Fine shallow corrugation over the whole sheet."""
    course = Course(
        pitch=rng.uniform(34, 58), slope=rng.uniform(-0.06, 0.06), vary=0.03, upright=bool(rng.random() < 0.5)
    )
    look = Look(5, 6, 3.2, 0, 0, 0.3, 500, 0.03, -2, 0)
    return Product(rng.uniform(95, 130), _weights(rng, "matt"), 3.5, 1, 1.3), waves(rng, course, look, rows, columns)


def _fishbone(rng: np.random.Generator, rows: int, columns: int) -> tuple[Product, Relief]:
    """Fishbone with a flat spine, a pitch that varies, and glints where ridges end; a bead around a port."""
    course = Course(
        pitch=rng.uniform(85, 130),
        slope=rng.uniform(0.5, 0.95),
        fold=columns / rng.uniform(1.2, 2.4),
        round_=6,
        vary=0.22,
        spine=rng.uniform(25, 50),
        margin=rng.uniform(60, 130),
    )
    look = Look(16, 13, rng.uniform(3, 5), 0, 0.3, 0.5, rng.uniform(80, 200), 0.05, -6, 42)
    relief = waves(rng, course, look, rows, columns)
    radius = min(rows, columns) * rng.uniform(0.1, 0.15)
    box = (columns * rng.uniform(0.15, 0.3), rows * rng.uniform(0.2, 0.8), radius, radius)
    relief = bead(rng, look, relief, box, radius - 1, rng.uniform(70, 110))
    return Product(rng.uniform(90, 125), _weights(rng, "peel"), 4, 0.9, 1), relief


def _oblique(rng: np.random.Generator, rows: int, columns: int) -> tuple[Product, Relief]:
    """Straight oblique ridges with double and broken crest lines."""
    course = Course(
        pitch=rng.uniform(105, 170),
        slope=rng.choice([-1, 1]) * rng.uniform(0.1, 0.6),
        vary=0.02,
        margin=rng.uniform(80, 200),
        upright=bool(rng.random() < 0.6),
    )
    look = Look(14, 22, rng.uniform(3, 4.5), rng.uniform(0.16, 0.3), 0.3, 0.4, rng.uniform(100, 260), 0.02, 7, 30)
    return Product(rng.uniform(80, 125), _weights(rng, "grains"), 4.5, 0.8, 1), waves(rng, course, look, rows, columns)


_KINDS: tuple[Callable[[np.random.Generator, int, int], tuple[Product, Relief]], ...] = (
    _chevrons,
    _flat,
    _studs,
    _washboard,
    _fishbone,
    _oblique,
)
