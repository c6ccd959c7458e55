from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import DEFAULT_TEMPLATES, Template
from models.detector.scales import Likeness, binary_scales, correlation, critical_ratio, line_between, partition
from models.detector.templates import parabola

WIDE, MIDDLE, NARROW = DEFAULT_TEMPLATES


@pytest.mark.parametrize(
    ("likeness", "first", "second"),
    [
        ("interpolated", 0.7266, 0.7898),
        ("proportional", 0.7202, 0.7863),
        ("zero_mean", 0.7219, 0.7967),
        ("geometric", 0.7237, 0.7977),
    ],
)
def test_each_rule_has_its_own_critical_ratios(likeness: Likeness, first: float, second: float) -> None:
    assert critical_ratio(WIDE, MIDDLE, likeness) == pytest.approx(first, abs=5.1e-5)
    assert critical_ratio(MIDDLE, NARROW, likeness) == pytest.approx(second, abs=5.1e-5)


def test_first_rule_is_the_closest_to_the_published_ratios_and_the_default() -> None:
    assert critical_ratio(WIDE, MIDDLE) == critical_ratio(WIDE, MIDDLE, "interpolated")
    assert critical_ratio(WIDE, MIDDLE) == pytest.approx(0.728, abs=0.002)
    assert critical_ratio(MIDDLE, NARROW) == pytest.approx(0.788, abs=0.002)


def test_at_the_critical_ratio_both_templates_are_equally_like_the_line() -> None:
    width = critical_ratio(WIDE, MIDDLE) * WIDE.width
    assert correlation(WIDE, width, WIDE, MIDDLE) == pytest.approx(correlation(WIDE, width, MIDDLE, MIDDLE), abs=1e-9)


@pytest.mark.parametrize("likeness", ["interpolated", "zero_mean"])
@pytest.mark.parametrize("reference", [WIDE, MIDDLE])
def test_correlation_is_that_of_finely_sampled_profiles(likeness: Likeness, reference: Template) -> None:
    x = (np.arange(400_000) + 0.5) / 400_000 * 21 - 10.5
    profiles = []
    for template in (reference, line_between(WIDE, 14.2, MIDDLE)):
        line = parabola(template.width, template.height, template.step)
        values = line(x + template.width / 2) - (line.k3 if likeness == "interpolated" else 0)
        profiles.append(np.where(np.abs(x) <= template.width / 2, values, 0))
    expected = np.corrcoef(np.stack(profiles))[0, 1]
    assert correlation(WIDE, 14.2, reference, MIDDLE, likeness) == pytest.approx(expected, abs=1e-4)


def test_likeness_decays_from_each_template_to_the_other() -> None:
    widths = [11, 13, 15, 17, 19, 21]
    to_wide = [correlation(WIDE, width, WIDE, MIDDLE) for width in widths]
    to_narrow = [correlation(WIDE, width, MIDDLE, MIDDLE) for width in widths]
    assert to_wide == sorted(to_wide)
    assert to_narrow == sorted(to_narrow, reverse=True)
    assert (to_wide[-1], to_narrow[0]) == pytest.approx((1, 1))


def test_line_between_two_templates_is_each_of_them_at_its_end() -> None:
    assert line_between(WIDE, 21, MIDDLE) == WIDE
    assert line_between(WIDE, 11, MIDDLE) == MIDDLE
    assert line_between(WIDE, 16, MIDDLE) == Template(width=16, height=31, step=14)
    assert line_between(WIDE, 10.5, MIDDLE, "proportional") == Template(width=10.5, height=19, step=9)


def test_templates_share_the_widths_by_the_rule() -> None:
    assert partition(DEFAULT_TEMPLATES, least=7, most=21) == {21: (16, 21), 11: (9, 15), 7: (7, 8)}


@pytest.mark.parametrize("likeness", ["interpolated", "proportional", "zero_mean", "geometric"])
def test_every_rule_and_the_published_ratios_give_the_same_partition(likeness: Likeness) -> None:
    for first, second in (
        (0.728, 0.788),
        (critical_ratio(WIDE, MIDDLE, likeness), critical_ratio(MIDDLE, NARROW, likeness)),
    ):
        assert 15 / 21 <= first < 16 / 21
        assert 8 / 11 <= second < 9 / 11


def test_printed_partition_is_a_named_option_for_the_published_scales_only() -> None:
    assert partition(DEFAULT_TEMPLATES, least=7, most=21, rule="printed") == {21: (18, 24), 11: (10, 17), 7: (7, 9)}
    with pytest.raises(ValueError, match="21, 11 and 7 only; found 21, 11"):
        partition(DEFAULT_TEMPLATES[:2], least=7, most=21, rule="printed")


def test_order_of_the_templates_is_no_matter() -> None:
    assert partition(DEFAULT_TEMPLATES[::-1], least=7, most=21) == partition(DEFAULT_TEMPLATES, least=7, most=21)


def test_template_that_no_width_is_left_for_has_an_empty_range() -> None:
    assert partition(DEFAULT_TEMPLATES, least=10, most=21) == {21: (16, 21), 11: (10, 15), 7: (10, 9)}
    assert partition(DEFAULT_TEMPLATES, least=7, most=12) == {21: (13, 12), 11: (9, 12), 7: (7, 8)}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(3, 60), min_size=1, max_size=4, unique=True), st.integers(3, 30), st.integers(0, 40))
def test_every_whole_width_belongs_to_one_template(widths: list[float], least: int, more: int) -> None:
    templates = [Template(width=width, height=20, step=width / 6) for width in widths]
    ranges = partition(templates, least=least, most=least + more)
    covered = [width for first, last in ranges.values() for width in range(first, last + 1)]
    assert sorted(covered) == list(range(least, least + more + 1))
    assert list(ranges) == sorted(widths, reverse=True)


def test_partition_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="found 0 templates"):
        partition([], least=7, most=21)
    with pytest.raises(ValueError, match="22 to 21"):
        partition(DEFAULT_TEMPLATES, least=22, most=21)
    with pytest.raises(ValueError, match="wider"):
        partition([WIDE, WIDE], least=7, most=21)


def test_narrower_first_is_refused() -> None:
    with pytest.raises(ValueError, match="wider"):
        critical_ratio(NARROW, WIDE)


def test_published_scale_set_comes_from_its_widest_line() -> None:
    assert binary_scales(WIDE, 7, DEFAULT_TEMPLATES) == DEFAULT_TEMPLATES


def test_stop_rule_to_the_letter_ends_at_two_templates() -> None:
    assert [scale.width for scale in binary_scales(WIDE, 7, DEFAULT_TEMPLATES, strict=True)] == [21, 10.5]


def test_heights_that_were_not_measured_follow_the_width() -> None:
    scales = binary_scales(Template(width=20, height=40, step=10), 5)
    assert [scale.width for scale in scales] == [20, 10, 5]
    assert [scale.height for scale in scales] == [40, 20, 10]
    assert [scale.step for scale in scales] == [10, 5, 2.5]


@given(st.floats(2.1, 32), st.floats(1, 8), st.booleans())
def test_scales_halve_from_the_widest_line_to_the_least(least: float, times: float, strict: bool) -> None:
    widest = Template(width=least * times, height=30, step=12)
    scales = binary_scales(widest, least, strict=strict)
    widths = [scale.width for scale in scales]
    assert scales[0] == widest
    assert widths == sorted(set(widths), reverse=True)
    assert widths[-1] >= least
    assert widths[-1] == least or strict
    assert all(narrow >= wide / 2 for wide, narrow in pairwise(widths))
    assert all(scale.step / scale.height == pytest.approx(0.4) for scale in scales)


@pytest.mark.parametrize("least", [0, -3, 2, 21.5, math.nan, math.inf])
def test_impossible_least_width_is_refused(least: float) -> None:
    with pytest.raises(ValueError, match="least <= widest"):
        binary_scales(WIDE, least)
