"""How good a detector is: recall, precision and their kin over plates, by property, with intervals (FACTS.md 5).

Pure: takes what was true and what was found of each plate or picture, and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from models.measure.matching import Match, judge, meeting
from models.measure.scored import By, Found, Scored, TruthBox, outcome

__all__ = [
    "PROPERTIES",
    "Bin",
    "By",
    "Called",
    "Curve",
    "Found",
    "Scored",
    "Share",
    "Summary",
    "TruthBox",
    "by_property",
    "clean_share",
    "escape_share",
    "middle",
    "outcome",
    "precision_recall",
    "resampled",
    "split",
    "summary",
]
RESAMPLES = 2000
Interval = tuple[float, float]


# --- the figures of a set of plates ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """The figures of a set of plates."""

    match: Match
    by_mask: Match
    """The same, where pairs must share a pixel."""
    plates: int
    clusters: int
    clusters_found: int
    """Those of which at least one crack was matched."""
    hidden: int
    """Cracks under 30 % visible, counted apart."""
    hidden_found: int
    intervals: dict[str, Interval] = field(default_factory=dict)
    """95 % intervals of recall, precision, f1, fpb and mdb by resampling groups; none for a single group."""

    @property
    def recall(self) -> float:
        """Of the defects, those found."""
        return self.match.recall

    @property
    def precision(self) -> float:
        """Of what was found, the defects."""
        return self.match.precision

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return self.match.f1

    @property
    def fpb(self) -> float:
        """False ones a plate (the paper's FPB)."""
        return self.match.false / self.plates if self.plates else 0.0

    @property
    def mdb(self) -> float:
        """Missed defects a plate (the paper's MDB)."""
        return self.match.missed / self.plates if self.plates else 0.0

    @property
    def defects(self) -> int:
        """Defects that must be found."""
        return self.match.true + self.match.missed

    @property
    def fragments(self) -> int:
        """False ones that lie on a defect which another found box has taken."""
        return self.match.fragments

    @property
    def shared(self) -> int:
        """Missed ones on which a found box lies that another defect has taken."""
        return self.match.shared


def summary(scored: Sequence[Scored], at: float = 0.5, *, resamples: int = RESAMPLES, seed: int = 0) -> Summary:
    """The figures of these plates at a least score; intervals by resampling their groups `resamples` times."""
    matches: list[Match] = []
    masks = Match()
    clusters = clusters_found = hidden = hidden_found = 0
    for plate in scored:
        found, judgement = outcome(plate, at)
        matches.append(judgement.match)
        masks += outcome(plate, at, "mask")[1].match
        members = [index if one.cluster is None else -1 - one.cluster for index, one in enumerate(plate.judged)]
        clusters += len(set(members))
        clusters_found += len({members[index] for index in judgement.taken if index >= 0})
        under = [one.box for one in plate.ignored if one.asked]
        hidden += len(under)
        hidden_found += int(meeting([one.box for one in found], under).any(axis=0).sum())
    return Summary(
        match=sum(matches, Match()),
        by_mask=masks,
        plates=len(scored),
        clusters=clusters,
        clusters_found=clusters_found,
        hidden=hidden,
        hidden_found=hidden_found,
        intervals=_intervals([plate.group for plate in scored], matches, resamples, seed),
    )


def _intervals(groups: Sequence[str], matches: Sequence[Match], resamples: int, seed: int) -> dict[str, Interval]:
    counted = np.array([(one.true, one.missed, one.false, 1) for one in matches], np.float64)
    drawn = resampled(groups, counted, resamples, seed)
    if drawn is None:
        return {}
    true, missed, false, plates = drawn.T
    with np.errstate(invalid="ignore"):
        recall, precision = true / (true + missed), true / (true + false)
        f1 = 2 * true / (2 * true + false + missed)
    figures = {"recall": recall, "precision": precision, "f1": f1, "fpb": false / plates, "mdb": missed / plates}
    return middles(figures)


def resampled(
    groups: Sequence[str], counts: NDArray[np.float64], resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64] | None:
    """Sums of counts (n, k) over groups that are drawn anew, whole, with replacement: (resamples, k).

    None for fewer than two groups: nothing can be said of others then.
    """
    names, place = np.unique(np.array(groups, np.str_), return_inverse=True)
    if len(names) < 2 or resamples < 1:
        return None
    of_group = np.zeros((len(names), counts.shape[1]))
    np.add.at(of_group, place, counts)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    return np.asarray(drawn @ of_group, np.float64)


def middle(values: NDArray[np.float64]) -> Interval:
    """The 95 % interval of resampled figures."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def middles(figures: Mapping[str, NDArray[np.float64]]) -> dict[str, Interval]:
    """The intervals of several resampled figures, without those that no draw says anything of.

    A draw without a crack says nothing of recall, which is NaN there: counted as 1 it would lift the bound.
    """
    told = {name: values[np.isfinite(values)] for name, values in figures.items()}
    return {name: middle(values) for name, values in told.items() if values.size}


# --- shares of plates --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with the exact 95 % interval (Clopper and Pearson 1934)."""

    count: int
    of: int

    @property
    def share(self) -> float:
        """0 of none."""
        return self.count / self.of if self.of else 0.0

    @property
    def lower(self) -> float:
        """Lower bound; 0 where nothing was looked at."""
        return float(betaincinv(self.count, self.of - self.count + 1, 0.025)) if self.count else 0.0

    @property
    def upper(self) -> float:
        """Upper bound; 1 where nothing was looked at."""
        return float(betaincinv(self.count + 1, self.of - self.count, 0.975)) if self.count < self.of else 1.0


@dataclass(frozen=True, slots=True)
class Called:
    """Plates that got a verdict which they should not have."""

    plates: Share
    groups: Share
    """Groups with such a plate; only their bounds hold where a group has several plates, which are not independent."""


def clean_share(scored: Iterable[Scored], at: float = 0.5) -> Called:
    """Defect-free plates that are called NG."""
    return _called([plate for plate in scored if not plate.truth], "NG", at)


def escape_share(scored: Iterable[Scored], at: float = 0.5) -> Called:
    """Plates with a defect that must be found, yet called OK."""
    return _called([plate for plate in scored if plate.judged], "OK", at)


def _called(plates: Sequence[Scored], verdict: str, at: float) -> Called:
    wrong = [plate.group for plate in plates if plate.called(at) == verdict]
    groups = Share(len(set(wrong)), len({plate.group for plate in plates}))
    return Called(Share(len(wrong), len(plates)), groups)


# --- by property -------------------------------------------------------------------------------------------------

PROPERTIES: dict[str, tuple[Callable[[TruthBox], float | None], tuple[float, ...]]] = {
    "width_px": (lambda one: one.width_px, (5, 7, 10, 14, 18, 22)),
    "height_grey": (lambda one: one.height_grey, (7, 12, 18, 26, 36, 47)),
    "contrast_to_noise": (lambda one: one.contrast_to_noise, (1, 2, 3, 4, 6, 10)),
    "length_mm": (lambda one: one.length_mm, (1, 2, 4, 8, 12)),
    "length_px": (lambda one: one.length_px, (25, 50, 100, 200, 400)),
}
"""Name, how to read it, and the bounds between its bins."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The defects of which a property lies in [low, high)."""

    low: float
    high: float
    """Infinite in the last bin."""
    recall: Share
    groups: int
    """That hold one of them."""
    interval: Interval
    """95 % interval of recall by resampling groups; where all draws say the same, of one group or of groups that agree,
    the exact one, as if each defect stood alone."""


def by_property(scored: Sequence[Scored], name: str, at: float = 0.5) -> tuple[Bin, ...]:
    """Recall by one of PROPERTIES; bins without a defect are left out, as are defects of which it is not known.

    Raises:
        ValueError: no such property.
    """
    if name not in PROPERTIES:
        raise ValueError(f"unknown property {name!r}: choose from {', '.join(PROPERTIES)}")
    read, inner = PROPERTIES[name]
    edges = (0.0, *inner, np.inf)
    counted = np.zeros((len(scored), len(edges) - 1, 2))
    for row, plate in zip(counted, scored, strict=True):
        taken = set(outcome(plate, at)[1].taken)
        for index, one in enumerate(plate.judged):
            value = read(one)
            if value is not None:
                place = int(np.clip(np.searchsorted(edges, value, "right") - 1, 0, len(row) - 1))
                row[place] += index in taken, 1
    return tuple(
        _bin(edges[k], edges[k + 1], [plate.group for plate in scored], counted[:, k])
        for k in range(len(edges) - 1)
        if counted[:, k].any()
    )


def _bin(low: float, high: float, groups: Sequence[str], counted: NDArray[np.float64]) -> Bin:
    """A bin from the defects of each plate that were found, and all of them: (plates, 2)."""
    found, defects = counted.sum(axis=0).tolist()
    recall = Share(int(found), int(defects))
    exact = interval = (recall.lower, recall.upper)
    drawn = resampled(groups, counted)
    if drawn is not None:
        with np.errstate(invalid="ignore"):
            interval = middles({"recall": drawn[:, 0] / drawn[:, 1]}).get("recall", exact)
    holding = {group for group, some in zip(groups, counted[:, 1], strict=True) if some}
    return Bin(low, high, recall, len(holding), interval if interval[0] < interval[1] else exact)


def split(scored: Sequence[Scored], by: Literal["kind", "interference"]) -> dict[str, list[Scored]]:
    """The plates of each kind or interference, in the order in which they come."""
    parts: dict[str, list[Scored]] = {}
    for plate in scored:
        parts.setdefault(plate.kind if by == "kind" else plate.interference, []).append(plate)
    return parts


# --- over scores -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Curve:
    """Recall and precision by least score, from the highest score down."""

    scores: tuple[float, ...]
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    average_precision: float
    """Area below the curve, each recall at the best precision that this or a higher recall has."""


def precision_recall(scored: Sequence[Scored], points: int = 60) -> Curve:
    """The curve over at most so many scores, by one-to-one matching at each.

    Uses what a lower floor finds (`Scored.faint`) where that is known. Empty where nothing was found.
    """
    plates = []
    every: list[float] = []
    for plate in scored:
        found = sorted(plate.found if plate.faint is None else plate.faint, key=lambda one: -one.score)
        boxes = [one.box for one in found]
        meets = meeting(boxes, [one.box for one in plate.judged])
        ignored = meeting(boxes, [one.box for one in plate.ignored])
        plates.append((np.array([one.score for one in found]), meets, ignored))
        every.extend(one.score for one in found)
    cuts = np.unique(every)[::-1]
    if len(cuts) > points:
        cuts = np.unique(np.quantile(every, np.linspace(0, 1, points), method="nearest"))[::-1]
    recall, precision = [], []
    for cut in cuts:
        total = Match()
        for scores, meets, ignored in plates:
            count = int((scores >= cut).sum())
            total += judge(meets[:count], ignored[:count]).match
        recall.append(total.recall)
        precision.append(total.precision)
    best = np.maximum.accumulate(np.array(precision)[::-1])[::-1]
    area = float(np.sum(np.diff(recall, prepend=0.0) * best)) if recall else 0.0
    return Curve(tuple(cuts.tolist()), tuple(recall), tuple(precision), area)
