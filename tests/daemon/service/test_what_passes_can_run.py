"""What a check lets pass, the parts of the service can be made with: each key at its limits, alone and two together.

The parts are the real ones, as their processes make them; only what would reserve memory is counted in its place.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.check import service_faults
from config.load import config_hash, load_recipe, recipe_hash
from config.schema import Config, Recipe
from daemon.cameras.rendering import Order
from daemon.cameras.simulated import product_of
from daemon.service.needs import service_needs
from daemon.service.restarts import Restarts
from daemon.service.stopping import GIVE_UP_S, Stopping
from daemon.store.overview import shrink
from models.detector.quality import inside
from models.detector.swaths import most_windows
from models.detector.zones import Zones
from simulator.line.replay import LineSettings
from stages.acquire import Assembler
from stages.merge import Merger
from stages.plate import window_columns, window_rows
from stages.switch import SwitchState
from stages.tile import WindowLedger
from tests.config.extremes import Extreme, changed, extremes

CONFIG = Config().model_dump()
RECIPE = load_recipe("P10B").model_dump()
EXTREMES: list[tuple[str, Extreme]] = [
    *(("configuration", one) for one in extremes(Config)),
    *(("recipe", one) for one in extremes(Recipe)),
]
OTHERS = {"name", "recipe", "camera.source", "classifier.mode"}
"""Named by what they are, not by a limit."""


def drawn(*told: tuple[str, Extreme]) -> tuple[Config, Recipe] | None:
    """The shipped configuration and recipe so changed; None where the schema refuses them."""
    config, recipe = CONFIG, RECIPE
    for file, (key, value) in told:
        if key in OTHERS:
            continue
        if file == "configuration":
            config = changed(config, key, value)
        else:
            recipe = changed(recipe, key, value)
    try:
        return Config.model_validate(config), Recipe.model_validate(recipe)
    except ValidationError:
        return None


def makes_every_part(config: Config, recipe: Recipe) -> None:
    """As the processes of a service do at their start. Raises what they would die of."""
    assert recipe.columns is not None
    assert recipe.slot_rows is not None
    needs = service_needs(config, [recipe], config.workers.count or 1)
    assert all(need.size >= 0 for need in needs)
    camera = config.camera
    LineSettings(camera.width, camera.strip_rows, camera.gap_rows, recipe.offset_rows)
    simulator = config.simulator
    order = Order(
        product_of(recipe),
        simulator.sheets,
        simulator.seed,
        simulator.density,
        simulator.interference,
        simulator.strength,
    )
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order
    msgspec.json.encode({"config": config.model_dump(mode="json"), "recipe": recipe.model_dump(mode="json")})
    json.dumps([config_hash(config), recipe_hash(recipe)])
    Assembler(recipe, config.overload, switch=SwitchState(1))
    WindowLedger(recipe.windows, most_windows(recipe.windows, recipe.resolution), config.lease)
    Merger(recipe, "run", 1)
    assert window_rows(recipe.slot_rows, recipe.windows) * window_columns(recipe.columns.count, recipe.windows) <= 2e5
    restarts = Restarts(config.restart)
    restarts.place()
    for _ in range(70):
        restarts.ended(0)
        assert math.isfinite(restarts.pause(0))
    Stopping(config.drain_s).begin(1e6)
    assert int(1e6 * max(config.restart.start_s, config.drain_s + GIVE_UP_S)) < 2**63, "systemd counts in microseconds"
    Zones(recipe.zones)
    inside(recipe.masks, 0, 0, 650, 650)
    shrink(np.zeros((1200, 400), np.uint8), config.results.overview_px)


def passes(config: Config, recipe: Recipe) -> bool:
    return service_faults(config, recipe) == []


@pytest.mark.parametrize(
    ("file", "extreme"), EXTREMES, ids=lambda one: one if isinstance(one, str) else f"{one[0]}={one[1]}"
)
def test_each_key_at_each_of_its_limits(file: str, extreme: Extreme) -> None:
    made = drawn((file, extreme))
    if made is not None and passes(*made):
        makes_every_part(*made)


@settings(max_examples=150)
@given(told=st.lists(st.sampled_from(EXTREMES), min_size=2, max_size=4))
def test_several_keys_at_their_limits_together(told: list[tuple[str, Extreme]]) -> None:
    made = drawn(*told)
    if made is not None and passes(*made):
        makes_every_part(*made)


@pytest.mark.parametrize("key", ["x", "y", "width", "height"])
@pytest.mark.parametrize("value", [0, 1, 2**31, 2**62])
def test_areas_at_their_limits(key: str, value: int) -> None:
    area = {"x": 5, "y": 5, "width": 9, "height": 9, key: value}
    for told in (("masks", [area]), ("zones", [{"rectangle": area, "weight": 20}])):
        made = drawn(("recipe", told))
        if made is not None and passes(*made):
            makes_every_part(*made)


def test_most_keys_may_have_their_limits() -> None:
    """A check that refused everything would pass the tests above."""
    made = [drawn(one) for one in EXTREMES]
    passed = [one for one in made if one is not None and passes(*one)]
    assert len(passed) > len(EXTREMES) / 2
    keys: dict[str, set[Any]] = {}
    for _, (key, value) in EXTREMES:
        keys.setdefault(key, set()).add(repr(value))
    assert keys["slots"] == {"2", "1000000"}
    assert keys["camera.line_rate_hz"] == {"5e-324", "10000000", "None"}
