"""What only loading can tell, tried in a process of its own: a camera of one's own, weights, templates, a device.

A driver that crashes or hangs when its module is loaded is found so too.
"""

from __future__ import annotations

import subprocess
import sys

import msgspec

from config.errors import Told
from config.schema import Classify, Config, Recipe
from daemon.cameras.registry import CAMERAS

_PATIENCE_S = 120.0
_SHIPPED = ("windows", "templates", "resolution", "weights", "polarity")
"""Keys of a recipe that the detector is made from; where all are as they ship there is nothing to try."""


class Order(msgspec.Struct, frozen=True):
    """What is to be tried."""

    config: dict[str, object]
    recipe: dict[str, object]
    camera: bool
    detector: bool
    classifier: bool


def unloadable(config: Config | None, recipe: Recipe) -> Told:
    """What of them cannot be loaded here, with the reason; nothing is started where everything is as it ships.

    `config` is None where a recipe is checked by itself.
    """
    order = order_for(config, recipe)
    if not (order.camera or order.detector or order.classifier):
        return []
    command = [sys.executable, "-P", "-m", "daemon.service.probe_process"]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=msgspec.json.encode(order), capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [(False, "", f"what it names was not loaded within {_PATIENCE_S:.0f} s: a driver may hang")]
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return [(False, "", f"the process that loads what it names ended: {last[0]}")]
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=list[tuple[bool, str, str]])


def order_for(config: Config | None, recipe: Recipe) -> Order:
    """What of them is not as it ships, and so is to be tried."""
    settings = Config() if config is None else config
    return Order(
        config=settings.model_dump(mode="json"),
        recipe=recipe.model_dump(mode="json"),
        camera=settings.camera.source not in CAMERAS,
        detector=settings.workers.device == "cuda" or any(_own(recipe, key) for key in _SHIPPED),
        classifier=recipe.classifier.mode != "off"
        and (settings.classify != Classify() or recipe.classifier.weights is not None),
    )


def _own(recipe: Recipe, key: str) -> bool:
    return bool(getattr(recipe, key) != Recipe.model_fields[key].default)
