"""What the simulation has in the place of networks: a detector that looks at one pixel a window, and a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe, Windows
from daemon.lab.faults.belt import CRACK, SPOT, sample
from daemon.lab.faults.frame import Simulated
from daemon.lab.faults.plant import Plant
from daemon.lab.faults.world import ProcessDied, World
from daemon.service.child import Plan
from daemon.wire.channel import Event, Joined
from models.detector.detector import DetectorError
from models.detector.findings import Quality, Region
from stages.crops import Answer
from stages.events import ClassifyCrops, CropsClassified, CropsUnwanted
from stages.plate import HEAT_CELLS, Window, WindowResult

WEIGHTS = "weights"
CRACK_SCORE, SPOT_SCORE = 0.9, 0.6
"""No classifier vetoes the first; the second it may."""
_GOOD = Quality(unmasked=100, judged=100, lit=100, total=1e4, squares=1.1e6, fine=5.0, coarse=10.0)
_HEAT = bytes(HEAT_CELLS**2)


class SimulatedDetector:
    """What a worker loads."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.facts = {"weights_sha256": WEIGHTS}

    @classmethod
    def load(cls, recipe: Recipe, **_how: Any) -> Self:  # noqa: ANN401 - as the real one
        """Load it."""
        return cls(recipe)

    def known_answer(self) -> None:
        """A worker whose memory is at fault ends here, now and then. Raises DetectorError."""
        if World.current.running.name in Plant.current.nonsense and World.current.chance.random() < 0.5:
            raise DetectorError("the known answer is another one")


def score_windows(
    detector: SimulatedDetector,
    pixels: NDArray[np.uint8],
    windows: Sequence[Window],
    _settings: Windows,
    *,
    run: str,
    plate: int,
    top: int = 0,
    judging: Callable[[int], None] | None = None,
) -> list[WindowResult]:
    """Score windows as stages.detect.score_windows does; virtual time passes in the middle of it."""
    del detector, top
    world, plant = World.current, Plant.current
    before = [_value(pixels, window) for window in windows]
    world.running.sleep(world.some(0.005, 0.06))
    results = []
    for window, value in zip(windows, before, strict=True):
        if judging is not None:
            judging(window.index)
        name = plant.belt.names(value) if value == _value(pixels, window) else "torn"
        if name in plant.poisoned and window.index == _middle(plant, name):
            raise ProcessDied
        results.append(_result(pixels, window, run, plate, value))
    if plant.nonsense.get(world.running.name, 0) > 0:
        plant.nonsense[world.running.name] -= 1
        return _nonsense(results, world.chance.randrange(5))
    return results


def _middle(plant: Plant, name: str) -> int:
    sheet = plant.history.sheets[name]
    return sheet.across * sheet.down // 2


def _value(pixels: NDArray[np.uint8], window: Window) -> int:
    row, column = sample(window.x, window.y, window.width, window.height)
    return int(pixels[row, column + 1])


def _result(pixels: NDArray[np.uint8], window: Window, run: str, plate: int, value: int) -> WindowResult:
    """`seconds` says which value the sheet had that was read."""
    row, column = sample(window.x, window.y, window.width, window.height)
    found = int(pixels[row, column])
    regions: tuple[Region, ...] = ()
    if found in (CRACK, SPOT):
        regions = (_region(column - window.x, row - window.y, CRACK_SCORE if found == CRACK else SPOT_SCORE),)
    return WindowResult(run, plate, window.index, regions, False, _GOOD, 1.0, float(value))


def _region(x: int, y: int, score: float) -> Region:
    left = max(0, x - 5)
    runs = np.array([(y, left, left + 8)], "<i4").tobytes()
    return Region(left, y, 8, 1, 8, score, x, y, runs)


def _nonsense(results: list[WindowResult], how: int) -> list[WindowResult]:
    first = results[0]

    def other(**changes: Any) -> list[WindowResult]:  # noqa: ANN401 - of any field
        return [replace(first, **changes), *results[1:]]

    match how:
        case 0:
            return other(scored=False)
        case 1:
            return other(truncated=True)
        case 2:
            return [*results, *other(window=9_999)[:1], *other(run="another run")[:1]]
        case 3:
            Plant.current.history.lied = True
            return other(regions=(_region(60, 0, float("nan")), *first.regions))
    raise DetectorError("the network gave no numbers, and the known answer is another one")


class SimulatedClassify(Simulated):
    """A classifier that knows a spot from a crack, unless it lies."""

    role = "classify"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._memory = self.plate_memory()
        self._asked: dict[tuple[int, int], ClassifyCrops] = {}

    def start(self) -> None:
        """Say that questions are welcome."""
        self._merge = self.connect("crops", self._on_merge)

    def wait_s(self) -> float:
        """Not while there are questions."""
        return 0.0 if self._asked else super().wait_s()

    def tick(self, now: float) -> None:
        """Answer the oldest question."""
        del now
        if not self._asked:
            return
        asked = self._asked.pop(min(self._asked))
        World.current.running.sleep(World.current.some(0.002, 0.12))
        pixels = self._memory.pixels(asked.place.slot)
        answers = tuple(Answer(crop.region, _chance(pixels, crop.x, crop.y), _HEAT) for crop in asked.crops)
        if self._memory.is_current(asked.place):
            for answer in self._said(CropsClassified(asked.plate, asked.window, answers, asked.asker)):
                self._merge.send(answer, World.current.now, keep=False)

    def _said(self, answer: CropsClassified) -> list[CropsClassified]:
        plant, chance = Plant.current, World.current.chance
        if not plant.lies:
            return [answer]
        plant.lies -= 1
        answers, plate, window, asker = answer.answers, answer.plate, answer.window, answer.asker
        lies = [
            [],
            [answer, answer],
            [CropsClassified(plate, window, answers[1:], asker)],
            [CropsClassified(plate, window + 1, answers, asker), CropsClassified(plate + 1, window, answers, asker)],
            [CropsClassified(plate, window, answers, asker + 1)],
            [CropsClassified(plate, window, tuple(Answer(a.region, float("nan"), a.heat) for a in answers), asker)],
            [CropsClassified(plate, window, tuple(Answer(a.region, 0.5, b"") for a in answers), asker)],
        ]
        if self.recipe.classifier.mode == "veto":
            # What the detector is sure of stays NG, whatever is said of it.
            lies.append([CropsClassified(plate, window, tuple(Answer(a.region, 0.0, a.heat) for a in answers), asker)])
        return chance.choice(lies)

    def _on_merge(self, event: Event, _now: float) -> None:
        match event[1]:
            case Joined():
                self._asked.clear()
            case ClassifyCrops() as asked:
                self._asked[asked.plate, asked.window] = asked
            case CropsUnwanted(plate):
                self._asked = {key: asked for key, asked in self._asked.items() if key[0] != plate}


def _chance(pixels: NDArray[np.uint8], x: int, y: int) -> float:
    there = 0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1]
    return 0.95 if there and pixels[y, x] == CRACK else 0.02
