"""Which of the loaded recipes judges which plate."""

from __future__ import annotations

from config.load import load_recipe
from daemon.service.recipes import Recipes
from stages.events import ChangeRecipe, RecipeChangeAnswered


def test_a_change_to_the_recipe_that_judges_is_done_already() -> None:
    recipes = Recipes(load_recipe("P10B"))
    assert recipes.asked(ChangeRecipe("P10B", 3), 12) == RecipeChangeAnswered("P10B", 3, first_plate=12)


def test_a_change_to_a_recipe_that_is_not_loaded_is_refused_with_those_that_are() -> None:
    recipes = Recipes(load_recipe("P10B"))
    answer = recipes.asked(ChangeRecipe("02CG", 3), 12)
    assert (answer.first_plate, answer.refused) == (None, "recipe 02CG is not loaded; loaded: P10B")
