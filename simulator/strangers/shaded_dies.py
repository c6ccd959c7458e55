"""The dies of the shaded family: what the press gives every sheet of a product, as a height map in pixels."""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.strangers.shaded_fields import Field, Placement, die_noise, noise, ramp, window

STEPS = 1 << 16
"""Samples of a table over one period: so many that its steps are finer than the grain of the metal."""
SLOPE_LIMIT = 2.5
"""Steepest slope that the reflectance map knows."""
TILE = 512
"""Side of the tile of uneven polish: along it eight samples to a period, across it one sample to 7 px of a ridge."""


@dataclass(frozen=True)
class Light:
    """A bar of light beside the camera and the gloss of the metal.

    Attributes:
        tilt: Angle of the bar from the vertical, radians; `turn` is its direction in the picture.
        turn: Direction from which the bar shines, radians.
        half_length: Half the angle that the bar spans along itself, radians.
        gloss: Strength of the mirror-like part beside the matt part.
        rough: Width of the lobe along and across the rolling direction, in slopes.
        both: A second bar stands opposite.
        dome: Share of light from all round.
    """

    tilt: float
    turn: float
    half_length: float
    gloss: float
    rough: tuple[float, float]
    both: bool
    dome: float


@dataclass(frozen=True)
class Die:
    """What all sheets of one product share.

    Attributes:
        number: The die.
        kind: herringbone, soft, dimpled, specular, fine or washboard.
        period: Distance of crests, pixels.
        depth: Height of a crest over a valley, pixels.
        angle: Of the ridges to the picture's columns, radians.
        fold: Width of a leg of the herringbone, or the length of a wave; pixels.
        sway: How far a wavy ridge leaves its line, pixels.
        edge: Radius of a crest as a share of the period.
        flat: Share of the period that is flat on a crest (0 to 0.4).
        border: Width of the flat rim, pixels.
        zone: Length of the zones at both ends, pixels; 0 for none.
        ports: Radius of the holes in the corners, pixels; 0 for none.
        wear: How uneven the polish of the crests is.
        grain: Strength of the rolling texture.
        rolled_along: The rolling direction is along the rows.
        light: The light this product is seen under.
        grey: Grey level of the middle of its sheets.
    """

    number: int
    kind: str
    period: float
    depth: float
    angle: float
    fold: float
    sway: float
    edge: float
    flat: float
    border: float
    zone: float
    ports: float
    wear: float
    grain: float
    rolled_along: bool
    light: Light
    grey: float


def rng_of(*words: str | int) -> np.random.Generator:
    """The generator that these words seed, the same on every machine."""
    text = "shaded/" + "/".join(str(word) for word in words)
    return np.random.Generator(np.random.PCG64([*text.encode()]))


KINDS = ("herringbone", "soft", "dimpled", "specular", "fine", "washboard")
PERIODS = ((150, 230), (260, 380), (200, 300), (170, 280), (120, 145), (300, 400))
SLOPES = ((0.75, 1.0), (0.35, 0.55), (0.35, 0.6), (0.6, 0.9), (0.16, 0.28), (0.5, 0.8))
"""Mean slope of a flank, kind by kind."""
EDGES = ((0.035, 0.055), (0.25, 0.25), (0.08, 0.14), (0.05, 0.07), (0.14, 0.22), (0.06, 0.11))
FLATS = ((0.0, 0.05), (0.0, 0.0), (0.0, 0.3), (0.08, 0.2), (0.0, 0.0), (0.2, 0.38))
TILTS = ((18, 30), (30, 45), (32, 48), (12, 20), (16, 26), (38, 54))
GLOSSES = ((2.2, 3.2), (0.25, 0.5), (0.9, 1.5), (3.6, 5.2), (0.8, 1.3), (0.6, 1.1))
ROUGHS = ((0.07, 0.12), (0.22, 0.3), (0.12, 0.2), (0.05, 0.075), (0.1, 0.16), (0.14, 0.22))
WEARS = ((0.3, 0.45), (0.1, 0.2), (0.15, 0.3), (0.5, 0.7), (0.2, 0.3), (0.25, 0.4))


def make_die(number: int) -> Die:
    """The die of that number: the kinds take turns, everything else is drawn from the number."""
    rng = rng_of("die", number)
    turn = number % len(KINDS)
    kind = KINDS[turn]

    def of(table: tuple[tuple[float, float], ...]) -> float:
        return float(rng.uniform(*table[turn]))

    period, rough = of(PERIODS), of(ROUGHS)
    light = Light(
        tilt=math.radians(of(TILTS)),
        turn=math.radians(90 * rng.choice([-1, 1]) + rng.normal() * 12),
        half_length=math.radians(rng.uniform(15, 55)),
        gloss=of(GLOSSES),
        rough=(rough, rough * rng.uniform(1.5, 2.6)),
        both=bool(rng.random() < 0.35),
        dome=float(rng.uniform(0.15, 0.4)),
    )
    return Die(
        number=number,
        kind=kind,
        period=period,
        depth=of(SLOPES) * period / 2,
        angle=math.radians(
            float(rng.uniform(28, 62) if kind in {"herringbone", "washboard"} else rng.uniform(-35, 35))
        ),
        fold=float(rng.uniform(500, 1300)),
        sway=float(rng.uniform(0.15, 0.35) * period) if kind in {"soft", "fine"} else 0.0,
        edge=of(EDGES),
        flat=of(FLATS),
        border=float(rng.uniform(60, 170)),
        zone=float(rng.uniform(350, 700)) if rng.random() < 0.6 else 0.0,
        ports=float(rng.uniform(170, 300)) if rng.random() < 0.5 else 0.0,
        wear=of(WEARS),
        grain=float(rng.uniform(0.6, 1.5)),
        rolled_along=bool(rng.random() < 0.6),
        light=light,
        grey=float(rng.uniform(75, 120)),
    )


def profile(die: Die) -> Field:
    """Height over one period, 0 to `depth`, (STEPS,): straight flanks between crests and valleys of a given radius."""
    t = np.arange(STEPS) / STEPS
    triangle = 1 - np.abs(2 * t - 1)  # crest at the half, valley at 0
    shape = np.clip(triangle / max(1e-6, 1 - die.flat), 0, 1)
    frequencies = np.fft.rfftfreq(STEPS, 1 / STEPS)
    smooth = np.fft.irfft(np.fft.rfft(shape) * np.exp(-2 * (math.pi * frequencies * die.edge) ** 2), STEPS)
    smooth -= smooth.min()
    table: Field = (smooth / smooth.max() * die.depth).astype(np.float32)
    return table


def look_up(phase: Field, table: Field) -> Field:
    """The periodic table at each phase (in periods), (rows, columns)."""
    index = (phase * np.float32(STEPS)).astype(np.int32)
    index &= STEPS - 1
    return table[index]


def folded(values: Field, width: float) -> Field:
    """A zigzag of slope one that turns back every `width` pixels, its turns rounded over some 20 px."""
    turns = (values + np.float32(width / 2)) * np.float32(0.5 / width)
    turns -= np.floor(turns)
    zigzag = np.abs(turns * np.float32(2 * width) - np.float32(width))
    radius = 10.0
    zigzag = np.sqrt(zigzag * zigzag + np.float32(radius**2))
    zigzag = np.float32(width + radius**2 / (2 * width)) - zigzag
    rounded: Field = np.sqrt(zigzag * zigzag + np.float32(radius**2))
    return rounded


def phase_of(die: Die, u: Field, v: Field, angle: float) -> tuple[Field, Field]:
    """Counts the ridges: the phase in periods and the way along a ridge in pixels, each (rows, columns)."""
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    per = np.float32(1 / die.period)
    if die.kind in {"herringbone", "washboard"}:
        return (v * cos + folded(u, die.fold) * sin) * per, u
    along = u * cos - v * sin
    across = u * sin + v * cos
    if die.sway:
        wave = (np.sin(2 * np.pi * np.arange(STEPS) / STEPS) * die.sway).astype(np.float32)
        across = across + look_up(along * np.float32(1 / die.fold), wave)
    return across * per, along


def dimples(die: Die, u: Field, v: Field) -> Field:
    """Round bosses in a hexagonal array, 0 to `depth`."""
    total = np.zeros_like(u)
    table = np.cos(2 * np.pi * np.arange(STEPS) / STEPS).astype(np.float32)
    for third in range(3):
        angle = die.angle + third * math.pi / 3
        k = (math.cos(angle) / die.period, math.sin(angle) / die.period)
        total += look_up(u * np.float32(k[0]) + v * np.float32(k[1]), table)
    # The sum of the three waves runs from -1.5 to 3; a flat floor and, in some dies, flat tops remain.
    boss = np.clip((total + 1.1) / (4.1 * (1 - die.flat)), 0, 1)
    height: Field = boss * boss * (3 - 2 * boss) * np.float32(die.depth)
    return height


def holes(die: Die, rows: int, columns: int) -> list[tuple[float, float, float]]:
    """The port holes: u, v and radius in pixels."""
    radius = min(die.ports, rows / 7, columns / 7)
    if not radius or min(rows, columns) < 1200:
        return []
    at = die.border + radius * 1.25
    return [(at, at, radius), (columns - at, rows - at, radius)]


def flatten(height: Field, part: tuple[slice, slice], distance: Field, width: float) -> None:
    """Lets the relief rise from a flat: 0 where `distance` (of that part, pixels) is below 0, whole from `width` on."""
    height[part] *= ramp(distance, 0, width)


def flats(die: Die, u: Field, v: Field, height: Field, placement: Placement) -> NDArray[np.bool_]:
    """Leaves the rim and the rings round the ports flat, in place; says where the outer rim is, (rows, columns)."""
    rows, columns = height.shape
    width = min(160.0, rows / 5, columns / 5, die.depth * 1.9 + 15)
    border = min(die.border, rows / 10, columns / 10)
    reach = min(rows, columns, int(border + width + 40))
    outer = np.zeros(height.shape, dtype=np.bool_)
    sides = (
        (np.s_[:, :reach], u[:, :reach]),
        (np.s_[:, columns - reach :], columns - u[:, columns - reach :]),
        (np.s_[:reach, :], v[:reach]),
        (np.s_[rows - reach :, :], rows - v[rows - reach :]),
    )
    for part, from_edge in sides:
        flatten(height, part, from_edge - np.float32(border), width)
        outer[part] |= from_edge < border * 0.4
    for hole_u, hole_v, radius in holes(die, rows, columns):
        x, y = placement.points(np.array([[hole_u, hole_v]]))[0]
        box, _, _ = window(x, y, radius * 1.5 + width + 40, rows, columns)
        away = np.hypot(u[box] - np.float32(hole_u), v[box] - np.float32(hole_v))
        flatten(height, box, away - np.float32(radius * 1.45), width)
        outer[box] |= away < radius + 25
    return outer


def polish(die: Die, phase: Field, along: Field) -> Field:
    """How strongly each place mirrors, about 1: every ridge has its own bright and dull stretches, as a worn die gives.

    The tile repeats after 64 ridges and 3,584 px.
    """
    rng = rng_of("polish", die.number)
    tile = np.zeros((TILE, TILE), dtype=np.float32)
    for wide, tall, share in ((2, 3, 0.35), (9, 6, 0.6), (40, 8, 0.7)):
        layer = rng.standard_normal((TILE, TILE), dtype=np.float32)
        wrapped = cv2.copyMakeBorder(layer, 160, 160, 160, 160, cv2.BORDER_WRAP)
        soft = cv2.GaussianBlur(wrapped, (0, 0), sigmaX=wide, sigmaY=tall)[160:-160, 160:-160]
        tile += share * (soft / soft.std())
    tile = np.exp(np.float32(die.wear) * tile - np.float32(die.wear**2 / 2)).astype(np.float32)
    return cv2.remap(
        tile, along * np.float32(1 / 7), phase * np.float32(8), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    ).astype(np.float32, copy=False)


def press(die: Die, u: Field, v: Field, placement: Placement) -> tuple[Field, Field, NDArray[np.bool_]]:
    """The pressed shape: height in pixels, polish, and where the outer rim and the holes are; each (rows, columns)."""
    columns = u.shape[1]
    table = profile(die)
    wander = die_noise(rng_of("wander", die.number), placement, u.shape, 220.0)
    phase, along = phase_of(die, u, v, die.angle)
    shine = polish(die, phase, along)
    phase += wander * np.float32(0.01)
    height = dimples(die, u, v) if die.kind == "dimpled" else look_up(phase, table)
    if die.zone and columns > 4 * die.zone:
        end_zone(die, u, v, height, table, left=True)
        end_zone(die, u, v, height, table, left=False)
    wander *= np.float32(0.03)
    wander += 1
    height *= wander
    return height, shine, flats(die, u, v, height, placement)


def end_zone(die: Die, u: Field, v: Field, height: Field, table: Field, *, left: bool) -> None:
    """Presses the other pattern of an end of the plate, in place: ridges that cross, or ridges at another angle."""
    columns = u.shape[1]
    width = min(100.0, die.depth * 1.2 + 15)
    reach = int(die.zone + width + 60)
    part = np.s_[:, :reach] if left else np.s_[:, columns - reach :]
    seam = np.float32(die.zone) - (u[part] if left else columns - u[part])  # above 0 within the zone
    per = np.float32(1.25 / die.period)
    cos, sin = (np.float32(f(math.pi / 3 if left else -math.pi / 3)) for f in (math.cos, math.sin))
    upward, sideward = v[part] * (cos * per), u[part] * (sin * per)
    relief = look_up(upward + sideward, table)
    if die.kind in {"washboard", "herringbone"}:
        relief = np.minimum(relief, look_up(upward - sideward, table))
    height[part] = np.where(seam > 0, relief * np.float32(0.75), height[part])
    flatten(height, part, np.abs(seam) - 14, width)


def grain_of(rng: np.random.Generator, die: Die, rows: int, columns: int) -> Field:
    """Heights of the rolling texture and of the skin of strained metal, in pixels, (rows, columns)."""
    scales = ((1.0, 20.0, 0.03), (1.0, 90.0, 0.024), (3.0, 220.0, 0.04), (9.0, 500.0, 0.06))
    total = np.zeros((rows, columns), dtype=np.float32)
    for across, along, strength in scales:
        tall, wide = (across, along) if die.rolled_along else (along, across)
        total += noise(rng, rows, columns, tall, wide) * np.float32(strength * die.grain)
    total += noise(rng, rows, columns, 2.5, 2.5) * np.float32(0.035 * rng.uniform(0.6, 1.4))
    return total


@lru_cache(maxsize=16)
def reflectance(light: Light, *, rolled_along: bool) -> NDArray[np.float32]:
    """The reflectance map: matt and mirror-like light for each pair of slopes from -2.5 to 2.5, (501, 501, 2)."""
    slopes = np.linspace(-SLOPE_LIMIT, SLOPE_LIMIT, 501)
    p, q = np.meshgrid(slopes, slopes)
    upright = 1 / np.sqrt(1 + p * p + q * q)
    wide, tall = light.rough if rolled_along else light.rough[::-1]
    matt, mirror = np.zeros_like(p), np.zeros_like(p)
    sides = (0.0, math.pi) if light.both else (0.0,)
    lamps = [(side, spread) for side in sides for spread in np.linspace(-1, 1, 9)]
    for side, spread in lamps:
        turn = light.turn + side
        sideways = math.tan(spread * light.half_length)
        vector = np.array(
            [
                math.sin(light.tilt) * math.cos(turn) - sideways * math.sin(turn),
                math.sin(light.tilt) * math.sin(turn) + sideways * math.cos(turn),
                math.cos(light.tilt),
            ]
        )
        near = 1 / (1 + sideways**2)
        vector /= np.linalg.norm(vector)
        matt += near * np.maximum(0, (-p * vector[0] - q * vector[1] + vector[2]) * upright)
        # The slopes that would mirror this lamp into the camera, and how far this slope is from them.
        mirror_p, mirror_q = -vector[0] / (1 + vector[2]), -vector[1] / (1 + vector[2])
        far = ((p - mirror_p) / wide) ** 2 + ((q - mirror_q) / tall) ** 2
        # A narrow lobe on a wide skirt, as ground steel has.
        mirror += near * (0.8 * np.exp(-far) + 0.2 / (1 + far / 2) ** 1.5) * upright
    both = np.stack([matt / len(lamps) + light.dome * upright, mirror / len(lamps)], axis=-1)
    return both.astype(np.float32)
