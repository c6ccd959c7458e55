"""How the cracks of a set differ from their ground: told, known of a public set, or measured on its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.lab.data.marks import darker
from models.training.photographs import Photograph, Polarity

_MOST_MEASURED = 30
"""Pictures of a set, spread over it."""
_SURE = 0.8
"""Share of the marks that must agree; else the set has both kinds."""

SIMULATED = "simulated"
"""Why the polarity of a simulator's cracks is known."""

Marked = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""A picture and the pixels of its cracks."""


@dataclass(frozen=True, slots=True)
class SetPolarity:
    """What is known of one set."""

    polarity: Polarity
    because: str
    """Who says so."""

    def sought_by(self, recipe: str) -> bool:
        """Whether a recipe of that polarity looks for such cracks, or for some of them."""
        return "both" in (recipe, self.polarity) or recipe == self.polarity

    def values(self, recipe: str) -> dict[str, Any]:
        """As JSON has it, with whether a recipe of that polarity looks for such cracks."""
        return {
            "polarity": self.polarity,
            "because": self.because,
            "recipe": recipe,
            "looked_for": recipe in ("both", self.polarity),
        }


def polarities_of(
    photographs: Sequence[Photograph], read: Callable[[Photograph], Marked | None], told: Polarity | None
) -> dict[str, SetPolarity]:
    """The polarity of each set that shows cracks.

    Args:
        photographs: those with marks, of all sets.
        read: a picture with its marks; None where it cannot be read.
        told: for all of them, by whoever evaluates.
    """
    sets: dict[str, list[Photograph]] = {}
    for one in photographs:
        sets.setdefault(one.collection, []).append(one)
    return {name: _of_set(members, read, told) for name, members in sets.items()}


def _of_set(
    members: Sequence[Photograph], read: Callable[[Photograph], Marked | None], told: Polarity | None
) -> SetPolarity:
    if told is not None:
        return SetPolarity(told, "told by --polarity")
    known = {one.polarity for one in members if one.polarity is not None}
    if known and all(one.polarity for one in members):
        only = known.pop()
        return SetPolarity(
            "both" if known else only, "told by the manifest" if any(one.told for one in members) else "a public set"
        )
    step = -(-len(members) // _MOST_MEASURED)
    seen = [found for one in members[::step] if (found := read(one)) is not None and found[1].any()]
    dark = sum(darker(image, marks) for image, marks in seen)
    share = dark / len(seen) if seen else 0.5
    polarity: Polarity = "dark" if share >= _SURE else "bright" if share <= 1 - _SURE else "both"
    return SetPolarity(polarity, f"measured: the cracks are darker than their ground on {dark} of {len(seen)} pictures")


def complaint(where: str, sets: Mapping[str, SetPolarity], recipe: str, name: str) -> str | None:
    """What to say where a recipe does not look for a set's cracks; None where it does."""
    others = {key: one for key, one in sets.items() if recipe not in ("both", one.polarity)}
    if not others:
        return None
    each = ", ".join(f"{key} is {one.polarity} ({one.because})" for key, one in others.items())
    (wanted, *more) = {one.polarity for one in others.values()}
    either = "" if more or wanted == "both" or len(others) < len(sets) else f", or --set polarity={wanted}"
    return (
        f"{where}: {each}, and recipe {name} looks for {recipe} cracks; all are judged as asked. To look for these "
        f"too: --set polarity=both{either}"
    )
