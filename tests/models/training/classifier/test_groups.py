"""Examples by their groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.classifier.examples import DataError, Example
from models.training.classifier.groups import (
    counts,
    fold_numbers,
    group_keys,
    in_groups,
    split,
)


def many(groups: int) -> list[Example]:
    kinds = [("a", "b"), ("a", "c"), ("d", "e")]
    return [
        example(f"g{group}", crack=group % 2 == 0, collection=kinds[group % 3][0], kind=kinds[group % 3][1])
        for group in range(groups)
        for _ in range(1 + group % 4)
    ]


@given(groups=st.integers(12, 90), seed=st.integers(0, 5), folds=st.integers(2, 6))
def test_a_group_never_lies_in_two_folds_and_each_source_is_spread(groups: int, seed: int, folds: int) -> None:
    examples = many(groups)
    place = fold_numbers(examples, folds, seed)
    of_group: dict[str, set[int]] = {}
    for one, fold in zip(examples, place, strict=True):
        of_group.setdefault(one.group, set()).add(fold)
    assert all(len(found) == 1 for found in of_group.values())
    for source in {one.source for one in examples}:
        sizes = [
            len({e.group for e, f in zip(examples, place, strict=True) if (e.source, f) == (source, k)})
            for k in range(folds)
        ]
        assert max(sizes) - min(sizes) <= 1


def test_test_groups_do_not_depend_on_the_seed_and_are_in_no_other_part() -> None:
    examples = [*many(60), *(example(f"t{n}", crack=bool(n % 2), test=True) for n in range(6))]
    parts = [split(examples, seed) for seed in (0, 1)]
    assert parts[0].test == parts[1].test
    assert parts[0].validation != parts[1].validation
    for one in parts:
        groups = [{e.group for e in part} for part in (one.training, one.validation, one.test)]
        assert not groups[0] & groups[1]
        assert not (groups[0] | groups[1]) & groups[2]
        assert 0.1 < len(groups[1]) / len(groups[0] | groups[1]) < 0.3


def test_a_set_that_is_left_out_is_for_tests_as_a_whole() -> None:
    parts = split(many(60), left_out=["d"])
    assert {one.collection for one in parts.test} == {"d"}
    assert {one.collection for one in (*parts.training, *parts.validation)} == {"a"}


def test_a_part_without_both_classes_is_refused() -> None:
    with pytest.raises(DataError, match="for training, not of both classes"):
        split([example(str(n), crack=True) for n in range(20)])


def test_counts_are_given_by_source() -> None:
    assert counts(many(3))["a/b"] == {"pictures": 1, "groups": 1, "crack": 1}


def test_groups_that_were_learnt_from_are_known_again() -> None:
    parts = split(many(60))
    written = group_keys(parts.training)
    assert len(written) == len({one.group for one in parts.training})
    assert all(in_groups(parts.training, written))
    assert not any(in_groups(parts.validation, written))
    assert not any(in_groups(parts.training, ()))


def example(group: str, *, crack: bool, collection: str = "a", kind: str = "b", test: bool = False) -> Example:
    return Example(np.zeros((224, 224), np.uint8), crack, collection, kind, group, group, test=test)
