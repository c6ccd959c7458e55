from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from models.detector.mixture import fit, without_spike

Values = NDArray[np.float32]


def two(
    rng: np.random.Generator, size: int, lower: tuple[float, float], upper: tuple[float, float], share: float
) -> Values:
    """Values of two normal distributions (mean, sigma), the upper with its share of them."""
    count = int(size * share)
    parts = rng.normal(*lower, size - count), rng.normal(*upper, count)
    return np.concatenate(parts).astype(np.float32)


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_the_reference_implementation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lower, sigmas, share = rng.uniform(-10, 3), rng.uniform(0.3, 3, 2), rng.uniform(0.03, 0.6)
    upper = lower + rng.uniform(2, 6) * sigmas.sum()
    values = two(rng, 8_000, (lower, sigmas[0]), (upper, sigmas[1]), share)
    ours = fit(values)
    theirs = GaussianMixture(2, random_state=0, tol=1e-6, max_iter=500).fit(values[:, None])
    order = np.argsort(theirs.means_[:, 0])
    assert np.abs(np.array(ours.means) - theirs.means_[order, 0]).max() < 0.01 * sigmas.min()
    assert ours.sigmas == pytest.approx(np.sqrt(theirs.covariances_[order, 0, 0]), rel=0.01)
    assert ours.shares == pytest.approx(theirs.weights_[order], abs=0.003)


def test_explains_overlapping_components_as_well_as_the_reference() -> None:
    rng = np.random.default_rng(4)
    values = two(rng, 20_000, (-5, 1), (-3.2, 1.4), 0.3)
    ours = fit(values)
    theirs = GaussianMixture(2, random_state=0, tol=1e-6, max_iter=500).fit(values[:, None])
    wide = (values[:, None] - np.array(ours.means)) / np.array(ours.sigmas)
    density = np.exp(-0.5 * wide**2) / np.sqrt(2 * np.pi) / np.array(ours.sigmas) @ np.array(ours.shares)
    assert np.log(density).mean() == pytest.approx(theirs.score(values[:, None]), abs=1e-3)


def test_strongly_left_skewed_values_do_not_draw_a_component() -> None:
    """The published range is -4249 to 32."""
    rng = np.random.default_rng(8)
    values = two(rng, 30_000, (-5, 1), (1, 0.7), 0.1)
    tail = -5 - np.exp(rng.uniform(np.log(10), np.log(4244), 3_000)).astype(np.float32)
    plain, skewed = fit(values), fit(np.concatenate((values, tail)))
    assert skewed.means[0] == pytest.approx(plain.means[0], abs=0.2)
    assert (skewed.means[1], skewed.sigmas[1]) == pytest.approx((plain.means[1], plain.sigmas[1]), abs=0.1)


def test_cracks_far_above_a_calm_background_are_the_upper_component() -> None:
    values = two(np.random.default_rng(9), 105_625, (-6, 0.2), (5, 0.5), 0.01)
    mixture = fit(values)
    assert mixture.means == pytest.approx((-6, 5), abs=0.1)
    assert mixture.shares[1] == pytest.approx(0.01, abs=0.002)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 1.0])
def test_steps_of_a_short_number_format_are_no_spikes(sigma: float) -> None:
    values = two(np.random.default_rng(10), 105_625, (-6, sigma), (2, 0.7), 0.05)
    steps = torch.from_numpy(values).to(torch.bfloat16).float().numpy()
    assert fit(steps).means == pytest.approx(fit(values).means, abs=0.05)
    assert fit(steps).sigmas == pytest.approx(fit(values).sigmas, abs=0.05)
    assert fit(steps).shares == pytest.approx(fit(values).shares, abs=0.01)


def test_spike_of_repeated_background_does_not_draw_a_component() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate((rng.normal(-5, 1, 30_000), rng.normal(1, 0.7, 6_000))).astype(np.float32)
    spiked = np.concatenate((values, np.full(60_000, -6.3, np.float32)))
    assert fit(spiked).means == pytest.approx(fit(values).means, abs=0.25)


@pytest.mark.parametrize("spike", [-6.3, -4.0, 0.0])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.98])
def test_spike_of_any_size_leaves_the_rest_to_be_fitted(spike: float, share: float) -> None:
    """Windows at a plate's edge (M 160-164): nearly all of one may be the same value."""
    rest = two(np.random.default_rng(5), 30_000, (-5, 1), (1, 0.7), 0.17)
    spiked = np.concatenate((rest, np.full(int(rest.size * share / (1 - share)), spike, np.float32)))
    assert fit(spiked).means == pytest.approx(fit(rest).means, abs=0.3)
    assert fit(spiked).sigmas == pytest.approx(fit(rest).sigmas, abs=0.3)


def test_far_outliers_do_not_stretch_the_bins() -> None:
    rng = np.random.default_rng(6)
    values = np.concatenate((rng.normal(-5, 1, 30_000), rng.normal(1, 0.7, 6_000))).astype(np.float32)
    skewed = np.concatenate((values, np.full(50, -4249, np.float32)))
    assert fit(skewed).means == pytest.approx(fit(values).means, abs=0.1)


@pytest.mark.parametrize("value", [0.0, -7.25, 255.0])
def test_flat_window_gives_a_finite_answer(value: float) -> None:
    mixture = fit(np.full((325, 325), value, np.float32))
    assert mixture.means == pytest.approx((value, value), abs=1e-3)
    assert all(0 < sigma < 1e-3 for sigma in mixture.sigmas)


def test_nothing_to_fit_gives_zeros() -> None:
    assert fit(np.empty(0, np.float32)).means == (0.0, 0.0)
    assert fit(np.full(5, np.nan, np.float32)).means == (0.0, 0.0)


def test_extreme_high_value_belongs_to_the_upper_component() -> None:
    rng = np.random.default_rng(7)
    values = np.concatenate((rng.normal(-5, 3, 30_000), rng.normal(5, 0.3, 3_000))).astype(np.float32)
    assert fit(values).upper_posterior(np.array([5, 50], np.float32)) == pytest.approx([1, 1], abs=1e-3)


def test_extreme_low_value_belongs_to_the_lower_component() -> None:
    values = two(np.random.default_rng(7), 30_000, (-5, 0.3), (0, 2), 0.3)
    assert fit(values).upper_posterior(np.array([-4249, -60, -5], np.float32)) == pytest.approx([0, 0, 0], abs=0.01)


def test_lone_bin_is_lowered_and_a_hill_is_not() -> None:
    hill = np.array([1, 20, 80, 100, 80, 20, 1, 0, 0], float)
    assert np.array_equal(without_spike(hill), hill)
    spiked = hill.copy()
    spiked[7] = 5000
    assert without_spike(spiked)[7] <= 1


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(max_dims=2, max_side=30), elements=st.floats(width=32, allow_subnormal=False)
    )
)
def test_any_window_gives_ordered_finite_components(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    mixture = fit(values)
    assert np.isfinite([*mixture.means, *mixture.sigmas, *mixture.shares]).all()
    assert mixture.means[0] <= mixture.means[1]
    assert min(mixture.sigmas) > 0
    assert sum(mixture.shares) == pytest.approx(1)
    posterior = mixture.upper_posterior(values[np.isfinite(values)])
    assert ((posterior >= 0) & (posterior <= 1)).all()
