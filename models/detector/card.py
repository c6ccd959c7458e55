"""The detector's weights and their card, refused when they do not belong together or to the recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from config.schema import Pitch, Recipe
from models.detector.errors import DetectorError
from models.detector.features import FEATURE, Architecture, ValueNetwork
from models.detector.reference import Reference
from models.detector.threshold import LearntThreshold
from models.weights import files as weights_file


def tells(known: object) -> bool:
    """Whether a recorded answer is one of numbers, in which the crack differs from what lies around it."""
    if not isinstance(known, Mapping) or known.keys() != {"crack", "median"}:
        return False
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in known.values())
    return numbers and known["crack"] != known["median"]


def learnt(card: dict[str, Any]) -> LearntThreshold:
    """The threshold that was learnt with the weights.

    Raises:
        DetectorError: a card that has none, or one of what are no numbers.
    """
    try:
        found = LearntThreshold(**card["threshold"])
        numbers = all(math.isfinite(value) for value in (found.floor, found.grow, found.spread))
    except (KeyError, TypeError) as error:
        raise DetectorError(f"{card['path']} has no threshold ({error}): weights and card go together") from error
    if not numbers or found.grow < 0 or found.spread < 0:
        raise DetectorError(
            f"{card['path']}: the threshold has a finite floor, grow and spread from 0 on; found {found}"
        )
    return found


def _pitch(card: dict[str, Any]) -> Pitch | None:
    given = card.get("pitch")
    return None if given is None else Pitch.model_validate(given)


def _polarity(card: dict[str, Any]) -> str | None:
    """With which the product's reference was made."""
    about = card.get("reference")
    return about.get("polarity") if isinstance(about, Mapping) else None


class Weights(NamedTuple):
    """What a file of weights and its card hold."""

    network: ValueNetwork
    card: dict[str, Any]
    reference: Reference | None = None
    """What good sheets of the product show, where one was taught."""


def read(path: Path, recipe: Recipe, architecture: Architecture = FEATURE) -> Weights:
    """The network with its weights, the card, and the product's reference.

    Raises:
        DetectorError: no file, one that is for another recipe, or that differs from its card.
    """
    if not path.is_file():
        raise DetectorError(
            f"no weights at {path}: those that ship are for resolution `half`; for `{recipe.resolution}` train some "
            "with `linesentry train detector` and name them in the recipe"
        )
    try:
        content, card = weights_file.read(path, path.with_suffix(".json"))
    except weights_file.WeightsFileError as error:
        raise DetectorError(str(error)) from error
    # Cards from before there was a choice do not say it.
    if (found := card.get("network", FEATURE.name)) != architecture.name:
        raise DetectorError(f"{path} is of a network `{found}`, asked for is one `{architecture.name}`")
    if card.get("resolution") != recipe.resolution:
        raise DetectorError(
            f"{path} is for resolution {card.get('resolution')}, the recipe asks for {recipe.resolution}"
        )
    if (trained := len(card.get("templates", recipe.templates))) != len(recipe.templates):
        raise DetectorError(
            f"{path} was trained with {trained} templates, recipe {recipe.name} has {len(recipe.templates)}: give it "
            f"{trained}, or train weights of its own with `linesentry train detector --recipe FILE`"
        )
    try:
        # The bank is that of the training: bent by another pitch it is one that the network has never seen.
        network = architecture.make(recipe.model_copy(update={"pitch": _pitch(card)}))
        state, reference = Reference.parted(weights_file.state_of(content))
        weights_file.fill(network, state)
    except (RuntimeError, ValueError) as error:
        raise DetectorError(f"{path} does not fit the recipe's network: {error}") from error
    if reference is not None and (taught := _polarity(card)) != recipe.polarity:
        raise DetectorError(
            f"{path} was taught with polarity {taught}, recipe {recipe.name} has {recipe.polarity}: teach it anew"
        )
    return Weights(network, card, reference)
