"""Two Gaussians fitted to a window's feature histogram (FACTS.md 4; M 88-91), by expectation maximisation on bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 512
_ITERATIONS = 200
_SPIKE_SHARE = 0.05
_BELOW = 10.0
_ABOVE = 100.0
"""Reach of the histogram in quartile distances below and above the quartiles: the low tail says nothing of cracks."""
_GRAIN = 2.0**-7
"""Least width of a bin as a share of the values: no narrower than a step of bfloat16, or the steps would look like
spikes."""
_FLAT = 1e-6
"""Spread of a single value, as a share of it."""
_LEAST_BESIDE = 0.01
"""Share of a window beside a spike below which the window counts as flat."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two normal distributions, the lower first; in feature values."""

    means: tuple[float, float]
    sigmas: tuple[float, float]
    shares: tuple[float, float]

    def upper_posterior(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability that each value belongs to the upper component, float64 of their shape.

        1 from its mean upwards and 0 from the lower one's mean downwards, whatever the tails say.
        """
        wide = values.astype(np.float64)
        log = [
            np.log(max(share, 1e-300)) - np.log(sigma) - 0.5 * ((wide - mean) / sigma) ** 2
            for mean, sigma, share in zip(self.means, self.sigmas, self.shares, strict=True)
        ]
        posterior = 1 / (1 + np.exp(np.clip(log[0] - log[1], -500, 500)))
        # The wider of the two would otherwise claim the extreme values on both sides.
        posterior[wide <= self.means[0]] = 0.0
        posterior[wide >= self.means[1]] = 1.0
        return np.asarray(posterior, np.float64)


def histogram(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Centres, counts and width of at most `_BINS` bins over the bulk of the values; what lies outside is left out.

    Feature values are strongly skewed (M 124: from -4249 to 32), so the range ends some quartile distances from the
    quartiles, farther up than down, and not at the extremes. Values that are not finite are dropped; with none left
    there is one empty bin.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(1), np.zeros(1), _FLAT
    low, high = _quartiles(finite[:: max(1, finite.size // 20_000)].astype(np.float64))
    grain = _GRAIN * max(abs(low), abs(high), 0.1)
    reach = max(high - low, grain)
    first = max(float(finite.min()), low - _BELOW * reach)
    last = min(float(finite.max()), high + _ABOVE * reach)
    if not last > first:
        return np.array([first]), np.array([float(finite.size)]), _FLAT * max(1.0, abs(first))
    bins = max(1, min(_BINS, int((last - first) / grain)))
    width = (last - first) / bins
    inside = finite[(finite >= first) & (finite <= last)].astype(np.float64)
    index = np.minimum((inside - first) / width, bins - 1).astype(np.int64)
    counts = np.bincount(index, minlength=bins).astype(np.float64)
    return np.asarray(first + (np.arange(bins) + 0.5) * width, np.float64), counts, width


def _quartiles(sample: NDArray[np.float64]) -> tuple[float, float]:
    """The quartiles of a sample; of what lies beside it where a single value is most of the sample (M 160-164)."""
    low, middle, high = np.quantile(sample, (0.25, 0.5, 0.75))
    grain = _GRAIN * max(abs(middle), 0.1)
    if high - low <= grain:
        rest = sample[np.abs(sample - middle) > grain]
        if rest.size > _LEAST_BESIDE * sample.size:
            low, high = np.quantile(rest, (0.25, 0.75))
    return float(low), float(high)


def without_spike(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts with lone high bins lowered to their neighbours: repeated background at a plate's edge (M 160-164)."""
    if counts.size < 5:
        return counts
    padded = np.pad(counts, 2, mode="edge")
    around = np.median(np.stack([padded[0:-4], padded[1:-3], padded[3:-1], padded[4:]]), axis=0)
    spike = (counts > _SPIKE_SHARE * counts.sum()) & (counts > 4 * around + 4)
    rest = np.where(spike, around, counts)
    return rest if rest.sum() > 0 else counts


def fit(values: NDArray[np.float32]) -> Mixture:
    """Fit two components to feature values of any shape (padding and masked pixels must not be among them).

    Degenerate windows give a finite answer: a single value gives two equal components of a tiny spread, no value at
    all gives zeros.
    """
    centres, counts, bin_width = histogram(values)
    counts = without_spike(counts)
    total = counts.sum()
    if total == 0:
        return Mixture((0.0, 0.0), (_FLAT, _FLAT), (1.0, 0.0))
    used = counts > 0
    x, n = centres[used], counts[used]
    least = bin_width / np.sqrt(12)
    mean = float(np.average(x, weights=n))
    spread = float(np.sqrt(np.average((x - mean) ** 2, weights=n)))
    if spread <= 2 * least:
        return Mixture((mean, mean), (max(spread, least), max(spread, least)), (0.5, 0.5))
    means, sigmas, shares = _split(x, n, least)
    for _ in range(_ITERATIONS):
        log = np.log(shares)[:, None] - np.log(sigmas)[:, None] - 0.5 * ((x - means[:, None]) / sigmas[:, None]) ** 2
        upper = n / (1 + np.exp(np.clip(log[0] - log[1], -500, 500)))
        weights = np.stack((n - upper, upper))
        sums = weights.sum(axis=1)
        if sums.min() < 1e-9 * total:
            break
        before = means
        means = weights @ x / sums
        sigmas = np.sqrt(np.maximum((weights * (x - means[:, None]) ** 2).sum(axis=1) / sums, least**2))
        shares = sums / total
        if np.abs(means - before).max() < 1e-5 * spread:
            break
    low, high = np.argsort(means)
    return Mixture(
        (float(means[low]), float(means[high])),
        (float(sigmas[low]), float(sigmas[high])),
        (float(shares[low]), float(shares[high])),
    )


def _split(
    x: NDArray[np.float64], n: NDArray[np.float64], least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Start: the two halves between which the variance is greatest (Otsu)."""
    below = np.cumsum(n)
    sums = np.cumsum(n * x)
    between = np.zeros(x.size)
    cut = slice(0, x.size - 1)
    above = below[-1] - below[cut]
    between[cut] = (sums[-1] * below[cut] / below[-1] - sums[cut]) ** 2 / np.maximum(below[cut] * above, 1e-12)
    edge = int(np.argmax(between)) + 1
    means, sigmas, shares = np.empty(2), np.empty(2), np.empty(2)
    for place, part in enumerate((slice(0, edge), slice(edge, None))):
        means[place] = np.average(x[part], weights=n[part])
        sigmas[place] = max(np.sqrt(np.average((x[part] - means[place]) ** 2, weights=n[part])), least)
        shares[place] = n[part].sum() / below[-1]
    return means, sigmas, shares
