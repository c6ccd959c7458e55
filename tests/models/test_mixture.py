from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.mixture import GaussianMixture

from models.mixture import fit, without_spike


@pytest.mark.parametrize(("apart", "share", "sigma"), [(4.0, 0.3, 1.0), (6.0, 0.05, 1.5), (3.0, 0.5, 0.5)])
def test_agrees_with_the_reference_implementation(apart: float, share: float, sigma: float) -> None:
    rng = np.random.default_rng(3)
    upper = int(40_000 * share)
    values = np.concatenate((rng.normal(-5, 1, 40_000 - upper), rng.normal(-5 + apart, sigma, upper))).astype(
        np.float32
    )
    ours = fit(values)
    theirs = GaussianMixture(2, random_state=0, tol=1e-6, max_iter=500).fit(values[:, None])
    low, high = np.argsort(theirs.means_[:, 0])
    expected = theirs.means_[[low, high], 0]
    assert ours.means == pytest.approx(expected, abs=0.08)
    assert ours.sigmas == pytest.approx(np.sqrt(theirs.covariances_[[low, high], 0, 0]), abs=0.08)
    assert ours.shares == pytest.approx(theirs.weights_[[low, high]], abs=0.03)


def test_spike_of_repeated_background_does_not_draw_a_component() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate((rng.normal(-5, 1, 30_000), rng.normal(1, 0.7, 6_000))).astype(np.float32)
    spiked = np.concatenate((values, np.full(60_000, -6.3, np.float32)))
    assert fit(spiked).means == pytest.approx(fit(values).means, abs=0.25)


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


def test_lone_bin_is_lowered_and_a_hill_is_not() -> None:
    hill = np.array([1, 20, 80, 100, 80, 20, 1, 0, 0], float)
    assert np.array_equal(without_spike(hill), hill)
    spiked = hill.copy()
    spiked[7] = 5000
    assert without_spike(spiked)[7] <= 1


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=30), elements=st.floats(-1e4, 1e4, width=32)))
def test_any_window_gives_ordered_finite_components(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    mixture = fit(values)
    assert np.isfinite([*mixture.means, *mixture.sigmas, *mixture.shares]).all()
    assert mixture.means[0] <= mixture.means[1]
    assert min(mixture.sigmas) > 0
    assert sum(mixture.shares) == pytest.approx(1)
