"""How a training of the detector goes: how long, on what size of crops, by which preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.schema import Recipe
from models.detector.features import FEATURE, Architecture
from models.training.detector.card import PLAIN


@dataclass(frozen=True, slots=True)
class Plan:
    """How a training goes; one that is gone on with must have the same preset and the same kind of recipe.

    Raises:
        ValueError: neither or both of minutes and steps are given, or the crop is odd for a network at half resolution.
    """

    minutes: float | None = None
    """When to stop, the time before a resume included; or"""
    steps: int | None = None
    """how many batches to learn from."""
    seed: int = 0
    """Of the network, the source and the order."""
    metal_share: float = 0.25
    """Share of the crops that are of photographs of real metal, where there are any; at 1 nothing else is learnt."""
    crop: int = 352
    """Side of a crop, px, even."""
    batch: int = 12
    """Crops of a step."""
    preset: Literal["default", "paper"] = "default"
    """`default` is AdamW with a warm-up and a cosine on whole crops; `paper` is 27 x 27 patches around the cracks'
    skeletons (M 106) and SGD, momentum 0.9, learning rate 0.01, divided by 5 every 50 epochs (M 107), an epoch being a
    250th of the training."""
    recipe: Recipe = PLAIN
    """Whose resolution, templates and pitch the network has; for `half` crops are reduced to means of 2 x 2 px."""
    architecture: Architecture = FEATURE
    """Of the network."""
    patience: int = 10
    """The training ends early after so many looks at validation crops without the loss falling."""
    rate: float | None = None
    """First learning rate, None for the preset's; lower it to go on from weights that are good already."""

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError(f"give either minutes or steps; found minutes={self.minutes}, steps={self.steps}")
        if self.crop % 2 and self.recipe.resolution == "half":
            raise ValueError(f"the crop must be even, for the network works at half resolution; found {self.crop}")

    @property
    def scale(self) -> int:
        """Px of a crop for one of the network along each axis."""
        return 2 if self.recipe.resolution == "half" else 1
