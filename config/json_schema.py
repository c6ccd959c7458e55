"""The JSON Schemas of the configuration and of a recipe, for editors and for `linesentry schema`.

The committed config/schema.json and config/recipe.schema.json are these texts; `python -m config.json_schema` writes
them anew after a change of the schema.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from config.schema import Config, Recipe

FILES: dict[str, type[BaseModel]] = {"schema.json": Config, "recipe.schema.json": Recipe}


def schema_json() -> str:
    """JSON Schema of a configuration file, as text that ends in a newline."""
    return _text(Config)


def recipe_schema_json() -> str:
    """JSON Schema of a recipe file, as text that ends in a newline."""
    return _text(Recipe)


def write(folder: Path) -> None:
    """Write both schemas into a folder."""
    for name, model in FILES.items():
        (folder / name).write_text(_text(model), encoding="utf-8")


def _text(model: type[BaseModel]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    write(Path(__file__).parent)
