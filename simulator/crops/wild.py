"""Training crops for the detector: appearance varies far more widely than on the reference sheets.

The detector must hold on plates of a generator it has never met and on photographs of real metal, so everything that
is not the crack itself (relief, grain, light, optics, sensor, look-alikes) is drawn from wide ranges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops import rough
from simulator.crops.labelled import around
from simulator.sheets import textures
from simulator.sheets.cracks import Form, Grey, centre_line, paint
from simulator.sheets.lookalikes import add_behind, cover, marks

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_CRACKED_SHARE = 0.63
_ROUGH_SHARE = 0.5
"""Of the crops with cracks; the others have smooth ones."""
_PLATE_SHARE, _QUIET_SHARE = 0.3, 0.2
_LEAST_CONTRAST_TO_NOISE = 2.2
_LEAST_GREY = 4.0


@dataclass(frozen=True, slots=True)
class _World:
    """Ranges of a crop's look: grey levels and px."""

    base: tuple[float, float]
    amplitude: tuple[float, float]
    period: tuple[float, float]
    grain: tuple[float, float]
    noise: tuple[float, float]
    flat_share: float
    gamma_share: float
    even_share: float
    """Of the cracks: those with even sides."""
    straight_share: float = 0.0
    """Of the cracks."""


_WILD = _World((40, 210), (0, 60), (30, 400), (0.4, 7), (0.3, 12), 0.15, 0.25, 0.15)
_PLATE = _World((75, 175), (8, 50), (80, 320), (0.6, 4), (0.8, 4.5), 0.05, 0.0, 0.15)
"""Nearer to pressed plates under a good camera, so that they are not drowned among the wild ones."""
_QUIET = _World((50, 200), (0, 6), (150, 400), (0.1, 1.0), (0.3, 2.5), 0.6, 0.1, 0.5, 0.4)
"""Smooth, flat metal: a strong line stands alone there, as thin and even as its look-alikes."""


def training_window(rng: np.random.Generator, size: int = 256, *, other_lines: bool = True) -> tuple[Image, Mask, Mask]:
    """One crop: grey picture (size x size, uint8), the cracks' pixels, and pixels that should not be judged.

    Ignored are a ring of about 3 px around each crack, faint stretches and tapered ends, and what oil hides. About
    55 % of the crops hold a crack. Cracks are bright; invert picture and result for dark ones. Without `other_lines`
    neither a dark line nor a hair scratch lies on the sheet beside them.
    """
    draw = rng.random()
    world = _PLATE if draw < _PLATE_SHARE else _QUIET if draw < _PLATE_SHARE + _QUIET_SHARE else _WILD
    clean = _surface(rng, size, world)
    add_behind(rng, clean)
    noise = _sensor_noise(rng, clean, world)
    mask, ignore = np.zeros((size, size), np.bool_), np.zeros((size, size), np.bool_)
    if rng.random() < _CRACKED_SHARE:
        if rng.random() < _ROUGH_SHARE:
            mask, ignore = rough.add_cracks(rng, clean, disturbance_of(clean, noise), rng.uniform(0, math.pi))
        else:
            mask, ignore = _add_cracks(rng, clean, noise, world)
    marks(rng, clean, other_lines=other_lines)
    hidden = cover(rng, clean)
    if hidden is not None:
        ignore |= mask & hidden
        mask &= ~hidden
    blur = rng.uniform(0, 1.3) if rng.random() < 0.6 else 0.0
    if blur > 0.3:
        clean = cv2.GaussianBlur(clean, (0, 0), blur)  # type: ignore[assignment]
    image = _recorded(rng, np.asarray(cv2.add(clean, noise, dtype=cv2.CV_8U), np.uint8))
    if mask.any():
        ignore |= around(mask) & ~mask
    return image, mask, ignore


def _grid(size: int, angle: float) -> tuple[Grey, Grey]:
    axis = np.arange(size, dtype=np.float32) - np.float32(size / 2)
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return axis[None, :] * cos + axis[:, None] * sin, axis[:, None] * cos - axis[None, :] * sin


_WAVES = ("sine", "triangle", "crest", "square", "shaded")


def _wave(rng: np.random.Generator, kind: str) -> Grey:
    """One period of a relief's shading, 1,024 values between -1 and 1, closed on itself."""
    phase = np.arange(1024, dtype=np.float32) / 1024
    sine = np.sin(2 * np.pi * phase)
    if kind == "triangle":
        wave = 2 * np.abs(2 * phase - 1) - 1
    elif kind == "crest":
        wave = 2 * (0.5 + 0.5 * sine) ** rng.uniform(2, 6) - 1
    elif kind == "square":
        wave = np.tanh(rng.uniform(1.5, 6) * sine)
    elif kind == "shaded":
        wave = 0.7 * sine + 0.3 * np.sin(4 * np.pi * phase + rng.uniform(0, 6.3))
    else:
        wave = sine
    if rng.random() < 0.35:
        # A specular line that runs along every crest: never a crack, for it has no ends.
        centre, spread = rng.uniform(0.2, 0.8), rng.uniform(0.03, 0.12)
        wave = wave + rng.uniform(0.2, 0.9) * np.exp(-(((phase - centre) / spread) ** 2))
    return np.asarray(wave, np.float32)


def _relief(rng: np.random.Generator, size: int, world: _World, most: float) -> Grey:
    wave = _wave(rng, str(rng.choice(_WAVES, p=(0.3, 0.14, 0.24, 0.14, 0.18))))
    period = math.exp(rng.uniform(math.log(world.period[0]), math.log(world.period[1])))
    along, across = _grid(size, rng.uniform(0, math.pi))
    phase = across / np.float32(period)
    style = rng.random()
    if style < 0.3:  # chevron
        along = along - np.float32(rng.uniform(-0.6, 0.6) * size)
        phase = phase + np.sqrt(along * along + np.float32(rng.uniform(1, 400))) * np.float32(
            rng.uniform(0.3, 2.0) / period
        )
    elif style < 0.5:  # bowed
        phase = phase + np.float32(rng.uniform(-0.8, 0.8) / period / size) * along * along
    index = ((phase + np.float32(8 + rng.random())) * np.float32(1024)).astype(np.int32) & 1023
    amplitude = rng.uniform(*world.amplitude) * min(1.0, 0.25 + period / 120)
    return np.asarray(wave[index] * np.float32(min(amplitude, most)), np.float32)


_GRAINS = tuple(
    (name, weight)
    for name, weight in {
        "grain": 1.5,
        "coarse": 1.0,
        "blotches": 0.8,
        "rolling": 2.0,
        "fine lines": 1.5,
        "brushed": 1.5,
        "long": 0.8,
        "fractal": 1.2,
        "rough": 1.0,
        "cloud": 1.0,
        "whorls": 0.8,
        "fine whorls": 0.5,
        "orange peel": 0.5,
    }.items()
)
_GRAIN_NAMES = [name for name, _ in _GRAINS]
_GRAIN_SHARES = np.array([weight for _, weight in _GRAINS]) / sum(weight for _, weight in _GRAINS)


def _grain(rng: np.random.Generator, size: int, world: _World) -> Grey:
    total = np.zeros((size, size), np.float32)
    for name in rng.choice(_GRAIN_NAMES, rng.integers(1, 4), replace=False, p=_GRAIN_SHARES):
        piece = textures.cut(rng, str(name), size, scale=math.exp(rng.uniform(-0.25, 0.9)))
        if rng.random() < 0.4:
            piece = piece.T
        strength = math.exp(rng.uniform(math.log(world.grain[0]), math.log(world.grain[1])))
        if rng.random() < 0.25:  # in a patch only
            bound = textures.cut(rng, "cloud", size)
            piece = piece * np.clip(bound + np.float32(0.5), 0, 1)
        total += piece * np.float32(strength)
    angle = rng.uniform(0, 180)
    if rng.random() < 0.3:
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), angle, 1.0)
        total = cv2.warpAffine(total, turn, (size, size), borderMode=cv2.BORDER_REFLECT)  # type: ignore[assignment]
    return total


def _surface(rng: np.random.Generator, size: int, world: _World) -> Grey:
    """Sheet without defects: base grey, relief, grain, light; float32 grey levels."""
    surface = _grain(rng, size, world)
    base = rng.uniform(*world.base)
    if rng.random() >= world.flat_share:
        surface += _relief(rng, size, world, 0.65 * base)
    surface += np.float32(base)
    if rng.random() < 0.7:  # uneven light, vignette
        along, across = _grid(size, rng.uniform(0, math.pi))
        along, across = along / np.float32(size), across / np.float32(size)
        tilt, bow = rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.3)
        surface *= 1 + np.float32(tilt) * along + np.float32(bow) * (along * along + across * across)
    if rng.random() < 0.3:  # column gain
        surface *= 1 + textures.white(65536)[rng.integers(0, 60000) :][:size] * np.float32(rng.uniform(0, 0.02))
    if rng.random() < 0.06:  # moire
        along, _ = _grid(size, rng.uniform(0, math.pi))
        surface += np.float32(rng.uniform(0.5, 5)) * np.sin(along * np.float32(rng.uniform(0.25, 2.2)))
    if rng.random() < world.gamma_share:
        shape = np.clip(surface, 1, 254) / np.float32(255)
        surface = (shape ** np.float32(math.exp(rng.uniform(-0.35, 0.35))) * np.float32(255)).astype(np.float32)
    return surface


def _sensor_noise(rng: np.random.Generator, clean: Grey, world: _World) -> Grey:
    size = clean.shape[0]
    noise = textures.noise(rng, size)
    sigma = math.exp(rng.uniform(math.log(world.noise[0]), math.log(world.noise[1])))
    if rng.random() < 0.5:  # shot noise
        spread = np.sqrt(np.clip(clean, 4, 255)) * np.float32(sigma / 11)
        noise = noise * spread
    else:
        noise = noise * np.float32(sigma)
    if rng.random() < 0.25:  # a lens or a filter before the noise was seen
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 0.9))  # type: ignore[assignment]
    return np.asarray(noise, np.float32)


def _add_cracks(rng: np.random.Generator, clean: Grey, noise: Grey, world: _World) -> tuple[Mask, Mask]:
    """Add cracks to `clean` in place; their pixels and those too faint to be judged."""
    size = clean.shape[0]
    mask, ignore = np.zeros((size, size), np.bool_), np.zeros((size, size), np.bool_)
    disturbance = disturbance_of(clean, noise)
    column, row = 1.0, rng.uniform(0.8, 1.25)
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.5, 0.22, 0.14, 0.08, 0.06]))
    angle, spread = rng.uniform(0, math.pi), rng.choice([0.15, 0.6, 3.0])
    middle = rng.uniform(0, size, 2)
    for _ in range(count):
        form, real = _form(rng, world.even_share)
        length = math.exp(rng.uniform(math.log(24), math.log(400)))
        length = max(length, 1.5 * form.width_mm)
        bend = 0.0 if rng.random() < world.straight_share else abs(rng.normal(0, 0.35))
        line = centre_line(rng, angle + rng.normal(0, spread), length, bend)
        x, y = rng.uniform(0.02 * size, 0.98 * size, 2) if count == 1 else middle + rng.normal(0, size / 4, 2)
        patch = paint(line.moved(x * column, y * row), form, column, row, (size, size))
        if patch is None or not patch.inside.any():
            continue
        rows, columns = patch.added.shape
        place = (slice(patch.y, patch.y + rows), slice(patch.x, patch.x + columns))
        added = patch.added
        if real:  # a scratch or an open crack: even sides, grey levels that wander along it
            wander = textures.cut(rng, "blotches", size)[:rows, :columns]
            added = added * np.clip(1 + np.float32(0.3) * wander, 0.2, 1.8)
            if rng.random() < 0.5:  # a bell instead of a parabola
                added = cv2.GaussianBlur(added, (0, 0), 0.18 * form.width_mm)
        strong = patch.fade * np.float32(form.height)
        headroom = np.clip(250 - clean[place], 0, None)
        visible = np.minimum(strong, headroom)
        seen = patch.inside & (visible > np.maximum(_LEAST_GREY, _LEAST_CONTRAST_TO_NOISE * disturbance[place]))
        seen &= patch.fade > 0.45
        clean[place] += added
        mask[place] |= seen
        ignore[place] |= patch.inside
    ignore &= ~mask
    return mask, ignore


def _form(rng: np.random.Generator, even_share: float) -> tuple[Form, bool]:
    width = rng.uniform(7, 21)
    real = bool(rng.random() < even_share)
    height = math.exp(rng.uniform(math.log(7), math.log(90 if real else 46)))
    step = 0.0 if real else min(rng.uniform(0, 22), rng.uniform(0, 0.9) * height)
    taper = rng.uniform(0.05, 0.25) if rng.random() < 0.75 else rng.uniform(0.005, 0.05)  # some end bluntly
    return Form(width, height, step, rng.uniform(1.5, 6), bool(rng.random() < 0.5), taper), real


def disturbance_of(clean: Grey, noise: Grey) -> Grey:
    """Local standard deviation, grey levels, of what a crack's own scales hold without the crack."""
    seen = cv2.resize(clean + noise, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    band = cv2.GaussianBlur(seen, (0, 0), 1.2) - cv2.GaussianBlur(seen, (0, 0), 5.0)
    spread = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 8.0))
    return np.asarray(cv2.resize(spread, clean.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _recorded(rng: np.random.Generator, image: Image) -> Image:
    """What is done to a picture after the sensor: sometimes JPEG."""
    recorded = image
    if rng.random() < 0.12:
        quality = int(rng.integers(55, 98))
        _, data = cv2.imencode(".jpg", recorded, [cv2.IMWRITE_JPEG_QUALITY, quality])
        recorded = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return recorded
