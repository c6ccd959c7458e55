"""Where the weights lie that a recipe and a configuration ask for; nothing is read."""

from __future__ import annotations

from pathlib import Path

from config.schema import Config, Recipe

SHIPPED = Path(__file__).resolve().parent.parent / "models" / "weights"
"""Folder of the weights that ship."""


def weights_path(recipe: Recipe) -> Path:
    """The weights file of the detector that the recipe uses."""
    return SHIPPED / f"detector-{recipe.resolution}.pt" if recipe.weights is None else Path(recipe.weights)


def classifier_path(config: Config) -> Path:
    """The weights file of the classifier."""
    return SHIPPED / "classifier.pt" if config.classify.weights is None else config.classify.weights
