"""The study's sheets as the product judges them: by each one's own recipe, with the classifier where that asks it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import groupby

from config.load import load_recipe
from daemon.lab.data.pictures import Picture
from daemon.lab.evaluate.scoring import inspect_picture, load_detectors
from daemon.lab.study.measure import Record, Setting, figures
from daemon.lab.study.sheets import Plate
from daemon.offline.networks import load_classifier
from models.measure.assessment import Scored


def as_shipped(setting: Setting, seed: int) -> Record:
    """The figures of the whole product on the unseen sheets; what the classifier vetoes is not found."""
    del seed
    started = time.monotonic()
    scored = []
    for one in judged(setting.plates(setting.scale, ())):
        setting.say(f"looked at {one.name}")
        scored.append(one)
    return {"level": [], **figures(scored), "measuring_seconds": round(time.monotonic() - started, 1)}


def judged(plates: Iterable[Plate]) -> Iterator[Scored]:
    """What `linesentry evaluate detector` says of sheets, those of one product in a row."""
    for product, sheets in groupby(plates, lambda plate: plate.product):
        # A sheet is the plate itself, of whatever width: no columns of the camera are cut out.
        recipe = load_recipe(product).model_copy(update={"columns": None})
        detectors, classifier = load_detectors(recipe, "cpu", 1), load_classifier(recipe, "cpu")
        for plate in sheets:
            picture = Picture(plate.name, plate.name, product, plate.image, plate.truth)
            yield inspect_picture(picture, recipe, detectors, classifier).scored
