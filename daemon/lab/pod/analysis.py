"""From hits and misses to figures: curves by contrast, width and length, false calls; plain values that JSON knows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from daemon.lab.pod.experiment import Outcome, Painted
from daemon.lab.pod.forms import FORMS
from daemon.lab.pod.sizes import Ranges
from models.measure.assessment import Share
from models.measure.pod import CONFIDENCE, Curve, NoCurveError, fit, rate_bounds

LEAST_FLAWS = 60
"""As E2862 and MIL-HDBK-1823A ask for hits and misses."""
SHARES = (0.1, 0.5, 0.9)
_POINTS, _BINS, _RESAMPLES = 61, 8, 200
_FEW_SHEETS = 5
_NOT_PROOF = (
    "Painting is not proof. Paint has the ground's own noise and no relief of its own, and nobody knows whether your "
    "cracks look like it. Compare with real ones (--real) before you rely on a figure."
)
_DOUBT = 0.01
"""Chance below which a curve is said not to fit."""

Factor = Literal["contrast", "width", "length"]
FACTORS: tuple[Factor, ...] = ("contrast", "width", "length")
Floats = NDArray[np.float64]
Figures = dict[str, Any]


def figures(outcome: Outcome, facts: Figures) -> Figures:
    """All that is said, as values that JSON knows."""
    ranges = outcome.ranges
    forms = {}
    for form in FORMS:
        seen = [one for one in outcome.painted if one.form == form]
        forms[form] = _form(seen, ranges) | {
            "without_room": outcome.unplaced.get(form, 0),
            "found_beside": outcome.beside.get(form, 0),
        }
    return {
        "facts": facts,
        "headline": next(iter(FORMS)),
        "ranges": {
            "contrast": _factor(ranges.contrast, "grey levels"),
            "width": _factor((ranges.narrow[0], ranges.width[1]), "px"),
            "usual_width": _factor(ranges.width, "px"),
            "length": _factor(ranges.length, ranges.unit),
        },
        "forms": forms,
        "false_calls": _false_calls(outcome),
        "left_out": [{"name": name, "why": why} for name, why in outcome.left_out],
        "cracks": [_crack(one) for one in outcome.painted],
    }


def warnings_of(result: Figures) -> list[str]:
    """What a reader must know before he believes the figures."""
    form, calls = result["forms"][result["headline"]], result["false_calls"]
    said = [_NOT_PROOF]
    if result["facts"]["simulated"]:
        said.append(
            "The sheets are simulated, by the simulator that the detector learnt from. On your metal it does worse: "
            "give --data with images of good sheets."
        )
    if form["usual"] < LEAST_FLAWS:
        said.append(f"{form['usual']} cracks are too few: the standards ask for {LEAST_FLAWS}. Give more sheets.")
    if form["without_room"]:
        said.append(
            f"{form['without_room']} cracks found no room, the longest first: the figures lean to short ones. "
            "Give more or larger sheets."
        )
    if calls["sheets"] < _FEW_SHEETS:
        said.append(
            f"Only {calls['sheets']} sheets: cracks of one sheet are alike, and the bounds take each as independent."
        )
    if calls["count"]:
        said.append(
            f"{calls['count']} defects were found before anything was painted. They count as false calls; look at "
            "them, for one may be a crack that was overlooked."
        )
    real = result["real"]
    promises = [] if real is None else [one for one in real["promised"].values() if one["hits"] is not None]
    if promises:
        low, high = min(one["lower"] for one in promises), max(one["upper"] for one in promises)
        if not low <= real["hit"] <= high:
            than = "harder" if real["hit"] < low else "easier"
            said.append(
                f"Real cracks are {than} to find than painted ones of their size: {real['hit']} of {real['cracks']} "
                f"were found, the paint promises {low:.0f} to {high:.0f}. Believe the real ones."
            )
    return said


def sizes_of(seen: Sequence[Painted]) -> Floats:
    """Contrast, width and length of each, (n, 3)."""
    return np.array([(one.sizes.contrast, one.sizes.width, one.sizes.length) for one in seen]).reshape(-1, 3)


def joint(sizes: Floats, hits: NDArray[np.bool_], factor: Factor) -> Curve:
    """The curve of one factor in a model of all three.

    Raises:
        NoCurveError: there is none.
    """
    order = [FACTORS.index(factor), *(place for place, name in enumerate(FACTORS) if name != factor)]
    return fit(sizes[:, order], hits, [FACTORS[place] for place in order])


def predicted(seen: Sequence[Painted]) -> Floats | None:
    """POD of each by the model of all three sizes; None where there is none."""
    sizes, hits = sizes_of(seen), np.array([one.hit for one in seen], np.bool_)
    curve = attempted(joint, sizes, hits, "contrast")
    return None if isinstance(curve, NoCurveError) else np.clip(curve.pod(sizes), 1e-9, 1 - 1e-9)


def _factor(span: tuple[float, float], unit: str) -> Figures:
    return {"low": span[0], "high": span[1], "unit": unit}


def _form(seen: Sequence[Painted], ranges: Ranges) -> Figures:
    sizes, hits = sizes_of(seen), np.array([one.hit for one in seen], np.bool_)
    usual = sizes[:, 1] >= ranges.width[0]
    # Narrow cracks tell of the width alone: at any contrast most of them are lost.
    taken = {"contrast": usual, "width": np.ones_like(usual), "length": usual}
    spans: dict[Factor, tuple[float, float]] = {
        "contrast": ranges.contrast,
        "width": (ranges.narrow[0], ranges.width[1]),
        "length": ranges.length,
    }
    curves = {
        name: described(
            attempted(fit, sizes[taken[name], place], hits[taken[name]], (name,)),
            span,
            bins=bins_of(sizes[taken[name], place], hits[taken[name]]),
        )
        for place, (name, span) in enumerate(spans.items())
    }
    middle = {name: math.sqrt(low * high) for name, (low, high) in (spans | {"width": ranges.width}).items()}
    # What is asked of width and length is asked of a crack that is found nine times in ten on the whole.
    clear = {**middle, "contrast": curves["contrast"]["a90"] or spans["contrast"][1]}
    at_fixed = {}
    for name, span in spans.items():
        fixed = middle if name == "contrast" else clear
        others = {other: fixed[other] for other in FACTORS if other != name}
        curve = attempted(joint, sizes[taken[name]], hits[taken[name]], name)
        at_fixed[name] = described(curve, span, others=tuple(others.values())) | {"others": others}
    return {
        "painted": len(seen),
        "hit": int(hits.sum()),
        "usual": int(usual.sum()),
        "curves": curves,
        "at_fixed_others": at_fixed,
        "contrast_a90": _grid(sizes, hits, spans),
        "contrast_a90_95_by_sheets": _by_sheets([one for one, own in zip(seen, usual, strict=True) if own]),
        "sheets": [
            {"name": name, "hit": sum(one.hit for one in seen if one.sheet == name), "painted": count}
            for name, count in Counter(one.sheet for one in seen).items()
        ],
    }


def attempted(fitted: Callable[..., Curve], *args: Any) -> Curve | NoCurveError:  # noqa: ANN401 - of `fitted`
    """The curve, or why there is none."""
    try:
        return fitted(*args)
    except NoCurveError as error:
        return error


def described(
    curve: Curve | NoCurveError,
    span: tuple[float, float],
    *,
    others: Sequence[float] = (),
    bins: Sequence[Figures] = (),
) -> Figures:
    """A curve as plain values; what lies beyond the painted range is not told: None, and named in `beyond`."""
    none: Figures = {"a50": None, "a90": None, "a90_95": None, "a90_at_least": None, "beyond": {}, "bins": list(bins)}
    if isinstance(curve, NoCurveError):
        return none | {"why": curve.why, "words": str(curve)}
    a90_low, a90_high = curve.size_bounds(0.9, others)
    told = {
        "a50": curve.size(0.5, others),
        "a90": curve.size(0.9, others),
        "a90_95": a90_high,
        "a90_at_least": a90_low,
        "a90_95_likelihood_ratio": curve.size_bounds(0.9, others, "likelihood ratio")[1],
    }
    beyond = [name for name, value in told.items() if not span[0] <= value <= span[1]]
    at = np.geomspace(*span, _POINTS)
    table = np.column_stack([at, *(np.full(_POINTS, other) for other in others)])
    lower, upper = curve.band(at, others)
    lack = curve.lack_of_fit()
    return (
        none
        | {name: None if name in beyond else value for name, value in told.items()}
        | {
            "why": None,
            "words": "; ".join(_doubts(curve, lack, bins)),
            "beyond": {name: "below" if told[name] < span[0] else "above" for name in beyond},
            "bounds_by": curve.bounds_by,
            "intercept": float(curve.beta[0] - curve.beta[1:] @ curve.centre),
            "slopes": dict(zip(curve.names, curve.beta[1:].tolist(), strict=True)),
            "lack_of_fit": lack,
            "points": {
                "size": at.tolist(),
                "pod": curve.pod(table).tolist(),
                "lower": lower.tolist(),
                "upper": upper.tolist(),
            },
        }
    )


def _doubts(curve: Curve, lack: float, bins: Sequence[Figures]) -> list[str]:
    """What speaks against reading the line."""
    said = ["the hits do not follow the curve well: read the points, not the line"] if lack < _DOUBT else []
    largest = bins[-1] if bins else None
    if largest is not None and largest["upper"] < float(curve.pod(np.array([largest["size"]]))[0]):
        said.append(f"of the {largest['of']} largest only {largest['hit']} were hit, fewer than the curve says")
    return said


def bins_of(sizes: Floats, hits: NDArray[np.bool_]) -> list[Figures]:
    """Hits of groups of like size, with exact 95 % intervals."""
    made = []
    for members in np.array_split(np.argsort(sizes, kind="stable"), min(_BINS, max(1, len(sizes) // 8))):
        if len(members):
            share = Share(int(hits[members].sum()), len(members))
            made.append(
                {
                    "low": float(sizes[members].min()),
                    "high": float(sizes[members].max()),
                    "size": float(np.exp(np.log(sizes[members]).mean())),
                    "hit": share.count,
                    "of": share.of,
                    "lower": share.lower,
                    "upper": share.upper,
                }
            )
    return made


def _by_sheets(seen: Sequence[Painted]) -> float | None:
    """The a90/95 of the contrast where whole sheets are drawn anew: cracks of one sheet are not independent.

    None for fewer than five sheets, and where more than one draw in twenty has no a90.
    """
    names = [one.sheet for one in seen]
    groups = [np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)]
    if len(groups) < _FEW_SHEETS:
        return None
    contrasts, hits = sizes_of(seen)[:, 0], np.array([one.hit for one in seen], np.bool_)
    rng, a90 = np.random.default_rng(0), np.full(_RESAMPLES, math.inf)
    for place in range(_RESAMPLES):
        drawn = np.concatenate([groups[group] for group in rng.integers(0, len(groups), len(groups))])
        curve = attempted(fit, contrasts[drawn], hits[drawn])
        if isinstance(curve, Curve):
            a90[place] = curve.size(0.9)
    bound = float(np.quantile(a90, CONFIDENCE, method="higher"))
    return bound if math.isfinite(bound) else None


def _grid(sizes: Floats, hits: NDArray[np.bool_], spans: dict[Factor, tuple[float, float]]) -> list[Figures]:
    """The contrast at which POD is 0.9, for narrow, middling and wide cracks, short, middling and long ones."""
    try:
        curve = joint(sizes, hits, "contrast")
    except NoCurveError:
        return []
    made = []
    for width in _thirds(spans["width"]):
        for length in _thirds(spans["length"]):
            a90 = curve.size(0.9, (width, length))
            bound = curve.size_bounds(0.9, (width, length))[1]
            most = spans["contrast"][1]
            told: Figures = {"a90": a90 if a90 <= most else None, "a90_95": bound if bound <= most else None}
            made.append(told | {"width": width, "length": length})
    return made


def _thirds(span: tuple[float, float]) -> list[float]:
    """The middles of the lower, middle and upper third of a range, by logarithms."""
    low, high = math.log(span[0]), math.log(span[1])
    return [math.exp(low + (high - low) * share) for share in (1 / 6, 1 / 2, 5 / 6)]


def _false_calls(outcome: Outcome) -> Figures:
    clean = list(outcome.clean.values())
    count = sum(len(one.found) for one in clean)
    lower, upper = rate_bounds(count, len(clean))
    called = Share(sum(one.verdict == "NG" for one in clean), len(clean))
    return {
        "sheets": len(clean),
        "count": count,
        "a_sheet": count / len(clean),
        "lower": lower,
        "upper": upper,
        "called_ng": called.count,
        "called_ng_lower": called.lower,
        "called_ng_upper": called.upper,
        "mpx": sum(one.rows * one.columns for one in clean) / 1e6,
        "verdicts": dict(Counter(one.verdict for one in clean)),
        "by_sheet": [
            {
                "name": one.sheet,
                "verdict": one.verdict,
                "reason": one.reason,
                "found": [{"box": list(box), "score": score} for box, score in one.found],
            }
            for one in clean
        ],
    }


def _crack(one: Painted) -> Figures:
    return {
        "form": one.form,
        "sheet": one.sheet,
        "box": list(one.box),
        "contrast": one.sizes.contrast,
        "step": one.sizes.step,
        "width": one.sizes.width,
        "length": one.sizes.length,
        "angle": one.angle,
        "dark": one.dark,
        "measured": {
            "contrast": one.measured.contrast,
            "width": one.measured.width,
            "length": one.measured.length,
        },
        "hit": one.hit,
        "score": one.score,
    }
