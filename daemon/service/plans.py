"""What a run consists of: its processes, its plate memory, and what is stored with its plates."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from config.check import slot_size
from config.load import config_hash, recipe_hash
from config.schema import MOST_WORKERS, Config, Recipe
from daemon.store.rows import RunFacts
from daemon.store.state import classifier_sha256, code_sha256, weights_sha256
from daemon.wire.plate_memory import Shape
from models.machine.cpu import usable_cores
from stages.events import ArchiverLost, ClassifierLost

OPTIONAL = {
    "classify": "plates are decided without it",
    "output": "verdicts are told no more",
    "archive": "plates are archived no more",
    "challenge": "candidates judge no more plates",
    "web": "nobody sees the screen",
}
"""Roles without which the service goes on, and how."""
Loss = ClassifierLost | ArchiverLost
"""What a process is told of such a role that is lost."""


class ServiceError(Exception):
    """The service cannot start; the message says why and what to do."""


def plate_shape(config: Config, recipes: Sequence[Recipe]) -> Shape:
    """The plate memory that a service needs for plates of each. Raises ServiceError for a recipe of any length."""
    size = slot_size(recipes)
    if size is None:
        name = next(one.name for one in recipes if one.columns is None or one.slot_rows is None)
        raise ServiceError(
            f"recipe {name} has no length or no columns, so no plate memory can be reserved for it: "
            "use a product's recipe for the service (`linesentry inspect` takes any)"
        )
    return Shape(config.slots, *size)


def processes(config: Config, recipes: Sequence[Recipe], *, gpu: bool) -> dict[str, int]:
    """How many processes of each role a run has that loads these recipes, in the order of their start.

    Without a count in the configuration there is a worker for each core, or one where the detector runs on a GPU.
    """
    on_gpu = config.workers.device == "cuda" or (config.workers.device == "auto" and gpu)
    workers = config.workers.count or (1 if on_gpu else min(usable_cores(), MOST_WORKERS))
    wanted = {"line": 1, "acquire": 1, "tile": 1, "detect": workers, "classify": 1, "merge": 1, "record": 1}
    if all(recipe.classifier.mode == "off" for recipe in recipes):
        del wanted["classify"]
    if config.archive.on:
        wanted["archive"] = 1
        if any(recipe.challenger is not None for recipe in recipes):
            wanted["challenge"] = 1
    if config.outputs.all:
        wanted["output"] = len(config.outputs.all)
    if config.web.enabled:
        wanted["web"] = 1
    return wanted


def losses_told(lost: Collection[str]) -> dict[str, tuple[Loss, ...]]:
    """What a process must know of the roles that are lost, by its name."""
    known: dict[str, tuple[str, Loss]] = {
        "classify": ("merge-0", ClassifierLost()),
        "archive": ("record-0", ArchiverLost()),
    }
    return {peer: (told,) for role, (peer, told) in known.items() if role in lost}


def run_facts(run: str, config: Config, recipe: Recipe) -> RunFacts:
    """What is stored with every plate of a run that begins now."""
    return RunFacts(
        run=run,
        recipe=recipe.name,
        simulated=config.camera.source == "simulator",
        product=recipe.name,
        batch_id=config.batch_id,
        recipe_sha256=recipe_hash(recipe),
        configuration_sha256=config_hash(config),
        weights_sha256=weights_sha256(recipe),
        classifier_sha256=classifier_sha256(config, recipe) if recipe.classifier.mode != "off" else None,
        code_sha256=code_sha256(),
    )
