"""By which recipe each plate is judged, where a run changes it between two plates.

The loaded recipes of a run have numbers; a plate is judged by one of them alone, from its first row to its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from config.schema import Recipe
from stages.events import Place

FIRST = 1
"""Number of the recipe that a run begins with."""


class Schedule:
    """Which recipe judges which plate: each from its first plate on, until the next one's.

    Args:
        begins: first plate and number of each recipe, in order; the first entry holds for all plates before it too.
    """

    def __init__(self, begins: Iterable[tuple[int, int]] = ((0, FIRST),)) -> None:
        self._begins = list(begins)

    @property
    def begins(self) -> tuple[tuple[int, int], ...]:
        """What another schedule is made from."""
        return tuple(self._begins)

    @property
    def latest(self) -> int:
        """Number of the recipe of the plates to come."""
        return self._begins[-1][1]

    def of(self, plate: int) -> int:
        """Number of the recipe that judges the plate."""
        return next((number for first, number in reversed(self._begins) if plate >= first), self._begins[0][1])

    def change(self, first: int, number: int) -> None:
        """Plates from that one on are judged by that recipe.

        Raises:
            ValueError: plates before an earlier change would be judged by it.
        """
        if first < self._begins[-1][0]:
            raise ValueError(f"recipe {number} cannot begin with plate {first}: {self._begins[-1]} began after it")
        if self._begins[-1][0] == first:
            self._begins.pop()
        self._begins.append((first, number))

    def forget(self, before: int) -> None:
        """No plate below that one is asked for any more."""
        while len(self._begins) > 1 and self._begins[1][0] <= before:
            del self._begins[0]


class PlateSizes:
    """How large the plates of each recipe are, for whoever cuts them.

    Args:
        rows: most rows of a plate of the first recipe.
        recipe: the first one.
    """

    def __init__(self, rows: int, recipe: Recipe) -> None:
        self.schedule = Schedule()
        self._sizes = {FIRST: (rows, None if recipe.columns is None else recipe.columns.count)}

    def add(self, number: int, recipe: Recipe) -> None:
        """Load a recipe. Raises ValueError for one of any length."""
        if recipe.slot_rows is None:
            raise ValueError(f"recipe {recipe.name} has neither length nor most_rows")
        self._sizes[number] = (recipe.slot_rows, None if recipe.columns is None else recipe.columns.count)

    def forget(self, number: int) -> None:
        """No plate is judged by that recipe any more."""
        if number not in (one for _, one in self.schedule.begins):
            self._sizes.pop(number, None)

    def rows(self, plate: int) -> int:
        """Most rows of a plate."""
        return self._sizes[self.schedule.of(plate)][0]

    def place(self, plate: int, free: Place) -> Place:
        """The place of a plate in a free slot: as wide as its recipe says, where that says it."""
        number = self.schedule.of(plate)
        columns = self._sizes[number][1]
        return structs.replace(free, columns=min(free.columns, columns or free.columns), recipe=number)
