"""What each child process is told at its start, and which descriptors it inherits."""

from __future__ import annotations

import os
from pathlib import Path

from config.outputs import with_files
from config.schema import Config
from config.switches import with_token
from daemon.service.child import Plan
from daemon.service.recipe_keeper import ROLES, RecipeKeeper
from daemon.service.resources import Resources
from daemon.service.sightings import Sightings
from daemon.service.sources import Sources
from daemon.wire.messages import NumberedRecipe


class Plans:
    """Makes the plans of one run's processes.

    Args:
        sources: what the run begins with.
        first: the recipe that it begins with.
        state: the state directory.
        sockets: directory of the run's sockets.
        resources: that processes inherit.
    """

    def __init__(
        self, sources: Sources, first: NumberedRecipe, state: Path, sockets: Path, resources: Resources
    ) -> None:
        self._config = absolute(sources.config)
        self._plates = sources.plates
        """Sheets after which a simulated line ends; None for ever."""
        self._first, self._state, self._sockets, self._resources = first, state, sockets, resources

    def of(
        self, role: str, index: int, incarnation: int, sightings: Sightings, keeper: RecipeKeeper, *, passed: int
    ) -> tuple[Plan, tuple[int, ...]]:
        """The plan of a process that starts now, when so many sheets have passed, and the descriptors it inherits."""
        resources, recipes = self._resources, keeper.recipes
        fds = {
            "line": (resources.camera_fd,),
            "acquire": (resources.camera_fd, resources.memory.fd),
            "merge": (),
            "output": (),
        }.get(role, (resources.memory.fd,))
        facts = self._first.facts
        plan = Plan(
            run=facts["run"],
            role=role,
            index=index,
            incarnation=incarnation,
            key=resources.key,
            sockets=str(self._sockets),
            state=str(self._state),
            config=self._config.model_dump(mode="json"),
            recipe=self._first.recipe,
            shape=resources.memory.shape,
            plates_fd=resources.memory.fd,
            camera_fd=resources.camera_fd,
            lifeline_fd=resources.lifeline_fd,
            supervisor_pid=os.getpid(),
            switch=sightings.state,
            camera_row=sightings.camera_row if incarnation > 1 else None,
            facts=facts,
            recipes=keeper.further if role in ROLES else (),
            first_is_used=self._first.number in recipes.numbers,
            begins=recipes.schedule.begins,
            plates=self._plates,
            passed=passed,
        )
        return plan, (*fds, resources.lifeline_fd)


def absolute(config: Config) -> Config:
    """What it names is found from anywhere: the working directory may be gone when a process is started anew."""
    camera, classify = with_token(config.camera, Path.absolute), config.classify
    named = {"folder": camera.folder, "flat_field": camera.flat_field}
    absolute = {key: path.absolute() for key, path in named.items() if path is not None}
    archive = config.archive
    if archive.directory is not None:
        archive = archive.model_copy(update={"directory": archive.directory.absolute()})
    own = None if classify.weights is None else classify.weights.absolute()
    changes = {
        "camera": camera.model_copy(update=absolute),
        "archive": archive,
        "classify": classify.model_copy(update={"weights": own}),
        "outputs": with_files(config.outputs, Path.absolute),
    }
    return config.model_copy(update=changes)
