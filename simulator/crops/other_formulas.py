"""Training crops drawn by other formulas than simulator.crops.wild, so that a detector learns the habits of neither."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops.labelled import LabelledCrop
from simulator.crops.ridges import log_uniform

Grey = NDArray[np.float32]
_LEAST_CONTRAST = 1.5
"""Least height of a crack, in sigmas of what surrounds it, for it to be asked for."""
_REACH = 14
"""Px beside a line over which its step fades."""


def training_window(rng: np.random.Generator, size: int, *, other_lines: bool = True) -> LabelledCrop:
    """One crop (size x size): picture, the cracks' pixels, and pixels that are not judged.

    Not judged are a ring around each crack, and cracks that nobody could see in their surroundings. Without
    `other_lines` neither a dark line nor a hair scratch lies on the sheet beside them.
    """
    image = _plate(rng, size)
    _clutter(rng, image, other_lines=other_lines)
    noise = log_uniform(rng, 0.5, 7)
    detail = cv2.GaussianBlur((image - cv2.GaussianBlur(image, (0, 0), 4)) ** 2, (0, 0), 8) + noise**2
    mask, faint = np.zeros((size, size), np.bool_), np.zeros((size, size), np.bool_)
    if rng.random() < 0.7:
        for _ in range(int(rng.integers(1, 4))):
            height = log_uniform(rng, 7, 46)
            step = min(rng.uniform(1, 22), height * rng.uniform(0.1, 0.7))
            one = np.zeros((size, size), np.bool_)
            _add_line(rng, image, _path(rng, size, log_uniform(rng, 20, 320)), rng.uniform(7, 21), height, step, one)
            seen = one.any() and height > _LEAST_CONTRAST * math.sqrt(float(detail[one].mean()))
            (mask if seen else faint)[one] = True
    mask &= ~_outside(rng, image)
    ring = cv2.dilate(mask.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return _recorded(rng, image, noise), mask, (ring | faint) & ~mask


def _field(rng: np.random.Generator, size: int, across: float, along: float | None = None) -> Grey:
    """Smooth Gaussian noise of about unit spread: white noise enlarged by `across` columns and `along` rows."""
    along = across if along is None else along
    shape = math.ceil(size / along) + 4, math.ceil(size / across) + 4
    noise = rng.standard_normal(shape).astype(np.float32)
    x, y = rng.uniform(1.0, 2.0, 2)
    place = np.array([[1 / across, 0, x], [0, 1 / along, y]])
    grown = cv2.warpAffine(noise, place, (size, size), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.asarray(grown, np.float32)


def _axes(size: int) -> tuple[Grey, Grey]:
    axis = np.arange(size, dtype=np.float32)
    return np.broadcast_to(axis[:, None], (size, size)), np.broadcast_to(axis[None], (size, size))


def _plate(rng: np.random.Generator, size: int) -> Grey:
    """Corrugation, light along its crests, and texture."""
    y, x = _axes(size)
    image = rng.uniform(50, 190) + _field(rng, size, rng.uniform(150, 600)) * rng.uniform(0, 15)
    pitch = rng.uniform(35, 260)
    angle = (rng.uniform(0, math.pi), math.radians(rng.uniform(20, 70)), 0.0, math.pi / 2)[int(rng.integers(4))]
    if rng.random() < 0.6:  # a herringbone folds along a line
        fold = rng.uniform(150, 900)
        x = np.abs((x + rng.uniform(0, 2 * fold)) % (2 * fold) - fold)
    phase = (x * math.cos(angle) + y * math.sin(angle)) / pitch + rng.uniform()
    if rng.random() < 0.4:
        phase = phase + _field(rng, size, rng.uniform(80, 300)) * rng.uniform(0, 0.15)
    phase = phase - np.floor(phase)
    wave = np.cos(2 * np.pi * phase)
    shape = int(rng.integers(4))
    if shape == 1:
        wave = np.sign(wave) * np.abs(wave) ** rng.uniform(0.3, 1)
    elif shape == 2:
        wave = np.tanh(wave * rng.uniform(1, 6))
    elif shape == 3:
        wave = 1 - 4 * np.abs(phase - 0.5)
    if rng.random() < 0.9:
        image = image + rng.uniform(0, 45) * wave
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(1, 3))):
            image = image + _crest_line(rng, np.asarray(phase, np.float32), pitch, size)
    if rng.random() < 0.7:  # rolled one way
        fine, long = rng.uniform(1, 3), rng.uniform(10, 120)
        across, along = (fine, long) if rng.random() < 0.5 else (long, fine)
        image = image + _field(rng, size, across, along) * rng.uniform(0, 6)
    image = image + _field(rng, size, rng.uniform(1.2, 8)) * rng.uniform(0, 5)
    if rng.random() < 0.25:  # a fingerprint's whorls
        ridge = (x * math.cos(angle + 1) + y * math.sin(angle + 1)) / rng.uniform(5, 20)
        ridge = ridge + _field(rng, size, rng.uniform(30, 120)) * rng.uniform(0.5, 3)
        image = image + np.sin(2 * np.pi * ridge) * rng.uniform(0, 6) * np.clip(_field(rng, size, 100) + 0.3, 0, 1)
    return np.asarray(image, np.float32)


def _crest_line(rng: np.random.Generator, phase: Grey, pitch: float, size: int) -> Grey:
    """A specular line along every crest: it has no ends, so it is no crack."""
    away = np.abs(phase - rng.uniform())
    away = np.minimum(away, 1 - away) / (rng.uniform(1.5, 14) / pitch)
    profile = np.exp(-(away**2) / 2) if rng.random() < 0.6 else np.clip(1 - (away / 2) ** 2, 0, 1)
    strength = rng.uniform(5, 60) * (1 if rng.random() < 0.8 else -1)
    if rng.random() < 0.5:
        profile = profile * np.clip(1 + 0.5 * _field(rng, size, rng.uniform(60, 300)), 0.1, 2)
    return np.asarray(strength * profile, np.float32)


def _path(rng: np.random.Generator, size: int, length: float) -> Grey:
    """Centre line of about that length, one point a px: a random walk of the direction with a kink now and then."""
    count = int(length) + 2
    turn = np.cumsum(rng.standard_normal(count) * rng.uniform(0, 0.03))
    kinks = np.repeat(rng.standard_normal(count // 15 + 1) * rng.uniform(0, 0.35), 15)[:count]
    angle = rng.uniform(0, 2 * np.pi) + turn + kinks
    points = np.cumsum(np.stack((np.cos(angle), np.sin(angle)), 1), axis=0)
    points = (points - points.mean(axis=0) + rng.uniform(-20, size + 20, 2)).astype(np.float32)
    if count > 9:
        points = np.asarray(cv2.GaussianBlur(points[:, None], (1, 9), 2)[:, 0], np.float32)
    return points


def _add_line(
    rng: np.random.Generator,
    image: Grey,
    path: Grey,
    width: float,
    height: float,
    step: float,
    mask: NDArray[np.bool_] | None = None,
    sign: int = 1,
) -> None:
    """Paint a line of parabolic profile along the path, its height and width wandering, and mark its pixels."""
    reach = int(width) + _REACH
    low = np.maximum(np.floor(path.min(axis=0) - reach).astype(int), 0)
    high = np.minimum(np.ceil(path.max(axis=0) + reach).astype(int) + 1, image.shape[0])
    if (high - low < 3).any():
        return
    marks = np.full((high[1] - low[1] + 2 * reach, high[0] - low[0] + 2 * reach), 255, np.uint8)
    places = np.rint(path - low + reach).astype(int)
    inside = ((places >= 0) & (places < np.array(marks.shape[::-1]))).all(axis=1)
    if inside.sum() < 2:
        return
    marks[places[inside, 1], places[inside, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(marks, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    point_of = np.zeros(int(labels.max()) + 1, int)
    point_of[labels[places[inside, 1], places[inside, 0]]] = np.flatnonzero(inside)
    nearest = point_of[labels[reach:-reach, reach:-reach]]
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-6
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]]
    dx, dy = x - path[nearest, 0], y - path[nearest, 1]
    across = dy * tangent[nearest, 0] - dx * tangent[nearest, 1]
    beyond = np.abs(dx * tangent[nearest, 0] + dy * tangent[nearest, 1])
    wide = width * np.clip(1 + 0.6 * _wander(rng, len(path)), 0.8, 1.15)[nearest]
    tall = np.clip(1 + 0.8 * _wander(rng, len(path)), 0.7, 1.1)
    ends = np.minimum(np.arange(len(path)), np.arange(len(path))[::-1])
    tall = (tall * np.clip((ends + 3) / (rng.uniform(0, 12) + 3), 0, 1))[nearest]
    p = 1 + math.sqrt(1 - step / height)
    u = across / wide + 0.5
    profile = height * (2 * p * u - p * p * u * u)
    fade = step * np.exp(-(u - 1) * wide / rng.uniform(3, 8))
    profile = tall * np.where(u < 0, 0, np.where(u > 1, fade, profile))
    profile = profile * np.exp(-(np.maximum(beyond - 1.5, 0) ** 2) / (2 * (width / 4) ** 2))
    part = slice(low[1], high[1]), slice(low[0], high[0])
    image[part] += (sign * profile).astype(np.float32)
    if mask is not None:
        mask[part] |= (u >= 0) & (u <= 1) & (beyond < max(2, width / 4))


def _wander(rng: np.random.Generator, count: int) -> Grey:
    noise = rng.standard_normal((count, 1)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (1, 0), 0, sigmaY=15)[:, 0], np.float32)


def _clutter(rng: np.random.Generator, image: Grey, *, other_lines: bool) -> None:
    """What is no crack: spots, oil, hair scratches under 4 px, dark lines, bands of 40 px and more."""
    size = image.shape[0]
    crops = (size / 320) ** 2
    if rng.random() < 0.35:
        for _ in range(int(rng.poisson(2 * crops)) + 1):
            spot = np.zeros_like(image)
            radius, stretch = rng.uniform(2, 25), rng.uniform(1, 2)
            centre = int(rng.uniform(0, size)), int(rng.uniform(0, size))
            axes = int(radius * stretch) + 1, int(radius) + 1
            cv2.ellipse(spot, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
            image += cv2.GaussianBlur(spot, (0, 0), rng.uniform(0.6, 4)) * np.float32(rng.uniform(-50, 50))
    if rng.random() < 0.3:
        blotch = (_field(rng, size, rng.uniform(40, 120)) - rng.uniform(0.6, 1.5)) * rng.uniform(3, 40)
        image *= 1 - rng.uniform(0.2, 0.9) / (1 + np.exp(-np.clip(blotch, -50, 50)))
    if other_lines and rng.random() < 0.35:
        for _ in range(int(rng.poisson(2 * crops)) + 1):
            path = _path(rng, size, log_uniform(rng, 20, 320))
            width, height, sign = rng.uniform(1.2, 3.5), rng.uniform(8, 60), int(rng.choice((1, -1)))
            _add_line(rng, image, path, width, height, 0.1, sign=sign)
    if other_lines and rng.random() < 0.3:
        for _ in range(int(rng.poisson(crops)) + 1):
            height = rng.uniform(7, 46)
            path = _path(rng, size, log_uniform(rng, 20, 320))
            _add_line(rng, image, path, rng.uniform(5, 25), height, height * rng.uniform(0, 0.6), sign=-1)
    if rng.random() < 0.2:
        height = rng.uniform(7, 40)
        _add_line(rng, image, _path(rng, size, rng.uniform(100, 400)), rng.uniform(40, 80), height, height * 0.1)


def _outside(rng: np.random.Generator, image: Grey) -> NDArray[np.bool_]:
    """Sometimes an edge of the plate or a port hole with a bright rim; what lies outside or close to it."""
    size = image.shape[0]
    y, x = _axes(size)
    draw = rng.random()
    if draw < 0.25:
        angle = rng.integers(4) * math.pi / 2 + rng.normal(0, 0.01)
        within = (x - size / 2) * math.cos(angle) + (y - size / 2) * math.sin(angle)
        within = within + size / 2 - rng.uniform(0.02, 0.3) * size
    elif draw < 0.36:
        radius = rng.uniform(60, 400)
        centre = rng.uniform(-0.8 * radius, size + 0.8 * radius, 2)
        within = np.hypot(x - centre[0], y - centre[1]) - radius
    else:
        return np.zeros(image.shape, np.bool_)
    metal = np.clip(within / rng.uniform(1, 4) + 0.5, 0, 1)
    rim = rng.uniform(0, 60) * np.exp(-(((within - rng.uniform(2, 15)) / rng.uniform(1.5, 8)) ** 2) / 2)
    image[:] = rng.uniform(0, 40) * (1 - metal) + (image + rim) * metal
    return np.asarray(within < 4)


def _recorded(rng: np.random.Generator, image: Grey, sigma: float) -> NDArray[np.uint8]:
    """Uneven light, a little blur, the columns' gains and noise."""
    size = image.shape[0]
    if rng.random() < 0.5:
        image = image * np.clip(1 + 0.25 * rng.random() * _field(rng, size, rng.uniform(200, 900)), 0.3, 1.8)
    if rng.random() < 0.35:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    gain = 1 + rng.standard_normal((1, size)) * rng.uniform(0, 0.01)
    noise = rng.standard_normal((size, size), dtype=np.float32) * np.float32(sigma)
    return np.clip(np.rint(image * gain + noise), 0, 255).astype(np.uint8)
