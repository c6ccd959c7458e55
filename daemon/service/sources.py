"""What a service runs with: its configuration and recipes, and where they come from, so that they can be read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from config.assignments import parse_overrides
from config.check import unsaid_camera
from config.errors import ConfigError
from config.load import load_config, load_recipes, with_overrides
from config.schema import Config, Recipe
from daemon.service.preflight import lasting_faults


@dataclass(frozen=True, slots=True)
class Sources:
    """A configuration and its recipes as they were read, that of the start first."""

    config: Config
    recipes: tuple[Recipe, ...]
    path: Path | None = None
    """The configuration's file; None: the one that ships."""
    overrides: tuple[str, ...] = ()
    """Words of the command line, KEY=VALUE."""
    state: Path | None = None
    """The state directory of the command line."""
    plates: int | None = None
    """Sheets after which the service ends; None for never."""

    @classmethod
    def read(
        cls, path: Path | None, overrides: Sequence[str] = (), state: Path | None = None, plates: int | None = None
    ) -> Self:
        """Read what a service can run with on this machine.

        Raises:
            ConfigError: it cannot; the text has a line for each fault.
        """
        config = with_overrides(load_config(path), parse_overrides(overrides))
        if state is not None:
            config = config.model_copy(update={"state_directory": state})
        recipes = load_recipes(config)
        source = "configuration" if path is None else str(path)
        faults = lasting_faults(config, recipes, source, plates)
        if path is not None:
            faults += unsaid_camera(config, source)
        if faults:
            raise ConfigError(faults)
        return cls(config, recipes, path, tuple(overrides), state, plates)

    def again(self) -> Self:
        """The same, as its files are now. Raises ConfigError as `read` does."""
        return self.read(self.path, self.overrides, self.state, self.plates)

    def also(self, word: str) -> Self:
        """With one more word of the command line. Raises ConfigError for one that is not allowed."""
        config = with_overrides(self.config, parse_overrides([word]))
        return replace(self, config=config, overrides=(*self.overrides, word))
