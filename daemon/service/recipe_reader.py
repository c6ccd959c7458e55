"""Reads configuration and recipes again, in a thread: a slow disk keeps nobody waiting."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from config.errors import ConfigError
from daemon.service.recipe_answers import Reply
from daemon.service.recipes import Loaded, Recipes
from daemon.service.sources import Sources
from daemon.wire.plate_memory import Shape


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, and what of it needs a restart."""

    sources: Sources
    loaded: tuple[Loaded, ...]
    restart: list[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for it, and what becomes of it."""

    by: str
    reply: Reply
    read: Future[Read]


class RecipeReader:
    """One reading at a time.

    Args:
        recipes: what is loaded.
        shape: of the plate memory.
    """

    def __init__(self, recipes: Recipes, shape: Shape) -> None:
        self._recipes, self._shape = recipes, shape
        self._threads = ThreadPoolExecutor(1, "recipes")
        self._asked: Asked | None = None

    @property
    def busy(self) -> bool:
        """Something is being read, or was and is not yet taken."""
        return self._asked is not None

    def begin(self, by: str, reply: Reply) -> None:
        """Read what the run's files say now."""
        self._asked = Asked(by, reply, self._threads.submit(self._read, self._recipes.sources))

    def done(self) -> Asked | None:
        """What has been read, once."""
        return self.drop() if self._asked is not None and self._asked.read.done() else None

    def drop(self) -> Asked | None:
        """Who waits, if somebody does; nothing is read for them any more."""
        asked, self._asked = self._asked, None
        return asked

    def close(self) -> None:
        """Wait for no reading any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _read(self, before: Sources) -> Read:
        """In the thread. Raises ConfigError, or OSError for weights that cannot be read."""
        sources = before.again()
        restart = self._recipes.restart_keys(sources, self._shape)
        return Read(sources, () if restart else self._recipes.prepared(sources), restart)


def result(asked: Asked) -> Read | str:
    """What was read, or why it could not be."""
    try:
        return asked.read.result()
    except ConfigError as error:
        return str(error)
    except OSError as error:
        return f"weights cannot be read: {error}"
