"""Inspected images as the rows that stored plates are, so that both have one list of columns."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from config.errors import file_text
from config.load import recipe_hash
from config.schema import Recipe
from daemon.offline.inspect import InspectResult
from daemon.store.rows import PlateRow, verdict_values


def row_of(number: int, result: InspectResult, recipe: Recipe, at: datetime) -> PlateRow:
    """The row of an inspected image; what only a line knows of a plate is empty. `number` counts the images."""
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(PlateRow))
    plate = result.plate
    known = verdict_values(plate) | {"verdict": plate.verdict, "causes": plate.causes, "warnings": result.warnings}
    values |= dict.fromkeys(("optics", "told", "marks"), ()) | known
    values |= {"plate": number, "run": "", "seen_at": at, "decided_at": at, "image": file_text(result.image)}
    values |= {"recipe": recipe.name, "recipe_sha256": recipe_hash(recipe), "simulated": False}
    values |= {"latency_s": result.seconds, "defects": plate.defects, "losses": plate.losses}
    return PlateRow(**values)
