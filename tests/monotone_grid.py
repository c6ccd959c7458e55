"""More crack is never less: lines of more and more contrast, length and width on every kind of ground.

`python -m tests.monotone_grid` paints each line of a grid into the middle of a clean window, inspects it by the whole
chain, and counts where more crack is less: lines that are lost though a weaker, shorter or narrower one is found, and
lines whose score falls.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.evaluate.scoring import InMemory
from daemon.offline.inspect import inspect_image
from models.detector.detector import Detector
from models.training.photographs import grey, photographs
from simulator.crops import other_formulas, pressed, wild
from simulator.sheets.products import PRODUCTS
from simulator.sheets.sheet import render

Image = NDArray[np.uint8]
SIDE = 600
"""px; one window of the line."""
THROUGH = 10_000.0
"""A line from edge to edge of the window."""
FOUND = 0.5
LEAST_RATIO = 4
"""What is not so many times as long as wide is no line: the laws of lines need not find it."""
TOLERANCE = 0.05
"""By which a score may fall that is noise and no rule."""


@dataclass(frozen=True)
class Grid:
    """The lines that are painted on a ground: each with each."""

    widths: tuple[float, ...] = (3, 5, 9, 15, 21)
    """px; where half of the contrast is left."""
    lengths: tuple[float, ...] = (50, 100, 250, THROUGH)
    contrasts: tuple[float, ...] = (10, 15, 20, 30, 50, 80, 120)
    """Grey levels in the middle of the line."""
    angles: tuple[float, ...] = (0, 90, 37)
    """Degrees from the rows."""
    signs: tuple[int, ...] = (1, -1)
    """Bright, dark."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an array with one value a line: signs, angles, widths, lengths, contrasts."""
        return tuple(len(part) for part in (self.signs, self.angles, self.widths, self.lengths, self.contrasts))


AXES = {"width": 2, "length": 3, "contrast": 4}
SMALL = Grid(widths=(3, 9, 21), lengths=(50, 250, THROUGH), contrasts=(10, 20, 50, 120), angles=(37,), signs=(1, -1))


def painted(
    ground: Image, width: float, length: float, contrast: float, angle: float
) -> tuple[Image, NDArray[np.bool_]]:
    """A ground with one line through its middle, and the line's pixels; a negative contrast is a dark line."""
    rows, columns = ground.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = x - columns / 2, y - rows / 2
    turn = np.deg2rad(angle)
    along = np.abs(x * np.cos(turn) + y * np.sin(turn))
    across = np.abs(y * np.cos(turn) - x * np.sin(turn))
    ends = np.clip(length / 2 - along + 0.5, 0, 1)
    line = contrast * ends * np.exp(-4 * np.log(2) * (across / width) ** 2)
    image = np.clip(np.rint(ground + line), 0, 255).astype(np.uint8)
    return image, (across <= width / 2) & (along <= length / 2)


def score_of(image: Image, line: NDArray[np.bool_], detector: Detector) -> float:
    """The highest score of the defects that lie on the line; 0 where there is none."""
    plate = inspect_image(InMemory(image), detector.recipe, [detector])
    on = [one for one in plate.defects if line[one.y : one.y + one.height, one.x : one.x + one.width].any()]
    return max((one.score for one in on), default=0.0)


def scores_on(ground: Image, grid: Grid, detector: Detector) -> NDArray[np.float64]:
    """The score of each line of the grid, of the grid's shape; NaN for what is too short for its width to be a line."""
    scores = np.zeros(grid.shape)
    for place in np.ndindex(*grid.shape):
        sign, angle, width, length, contrast = place
        if grid.lengths[length] < LEAST_RATIO * grid.widths[width]:
            scores[place] = np.nan
            continue
        image, line = painted(
            ground,
            grid.widths[width],
            grid.lengths[length],
            grid.signs[sign] * grid.contrasts[contrast],
            grid.angles[angle],
        )
        scores[place] = score_of(image, line, detector)
    return scores


def lost(scores: NDArray[np.float64], axis: int) -> NDArray[np.bool_]:
    """Lines that are not found though one with less of that is, and is otherwise the same."""
    return (scores < FOUND) & (_best_below(scores, axis) >= FOUND)


def fallen(scores: NDArray[np.float64], axis: int) -> NDArray[np.bool_]:
    """Lines whose score is lower by more than the tolerance than that of one with less of that."""
    return scores < _best_below(scores, axis) - TOLERANCE


def counts(scores: NDArray[np.float64]) -> dict[str, tuple[int, int]]:
    """How many lines are lost and how many fall as each property grows."""
    return {name: (int(lost(scores, axis).sum()), int(fallen(scores, axis).sum())) for name, axis in AXES.items()}


def _best_below(scores: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    best = np.roll(np.fmax.accumulate(scores, axis), 1, axis)
    best[(slice(None),) * axis + (0,)] = 0
    return best


# --- grounds -----------------------------------------------------------------------------------------------------


def plain(noise: float, seed: int = 0) -> Image:
    """Even metal with Gaussian noise of that many grey levels."""
    values = np.random.default_rng(seed).normal(110, noise, (SIDE, SIDE))
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def product(name: str) -> Image:
    """A clean window of a sheet of the simulator."""
    sheet = render(replace(PRODUCTS[name], rows=900, columns=900, end_share=0.0), 8100, 0)
    return np.ascontiguousarray(sheet.image[150 : 150 + SIDE, 150 : 150 + SIDE])


def family(module: ModuleType) -> Image:
    """A clean window of one of the families that networks learn from."""
    rng = np.random.default_rng(81)
    windows = (module.training_window(rng, SIDE) for _ in range(200))
    return next(image for image, cracks, unsure in windows if not cracks.any() and not unsure.any())


GROUNDS: dict[str, Callable[[], Image]] = {
    "plain": partial(plain, 0),
    "plain, noise of 2": partial(plain, 2),
    "plain, noise of 5": partial(plain, 5),
    **{name: partial(product, name) for name in PRODUCTS},
    "wild": partial(family, wild),
    "other formulas": partial(family, other_formulas),
    "pressed": partial(family, pressed),
}


def grounds(data: Sequence[Path] = ()) -> Iterator[tuple[str, Image]]:
    """Clean windows of every kind; four photographs of each folder that is given."""
    for name, made in GROUNDS.items():
        yield name, made()
    for folder in data:
        clean = [one for one in photographs(folder) if one.clean]
        for one in clean[:: max(1, len(clean) // 4)][:4]:
            picture = cv2.resize(grey(one.image), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            yield f"{one.collection}/{one.image.stem}", np.asarray(picture, np.uint8)


def detector_of(weights: Path | None = None) -> Detector:
    """A detector of bright and dark lines, with the weights that ship or others."""
    recipe = Recipe(name="grid", polarity="both", weights=None if weights is None else str(weights))
    return Detector.load(recipe, "cpu")


def table(found: Iterable[tuple[str, NDArray[np.float64]]]) -> Iterator[str]:
    """A row for each ground as it is done: how many lines were lost, and how many fell, along each axis."""
    yield "| ground | lines | found | " + " | ".join(f"lost, fallen by {name}" for name in AXES) + " |"
    yield "|---" * (3 + len(AXES)) + "|"
    for name, scores in found:
        lines, found_ones = np.isfinite(scores).sum(), (scores >= FOUND).sum()
        each = " | ".join(f"{gone}, {less}" for gone, less in counts(scores).values())
        yield f"| {name} | {lines} | {found_ones} | {each} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.monotone_grid", description=__doc__)
    parser.add_argument("--weights", type=Path, help="weights file, in place of those that ship")
    parser.add_argument("--data", type=Path, action="append", default=[], help="photographs as grounds, too")
    parser.add_argument("--ground", action="append", help="only grounds whose name begins so; may be repeated")
    parser.add_argument("--small", action="store_true", help="the grid of the test, 64 lines a ground")
    parser.add_argument("--misses", action="store_true", help="name each line that is lost")
    asked = parser.parse_args()
    grid, detector = SMALL if asked.small else Grid(), detector_of(asked.weights)
    chosen = (
        (name, ground)
        for name, ground in grounds(asked.data)
        if asked.ground is None or name.startswith(tuple(asked.ground))
    )
    started = time.monotonic()

    def each() -> Iterator[tuple[str, NDArray[np.float64]]]:
        for name, ground in chosen:
            scores = scores_on(ground, grid, detector)
            yield name, scores
            if asked.misses:
                for line in misses(scores, grid):
                    print(f"    {line}")  # noqa: T201 - it is its output

    for row in table(each()):
        print(row, flush=True)  # noqa: T201 - the same
    print(f"{time.monotonic() - started:.0f} s")  # noqa: T201 - the same


def misses(scores: NDArray[np.float64], grid: Grid) -> Iterator[str]:
    """The lines that are lost, in words."""
    for name, axis in AXES.items():
        for sign, angle, width, length, contrast in np.argwhere(lost(scores, axis)).tolist():
            yield (
                f"lost by {name}: {'bright' if grid.signs[sign] > 0 else 'dark'}, {grid.angles[angle]:g} degrees, "
                f"{grid.widths[width]:g} px wide, {grid.lengths[length]:g} long, {grid.contrasts[contrast]:g} grey"
            )


if __name__ == "__main__":
    main()
