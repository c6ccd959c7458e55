"""The recipes by which a merger judges, each with what the classifier was asked about its plates.

A part of the merger's state machine, without I/O.
"""

from __future__ import annotations

from config.schema import Recipe
from stages.events import ClassifyCrops
from stages.opinions import OpinionCounters, Opinions
from stages.plate import window_columns, window_rows
from stages.recipes import FIRST


class Judging:
    """The loaded recipes by their numbers; a plate of which nothing says its number is judged by the first.

    Args:
        recipe: the first one.
        asker: incarnation of the merger that asks the classifier.
    """

    def __init__(self, recipe: Recipe, asker: int) -> None:
        self.asked = OpinionCounters()
        """What became of the crops that the classifier was asked about."""
        self._asker = asker
        self._no_classifier = False
        self._recipes: dict[int, Recipe] = {}
        self._opinions: dict[int, Opinions] = {}
        self.add(FIRST, recipe)

    def add(self, number: int, recipe: Recipe) -> None:
        """Load a recipe; again is no harm."""
        if number not in self._recipes:
            self._recipes[number] = recipe
            self._opinions[number] = Opinions(
                recipe, absent=self._no_classifier, asker=self._asker, counters=self.asked
            )

    def forget(self, number: int) -> None:
        """No plate is judged by that recipe any more."""
        if number != FIRST:
            self._recipes.pop(number, None)
            self._opinions.pop(number, None)

    def __contains__(self, number: int) -> bool:
        return number in self._recipes

    def recipe(self, number: int | None) -> Recipe:
        """The recipe of that number."""
        return self._recipes[number or FIRST]

    def opinions(self, number: int | None) -> Opinions:
        """What is asked about the plates of that recipe."""
        return self._opinions[number or FIRST]

    def again(self) -> list[ClassifyCrops]:
        """All that is asked and not answered, the oldest plate first, for a classifier that knows nothing of it."""
        asked = [question for one in self._opinions.values() for question in one.again()]
        return sorted(asked, key=lambda question: (question.plate, question.window))

    def lost(self) -> None:
        """There is no classifier any more."""
        self._no_classifier = True
        for one in self._opinions.values():
            one.lost()

    def may_exist(self, window: int, number: int | None) -> bool:
        """Whether any plate of that recipe can have that window: what is kept stays bounded by the recipe."""
        recipe = self._recipes.get(number or FIRST)
        if window < 0 or recipe is None:
            return False
        if recipe.slot_rows is None or recipe.columns is None:
            return True
        windows = recipe.windows
        return window < window_rows(recipe.slot_rows, windows) * window_columns(recipe.columns.count, windows)

    def validate(self) -> None:
        """Check what always holds between two events. Raises AssertionError where it does not."""
        assert FIRST in self._recipes
        assert self._recipes.keys() == self._opinions.keys()
        for opinions in self._opinions.values():
            opinions.validate()
