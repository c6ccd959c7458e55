"""With a reference, what good sheets have at a place raises no alarm there, and a crack elsewhere does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from config.schema import Recipe
from config.weights import SHIPPED
from daemon.lab.chain import Chain
from daemon.lab.teach.places import Offset, Place
from daemon.lab.teach.usual import reference_of, shown_by
from models.detector.card import learnt, read
from models.detector.errors import DetectorError
from models.detector.known_window import known_window
from models.detector.reference import SIDE
from models.training.detector import card
from models.training.detector.learner import Learner
from models.training.detector.plan import Plan
from stages.plate import Defect

torch.set_num_threads(1)
ROWS, COLUMNS = 700, 1300


def sheet(seed: int, crack: tuple[int, int] | None = None, part: int = 1) -> NDArray[np.uint8]:
    """Ridges, and the die's mark among them; a crack is the same thing elsewhere. Of both a part of their strength."""
    plate = np.tile(without_crack(), (2, 2))[:ROWS, :COLUMNS].astype(np.int16)
    for x, y in [(0, 0), *([] if crack is None else [crack])]:
        plate[y : y + 650, x : x + 650] += (known_window(650).astype(np.int16) - without_crack()) // part
    grain = np.random.default_rng(seed).integers(-1, 2, plate.shape)
    return np.asarray((plate + grain).clip(0, 255), np.uint8)


def without_crack() -> NDArray[np.int16]:
    y, x = np.mgrid[0:650, 0:650]
    return np.asarray(110 + 12 * (np.abs((x + y // 3) % 120 - 60) - 30) // 30 + (x * 7 + y * 13 + x * y) % 5, np.int16)


def looked(pixels: NDArray[np.uint8]) -> Any:
    return SimpleNamespace(sheet=SimpleNamespace(read=lambda: pixels))


def on_mark(one: Defect) -> bool:
    return one.x < 650 and 150 < one.y < 500 and one.x + one.width < 560


@pytest.mark.parametrize("part", [1, 2], ids=["found by its contrast, too", "found by the network alone"])
def test_the_marks_of_a_die_are_silent_and_a_crack_elsewhere_is_not(tmp_path: Path, part: int) -> None:
    recipe = Recipe(name="test")
    shipped = SHIPPED / "detector-half.pt"
    state = Learner(Plan(steps=1, recipe=recipe), resume=shipped).network.state_dict()
    threshold = learnt(read(shipped, recipe).card)
    base = Chain(recipe)
    cracked = sheet(9, (640, 40), part)
    before = base.inspect(cracked).defects
    assert {on_mark(one) for one in before} == {True, False}
    good, steps = [looked(sheet(seed, part=part)) for seed in range(4)], list[int]()
    where = [Offset(0.0, 0.0)] * 4

    def said(folder: str, marks: Sequence[Place]) -> tuple[Path, list[Defect]]:
        told = reference_of(good, where, marks, base.detectors, lambda: steps.append(1))
        weights = card.write(tmp_path / folder, state, threshold, {}, recipe, reference=told)
        return weights, list(Chain(recipe.model_copy(update={"weights": str(weights)})).inspect(cracked).defects)

    weights, after = said("taught", [])
    assert len(steps) == len(good)
    told = read(weights, recipe).card["reference"]
    assert told == {"cell_px": SIDE, "cells": [-(-ROWS // SIDE), -(-COLUMNS // SIDE)], "polarity": "bright"}
    with pytest.raises(DetectorError, match="taught with polarity bright, recipe test has dark: teach it anew"):
        read(weights, recipe.model_copy(update={"polarity": "dark"}))
    assert {on_mark(one) for one in after} == {False}
    assert max(one.score for one in after) == max(one.score for one in before if not on_mark(one))
    # A mark that somebody is to look at goes on to alarm.
    _, kept = said("kept", [Place((250, 250, 150, 150), (0, 1, 2, 3), 4, 3.0)])
    assert {on_mark(one) for one in kept} == {True, False}
    # A training goes on from weights with a reference as from those without.
    assert Learner(Plan(steps=1, recipe=recipe), resume=weights).network.state_dict().keys() == state.keys()


def test_a_sheet_of_any_size_has_a_cell_for_each_of_its_px() -> None:
    (detector, *_) = Chain(Recipe(name="test")).detectors
    shown = shown_by(detector, sheet(1)[:333, :417])
    assert shown.cells.shape == shown.bright.shape == (-(-333 // SIDE), -(-417 // SIDE))
