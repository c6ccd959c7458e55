"""The recipes that a run has loaded, by their numbers, and which of them judges which plate."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from config.challenger import candidate_of
from config.check import slot_size
from config.load import config_hash, recipe_hash
from config.schema import Config, Recipe
from config.weights import classifier_path, weights_path
from daemon.service.sources import Sources
from daemon.store.rows import RunFacts
from daemon.store.state import classifier_sha256, weights_sha256
from daemon.wire.messages import NumberedRecipe
from daemon.wire.plate_memory import Shape
from models.machine.files import whole
from stages.recipes import FIRST, Schedule

_LIVE = ("recipe", "recipes", "batch_id", "shifts", "classify.network", "classify.weights")
"""Keys of the configuration that change without a restart."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file, and the copy of it that a run keeps: a file that is replaced later changes nothing."""

    file: Path
    kept: Path
    sha256: str | None
    """Of its bytes; None where it could not be read."""

    @classmethod
    def read(cls, file: Path, directory: Path) -> Self:
        """Keep a copy of a weights file and its card. Raises OSError where they cannot be read."""
        content, card = file.read_bytes(), file.with_suffix(".json").read_bytes()
        kept = directory / "weights" / f"{hashlib.sha256(content + card).hexdigest()}.pt"
        try:
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            for target, data in ((kept.with_suffix(".json"), card), (kept, content)):
                if not target.is_file():
                    with whole(target) as part:
                        part.write_bytes(data)
        except OSError:
            # No room for it: processes take the file itself, and see whether it is the right one.
            kept.unlink(missing_ok=True)
        return cls(file.absolute(), kept, hashlib.sha256(content).hexdigest())

    @property
    def path(self) -> Path:
        """The copy, or the file itself where that is gone."""
        return self.kept if self.kept.is_file() else self.file


@dataclass(frozen=True, slots=True)
class Loaded:
    """A recipe that processes have ready, or are to have."""

    number: int
    recipe: Recipe
    facts: RunFacts
    weights: Weights
    """Of the detector."""
    classifier: Weights | None
    """Of the classifier; None where it is not asked."""
    challenger: str | None = None
    """SHA-256 of the candidate that it names and of that one's weights, hex; None where it names none."""

    def same_as(self, other: Loaded) -> bool:
        """Whether nothing is new in the other: also nothing that changes no result, which no fact of a plate names."""
        return (self.facts, self.recipe, self.challenger) == (other.facts, other.recipe, other.challenger)

    @property
    def told(self) -> NumberedRecipe:
        """As a process is given it: its weights are those that the run keeps, where they are still there."""
        changes: dict[str, object] = {"weights": str(self.weights.path)}
        if self.classifier is not None:
            named = {"weights": str(self.classifier.path)}
            changes["classifier"] = self.recipe.classifier.model_copy(update=named)
        recipe = self.recipe.model_copy(update=changes)
        return NumberedRecipe(self.number, recipe.model_dump(mode="json"), asdict(self.facts))


class Recipes:
    """The loaded recipes of one run.

    Args:
        sources: what the run begins with.
        facts: what is stored with each plate that its first recipe judges.
        directory: of the run, in which it keeps the weights: a file that is replaced later changes nothing.
    """

    def __init__(self, sources: Sources, facts: RunFacts, directory: Path) -> None:
        self.sources = sources
        self.schedule = Schedule()
        self._directory = directory
        self._next = FIRST
        self._loaded: dict[int, Loaded] = {}
        self._by_name: dict[str, int] = {}
        self.take(sources, self.prepared(sources, facts))

    # --- what there is -------------------------------------------------------------------------------------------

    @property
    def active(self) -> Loaded:
        """By which the plates to come are judged."""
        return self._loaded[self.schedule.latest]

    @property
    def names(self) -> tuple[str, ...]:
        """Those that may be changed to."""
        return tuple(self._by_name)

    def named(self, name: str) -> Loaded | None:
        """The loaded recipe of that name."""
        number = self._by_name.get(name)
        return None if number is None else self._loaded[number]

    def of(self, plate: int) -> Loaded:
        """By which a plate is judged."""
        return self._loaded[self.schedule.of(plate)]

    def recipe_of(self, plate: int) -> Recipe:
        """The recipe by which a plate is judged."""
        return self.of(plate).recipe

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of all that are loaded."""
        return tuple(self._loaded)

    def used(self, plates: Iterable[int]) -> set[int]:
        """Numbers of the recipes that judge these plates."""
        return {self.schedule.of(plate) for plate in plates}

    @property
    def further(self) -> tuple[NumberedRecipe, ...]:
        """All that are loaded beside the first, as processes are given them."""
        return tuple(one.told for number, one in self._loaded.items() if number != FIRST)

    # --- what is to be -------------------------------------------------------------------------------------------

    def restart_keys(self, sources: Sources, shape: Shape) -> list[str]:
        """Keys of what was read that differ from what runs, and that only a restart changes; with what was found."""
        found = _differing(self.sources.config, sources.config)
        first = self._first.switch.debounce_rows, self._first.offset_rows
        for recipe in sources.recipes:
            size = slot_size([recipe])
            if size is not None and (size[0] > shape.rows or size[1] > shape.columns):
                found.append(
                    f"length, most_rows or columns of {recipe.name}: its plates have up to {size[0]} x {size[1]} px, a "
                    f"slot of the plate memory has {shape.rows} x {shape.columns}"
                )
            if (recipe.switch.debounce_rows, recipe.offset_rows) != first:
                found.append(f"switch of {recipe.name}")
        return found

    def prepared(self, sources: Sources, facts: RunFacts | None = None) -> tuple[Loaded, ...]:
        """What was read as recipes with numbers, old ones where nothing is new; their weights are kept by this.

        `facts` are those of the run's first recipe, where it begins. Raises OSError where weights cannot be read, and
        ConfigError where the recipe of a challenger cannot.
        """
        first = facts or self._loaded[min(self._loaded)].facts
        made: list[Loaded] = []
        for recipe in sources.recipes:
            weights = Weights.read(weights_path(recipe), self._directory)
            classifier = self._classifier(sources.config, recipe)
            own = replace(
                first,
                recipe=recipe.name,
                product=recipe.name,
                batch_id=sources.config.batch_id,
                recipe_sha256=recipe_hash(recipe),
                configuration_sha256=config_hash(sources.config),
                weights_sha256=weights.sha256,
                classifier_sha256=None if classifier is None else classifier.sha256,
            )
            new = Loaded(self._next, recipe, own, weights, classifier, _challenger(sources.config, recipe))
            same = next((one for one in self._loaded.values() if one.same_as(new)), None)
            made.append(same or new)
            self._next += same is None
        return tuple(made)

    def new_classifiers(self, loaded: Iterable[Loaded]) -> int:
        """How many weights of a classifier there are among them that are not loaded yet."""
        return len(
            {one.facts.classifier_sha256 for one in loaded}
            - {one.facts.classifier_sha256 for one in self._loaded.values()}
        )

    def target(self, sources: Sources, loaded: Iterable[Loaded]) -> Loaded:
        """Which of them judges after a reload: that of the name that judges now, unless `recipe` was changed."""
        by_name = {one.recipe.name: one for one in loaded}
        first = by_name[sources.recipes[0].name]
        if sources.config.recipe != self.sources.config.recipe:
            return first
        return by_name.get(self.active.recipe.name, first)

    # --- what has changed ----------------------------------------------------------------------------------------

    def take(self, sources: Sources, loaded: Iterable[Loaded]) -> None:
        """These are loaded, and may be changed to; those of before stay until `forget`."""
        self.sources = sources
        self._by_name = {one.recipe.name: one.number for one in loaded}
        self._loaded |= {one.number: one for one in loaded}

    def forget(self, used: Collection[int]) -> bool:
        """Forget those that cannot be changed to and judge no plate of those numbers; whether there were any."""
        kept = {*used, *self._by_name.values(), self.schedule.latest}
        gone = self._loaded.keys() - kept
        for number in gone:
            del self._loaded[number]
        if gone:
            self.delete_weights()
        return bool(gone)

    def delete_weights(self) -> None:
        """Delete the copies of weights that no loaded recipe has: their directory may be in memory."""
        used = {one.kept.stem for loaded in self._loaded.values() for one in (loaded.weights, loaded.classifier) if one}
        for file in (self._directory / "weights").glob("*"):
            if file.stem not in used:
                file.unlink(missing_ok=True)

    @property
    def _first(self) -> Recipe:
        return self.sources.recipes[0]

    def _classifier(self, config: Config, recipe: Recipe) -> Weights | None:
        if recipe.classifier.mode == "off":
            return None
        path = classifier_path(config.classify, recipe)
        try:
            return Weights.read(path, self._directory)
        except OSError:
            # Its process says why it cannot have it: at the start plates are decided without it.
            return Weights(path.absolute(), path.absolute(), classifier_sha256(config, recipe))


def _challenger(config: Config, recipe: Recipe) -> str | None:
    if (candidate := candidate_of(recipe)) is None:
        return None
    files = weights_sha256(candidate), classifier_sha256(config, candidate)
    return hashlib.sha256(repr((recipe_hash(candidate), files)).encode()).hexdigest()


def _differing(old: Config, new: Config) -> list[str]:
    """Dotted keys in which two configurations differ, without those that change without a restart."""
    return [key for key in _leaves(old.model_dump(mode="json"), new.model_dump(mode="json")) if key not in _LIVE]


def _leaves(old: object, new: object, before: str = "") -> list[str]:
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)) or old.keys() != new.keys():
        return [before]
    return [leaf for key in old for leaf in _leaves(old[key], new[key], f"{before}.{key}" if before else key)]
