"""What each child process is told at its start, and which descriptors it inherits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from config.check import slot_size
from config.load import config_hash, recipe_hash
from config.outputs import with_files
from config.schema import MOST_WORKERS, Config, Recipe
from daemon.service.child import Plan
from daemon.service.sightings import Sightings
from daemon.store.rows import RunFacts
from daemon.store.state import classifier_sha256, code_sha256, weights_sha256
from daemon.wire.plate_memory import PlateMemory, Shape
from daemon.wire.run_key import RunKey
from models.machine.cpu import usable_cores

OPTIONAL = {"classify": "plates are decided without it", "output": "verdicts are told no more"}
"""Roles without which the service goes on, and how."""


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
    if config.outputs.all:
        wanted["output"] = len(config.outputs.all)
    return wanted


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
        classifier_sha256=classifier_sha256(config) if recipe.classifier.mode != "off" else None,
        code_sha256=code_sha256(),
    )


@dataclass(frozen=True, slots=True)
class Plans:
    """Makes the plans of one run's processes."""

    config: Config
    recipe: Recipe
    facts: RunFacts
    state: Path
    key: RunKey
    sockets: Path
    memory: PlateMemory
    camera_fd: int
    lifeline_fd: int
    plates: int | None
    """Sheets after which a simulated line ends; None for ever."""

    def __post_init__(self) -> None:
        """What they name is found from anywhere: the working directory may be gone when a process is started anew."""
        camera, classify, weights = self.config.camera, self.config.classify, self.recipe.weights
        named = {"folder": camera.folder, "flat_field": camera.flat_field}
        absolute = {key: path.absolute() for key, path in named.items() if path is not None}
        own = None if classify.weights is None else classify.weights.absolute()
        changes = {
            "camera": camera.model_copy(update=absolute),
            "classify": classify.model_copy(update={"weights": own}),
            "outputs": with_files(self.config.outputs, Path.absolute),
        }
        object.__setattr__(self, "config", self.config.model_copy(update=changes))
        if weights is not None:
            own_weights = str(Path(weights).absolute())
            object.__setattr__(self, "recipe", self.recipe.model_copy(update={"weights": own_weights}))

    def of(
        self, role: str, index: int, incarnation: int, sightings: Sightings, *, passed: int
    ) -> tuple[Plan, tuple[int, ...]]:
        """The plan of a process that starts now, when so many sheets have passed, and the descriptors it inherits."""
        fds = {
            "line": (self.camera_fd,),
            "acquire": (self.camera_fd, self.memory.fd),
            "merge": (),
            "output": (),
        }.get(role, (self.memory.fd,))
        plan = Plan(
            run=self.facts.run,
            role=role,
            index=index,
            incarnation=incarnation,
            key=self.key,
            sockets=str(self.sockets),
            state=str(self.state),
            config=self.config.model_dump(mode="json"),
            recipe=self.recipe.model_dump(mode="json"),
            shape=self.memory.shape,
            plates_fd=self.memory.fd,
            camera_fd=self.camera_fd,
            lifeline_fd=self.lifeline_fd,
            supervisor_pid=os.getpid(),
            switch=sightings.state,
            camera_row=sightings.camera_row if incarnation > 1 else None,
            facts=asdict(self.facts),
            plates=self.plates,
            passed=passed,
        )
        return plan, (*fds, self.lifeline_fd)
