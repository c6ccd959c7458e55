"""Which groups weights have learnt from, as far as their model card says: what an evaluation passes over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.training.photographs import group_key, held_out

LEARNT = "of groups that these weights learnt from: --all-groups judges them too"
TAKEN = (
    "of groups that training takes, and the card of these weights lists none: --all-groups judges them too, if nothing "
    "was trained on them"
)


@dataclass(frozen=True, slots=True)
class LearntGroups:
    """Groups of photographs and crops that weights have met."""

    keys: frozenset[str] | None
    """As `group_key` names them; None: the card does not list them, though it names photographs."""

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> LearntGroups:
        """What a card says: its `groups`; or that nothing but simulated crops was learnt from."""
        if "groups" in card:
            return cls(frozenset(str(card["groups"]).split()))
        trained = card.get("trained_on")
        alone = isinstance(trained, Mapping) and trained.get("metal") == []
        return cls(frozenset() if alone else None)

    def joined(self, other: LearntGroups) -> LearntGroups:
        """What either has met; unknown where one of them is."""
        return LearntGroups(None if self.keys is None or other.keys is None else self.keys | other.keys)

    def holds(self, group: str) -> bool:
        """Whether the weights are known to have met it."""
        return self.keys is not None and group_key(group) in self.keys

    def passed_over(self, group: str) -> str | None:
        """Why pictures of a group are not judged unless all groups are asked for; None: they are.

        Of weights whose card lists no groups the hash of a group's name decides, as it does in training.
        """
        if self.keys is None:
            return None if held_out(group) else TAKEN
        return LEARNT if self.holds(group) else None


UNKNOWN = LearntGroups(None)
"""Of weights whose card says nothing of it."""
