from __future__ import annotations

import pytest

from config.schema import DEFAULT_TEMPLATES, Template
from models.scales import binary_scales, correlation, critical_ratio, partition

WIDE, MIDDLE, NARROW = DEFAULT_TEMPLATES


def test_critical_ratios_are_those_of_the_first_rule() -> None:
    assert critical_ratio(WIDE, MIDDLE) == pytest.approx(0.7266, abs=1e-4)
    assert critical_ratio(MIDDLE, NARROW) == pytest.approx(0.7898, abs=1e-4)


def test_at_the_critical_ratio_both_templates_are_equally_like_the_line() -> None:
    width = critical_ratio(WIDE, MIDDLE) * WIDE.width
    assert correlation(WIDE, width, WIDE, MIDDLE) == pytest.approx(correlation(WIDE, width, MIDDLE, MIDDLE), abs=1e-3)


def test_templates_share_the_widths_by_the_rule() -> None:
    assert partition(DEFAULT_TEMPLATES, least=7, most=21) == {21: (16, 21), 11: (9, 15), 7: (7, 8)}


def test_printed_partition_is_a_named_option_for_the_published_scales_only() -> None:
    assert partition(DEFAULT_TEMPLATES, least=7, most=21, rule="printed") == {21: (18, 24), 11: (10, 17), 7: (7, 9)}
    with pytest.raises(ValueError, match="21, 11 and 7"):
        partition(DEFAULT_TEMPLATES[:2], least=7, most=21, rule="printed")


def test_order_of_the_templates_is_no_matter() -> None:
    assert partition(DEFAULT_TEMPLATES[::-1], least=7, most=21) == partition(DEFAULT_TEMPLATES, least=7, most=21)


def test_narrower_first_is_refused() -> None:
    with pytest.raises(ValueError, match="wider"):
        critical_ratio(NARROW, WIDE)


def test_published_scale_set_comes_from_its_widest_line() -> None:
    assert binary_scales(WIDE, 7, DEFAULT_TEMPLATES) == DEFAULT_TEMPLATES


def test_heights_that_were_not_measured_follow_the_width() -> None:
    scales = binary_scales(Template(width=20, height=40, step=10), 5)
    assert [scale.width for scale in scales] == [20, 10, 5]
    assert [scale.height for scale in scales] == [40, 20, 10]
