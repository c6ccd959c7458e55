"""Probability of detection (POD) from hits and misses, as MIL-HDBK-1823A and ASTM E2862 have it.

The model is logit POD = b0 + b1 ln(size), with a further term for each further factor, by maximum likelihood. Bounds
are one-sided at 95 % each. They are Wald's, of the logit at each size, as in E2862: a90/95 is the size at which the
lower one crosses 0.9. Where hits and misses all but part, Wald's know no end, and bounds are by the likelihood ratio:
sizes, or PODs, whose best model lies at most 1.353 = chi2(0.90; 1) / 2 below the best of all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, linprog
from scipy.special import expit, log1p
from scipy.stats import chi2, norm

CONFIDENCE = 0.95
"""Of each bound by itself."""
_DROP = float(chi2.ppf(2 * CONFIDENCE - 1, 1)) / 2
_Z = float(norm.ppf(CONFIDENCE))
_FEWEST = 3
"""Hits, and misses: of fewer, one flaw decides the slope and even its sign."""
_FAR = 200.0
"""In units of ln(size) or of the logit: a bound that lies farther away is none."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Why = Literal["none", "all hit", "all missed", "separated", "few", "flat", "falls", "not converged"]
By = Literal["Wald", "likelihood ratio"]


class NoCurveError(ValueError):
    """No POD curve can be told from these hits and misses; the message says why, and what would help."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why: Why = why


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A fitted model; its first factor is the one whose curve it is."""

    names: tuple[str, ...]
    logs: Floats
    """(n, factors): ln(size) less `centre`."""
    centre: Floats
    """Mean of ln(size) of each factor."""
    hits: Bools
    beta: Floats
    """Intercept, and the slope of each factor."""
    covariance: Floats
    """Of `beta`: the inverse of the information (Wald)."""
    log_likelihood: float

    def pod(self, sizes: Floats) -> Floats:
        """POD of flaws (m, factors), or (m,) where there is one factor."""
        return np.asarray(expit(self.beta[0] + self._centred(sizes) @ self.beta[1:]), np.float64)

    def size(self, share: float, others: Sequence[float] = ()) -> float:
        """Size of the first factor at which POD is `share`, the others at these sizes (default: geometric means)."""
        rest = float(self._rest(others) @ self.beta[2:])
        return _exp(self.centre[0] + (_logit(share) - self.beta[0] - rest) / self.beta[1])

    @property
    def bounds_by(self) -> By:
        """Wald, but where its bounds of the slope hold 0 although the likelihood says that the size matters."""
        return "Wald" if self.beta[1] > _Z * math.sqrt(self.covariance[1, 1]) else "likelihood ratio"

    def size_bounds(self, share: float, others: Sequence[float] = (), by: By | None = None) -> tuple[float, float]:
        """Lower and upper 95 % bound of that size; 0 and inf where there is none.

        The upper one of 0.9 is a90/95: from there on the lower bound of POD is above 0.9.
        """
        rest = self._rest(others)
        best, step = math.log(self.size(share, others)) - self.centre[0], 1 / self.beta[1]
        outside = self._outside(by)

        def beyond(log_size: float) -> float:
            return outside(np.concatenate([[log_size], rest]), _logit(share))

        low, high = _edge(beyond, best, -step), _edge(beyond, best, step)
        return _exp(low + self.centre[0]), _exp(high + self.centre[0])

    def band(self, sizes: Floats, others: Sequence[float] = (), by: By | None = None) -> tuple[Floats, Floats]:
        """Lower and upper 95 % bound of POD, each one-sided, at sizes (m,) of the first factor."""
        rest = self._rest(others)
        outside = self._outside(by)
        bounds = np.empty((len(sizes), 2))
        for place, size in enumerate(sizes):
            at = np.concatenate([[math.log(size) - self.centre[0]], rest])
            best, spread = self._logit_at(at)

            def beyond(logit: float, at: Floats = at) -> float:
                return outside(at, logit)

            bounds[place] = expit(_edge(beyond, best, -_Z * spread)), expit(_edge(beyond, best, _Z * spread))
        return bounds[:, 0], bounds[:, 1]

    def lack_of_fit(self) -> float:
        """Chance of hits as far from the model as these, were it true (Hosmer and Lemeshow 1980); under 0.05: doubt.

        1 where there are too few to tell.
        """
        chance = np.asarray(expit(self.beta[0] + self.logs @ self.beta[1:]))
        # Those of one size in any order: hits first would make groups of them.
        mixed = np.random.default_rng(0).permutation(len(chance))
        order = mixed[np.argsort(chance[mixed], kind="stable")]
        groups = _groups(chance[order], max(5, len(order) // 10))
        if len(groups) < 3:
            return 1.0
        total = 0.0
        for first, last in groups:
            members = order[first:last]
            expected = float(chance[members].sum())
            variance = expected * (1 - expected / (last - first))
            total += (float(self.hits[members].sum()) - expected) ** 2 / variance
        return float(chi2.sf(total, len(groups) - 2))

    def expected_hits(self, sizes: Floats) -> tuple[float, float]:
        """How many of such flaws are hit, and the standard deviation of that: by chance, and of the curve itself."""
        rows = np.column_stack([np.ones(len(sizes)), self._centred(sizes)])
        chance = expit(rows @ self.beta)
        spread = chance * (1 - chance)
        slope = spread @ rows
        return float(chance.sum()), math.sqrt(float(spread.sum() + slope @ self.covariance @ slope))

    def _centred(self, sizes: Floats) -> Floats:
        return np.asarray(np.log(np.asarray(sizes, np.float64).reshape(-1, len(self.centre))) - self.centre)

    def _rest(self, others: Sequence[float]) -> Floats:
        if not others:
            return np.zeros(len(self.centre) - 1)
        return np.log(np.asarray(others, np.float64)) - self.centre[1:]

    def _logit_at(self, at: Floats) -> tuple[float, float]:
        """The logit at centred logarithms of sizes, and its standard error."""
        row = np.concatenate([[1.0], at])
        return float(row @ self.beta), math.sqrt(row @ self.covariance @ row)

    def _outside(self, by: By | None) -> Callable[[Floats, float], float]:
        """Tells of a point and a logit there how far that lies outside the bounds: below 0 within."""

        def by_wald(at: Floats, logit: float) -> float:
            best, spread = self._logit_at(at)
            return abs(best - logit) / spread - _Z

        def by_likelihood(at: Floats, logit: float) -> float:
            offset = np.full(len(self.hits), logit)
            _, likelihood = _maximised(self.logs - at, self.hits, offset, self.beta[1:])
            return self.log_likelihood - likelihood - _DROP

        return by_wald if (by or self.bounds_by) == "Wald" else by_likelihood


def fit(sizes: Floats, hits: Bools, names: Sequence[str] = ("size",)) -> Curve:
    """The model of hits against sizes, all above 0: (n,), or (n, factors) of which the first is what the curve is of.

    Raises:
        NoCurveError: there is nothing, all or none was hit, hits and misses are separated (the best slope has no
            end), there are few of either, the first factor does not matter, or more of it is hit less.
        ValueError: a size is not above 0, or shapes do not agree.
    """
    table = np.asarray(sizes, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    hits = np.asarray(hits, np.bool_)
    if table.shape != (len(hits), len(names)) or not (np.isfinite(table).all() and (table > 0).all()):
        raise ValueError(f"{len(names)} sizes above 0 are needed of each of {len(hits)} flaws, found {table.shape}")
    count, hit = len(hits), int(hits.sum())
    if count == 0:
        raise NoCurveError("none", "there is no flaw to tell from")
    if hit == count:
        least = (1 - CONFIDENCE) ** (1 / count)
        raise NoCurveError("all hit", f"all {count} were hit (POD at least {least:.3f} with 95 %): try smaller ones")
    if hit == 0:
        most = 1 - (1 - CONFIDENCE) ** (1 / count)
        raise NoCurveError("all missed", f"all {count} were missed (POD at most {most:.3f} with 95 %): try larger ones")
    logs = np.log(table)
    centre = logs.mean(axis=0)
    logs = logs - centre
    design = np.column_stack([np.ones(count), logs])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise NoCurveError("flat", f"the {count} flaws are of one {names[0]}, or too alike: try flaws of other sizes")
    _refuse_separated(design, hits, table[:, 0])
    if min(hit, count - hit) < _FEWEST:
        words = f"{hit} of {count} were hit: {_FEWEST} hits and {_FEWEST} misses are the least that tell of a curve"
        raise NoCurveError("few", words)
    beta, likelihood = _maximised(design, hits, np.zeros(count), np.zeros(design.shape[1]))
    chance = expit(design @ beta)
    covariance = np.linalg.inv((design * (chance * (1 - chance))[:, None]).T @ design)
    _, without = _maximised(np.delete(design, 1, axis=1), hits, np.zeros(count), np.delete(beta, 1))
    if likelihood - without <= _DROP:
        raise NoCurveError(
            "flat", f"{hit} of {count} were hit, and {names[0]} makes no difference that can be told: try more flaws"
        )
    if beta[1] < 0:
        raise NoCurveError("falls", f"the more {names[0]}, the less is hit: such a curve has no a90")
    return Curve(tuple(names), logs, centre, hits, beta, np.asarray(covariance, np.float64), likelihood)


def rate_bounds(count: int, units: int) -> tuple[float, float]:
    """The exact 95 % interval (two-sided) of a mean count a unit, of so many in so many units (Garwood 1936)."""
    if units == 0:
        return 0.0, math.inf
    low = float(chi2.ppf(0.025, 2 * count)) / 2 if count else 0.0
    return low / units, float(chi2.ppf(0.975, 2 * count + 2)) / 2 / units


# --- likelihood ------------------------------------------------------------------------------------------------------


def _refuse_separated(design: Floats, hits: Bools, sizes: Floats) -> None:
    """Refuse hits and misses that a plane parts (Albert and Anderson 1984): their likelihood has no maximum."""
    if design.shape[1] > 2:
        signed = design * np.where(hits, 1.0, -1.0)[:, None]
        best = linprog(-signed.sum(axis=0), -signed, np.zeros(len(signed)), bounds=(-1, 1))
        if best.fun is None or -best.fun > 1e-7:
            raise NoCurveError("separated", "the factors part hits from misses without an overlap: try more flaws")
        return
    missed, hit = sizes[~hits], sizes[hits]
    if missed.max() <= hit.min():
        words = f"all up to {missed.max():.3g} were missed and all from {hit.min():.3g} on were hit"
        raise NoCurveError("separated", f"{words}: a50 lies between, no slope can be told; try more flaws there")
    if hit.max() > missed.min():
        return
    words = f"all up to {hit.max():.3g} were hit and all from {missed.min():.3g} on were missed"
    raise NoCurveError("falls", f"{words}: such a curve has no a90")


def _maximised(design: Floats, hits: Bools, offset: Floats, start: Floats) -> tuple[Floats, float]:
    """Coefficients of the greatest likelihood with that offset, and its logarithm; Newton's steps, halved as need be.

    Raises:
        NoCurveError: it does not converge.
    """
    sign = np.where(hits, 1.0, -1.0)

    def likelihood(beta: Floats) -> float:
        margin = sign * (offset + design @ beta)
        return -float(np.sum(np.maximum(-margin, 0) + log1p(np.exp(-np.abs(margin)))))

    beta = np.asarray(start, np.float64)
    value = likelihood(beta)
    scale = np.maximum(np.abs(design).max(axis=0, initial=0.0), 1e-300)
    for _ in range(200):
        chance = expit(offset + design @ beta)
        gradient = design.T @ (hits - chance)
        # A trace of ridge, in the units of each column: far out, where all chances are 0 or 1, there is still a step.
        information = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(1e-12 * scale**2)
        step = np.linalg.solve(information, gradient)
        for _ in range(60):
            new = likelihood(beta + step)
            if new >= value:
                break
            step = step / 2
        gained, value, beta = new - value, max(new, value), beta + step
        if abs(gained) < 1e-10 * (1 + abs(value)):
            return beta, value
    raise NoCurveError("not converged", "the fit does not converge: try more flaws")


def _groups(chance: Floats, least: int) -> list[tuple[int, int]]:
    """Stretches of rising chances with so many flaws at least, of which one hit and one miss are expected or more.

    Where less is expected, a single flaw would decide the statistic.
    """
    made, first = [], 0
    for last in range(1, len(chance) + 1):
        expected = float(chance[first:last].sum())
        if last - first >= least and expected >= 1 and last - first - expected >= 1:
            made.append((first, last))
            first = last
    if made and first < len(chance):
        made[-1] = (made[-1][0], len(chance))
    return made


def _edge(drop: Callable[[float], float], inside: float, step: float) -> float:
    """Where `drop` rises through 0 on the way from a point at which it is below; infinite where it does not."""
    near, far = inside, inside + step
    while drop(far) < 0:
        near, step = far, 2 * step
        far = near + step
        if abs(far - inside) > _FAR:
            return math.copysign(math.inf, step)
    return float(brentq(drop, near, far, xtol=1e-6))


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


def _exp(value: float) -> float:
    """Infinite where a float has no room for it."""
    return math.exp(value) if value < 700 else math.inf
