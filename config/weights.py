"""Where the weights lie that a recipe and a configuration ask for, and those that ship; nothing is read."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from config.schema import Classify, Recipe

SHIPPED = Path(str(resources.files("models").joinpath("weights")))
"""Folder of the weights that ship, and of their model cards."""
CLASSIFIERS = {None: "classifier.pt", "efficientnet_lite0": "classifier.pt", "resnet18": "classifier-resnet18.pt"}
"""The classifier's weights that ship, by what `classify.network` says."""


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


def classifier_path(settings: Classify, recipe: Recipe | None = None) -> Path:
    """The weights file of the classifier that the recipe or else the settings ask for, there or not.

    None may ship for a network.
    """
    if recipe is not None and recipe.classifier.weights is not None:
        return Path(recipe.classifier.weights)
    return SHIPPED / CLASSIFIERS[settings.network] if settings.weights is None else settings.weights
