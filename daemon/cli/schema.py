"""`linesentry schema`: the JSON Schema of configurations and recipes."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    recipe: Annotated[bool, typer.Option("--recipe", help="the schema of recipes instead")] = False,
) -> None:
    """Print the JSON Schema of the configuration."""
    from config.json_schema import recipe_schema_json, schema_json  # noqa: PLC0415 - commands load what they need

    typer.echo(recipe_schema_json() if recipe else schema_json(), nl=False)
