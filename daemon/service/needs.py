"""The memory that a service takes, part by part: what is reserved at its start, and what its processes need besides.

Nothing is taken here. What is reserved is known to the byte; the rest is what was measured of each process (private
pages, `linesentry bench`, docs/reference/figures.md), by the size of what it works on.
"""

from __future__ import annotations

from collections.abc import Sequence

from config.check import slot_size
from config.schema import Config, Opcua, Recipe
from config.schema.service import DEVICES
from config.weights import classifier_path
from daemon.wire.plate_memory import Shape
from models.detector.swaths import most_px
from models.machine.memory import Need

_SMALL_PROCESSES = 260_000_000
"""Supervisor, acquire, tile, merge and record together."""
_OUTPUT, _OPCUA = 45_000_000, 115_000_000
"""One output's process; one with a server of OPC UA, whose standard has 6,000 nodes."""
_LINE, _RENDERER, _DETECTOR, _CLASSIFIER = 40_000_000, 150_000_000, 170_000_000, 260_000_000
_ARCHIVE = 70_000_000
"""The archive's process, beside the copy of one plate."""
_WEB = 90_000_000
"""The screen's process."""
_FURTHER_RECIPE = 50_000_000
"""A further recipe in a worker: weights, and what is kept for swaths of its width."""
_FURTHER_CLASSIFIER = 60_000_000
"""A further recipe in the classifier's process, with weights of its own."""
_BACKGROUND_BYTES = 7 * 1024
"""Of a replay, for each pixel of the camera's width, while it is made."""
_RENDER_BYTES = 12_500
"""For each column of a sheet that is rendered, beyond the sheet itself."""
_SWATH_BYTES = {"half": 27, "full": 80}
"""Of the network's layers for each pixel of a swath, by resolution."""
_PICTURE_BYTES = 10
"""For each pixel of an overview while it is drawn."""


def plate_need(config: Config, recipes: Sequence[Recipe]) -> Need | None:
    """The ring of plate slots; None where a recipe is without a length or columns."""
    size = slot_size(recipes)
    return None if size is None else Shape(config.slots, *size).need


def strips_need(config: Config) -> Need:
    """The strip buffers between camera and acquisition."""
    camera = config.camera
    what = f"{camera.buffers} strip buffers of {camera.strip_rows} x {camera.width} px"
    size = camera.buffers * camera.strip_rows * camera.width
    return Need(what, size, ("camera.strip_rows", "camera.buffers"))


def service_needs(config: Config, recipes: Sequence[Recipe], workers: int, plates: int | None = None) -> list[Need]:
    """All that a service with so many workers takes; `plates` is how many sheets a replay shows, None for ever.

    `recipes` are those that it loads, that of the start first.
    """
    camera, recipe = config.camera, recipes[0]
    replay = camera.source in ("simulator", "folder")
    line = _LINE + camera.width * (camera.strip_rows + (_BACKGROUND_BYTES if replay else 0))
    if camera.source in DEVICES:
        # The driver has as many buffers as the line; two bytes a pixel at most.
        line += 2 * strips_need(config).size
    ring = plate_need(config, recipes)
    needs = [
        *([] if ring is None else [ring]),
        strips_need(config),
        Need("the line's process", line, ("camera.width", "camera.strip_rows")),
        detector_need(recipes, workers),
        Need("the other processes", _SMALL_PROCESSES + _picture_bytes(config, recipes), ("results.overview_px",)),
    ]
    if camera.source == "simulator":
        needs += _rendering(config, recipe, plates)
    if files := {classifier_path(config.classify, one) for one in recipes if one.classifier.mode != "off"}:
        needs.append(classifier_need(len(files)))
    if config.archive.on and (size := slot_size(recipes)) is not None:
        needs.append(Need("the archive's copy of a plate", _ARCHIVE + size[0] * size[1]))
        if any(one.challenger is not None for one in recipes):
            needs.append(challenger_need(recipes, size[0] * size[1]))
    if config.web.enabled:
        needs.append(Need("the screen", _WEB))
    if outputs := config.outputs.all:
        needs.append(
            Need(f"{len(outputs)} outputs", sum(_OPCUA if isinstance(one, Opcua) else _OUTPUT for one in outputs))
        )
    return needs


def detector_need(recipes: Sequence[Recipe], workers: int) -> Need:
    """So many detectors of all these recipes, each computing a swath of windows at once."""
    swath = max(most_px(recipe) * _SWATH_BYTES[recipe.resolution] for recipe in recipes)
    size = workers * (_DETECTOR + swath) + further_need(len(recipes) - 1, workers).size
    return Need(f"{workers} detectors", size, ("workers.count", "windows.size"))


def classifier_need(files: int = 1) -> Need:
    """The classifier's process, with so many weights."""
    return Need("the classifier", _CLASSIFIER + (files - 1) * _FURTHER_CLASSIFIER)


def challenger_need(recipes: Sequence[Recipe], slot_px: int) -> Need:
    """The challenge process: candidates of these recipes, a classifier, and two plates of at most so many px."""
    return Need("the challenger", detector_need(recipes, 1).size + _CLASSIFIER + 2 * slot_px, ("challenger",))


def further_need(recipes: int, workers: int, classifiers: int = 0) -> Need:
    """So many workers having so many further recipes ready, and the classifier's process so many further weights."""
    size = recipes * workers * _FURTHER_RECIPE + classifiers * _FURTHER_CLASSIFIER
    return Need(f"{recipes} further recipes in {workers} detectors", size, ("recipes",))


def _rendering(config: Config, recipe: Recipe, plates: int | None) -> list[Need]:
    if recipe.length is None or recipe.columns is None:
        return []
    rows, columns = recipe.length.nominal_rows, recipe.columns.count
    sheets = config.simulator.sheets if plates is None else min(config.simulator.sheets, plates)
    return [
        Need(f"{sheets} rendered sheets", sheets * rows * columns, ("simulator.sheets",)),
        Need("their rendering", _RENDERER + rows * columns + _RENDER_BYTES * columns),
    ]


def _picture_bytes(config: Config, recipes: Sequence[Recipe]) -> int:
    size = slot_size(recipes)
    if not config.results.pictures or size is None:
        return 0
    factor = max(1, -(-max(size) // config.results.overview_px))
    return _PICTURE_BYTES * (size[0] // factor) * (size[1] // factor)
