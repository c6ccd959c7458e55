"""What becomes of a change of recipe that was asked for: said to who asked, in the log, and as metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from daemon.service.recipes import Recipes
from daemon.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a change that was asked for."""

    outcome: str
    """`changed`, `unchanged`, `restart` or `refused`; but for the first nothing has changed. `golden`: as asked."""
    text: str
    """In words, a line for each thing."""
    recipe: str
    """By which plates are judged now, or from `first_plate` on."""
    recipe_sha256: str
    first_plate: int | None = None
    """The first of the plates to come that is judged by it; None where nothing was to change."""


Reply = Callable[[Answer], None]


class RecipeAnswers:
    """Answers for one run.

    Args:
        recipes: what is loaded.
        metrics: of the run.
    """

    def __init__(self, recipes: Recipes, metrics: Metrics) -> None:
        self._recipes, self._metrics = recipes, metrics
        self._log = structlog.get_logger()
        self.active()

    def refuse(self, by: str, reply: Reply, why: str) -> None:
        """Nothing has changed, and this is why."""
        self.say("refused", by, reply, why)

    def say(self, outcome: str, by: str, reply: Reply, text: str, first_plate: int | None = None) -> None:
        """It came to this: an outcome of `Answer`."""
        active = self._recipes.active
        digest = active.facts.recipe_sha256 or ""
        self._metrics.count("recipe_changes_total", 1, outcome)
        say = self._log.warning if outcome in ("restart", "refused") else self._log.info
        say(
            f"change of recipe: {outcome}",
            by=by,
            text=text,
            recipe=active.recipe.name,
            recipe_sha256=digest,
            first_plate=first_plate,
        )
        reply(Answer(outcome, text, active.recipe.name, digest, first_plate))

    def active(self) -> None:
        """Say as a metric by which recipe the plates to come are judged."""
        active = self._recipes.active
        self._metrics.set_recipe(active.recipe.name, active.facts.recipe_sha256 or "")


def both(one: Reply, other: Reply) -> Reply:
    """Who asks for the same gets the same."""

    def reply(answer: Answer) -> None:
        one(answer)
        other(answer)

    return reply
