"""Examples by their groups: which are learnt from, which choose, which test, and which weights have met before."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.training.classifier.examples import CRACK, DataError, Example
from models.training.photographs import group_key


@dataclass(frozen=True, slots=True)
class Split:
    """What is learnt from, what choices are made by, and what is measured on."""

    training: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class SeenGroups:
    """Groups that weights have met, each as `group_keys` names it: what their model card keeps."""

    trained: frozenset[str] = frozenset()
    """Learnt from."""
    validated: frozenset[str] = frozenset()
    """Never learnt from, but weights, temperature or threshold were chosen by them."""

    @classmethod
    def of_card(cls, card: Mapping[str, Any]) -> SeenGroups:
        """Those of the weights of a model card; none where it names none."""
        groups, validated = (frozenset(str(card.get(name, "")).split()) for name in ("groups", "validation_groups"))
        return cls(groups - validated, validated)

    @property
    def all(self) -> frozenset[str]:
        """Both."""
        return self.trained | self.validated


def split(
    examples: Sequence[Example], seed: int = 0, *, left_out: Sequence[str] = (), start: SeenGroups | None = None
) -> Split:
    """Test groups aside first, then one in five of the other groups of each source for validation (C 34-35).

    Args:
        examples: all of them.
        seed: of which groups are for validation; the test groups do not depend on it.
        left_out: sets that are not trained on at all: they are for tests as a whole.
        start: what the weights to start from have met stays where they had it: nothing is chosen by a group that they
            have learnt from.

    Raises:
        DataError: training or validation would lack one of the classes, a set that is left out is not there, or the
            start has met pictures of one.
    """
    start = SeenGroups() if start is None else start
    check_left_out(examples, left_out, start)
    test = tuple(one for one in examples if one.test or one.collection in left_out)
    rest = [one for one in examples if not (one.test or one.collection in left_out)]
    places = zip(
        fold_numbers(rest, 5, seed), in_groups(rest, start.validated), in_groups(rest, start.trained), strict=True
    )
    chosen_by = [theirs or (place == 0 and not trained) for place, theirs, trained in places]
    parts = Split(
        tuple(one for one, aside in zip(rest, chosen_by, strict=True) if not aside),
        tuple(one for one, aside in zip(rest, chosen_by, strict=True) if aside),
        test,
    )
    for name, part in (("training", parts.training), ("validation", parts.validation)):
        if len({one.crack for one in part}) < 2:
            raise DataError(
                f"{len(part)} pictures are left for {name}, not of both classes: give more groups with cracks and more "
                "without"
            )
    return parts


def check_left_out(examples: Sequence[Example], left_out: Sequence[str], start: SeenGroups) -> None:
    """Refuse sets to be left out that are not there, or that the weights to start from have met.

    Raises:
        DataError: saying which.
    """
    sets = sorted({one.collection for one in examples})
    if unknown := [name for name in left_out if name not in sets]:
        raise DataError(f"there is no set {', '.join(unknown)} to be left out: found {', '.join(sets)}")
    if count := sum(in_groups([one for one in examples if one.collection in left_out], start.all)):
        raise DataError(
            f"the weights to start from have met {count} pictures of {', '.join(left_out)}, which is to be left out: "
            "start from others (--pretrained)"
        )


def fold_numbers(examples: Sequence[Example], folds: int, seed: int = 0) -> list[int]:
    """The fold, 0 to folds - 1, of each example: whole groups, each source spread over all folds as far as it goes."""
    sources: dict[str, dict[str, None]] = {}
    taken = set[str]()
    for one in examples:
        if one.group not in taken:
            taken.add(one.group)
            sources.setdefault(one.source, {})[one.group] = None
    place: dict[str, int] = {}
    for source, groups in sorted(sources.items()):
        shuffled = sorted(groups, key=lambda group: _hash(f"{seed} {group}"))
        first = _hash(f"{seed} {source}") % folds
        place |= {group: (first + index) % folds for index, group in enumerate(shuffled)}
    return [place[one.group] for one in examples]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def counts(examples: Sequence[Example]) -> dict[str, dict[str, int]]:
    """Pictures and groups of each source."""
    found: dict[str, dict[str, int]] = {}
    for source in sorted({one.source for one in examples}):
        of_source = [one for one in examples if one.source == source]
        found[source] = {
            "pictures": len(of_source),
            "groups": len({one.group for one in of_source}),
            CRACK: sum(one.crack for one in of_source),
        }
    return found


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over their groups: the same wherever the same data is used."""
    names = sorted({one.group for one in examples})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def group_keys(examples: Sequence[Example]) -> frozenset[str]:
    """Their groups for a model card."""
    return frozenset(group_key(one.group) for one in examples)


def in_groups(examples: Sequence[Example], groups: Collection[str]) -> list[bool]:
    """Of each example, whether its group is one of those, named as by `group_keys`."""
    return [group_key(one.group) in groups for one in examples]
