"""Configurations and recipes from files: validated whole, or refused with one readable line for each fault."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.assignments import COMMAND_LINE
from config.errors import ConfigError, Fault, shown
from config.outputs import with_files
from config.schema import Config, Recipe
from config.source import KeyPath, Source, dotted, read
from config.switches import with_token
from config.web import from_folder

Model = TypeVar("Model", bound=BaseModel)


def shipped(*parts: str) -> Path:
    """Path of a file or folder that ships beside the schema, for example `shipped("recipes")`."""
    return Path(str(resources.files("config").joinpath(*parts)))


def load_config(path: Path | str | None = None) -> Config:
    """Load a configuration; None takes the default.yaml that ships.

    Paths in the file (recipe, recipes, state_directory, archive.directory, camera.folder, camera.flat_field,
    camera.producer, camera.feature_file, classify.weights) are relative to its folder. Raises ConfigError.
    """
    if path is None:
        return _validated(Config, read(shipped("default.yaml")))
    path = Path(path)
    source = read(path)
    if kind_of(source) == "recipe":
        raise ConfigError([Fault(source.name, "is a recipe; name it in a configuration, as `recipe: FILE.yaml`")])
    return _paths_from(_validated(Config, source), path.parent)


def kind_of(source: Source) -> Literal["configuration", "recipe"]:
    """Whether a file is a configuration or a recipe, by its keys; without any it is a configuration of defaults.

    Raises ConfigError for a file that is neither.
    """
    if not isinstance(source.values, dict) or not source.values:
        return "configuration"
    for known in (_known, _resembled):
        of_config, of_recipe = (sum(known(key, model) for key in source.values) for model in (Config, Recipe))
        if of_config or of_recipe:
            return "recipe" if of_recipe > of_config else "configuration"
    found = ", ".join(shown(key, 30) for key in list(source.values)[:5])
    message = (
        f"is neither a configuration nor a recipe: found {found}; a configuration has keys as recipe, camera and "
        "slots, a recipe name, length and columns (`linesentry schema` tells all)"
    )
    raise ConfigError([Fault(source.name, message)])


def _known(key: str, model: type[BaseModel]) -> bool:
    return key in model.model_fields


def _resembled(key: str, model: type[BaseModel]) -> bool:
    return bool(difflib.get_close_matches(key[:100].lower(), model.model_fields, n=1, cutoff=0.75))


@cache
def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that ship."""
    return tuple(sorted(path.stem for path in shipped("recipes").glob("*.yaml")))


def load_recipe(name_or_path: Path | str) -> Recipe:
    """Load a recipe that ships by its name, or any by a path that ends in .yaml or .yml. Raises ConfigError.

    Its weights are relative to the folder of the file.
    """
    text = str(name_or_path)
    if is_recipe_path(text):
        source = read(Path(text))
        if source.values and kind_of(source) == "configuration":
            raise ConfigError([Fault(source.name, "is a configuration; a recipe has keys as name, length and columns")])
        recipe = _validated(Recipe, source)
        return _weights_from(recipe, Path(text).parent)
    if text not in recipe_names():
        message = f"no such recipe; those that ship: {', '.join(recipe_names())}{_nearest(text, recipe_names())}"
        raise ConfigError([Fault(f"recipe {shown(text)}", f"{message}; a recipe of your own is named by a path.yaml")])
    return _validated(Recipe, read(shipped("recipes", f"{text}.yaml")))


def load_recipes(config: Config) -> tuple[Recipe, ...]:
    """The recipe of a configuration and then its further ones. Raises ConfigError, also where two have one name."""
    loaded: list[Recipe] = []
    faults: list[Fault] = []
    for index, named in enumerate((config.recipe, *config.recipes)):
        try:
            loaded.append(load_recipe(named))
        except ConfigError as error:
            faults += error.faults
            continue
        if any(recipe.name == loaded[-1].name for recipe in loaded[:-1]):
            message = f"has the name {loaded[-1].name}, as one before it: a change would not know which is meant"
            faults.append(Fault(named, message, f"recipes[{index - 1}]"))
    if faults:
        raise ConfigError(faults)
    return tuple(loaded)


def is_recipe_path(name_or_path: str) -> bool:
    """Whether the text names a recipe file and not a recipe that ships."""
    return name_or_path.endswith((".yaml", ".yml"))


def with_overrides(config: Model, overrides: Mapping[str, Any]) -> Model:
    """The configuration or recipe with some dotted keys changed, validated anew: `{"camera.line_rate_hz": 20000}`.

    Raises ConfigError for an unknown key or a value that is not allowed.
    """
    # What was not set stays so: see config.check.unsaid_camera.
    every, values = config.model_dump(mode="json"), config.model_dump(mode="json", exclude_unset=True)
    faults = []
    for key, value in overrides.items():
        path = tuple(key.split("."))
        known: Any = every
        section = values
        for depth, part in enumerate(path):
            if not isinstance(known, dict) or part not in known:
                names = list(known) if isinstance(known, dict) else []
                faults.append(Fault(COMMAND_LINE, _unknown(path[: depth + 1], names), dotted(path[: depth + 1])))
                break
            known = known[part]
            if depth < len(path) - 1:
                section = below if isinstance(below := section.setdefault(part, {}), dict) else {}
            else:
                section[part] = str(value) if isinstance(value, Path) else value
    if faults:
        raise ConfigError(faults)
    return _validated(type(config), Source(COMMAND_LINE, values, {}))


def config_hash(config: Config) -> str:
    """SHA-256 of the configuration's canonical JSON, hexadecimal."""
    return _hash(config)


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 of the recipe's canonical JSON, hexadecimal; without what changes no verdict: archive and challenger."""
    return _hash(recipe, {"archive", "challenger"})


def _hash(model: BaseModel, without: set[str] | None = None) -> str:
    values = model.model_dump(mode="json", exclude=without)
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _paths_from(config: Config, folder: Path) -> Config:
    changes: dict[str, Any] = {"outputs": with_files(config.outputs, lambda path: folder / path)}
    if is_recipe_path(config.recipe):
        changes["recipe"] = str(folder / config.recipe)
    if any(map(is_recipe_path, config.recipes)):
        changes["recipes"] = tuple(str(folder / one) if is_recipe_path(one) else one for one in config.recipes)
    if config.state_directory is not None:
        changes["state_directory"] = folder / config.state_directory
    if config.archive.directory is not None:
        changes["archive"] = config.archive.model_copy(update={"directory": folder / config.archive.directory})
    camera = changes["camera"] = with_token(config.camera, lambda path: folder / path)
    files = ("folder", "flat_field", "producer", "feature_file")
    named = {key: folder / path for key in files if (path := getattr(camera, key)) is not None}
    if named:
        changes["camera"] = camera.model_copy(update=named)
    if config.classify.weights is not None:
        changes["classify"] = config.classify.model_copy(update={"weights": folder / config.classify.weights})
    changes["web"] = from_folder(config.web, folder)
    return config.model_copy(update=changes)


def _weights_from(recipe: Recipe, folder: Path) -> Recipe:
    changes: dict[str, Any] = {}
    if recipe.weights is not None:
        changes["weights"] = str(folder / recipe.weights)
    if (own := recipe.classifier.weights) is not None:
        changes["classifier"] = recipe.classifier.model_copy(update={"weights": str(folder / own)})
    if recipe.challenger is not None and is_recipe_path(recipe.challenger.recipe):
        # Whole: the process that reads it works in another folder.
        path = str((folder / recipe.challenger.recipe).absolute())
        changes["challenger"] = recipe.challenger.model_copy(update={"recipe": path})
    return recipe.model_copy(update=changes)


def _validated(model: type[Model], source: Source) -> Model:
    if not isinstance(source.values, dict):
        raise ConfigError([Fault(source.name, f"found {shown(source.values)}, allowed: keys and values", line=1)])
    try:
        # Strict, by way of JSON: a quoted "5" is no number and `true` no 1, while lists become tuples and text paths.
        return model.model_validate_json(json.dumps(source.values), strict=True)
    except ValidationError as error:
        faults = _faults(model, source, error.errors(include_url=False))
    except (ValueError, TypeError, RecursionError) as error:
        faults = [Fault(source.name, f"holds a value that is no JSON: {' '.join(str(error).split())}")]
    raise ConfigError(faults)


def _faults(model: type[BaseModel], source: Source, details: list[ErrorDetails]) -> list[Fault]:
    # A list with a bad entry is called too short as well, for want of the entry: one fault, told once.
    around = {detail["loc"][:-1] for detail in details}
    told = [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in around]
    return sorted((_fault(model, source, detail) for detail in told), key=lambda fault: fault.line or 0)


def _fault(model: type[BaseModel], source: Source, detail: ErrorDetails) -> Fault:
    path: KeyPath = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        message = _unknown(path, list(_section(model, path[:-1]).model_fields))
    else:
        about = _field(model, path)
        purpose = f" ({about.description})" if about is not None and about.description else ""
        if kind == "missing":
            message = f"is missing and must be given{purpose}"
        elif kind == "value_error":
            message = str(detail["ctx"]["error"])
        else:
            message = f"found {shown(detail['input'])}, allowed: {_allowed(detail)}{purpose}"
    return Fault(source.name, message, dotted(path), source.line(path))


_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text (a number needs quotes)",
    "path_type": "a path",
    "tuple_type": "a list, as in [a, b]",
    "model_type": "a section of keys and values",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "a list of at least {min_length} entries",
}


def _allowed(detail: ErrorDetails) -> str:
    known = _ALLOWED.get(detail["type"])
    return " ".join(detail["msg"].split()) if known is None else known.format(**detail.get("ctx", {}))


_REMOVED = {
    "workers.batch": "there is no such key any more: a worker computes a swath of windows at once, which the plate's "
    "grid fixes; delete it"
}
"""Keys of former versions, and what to do about them."""


def _unknown(path: KeyPath, known: list[str]) -> str:
    if removed := _REMOVED.get(dotted(path)):
        return removed
    if not known:
        return "unknown key: there is nothing below this one"
    return f"unknown key; known here: {', '.join(known)}{_nearest(str(path[-1]), known)}"


def _nearest(word: str, known: Iterable[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:100].lower(), by_lower, n=1, cutoff=0.5)
    return f"; did you mean {by_lower[found[0]]}?" if found else ""


def _field(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    names = [part for part in path if isinstance(part, str)]
    if not names:
        return None
    section = _section(model, path[: len(path) - path[::-1].index(names[-1]) - 1])
    return section.model_fields.get(names[-1])


def _section(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """The model of the section at that path; entries of lists are passed over."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        found = None if field is None else _model_in(field.annotation)
        if found is None:
            return model
        model = found
    return model


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
