"""The paper's figures 15 and 16: how feature values are distributed, and what the threshold's fraction does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from daemon.lab.study.measure import Record, Setting, figures
from daemon.lab.study.methods import PixelMethod, Rule, shipped, shipped_learnt
from daemon.lab.study.sheets import Plate
from models.detector.mixture import fit
from models.measure.assessment import Found, Scored, TruthBox
from stages.plate import Window

FRACTIONS = (0.001, 0.003, 0.005, 0.01)
"""The paper's, of a window's pixels (M 167)."""
EDGES = np.linspace(-20.0, 16.0, 145)
"""Bounds of the bins, feature units; what lies beyond counts in the last ones."""
_KINDS = ("with a crack", "without a crack", "at the sheet's edge")
_MEANS = ("mu_3sigma", "top_fraction", "beyond_floor", "upper_share", "crack_share")
_LEAST_OF_CRACK = 60


def distributions(setting: Setting, seed: int) -> Record:
    """Histograms of feature values in windows with and without cracks and at the sheet's edge; plain and noisy.

    For each kind also the mean of the published thresholds and of the share of pixels beyond the learnt floor.
    """
    del seed
    learnt = shipped_learnt()
    method = PixelMethod(shipped(), learnt, Rule())
    kinds: Record = {}
    for noisy in (False, True):
        for plate in setting.plates(setting.scale, ("noise",) if noisy else ()):
            setting.say(f"values of {plate.name}")
            shape, values = method.prepare(plate.image)
            for window, part in values:
                kind = _kind(window, shape, plate)
                if kind is None or (noisy and kind != "without a crack"):
                    continue
                kept = kinds.setdefault(kind + (", under noise" if noisy else ""), _empty())
                _add(kept, part, learnt.floor)
                cracks = sum(_pixels_inside(one, window) for one in plate.truth)
                kept["crack_share"] += cracks / (window.width * window.height)
    for one in kinds.values():
        windows = max(1, one["windows"])
        for name in _MEANS:
            one[name] = round(one[name] / windows, 5)
    return {
        "edges": [float(edge) for edge in EDGES],
        "floor": learnt.floor,
        "kinds": dict(sorted(kinds.items(), key=_order)),
    }


def _order(kind: tuple[str, Record]) -> tuple[int, str]:
    return next(place for place, name in enumerate(_KINDS) if kind[0].startswith(name)), kind[0]


def _empty() -> Record:
    return {"windows": 0, "counts": [0] * (len(EDGES) - 1), **dict.fromkeys(_MEANS, 0.0)}


def _add(kind: Record, part: NDArray[np.float32], floor: float) -> None:
    valid = part[np.isfinite(part)]
    if valid.size == 0:
        return
    counts, _ = np.histogram(np.clip(valid, EDGES[0], EDGES[-1]), EDGES)
    mixture = fit(valid)
    kind["windows"] += 1
    kind["counts"] = [old + int(new) for old, new in zip(kind["counts"], counts, strict=True)]
    kind["mu_3sigma"] += mixture.means[1] + 3 * mixture.sigmas[1]
    kind["upper_share"] += mixture.shares[1]
    kind["top_fraction"] += float(np.quantile(valid, 1 - 0.003))
    kind["beyond_floor"] += float((valid >= floor).mean())


def _kind(window: Window, shape: tuple[int, ...], plate: Plate) -> str | None:
    """What a window shows; None for those that hold a mere rest of a crack."""
    inside = sum(_pixels_inside(one, window) for one in plate.truth)
    if inside:
        return _KINDS[0] if inside >= _LEAST_OF_CRACK else None
    rows, columns = shape
    at_edge = window.x == 0 or window.y == 0 or window.x + window.width >= columns or window.y + window.height >= rows
    return _KINDS[2] if at_edge else _KINDS[1]


def _pixels_inside(one: TruthBox, window: Window) -> int:
    """Pixels of a crack that lie in a window."""
    assert one.pixels is not None
    x, y, width, height = one.box
    left, top = max(window.x - x, 0), max(window.y - y, 0)
    right, bottom = min(window.x + window.width - x, width), min(window.y + window.height - y, height)
    return int(one.pixels[top:bottom, left:right].sum()) if left < right and top < bottom else 0


# --- the fraction ----------------------------------------------------------------------------------------------------


def fractions(setting: Setting, seed: int) -> Record:
    """What each fraction finds on whole sheets, and in windows that hold a crack, which is what the paper shows."""
    del seed
    rules = {fraction: Rule("top_fraction", fraction) for fraction in FRACTIONS}
    methods = {fraction: PixelMethod(shipped(), shipped_learnt(), rule) for fraction, rule in rules.items()}
    sheets: dict[float, list[Scored]] = {fraction: [] for fraction in FRACTIONS}
    windows: dict[float, list[Scored]] = {fraction: [] for fraction in FRACTIONS}
    for plate in setting.plates(setting.scale, ()):
        setting.say(f"looking at {plate.name}")
        # The values are the same whatever is made of them.
        (rows, columns), values = prepared = methods[FRACTIONS[0]].prepare(plate.image)
        for fraction, method in methods.items():
            found = tuple(method.find(prepared, ()))
            sheets[fraction].append(Scored(plate.name, plate.name, plate.truth, found, rows=rows, columns=columns))
            windows[fraction] += _windows(method, values, plate)
    return {
        "sheets": {f"{fraction:g}": figures(scored) for fraction, scored in sheets.items()},
        "cracked_windows": {f"{fraction:g}": figures(scored, each=False) for fraction, scored in windows.items()},
    }


def _windows(method: PixelMethod, values: list[tuple[Window, NDArray[np.float32]]], plate: Plate) -> Iterator[Scored]:
    """Windows that hold cracks as pictures of their own; rests of cracks count neither way."""
    for window, part in values:
        inside = [(one, _pixels_inside(one, window)) for one in plate.truth]
        if not any(count >= _LEAST_OF_CRACK for _, count in inside):
            continue
        truth = tuple(
            TruthBox((one.box[0] - window.x, one.box[1] - window.y, *one.box[2:]), asked=count >= _LEAST_OF_CRACK)
            for one, count in inside
            if count
        )
        alone = Window(0, 0, 0, 0, window.width, window.height)
        found: tuple[Found, ...] = tuple(method.find(((window.height, window.width), [(alone, part)]), ()))
        name = f"{plate.name}-{window.index}"
        yield Scored(name, plate.name, truth, found, rows=window.height, columns=window.width)
