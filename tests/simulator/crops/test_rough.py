"""Rough cracks are where their labels say, as wide and strong as asked, and as wild as real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.crops.rough import Form, add_cracks, any_form, crack, draw, put
from simulator.sheets.cracks import Grey

_PLAIN = Form(40, 9, 0.0, "bell", 0.0, (1.0, 1.0), 0.0, mirrored=False, uneven=0.0)


def _flat(size: int = 256, grey: float = 100) -> tuple[Grey, Grey]:
    return np.full((size, size), grey, np.float32), np.full((size, size), 1.0, np.float32)


def test_the_same_generator_adds_the_same_cracks() -> None:
    pictures = []
    for _ in range(2):
        picture, disturbance = _flat()
        add_cracks(np.random.default_rng(4), picture, disturbance, 0.3)
        pictures.append(picture)
    np.testing.assert_array_equal(pictures[0], pictures[1])


def test_a_label_lies_where_something_was_added_and_nothing_is_judged_twice() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        picture, disturbance = _flat()
        mask, ignore = add_cracks(rng, picture, disturbance, 0.0)
        assert not (mask & ignore).any()
        assert (picture[mask] > 100).mean() > 0.9 if mask.any() else True
        assert np.isfinite(picture).all()


def test_a_crack_that_noise_drowns_is_not_asked_for() -> None:
    picture, _ = _flat()
    drowned = np.full_like(picture, 60.0)
    mask, ignore = add_cracks(np.random.default_rng(3), picture, drowned, 0.0)
    assert not mask.any()
    assert ignore.any()


@pytest.mark.parametrize("width", [5.0, 9.0, 18.0])
def test_a_line_is_as_wide_and_as_strong_as_its_form(width: float) -> None:
    rng = np.random.default_rng(2)
    picture, disturbance = _flat()
    form = replace(_PLAIN, width=width)
    strand = crack(rng, form, 160, 0.0)[0]
    count = len(strand.points)
    even = strand._replace(
        points=np.stack((np.arange(count) + 50.0, np.full(count, 128.0)), 1).astype(np.float32),
        strength=np.ones(count, np.float32),
        width=np.full(count, width, np.float32),
    )
    _, inside = put(np.random.default_rng(9), picture, disturbance, form, [even])
    middle = 50 + count // 2
    assert abs(int(inside[:, middle].sum()) - width) <= 1
    assert 0.6 * form.height < picture[128, middle] - 100 <= 1.4 * form.height


def test_roughness_is_the_way_across_as_a_share_of_the_length() -> None:
    rng = np.random.default_rng(7)

    def spread(roughness: float) -> float:
        each = []
        for _ in range(40):
            points = crack(rng, replace(_PLAIN, roughness=roughness), 200, 0.0)[0].points
            line = np.polyfit(points[:, 0], points[:, 1], 2)
            each.append(float(np.std(points[:, 1] - np.polyval(line, points[:, 0]))))
        return float(np.median(each))

    smooth, wild = spread(0.002), spread(0.1)
    assert smooth < 1
    assert wild > 4


def test_cracks_fork_thin_out_and_break_off() -> None:
    rng = np.random.default_rng(5)
    forms = [any_form(rng) for _ in range(120)]
    cracks = [crack(rng, form, 150, rng.uniform(0, 6)) for form in forms]
    assert 0.1 < np.mean([len(strands) > 1 for strands in cracks]) < 0.7
    assert np.mean([strands[0].width.min() < 0.7 * strands[0].width.max() for strands in cracks]) > 0.4
    broken = [(strands[0].strength[10:-10] < 0.3).any() for strands in cracks if len(strands[0].points) > 40]
    assert np.mean(broken) > 0.15


def test_nothing_is_drawn_of_a_crack_outside_of_the_picture() -> None:
    strand = crack(np.random.default_rng(6), _PLAIN, 80, 0.0)[0]
    assert draw(_PLAIN, strand._replace(points=strand.points + 5000), (128, 128)) is None
    part = draw(_PLAIN, strand._replace(points=strand.points + np.array((0, 64), np.float32)), (128, 128))
    assert part is not None
    assert part.x == 0
    assert part.inside.any()


def test_forms_reach_from_smooth_to_brittle_and_from_faint_to_strong() -> None:
    rng = np.random.default_rng(8)
    forms = [any_form(rng) for _ in range(400)]
    assert {form.section for form in forms} == {"shoulder", "bell", "flat"}
    assert min(form.roughness for form in forms) == 0
    assert max(form.roughness for form in forms) > 0.1
    assert min(form.height for form in forms) < 9
    assert max(form.height for form in forms) > 100
    assert all(form.step < form.height for form in forms)
