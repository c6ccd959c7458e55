"""Where the weights lie that a recipe and a configuration ask for."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import get_args

import pytest

from config.load import load_config, load_recipe, recipe_names
from config.schema import Classify, Recipe
from config.weights import CLASSIFIERS, SHIPPED, classifier_path, shipped_weights, weights_path


@pytest.mark.parametrize("name", ["detector-half", "classifier"])
def test_weights_that_ship_are_found_with_their_cards(name: str) -> None:
    weights, card = shipped_weights(f"{name}.pt"), shipped_weights(f"{name}.json")
    assert json.loads(card.read_text(encoding="utf-8"))["sha256"] == sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_ship_find_their_detector_and_their_classifier(name: str) -> None:
    assert weights_path(load_recipe(name)) == shipped_weights("detector-half.pt")
    assert classifier_path(load_config().classify) == shipped_weights("classifier.pt")


def test_weights_that_do_not_ship_are_refused_with_the_file_that_was_looked_for() -> None:
    missing = weights_path(Recipe(name="full", resolution="full"))
    assert missing == SHIPPED / "detector-full.pt"
    with pytest.raises(FileNotFoundError, match=rf"no {missing}.*install it again"):
        shipped_weights(missing.name)


def test_each_network_of_a_classifier_has_weights_of_its_own_that_ship_with_a_card_that_says_so_or_none() -> None:
    assert classifier_path(Classify(network="efficientnet_lite0")) == classifier_path(Classify())
    assert classifier_path(Classify(network="resnet18")) != classifier_path(Classify())
    assert {name for name in CLASSIFIERS if name is not None} == {
        *get_args(next(one for one in get_args(Classify.model_fields["network"].annotation) if get_args(one)))
    }
    for network, name in CLASSIFIERS.items():
        if network is not None and (SHIPPED / name).is_file():
            card = json.loads((SHIPPED / name).with_suffix(".json").read_text(encoding="utf-8"))
            assert card["network"] == network


def test_weights_of_ones_own_are_taken_as_they_are_named() -> None:
    assert weights_path(Recipe(name="own", weights="own.pt")) == Path("own.pt")
    assert classifier_path(Classify(weights=Path("own.pt"))) == Path("own.pt")
