"""How a ridge looks, drawn unrolled: splines across it with random knots, strengths that wander along it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from simulator.strangers.drawn_noise import Field, process

STEP = 4
"""Pixels along a ridge that one column of the unrolled picture stands for."""
_TABLE = 512


@dataclass(frozen=True)
class Look:
    """How the ridges of one die look; strengths in grey levels.

    Attributes:
        broad: strength of the spline across the ridge.
        crest: strength of the lines on the crest.
        crest_width: half width of such a line, px.
        double: distance between two crest lines as a share of the pitch; 0 is one line.
        broken: share of a crest line that is missing.
        uneven: how far strengths wander along a ridge, in units of themselves.
        scale: length along a ridge at which they wander, px.
        wander: how far the crest wanders across, as a share of the pitch.
        valley: strength of the line along each valley; may be under 0.
        glint: strength of the glints where ridges end.
    """

    broad: float
    crest: float
    crest_width: float
    double: float
    broken: float
    uneven: float
    scale: float
    wander: float
    valley: float
    glint: float


def spline(rng: np.random.Generator, knots: int, level: float) -> Field:
    """A table across a ridge, from valley to valley, through random knots: 0 at both ends, deviation `level`."""
    at = np.concatenate([[0], np.sort(rng.uniform(0.08, 0.92, knots)), [1]])
    at = at + np.linspace(0, 0.3, knots + 2)
    values = np.concatenate([[0], rng.standard_normal(knots), [0]])
    table = PchipInterpolator(at / at[-1], values)(np.linspace(0, 1, _TABLE + 1))
    rounded = cv2.GaussianBlur(table.reshape(1, -1), (0, 0), _TABLE / 40).ravel()
    rounded *= np.minimum(1, 8 * (0.5 - np.abs(np.linspace(-0.5, 0.5, _TABLE + 1))))
    return np.asarray(rounded * level / max(float(rounded.std()), 1e-6), np.float32)


def reach(inside: NDArray[np.bool_]) -> Field:
    """For each sample of each line: px to the nearest sample that is `inside`, along the line; 0 there."""
    places = np.arange(inside.shape[1])
    before = np.maximum.accumulate(np.where(inside, places, -1_000_000), axis=1)
    after = np.minimum.accumulate(np.where(inside, places, 1_000_000)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.minimum(np.minimum(places - before, after - places) * STEP, 1e6), np.float32)


def unroll(
    rng: np.random.Generator,
    look: Look,
    lines: tuple[NDArray[np.float64], NDArray[np.float64]],
    inside: NDArray[np.bool_],
    turned: Field,
    span: int,
) -> Field:
    """The appearance of all ridges of a die, unrolled.

    Args:
        rng: where randomness comes from.
        look: how ridges look.
        lines: where each ridge lies across the unrolled picture (px), and how wide it is.
        inside: (ridges, samples) where along it each ridge exists.
        turned: (samples,) 0 to 1, which of the two ways that a ridge runs it runs there: each has its own spline.
        span: height of the unrolled picture.

    Returns:
        (span, samples) float32 grey levels to add to flat metal.
    """
    count, samples = inside.shape
    scale = look.scale / STEP
    one, other = spline(rng, int(rng.integers(4, 8)), look.broad), spline(rng, int(rng.integers(4, 8)), look.broad)
    ends, starts = reach(inside), reach(~inside)
    broad = 1 + 0.5 * look.uneven * process(rng, count, samples, 2 * scale)
    broad += 0.5 * look.uneven * rng.standard_normal((count, 1), dtype=np.float32)
    off = look.wander * process(rng, count, samples, 1.5 * scale)
    strand = [_strand(rng, look, count, samples) for _ in range(2 if look.double else 1)]
    glint = look.glint * np.exp(0.6 * process(rng, count, samples, 60) - 0.2)
    spots = [-look.double / 2, look.double / 2] if look.double else [float(rng.uniform(-0.1, 0.1))]
    canvas = np.zeros((span, samples), np.float32)
    for k, (centre, pitch) in enumerate(zip(*lines, strict=True)):
        top, bottom = max(round(centre - pitch / 2), 0), min(round(centre + pitch / 2), span)
        if bottom <= top or not inside[k].any():
            continue
        u = ((np.arange(top, bottom) - centre) / pitch).astype(np.float32)[:, None]
        bent = u - off[k] * (1 - 4 * u * u)
        r = np.clip(np.copysign(np.sqrt(bent**2 + (ends[k] / pitch) ** 2), bent), -0.5, 0.5)
        place = np.rint((r + 0.5) * _TABLE).astype(np.intp)
        block = (one[place] * turned + other[place] * (1 - turned)) * broad[k]
        for spot, (strength, width) in zip(spots, strand, strict=True):
            block += strength[k] * np.exp(-(((r - spot) * pitch / width[k]) ** 2))
        block += look.valley * np.exp(-((((0.5 - np.abs(u)) * pitch) / (2 + 0.05 * pitch)) ** 2))
        edge = np.maximum(ends[k], starts[k])
        block += glint[k] * np.exp(-((edge / (0.12 * pitch + 4)) ** 2) - (u / 0.17) ** 2)
        canvas[top:bottom] = block * np.exp(-((ends[k] / (0.45 * pitch)) ** 2))
    return np.asarray(cv2.GaussianBlur(canvas, (1, 5), 1.1), np.float32)


def _strand(rng: np.random.Generator, look: Look, count: int, samples: int) -> tuple[Field, Field]:
    """Strength and half width (px) of a crest line of each ridge, along it."""
    scale = look.scale / STEP
    strength = np.exp(look.uneven * process(rng, count, samples, scale) - look.uneven**2 / 2)
    strength *= np.exp(0.6 * look.uneven * rng.standard_normal((count, 1), dtype=np.float32))
    strength *= 1 + 0.5 * look.uneven * process(rng, count, samples, max(scale / 6, 3))
    if look.broken:
        gate = process(rng, count, samples, scale * 0.7) - float(np.quantile(process(rng, 40, 400, 9), look.broken))
        strength *= 1 / (1 + np.exp(-7 * gate))
    width = look.crest_width * np.exp(0.25 * process(rng, count, samples, scale))
    ceiling = 2.6 * look.crest
    return np.asarray(ceiling * np.tanh(look.crest * strength / ceiling), np.float32), np.asarray(width, np.float32)
