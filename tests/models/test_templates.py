from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import DEFAULT_TEMPLATES, Pitch
from models.templates import bank, parabola, profile

TABLE = [
    (21, 38, 18, -0.256545, 6.244581, -27.856033, 12.17055),
    (11, 24, 10, -0.617030, 7.696419, -17.443434, 6.23667),
    (7, 8, 3, -0.523451, 4.092730, -5.774852, 3.90937),
]
shapes = st.tuples(st.floats(3, 40), st.floats(1, 60), st.floats(0, 0.95)).map(lambda t: (t[0], t[1], t[1] * t[2]))


@pytest.mark.parametrize(("width", "height", "step", "k1", "k2", "k3", "peak"), TABLE)
def test_closed_form_gives_the_published_coefficients(
    width: float, height: float, step: float, k1: float, k2: float, k3: float, peak: float
) -> None:
    line = parabola(width, height, step)
    assert (line.k1, line.k2, line.k3) == pytest.approx((k1, k2, k3), abs=1e-6)
    assert line.peak == pytest.approx(peak, abs=1e-5)


@given(shapes)
def test_parabola_meets_its_four_conditions(shape: tuple[float, float, float]) -> None:
    width, height, step = shape
    line = parabola(width, height, step)
    ends = line(np.array([0.0, line.peak, width]))
    assert ends[1] - ends[0] == pytest.approx(height)
    assert ends[2] - ends[0] == pytest.approx(step, abs=1e-9 * height)
    assert 0 < line.peak < width
    integral = line.k1 * width**3 / 3 + line.k2 * width**2 / 2 + line.k3 * width
    assert integral == pytest.approx(0, abs=1e-9 * height * width)


@pytest.mark.parametrize("shape", [(0, 8, 3), (7, 0, 0), (7, 8, 8), (7, 8, -1)])
def test_impossible_line_is_refused_with_what_was_found(shape: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="step"):
        parabola(*shape)


@given(shapes, st.booleans())
def test_sampled_profile_has_zero_mean_and_unit_norm(shape: tuple[float, float, float], mirrored: bool) -> None:
    values = profile(*shape, mirrored=mirrored)
    assert values.size % 2 == 1
    assert values.sum() == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(values) == pytest.approx(1)


def test_other_hand_is_the_mirror_image() -> None:
    assert np.array_equal(profile(21, 38, 18, mirrored=True), profile(21, 38, 18)[::-1])


def test_whole_width_is_sampled_at_midpoints() -> None:
    line = parabola(7, 8, 3)
    samples = line(np.arange(7) + 0.5)
    assert samples.mean() * 7 == pytest.approx(-line.k1 * 7 / 12)
    samples -= samples.mean()
    assert profile(7, 8, 3) == pytest.approx(samples / np.linalg.norm(samples))


@pytest.mark.parametrize("angles", [(0.0, 90.0), (0.0, 45.0, 90.0, 135.0)])
def test_bank_ignores_even_light_and_keeps_noise_level(angles: tuple[float, ...]) -> None:
    names, kernels = bank(DEFAULT_TEMPLATES, scale=0.5, angles=angles)
    assert len(kernels) == len(names) == 2 * 3 * len(angles)
    for kernel in kernels:
        assert kernel.sum() == pytest.approx(0, abs=1e-9)
        assert np.linalg.norm(kernel) == pytest.approx(1)


def test_width_along_the_travel_is_the_same_length_in_mm() -> None:
    pitch = Pitch(row_mm=0.052, column_mm=0.0416)
    _, kernels = bank(DEFAULT_TEMPLATES, pitch=pitch, along=9)
    assert kernels[0].shape == (9, 21)
    assert kernels[6].shape == (17, 9)  # 21 px x 0.8 = 16.8 rows


def test_each_hand_answers_more_to_its_own_line() -> None:
    ends = parabola(21, 38, 18)
    line = np.tile(ends(np.arange(21) + 0.5), (21, 1))
    names, kernels = bank(DEFAULT_TEMPLATES, along=21)
    answers = {
        name.mirrored: float((line * kernel).sum())
        for name, kernel in zip(names, kernels, strict=True)
        if name.angle == 0 and name.template.width == 21
    }
    assert answers[False] > 1.1 * answers[True] > 0
