"""Where the weights lie that a recipe and a configuration ask for, and those that ship; nothing is read."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from config.schema import Config, Recipe

SHIPPED = Path(str(resources.files("models").joinpath("weights")))
"""Folder of the weights that ship, and of their model cards."""


def shipped_weights(name: str) -> Path:
    """Path of a file of that folder, for example `shipped_weights("detector-half.json")`.

    Raises:
        FileNotFoundError: naming the file, which is not there.
    """
    path = SHIPPED / name
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path}, which ships with linesentry: install it again, or name weights of your own"
        )
    return path


def weights_path(recipe: Recipe) -> Path:
    """The weights file of the detector that the recipe uses, there or not: none ship for the full resolution."""
    return SHIPPED / f"detector-{recipe.resolution}.pt" if recipe.weights is None else Path(recipe.weights)


def classifier_path(config: Config) -> Path:
    """The weights file of the classifier, there or not."""
    return SHIPPED / "classifier.pt" if config.classify.weights is None else config.classify.weights
