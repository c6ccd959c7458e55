"""The process that loads what a configuration names: `python -P -m daemon.service.probe_process`.

daemon/service/probe.py starts it. It takes an Order as JSON on stdin, and says on stdout what cannot be loaded.
"""

from __future__ import annotations

import sys

import msgspec

from config.errors import Told
from config.schema import Config, Recipe
from config.weights import classifier_path
from daemon.cameras.registry import camera_class
from daemon.service.probe import Order
from stages.camera import CameraError


def tried(order: Order) -> Told:
    """What of the order cannot be loaded, with the reason."""
    config, recipe = Config.model_validate(order.config), Recipe.model_validate(order.recipe)
    told: Told = []
    if order.camera:
        try:
            camera_class(config.camera.source)
        except CameraError as error:
            told.append((False, "camera.source", str(error)))
    if order.detector:
        told += _detector(config, recipe)
    if order.classifier:
        told += _classifier(config, recipe)
    return told


def _detector(config: Config, recipe: Recipe) -> Told:
    from models.detector.detector import Detector, DetectorError  # noqa: PLC0415 - seconds that a camera need not wait

    workers = config.workers
    try:
        Detector.load(recipe, device=workers.device, dtype=workers.dtype)
    except DetectorError as error:
        return [(True, "weights", str(error))]
    return []


def _classifier(config: Config, recipe: Recipe) -> Told:
    from models.classifier.classifier import Classifier  # noqa: PLC0415 - as above
    from models.classifier.errors import ClassifierError  # noqa: PLC0415

    settings, path = config.classify, classifier_path(config.classify, recipe)
    try:
        Classifier.load(path, device=settings.device, dtype=settings.dtype, views=settings.views)
    except ClassifierError as error:
        if recipe.classifier.weights is not None:
            return [(True, "classifier.weights", str(error))]
        return [(False, "classify.weights" if settings.network is None else "classify.network", str(error))]
    return []


if __name__ == "__main__":
    found = tried(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(found) + b"\n")
