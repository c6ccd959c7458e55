"""Where the weights lie that a recipe and a configuration ask for."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from config.load import load_config, load_recipe, recipe_names
from config.schema import Recipe
from config.weights import SHIPPED, classifier_path, shipped_weights, weights_path


@pytest.mark.parametrize("name", ["detector-half", "classifier"])
def test_weights_that_ship_are_found_with_their_cards(name: str) -> None:
    weights, card = shipped_weights(f"{name}.pt"), shipped_weights(f"{name}.json")
    assert json.loads(card.read_text(encoding="utf-8"))["sha256"] == sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_ship_find_their_detector_and_their_classifier(name: str) -> None:
    assert weights_path(load_recipe(name)) == shipped_weights("detector-half.pt")
    assert classifier_path(load_config()) == shipped_weights("classifier.pt")


def test_weights_that_do_not_ship_are_refused_with_the_file_that_was_looked_for() -> None:
    missing = weights_path(Recipe(name="full", resolution="full"))
    assert missing == SHIPPED / "detector-full.pt"
    with pytest.raises(FileNotFoundError, match=rf"no {missing}.*install it again"):
        shipped_weights(missing.name)


def test_weights_of_ones_own_are_taken_as_they_are_named() -> None:
    assert weights_path(Recipe(name="own", weights="own.pt")) == Path("own.pt")
