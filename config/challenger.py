"""The candidate that a recipe names as its challenger: read, and whether it can be held against the recipe."""

from __future__ import annotations

import os

from config.errors import ConfigError, Told
from config.load import load_recipe
from config.schema import Config, Recipe
from config.weights import classifier_path, weights_path


def candidate_of(recipe: Recipe) -> Recipe | None:
    """The recipe of the challenger; None where there is none. Raises ConfigError."""
    return None if recipe.challenger is None else load_recipe(recipe.challenger.recipe)


def challenger_faults(config: Config, recipe: Recipe) -> Told:
    """Why the challenger of a recipe cannot judge its plates."""
    try:
        candidate = candidate_of(recipe)
    except ConfigError as error:
        return [(True, "challenger.recipe", f"cannot be used: {fault}") for fault in error.faults]
    if candidate is None:
        return []
    faults: Told = []
    if not config.archive.on:
        faults.append((False, "archive.verdicts", "found [], but a challenger judges the plates of the archive"))
    if candidate.columns != recipe.columns:
        message = f"{candidate.name} has other columns than {recipe.name}: their places could not be compared"
        faults.append((True, "challenger.recipe", message))
    asks = candidate.classifier.mode != "off"
    files = [weights_path(candidate), *([classifier_path(config.classify, candidate)] if asks else [])]
    for path in files:
        if not os.path.isfile(path):  # noqa: PTH113 - False for any odd path
            message = f"{candidate.name} needs the weights {str(path)!r}, which is no file"
            faults.append((True, "challenger.recipe", message))
    return faults
