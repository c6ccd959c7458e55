from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import DEFAULT_TEMPLATES, Pitch, Template
from models.detector.templates import bank, parabola, profile

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
    inside = line(np.linspace(0, width, 257))
    assert inside.max() <= ends[1] + 1e-9 * height
    assert inside.min() >= ends[0] - 1e-9 * height
    integral = line.k1 * width**3 / 3 + line.k2 * width**2 / 2 + line.k3 * width
    assert integral == pytest.approx(0, abs=1e-9 * height * width)


@pytest.mark.parametrize(
    "shape",
    [
        *((0, 8, 3), (-7, 8, 3), (7, 0, 0), (7, -8, -9), (7, 8, 8), (7, 8, 9), (7, 8, -1)),
        *((math.nan, 8, 3), (7, math.nan, 3), (7, 8, math.nan), (math.inf, 8, 3), (7, math.inf, 3), (7, 8, math.inf)),
    ],
)
def test_impossible_line_is_refused_with_what_was_found(shape: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="step"):
        parabola(*shape)


@given(shapes, st.booleans())
def test_sampled_profile_has_zero_mean_and_unit_norm(shape: tuple[float, float, float], mirrored: bool) -> None:
    values = profile(*shape, mirrored=mirrored)
    assert values.size % 2 == 1
    assert values.sum() == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(values) == pytest.approx(1)


@given(st.integers(3, 60), st.floats(1, 60), st.floats(0, 0.95))
def test_midpoints_leave_the_same_rest_whatever_the_line(width: int, height: float, share: float) -> None:
    line = parabola(width, height, share * height)
    samples = line(np.arange(width) + 0.5)
    assert samples.sum() == pytest.approx(-line.k1 * width / 12, rel=1e-6, abs=1e-9 * height)
    if width % 2:  # an even line lies half a pixel off its midpoints, for its middle is on a pixel
        expected = samples - samples.mean()
        assert profile(width, height, share * height) == pytest.approx(expected / np.linalg.norm(expected))


def test_line_within_one_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="wider template"):
        profile(1.0, 8, 3)
    with pytest.raises(ValueError, match="wider template"):
        bank([Template(width=2.1, height=8, step=3)], scale=0.5, pitch=Pitch(row_mm=0.052, column_mm=0.0416))


@given(shapes)
def test_hands_differ_by_their_step_alone(shape: tuple[float, float, float]) -> None:
    width, height, _ = shape
    assert profile(width, height, 0) == pytest.approx(profile(width, height, 0, mirrored=True), abs=1e-9)
    assert np.array_equal(profile(*shape, mirrored=True), profile(*shape)[::-1])


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
