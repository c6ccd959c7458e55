from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.measure.assessment import (
    Called,
    Found,
    Scored,
    Share,
    TruthBox,
    by_property,
    clean_share,
    escape_share,
    outcome,
    precision_recall,
    split,
    summary,
)
from models.measure.matching import Match


def plate(truth: list[TruthBox], found: list[Found], name: str = "a", **more: object) -> Scored:
    return Scored(name=name, group=name, truth=tuple(truth), found=tuple(found), **more)  # type: ignore[arg-type]


def crack(x: int, **more: object) -> TruthBox:
    return TruthBox((x, 0, 10, 10), **more)  # type: ignore[arg-type]


def hit(x: int, score: float = 0.9) -> Found:
    return Found((x, 0, 10, 10), score)


def test_figures_of_two_plates() -> None:
    total = summary([plate([crack(0), crack(50)], [hit(0), hit(5)]), plate([crack(0)], [hit(0), hit(90)], "b")])
    assert total.match == Match(true=2, missed=1, false=2, fragments=1)
    assert (total.recall, total.precision) == (2 / 3, 0.5)
    assert (total.fpb, total.mdb) == (1.0, 0.5)


def test_a_score_below_the_least_one_counts_neither_as_found_nor_as_false() -> None:
    assert summary([plate([crack(0)], [hit(0, 0.4), hit(90, 0.4)])]).match == Match(missed=1)


def test_a_crack_that_oil_hides_is_counted_apart() -> None:
    total = summary([plate([crack(0, visible=0.29), crack(50, visible=0.3)], [hit(0), hit(50)])])
    assert total.match == Match(true=1)
    assert (total.hidden, total.hidden_found) == (1, 1)


def test_a_mark_that_is_not_asked_for_is_neither_missed_nor_hidden() -> None:
    total = summary([plate([crack(0, asked=False), crack(50, asked=False)], [hit(0)])])
    assert (total.match, total.hidden, total.defects) == (Match(), 0, 0)


def test_a_box_around_two_cracks_leaves_one_missed_and_says_that_it_is_shared() -> None:
    total = summary([plate([crack(0), crack(30)], [Found((0, 0, 50, 10), 0.9)])])
    assert (total.match.missed, total.shared) == (1, 1)


def test_boxes_that_meet_without_a_common_pixel_match_by_box_alone() -> None:
    pixels = np.eye(10, dtype=np.bool_)
    beside = Found((0, 0, 10, 10), 0.9, np.array([[0, 5, 10], [1, 6, 10]], np.int32))
    upon = Found((0, 0, 10, 10), 0.9, np.array([[3, 0, 4]], np.int32))
    truth = [crack(0, pixels=pixels)]
    assert summary([plate(truth, [beside])]).by_mask == Match(missed=1, false=1)
    assert summary([plate(truth, [upon])]).by_mask == Match(true=1)


def test_found_boxes_without_pixels_are_taken_whole() -> None:
    pixels = np.zeros((10, 10), np.bool_)
    pixels[9, 9] = True
    assert outcome(plate([crack(0, pixels=pixels)], [Found((9, 0, 5, 5), 1.0)]), by="mask")[1].match == Match(
        missed=1, false=1
    )
    assert outcome(plate([crack(0, pixels=pixels)], [Found((9, 9, 5, 5), 1.0)]), by="mask")[1].match == Match(true=1)


def test_a_cluster_is_found_by_one_of_its_cracks() -> None:
    cracks = [crack(0, cluster=3), crack(50, cluster=3), crack(100, cluster=4)]
    total = summary([plate(cracks, [hit(50)])])
    assert (total.clusters, total.clusters_found) == (2, 1)


def test_intervals_hold_the_figure_and_come_from_groups() -> None:
    plates = [plate([crack(0), crack(50)], [hit(0)] if k % 2 else [hit(0), hit(50)], f"g{k}") for k in range(20)]
    low, high = summary(plates).intervals["recall"]
    assert low < 0.75 < high
    assert summary(plates).intervals == summary(plates).intervals
    alike = [Scored(one.name, "one", one.truth, one.found) for one in plates]
    assert summary(alike).intervals == {}


def grouped(plates: int, groups: int) -> list[Scored]:
    """Plates of one crack 8 px wide each, found in every second group and missed in the others."""
    cracked = [crack(0, width_px=8.0)]
    return [
        replace(plate(cracked, [hit(0)] if k % groups % 2 else [], f"p{k}"), group=f"g{k % groups}")
        for k in range(plates)
    ]


def test_intervals_know_groups_and_not_plates() -> None:
    of_groups, of_plates = (summary(grouped(40, groups)).intervals["recall"] for groups in (4, 40))
    # One draw in sixteen takes found groups alone, and as many take missed ones alone.
    assert of_groups == (0.0, 1.0)
    assert of_plates[0] > 0.3
    assert of_plates[1] < 0.7


def test_draws_without_a_crack_do_not_lift_the_bound_of_recall() -> None:
    missed = [plate([crack(0)], [], "cracked"), plate([], [], "clean")]
    assert summary(missed).intervals["recall"] == (0.0, 0.0)
    assert "recall" not in summary([plate([], [], "a"), plate([], [], "b")]).intervals


@pytest.mark.parametrize(
    ("count", "of", "lower", "upper"),
    [(0, 15, 0.0, 0.2180), (0, 0, 0.0, 1.0), (5, 20, 0.0866, 0.4910), (20, 20, 0.8316, 1.0)],
)
def test_exact_bounds_as_tabulated(count: int, of: int, lower: float, upper: float) -> None:
    assert (Share(count, of).lower, Share(count, of).upper) == pytest.approx((lower, upper), abs=1e-4)


def test_clean_plates_and_escapes_go_by_the_verdict() -> None:
    clean = [plate([], []), plate([], [hit(0)]), plate([], [], verdict="INCONCLUSIVE")]
    cracked = [plate([crack(0)], []), plate([crack(0)], [hit(90)]), plate([crack(0)], [], verdict="INCONCLUSIVE")]
    hidden = [plate([crack(0, visible=0.1)], [])]
    every = clean + cracked + hidden
    assert clean_share(every).plates == Share(1, 3)
    assert escape_share(every).plates == Share(1, 3)


def test_shares_of_plates_are_bounded_by_their_groups() -> None:
    names = ["a", "a", "a", "b", "b", "c", "d"]
    clean = [
        replace(plate([], [hit(0)] if k in (0, 1, 5) else [], f"p{k}"), group=name) for k, name in enumerate(names)
    ]
    cracked = [replace(one, truth=(crack(90),)) for one in clean]
    assert clean_share([*clean, plate([crack(0)], [], "e")]) == Called(plates=Share(3, 7), groups=Share(2, 4))
    assert escape_share([*cracked, plate([], [], "e")]) == Called(plates=Share(4, 7), groups=Share(3, 4))


def test_recall_by_width_leaves_out_what_is_not_known() -> None:
    truth = [crack(0, width_px=8.0), crack(50, width_px=9.0), crack(100, width_px=21.0), crack(150)]
    bins = by_property([plate(truth, [hit(0), hit(150)])], "width_px")
    assert [(one.low, one.high, one.recall.count, one.recall.of) for one in bins] == [(7, 10, 1, 2), (18, 22, 0, 1)]


def test_recall_by_width_has_the_interval_of_its_groups() -> None:
    few, many = (by_property(grouped(40, groups), "width_px")[0] for groups in (4, 40))
    assert (few.groups, many.groups) == (4, 40)
    assert few.recall == many.recall == Share(20, 40)
    assert few.interval == (0.0, 1.0)
    assert few.interval[0] < many.interval[0] < 0.5 < many.interval[1] < few.interval[1]


@pytest.mark.parametrize(
    "scored",
    [
        [replace(one, group="one") for one in grouped(40, 40)],
        [*(replace(one, group="one") for one in grouped(40, 40)), plate([crack(0, width_px=21.0)], [], "other")],
        [one for one in grouped(40, 4) if one.found],
        [one for one in grouped(40, 4) if not one.found],
    ],
    ids=["one group", "one group of that width", "all found", "none found"],
)
def test_where_resampling_says_nothing_recall_by_width_has_the_exact_interval(scored: list[Scored]) -> None:
    first = by_property(scored, "width_px")[0]
    assert first.interval == (first.recall.lower, first.recall.upper)
    assert first.interval[0] < first.interval[1]


def test_an_unknown_property_is_refused() -> None:
    with pytest.raises(ValueError, match="choose from width_px"):
        by_property([], "colour")


def test_the_curve_sees_what_a_lower_floor_finds() -> None:
    one = plate([crack(0), crack(50)], [hit(0, 0.9)], faint=(hit(0, 0.9), hit(90, 0.4), hit(50, 0.3)))
    curve = precision_recall([one])
    assert curve.scores == (0.9, 0.4, 0.3)
    assert curve.recall == (0.5, 0.5, 1.0)
    assert curve.precision == pytest.approx((1, 1 / 2, 2 / 3))
    assert curve.average_precision == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_nothing_found_has_no_curve() -> None:
    assert precision_recall([plate([crack(0)], [])]).average_precision == 0.0


def test_parts_keep_their_order() -> None:
    plates = [plate([], [], name, interference=kind) for name, kind in (("a", "oil"), ("b", "none"), ("c", "oil"))]
    assert {kind: [one.name for one in part] for kind, part in split(plates, "interference").items()} == {
        "oil": ["a", "c"],
        "none": ["b"],
    }


scores = st.floats(0, 1)
boxes = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 20), st.integers(1, 20))
plates = st.builds(
    lambda name, truth, found: Scored(
        name, name, tuple(TruthBox(box, visible=seen) for box, seen in truth), tuple(Found(*one) for one in found)
    ),
    st.sampled_from("abc"),
    st.lists(st.tuples(boxes, scores), max_size=4),
    st.lists(st.tuples(boxes, scores), max_size=5),
)


@given(st.lists(plates, max_size=5))
def test_counts_and_curves_hold_together(scored: list[Scored]) -> None:
    total = summary(scored, resamples=20)
    assert total.match.true + total.match.missed == sum(len(one.judged) for one in scored)
    assert total.shared <= total.match.missed
    assert total.by_mask.true <= total.match.true
    assert all(0 <= low <= high for low, high in total.intervals.values())
    curve = precision_recall(scored, points=5)
    assert len(curve.scores) <= 5
    assert list(curve.scores) == sorted(curve.scores, reverse=True)
    assert list(curve.recall) == sorted(curve.recall)
    assert 0 <= curve.average_precision <= 1
