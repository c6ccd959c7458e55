"""The recipes that a run has loaded, and which of them judges which plate."""

from __future__ import annotations

from config.schema import Recipe
from stages.events import ChangeRecipe, RecipeChangeAnswered


class Recipes:
    """The loaded recipes of one run.

    Args:
        recipe: by which plates are judged from the start.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.active = recipe

    def asked(self, change: ChangeRecipe, next_plate: int) -> RecipeChangeAnswered:
        """The answer to who wants plates judged by another loaded recipe, from `next_plate` on."""
        if change.name == self.active.name:
            return RecipeChangeAnswered(change.name, change.request, first_plate=next_plate)
        why = f"recipe {change.name} is not loaded; loaded: {self.active.name}"
        return RecipeChangeAnswered(change.name, change.request, refused=why)
