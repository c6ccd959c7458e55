"""The paths that cracks take: split midpoints, growth along a field of stress, nearly straight, along a ridge."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from simulator.strangers.drawn_forms import COARSE
from simulator.strangers.drawn_noise import Field, process

Path = NDArray[np.float64]
"""(n, 2) x, y in px, about 1.5 px apart."""
PACE = 1.5


def lightning(rng: np.random.Generator, angle: float, length: float) -> Path:
    """A line whose pieces were split again and again, each middle moved aside."""
    points = np.array([[0.0, 0.0], [length * np.cos(angle), length * np.sin(angle)]])
    throw, rough = length * rng.uniform(0.06, 0.16), rng.uniform(0.48, 0.62)
    while len(points) * 4 < length:
        middle = (points[1:] + points[:-1]) / 2
        along = np.diff(points, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
        middle = middle + across * rng.normal(0, throw, (len(middle), 1))
        points = np.insert(points, np.arange(1, len(points)), middle, axis=0)
        throw *= rough
    return even(points)


def grown(rng: np.random.Generator, angle: float, length: float) -> Path:
    """A tip that walks through a field of stress with inertia, now and then thrown off at a grain."""
    steps = max(int(length / PACE), 4)
    pull = angle + rng.uniform(0.2, 0.8) * process(rng, 1, steps, rng.uniform(25, 90))[0]
    heading, headings = angle, []
    for i in range(steps):
        heading += 0.12 * (float(pull[i]) - heading) + rng.normal(0, 0.09)
        if rng.random() < 0.03:
            heading += rng.normal(0, 0.6)
        headings.append(heading)
    return np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1) * PACE, axis=0)


def straight(rng: np.random.Generator, angle: float, length: float) -> Path:
    """Nearly straight, with a slow bow and a small jitter."""
    steps = max(int(length / PACE), 4)
    heading = angle + rng.uniform(0.02, 0.12) * process(rng, 1, steps, 40)[0] + rng.normal(0, 0.05, steps)
    return np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * PACE, axis=0)


def along_ridge(rng: np.random.Generator, guide: Field, start: NDArray[np.float64], length: float) -> Path:
    """Starts at `start`, follows the ridge there for a part, and leaves it."""
    steps = max(int(length / PACE), 4)
    stay, leave = int(steps * rng.uniform(0.35, 0.95)), rng.choice([-1, 1]) * rng.uniform(0.3, 1.2)
    wobble, sense = 0.35 * process(rng, 1, steps, rng.uniform(8, 30))[0], rng.choice([-1, 1])
    point, heading, path = start.astype(np.float64), None, []
    for i in range(steps):
        slope = gradient(guide, point)
        if heading is None:
            heading = float(np.arctan2(slope[0], -slope[1])) + (np.pi if sense < 0 else 0)
        elif i < stay and np.hypot(*slope) > 0.2:
            wanted = float(np.arctan2(slope[0], -slope[1]))
            bend = (wanted - heading + np.pi / 2) % np.pi - np.pi / 2
            heading += float(np.clip(bend, -0.3, 0.3))
        elif i == stay:
            heading += leave
        turn = heading + float(wobble[i])
        point = point + PACE * np.array([np.cos(turn), np.sin(turn)])
        path.append(point)
    return np.array(path) - start


def gradient(guide: Field, point: NDArray[np.float64]) -> tuple[float, float]:
    """How `guide` changes at `point` (x, y px), along x and along y; 0 where it jumps."""
    x = int(np.clip(point[0] / COARSE, 1, guide.shape[1] - 2))
    y = int(np.clip(point[1] / COARSE, 1, guide.shape[0] - 2))
    dx = float(guide[y, x + 1] - guide[y, x - 1]) / (2 * COARSE)
    dy = float(guide[y + 1, x] - guide[y - 1, x]) / (2 * COARSE)
    return (dx, dy) if max(abs(dx), abs(dy)) < 2 else (0.0, 0.0)


def even(points: Path) -> Path:
    """The same line, with points PACE apart."""
    run = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, run[-1], max(int(run[-1] / PACE), 4))
    return np.stack([np.interp(at, run, points[:, 0]), np.interp(at, run, points[:, 1])], 1)


FREE: tuple[Callable[[np.random.Generator, float, float], Path], ...] = (lightning, grown, grown, straight)
