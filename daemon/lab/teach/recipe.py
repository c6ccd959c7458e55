"""The recipe that knows the product: the base's, with the taught weights beside it."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from config.schema import Classifier, Recipe
from daemon.lab.teach.sheets import TeachError

_HEAD = """\
# Made by `linesentry teach` from {base}; what it learnt from and what it is worth: report.html beside this file.
# Keys that are not here have the defaults of the schema (`linesentry schema --recipe`).
"""


def taught_recipe(base: Recipe, weights: Path, name: str | None = None) -> Recipe:
    """The base with the taught weights; its floor is theirs.

    Raises:
        TeachError: the name is none that a recipe can have.
    """
    try:
        name = Recipe(name=name or f"{base.name}-taught").name
    except ValidationError as error:
        raise TeachError(f"--name {name!r}: a recipe's name has letters, digits, and . _ - between them") from error
    changes: dict[str, object] = {"name": name, "weights": str(weights)}
    if base.threshold.floor is not None:
        changes["threshold"] = base.threshold.model_copy(update={"floor": None})
    return base.model_copy(update=changes)


def without_veto(recipe: Recipe) -> Recipe | None:
    """The recipe whose classifier only finds fainter cracks; None where it vetoes nothing anyway."""
    classifier = recipe.classifier
    if classifier.mode != "veto" or classifier.veto_most_score == 0:
        return None
    limited: Classifier = classifier.model_copy(update={"veto_most_score": 0.0})
    return recipe.model_copy(update={"classifier": limited})


def write_recipe(recipe: Recipe, base: Recipe, folder: Path) -> Path:
    """Write NAME.yaml into the folder of its weights."""
    assert recipe.weights is not None
    path = folder / f"{recipe.name}.yaml"
    values = recipe.model_dump(mode="json", exclude_unset=True) | {"weights": Path(recipe.weights).name}
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    path.write_text(_HEAD.format(base=base.name) + text, "utf-8")
    return path
