"""What a tool leaves at the same places of every sheet: dents, wrinkles, coined pads, laser codes, streaks of wear."""

import cv2
import numpy as np

from simulator.strangers.drawn_noise import Field, nearest, patchy, process


def dents(rng: np.random.Generator, canvas: Field, count: int) -> None:
    """Press marks: round or oval, one half bright, the other dark."""
    rows, columns = canvas.shape
    for _ in range(count):
        size = rng.uniform(9, 38)
        half = int(3.2 * size)
        x, y = int(rng.integers(0, columns)), int(rng.integers(0, rows))
        grid = np.mgrid[-half:half, -half:half].astype(np.float32) / size
        angle, oval = rng.uniform(0, 6.3), rng.uniform(0.6, 1)
        a, b = grid[1] * np.cos(angle) + grid[0] * np.sin(angle), grid[0] * np.cos(angle) - grid[1] * np.sin(angle)
        r = a * a + (b / oval) ** 2
        patch = rng.uniform(5, 22) * ((a * rng.uniform(0.3, 1.4) + rng.uniform(-0.5, 0.5)) * np.exp(-r))
        _add(canvas, patch.astype(np.float32), x - half, y - half)


def wrinkles(rng: np.random.Generator, canvas: Field, count: int) -> None:
    """Folds: broad soft bands that wander over the sheet, each with a spline-like section of its own."""
    rows, columns = canvas.shape
    small = np.zeros((rows // 8 + 1, columns // 8 + 1), np.float32)
    for _ in range(count):
        length = int(rng.uniform(0.15, 0.5) * columns / 8)
        heading = rng.uniform(0, 6.3) + 0.5 * process(rng, 1, length, 60)[0]
        start = rng.uniform(0, 1, 2) * [columns / 8, rows / 8]
        points = start + np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), axis=0)
        distance, index = nearest(points, *small.shape)
        along = np.sin(np.pi * np.linspace(0, 1, length)) * (1 + 0.4 * process(rng, 1, length, 25)[0])
        far = distance / rng.uniform(4, 11)
        section = np.exp(-(far**2)) + rng.uniform(-1, 1) * far * np.exp(-((0.8 * far) ** 2))
        small += rng.choice([-1, 1]) * rng.uniform(4, 13) * along[index].astype(np.float32) * section
    canvas += cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)


def coining(rng: np.random.Generator, canvas: Field, count: int) -> None:
    """Coined pads and rings: an outline whose sides differ in brightness, a floor with a tone of its own."""
    for _ in range(count):
        size = int(rng.uniform(40, 150))
        drawn = np.zeros((2 * size, 2 * size), np.uint8)
        kind = int(rng.integers(0, 3))
        if kind == 0:
            cv2.circle(drawn, (size, size), int(0.6 * size), 1, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(drawn, (int(0.4 * size), int(0.6 * size)), (int(1.6 * size), int(1.4 * size)), 1, -1)
        else:
            word = "".join(rng.choice(list("ABEHKLMNPSTX0123456789"), int(rng.integers(2, 5))))
            cv2.putText(drawn, word, (5, int(1.2 * size)), cv2.FONT_HERSHEY_DUPLEX, size / 50, 1, max(size // 12, 3))
        ink = cv2.GaussianBlur((drawn > 0).astype(np.float32), (0, 0), 1.6)
        dx, dy = (int(v) for v in rng.choice([-3, -2, 2, 3], 2))
        edge = ink - np.roll(ink, (dy, dx), (0, 1))
        patch = rng.uniform(8, 26) * edge + rng.uniform(-8, 8) * ink
        x, y = rng.uniform(0, canvas.shape[1] - size), rng.uniform(0, canvas.shape[0] - size)
        for i in range(int(rng.choice([1, 1, 3, 5]))):
            _add(canvas, patch.astype(np.float32), int(x + 2.2 * size * i), int(y))


def codes(rng: np.random.Generator, canvas: Field, count: int) -> None:
    """Laser-engraved codes of dots: a word, or a square code."""
    for _ in range(count):
        if rng.random() < 0.5:
            dots = (rng.random((18, 18)) < 0.5).astype(np.uint8)
            dots[:, 0] = dots[-1] = 1
        else:
            dots = np.zeros((14, 150), np.uint8)
            word = "".join(rng.choice(list("ACDEFGHKLPRTUVX0123456789-/"), int(rng.integers(8, 14))))
            cv2.putText(dots, word, (1, 12), cv2.FONT_HERSHEY_PLAIN, 0.95, 1, 1)
        pitch = int(rng.integers(4, 8))
        dot = cv2.GaussianBlur(np.pad(np.ones((2, 2), np.float32), (pitch - 2 + 1) // 2)[:pitch, :pitch], (0, 0), 0.9)
        patch = np.kron(dots.astype(np.float32), dot / dot.max()) * rng.choice([-1, -1, 1]) * rng.uniform(14, 40)
        patch *= 1 + 0.3 * patchy(rng, patch.shape[0], patch.shape[1], 12)
        x, y = int(rng.uniform(0, canvas.shape[1])), int(rng.uniform(0, canvas.shape[0]))
        _add(canvas, patch.astype(np.float32), x - patch.shape[1] // 2, y - patch.shape[0] // 2)


def streaks(rng: np.random.Generator, canvas: Field, count: int, upright: bool) -> None:
    """Wear of the tool: bundles of fine long lines along the draw, bright and dark, that come and go."""
    view = canvas.T if upright else canvas
    rows, columns = view.shape
    for _ in range(count):
        height, length = int(rng.uniform(15, 110)), int(rng.uniform(0.12, 0.6) * columns)
        lines = cv2.GaussianBlur(rng.standard_normal((height, 1), dtype=np.float32), (1, 5), rng.uniform(0.6, 1.1))
        come = np.maximum(process(rng, height, length, length / 4) + 0.3, 0)
        body = np.hanning(height)[:, None] * np.sqrt(np.hanning(length))[None]
        patch = (rng.uniform(2.5, 7) * lines.reshape(height, 1) * come * body).astype(np.float32)
        patch += (rng.uniform(-4, 4) * body).astype(np.float32)
        _add(view, patch, int(rng.uniform(-0.1, 0.9) * columns), int(rng.uniform(0, 1) * rows))


def _add(canvas: Field, patch: Field, left: int, top: int) -> None:
    """Adds `patch` to what of it lies on `canvas`."""
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + patch.shape[1], canvas.shape[1]), min(top + patch.shape[0], canvas.shape[0])
    if x1 > x0 and y1 > y0:
        canvas[y0:y1, x0:x1] += patch[y0 - top : y1 - top, x0 - left : x1 - left]
