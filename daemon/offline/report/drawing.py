"""The plots of a report. No text from outside stands in them, so none can break a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from daemon.offline.pages import svg
from daemon.offline.report.drift import UNITS, Drift
from daemon.offline.report.verdicts import OverTime, Why
from daemon.store.period import Floats, local
from daemon.store.places import OfProduct, Sizes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = 7.2
"""Inches: what a sheet of A4 has between its margins."""
_OK, _NG, _UNSURE, _OPEN = "#2a7d46", "#c42020", "#c78500", "#9aa5b1"
_INK, _VETOED = "#0b5fa5", "#9ab8d4"
_MOST_POINTS = 3_000
"""Defects that are drawn one by one; more of them are counted in squares."""
_CELLS = 120
"""Squares along a sheet's longer side."""
_TALL = 3.7
"""Inches that the map of a sheet is high at most."""


def verdicts(over: OverTime) -> str:
    """Sheets by verdict over time, and the share of NG above them."""
    figure = _figure(3.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    middles, widths = (over.edges[:-1] + over.edges[1:]) / 2, np.diff(over.edges)
    base = np.zeros(len(middles))
    for name, colour in (("ok", _OK), ("ng", _NG), ("inconclusive", _UNSURE), ("open", _OPEN)):
        heights = np.array([getattr(one, name) for one in over.counts], np.float64)
        if heights.any():
            label = name if name == "open" else name.upper()
            below.bar(middles, heights, 0.94 * widths, bottom=base, color=colour, label=label)
            base += heights
    below.set_ylabel(f"sheets a {over.step}" if over.step[0].isalpha() else f"sheets in {over.step}")
    below.legend(fontsize=7, ncols=4, loc="upper left", bbox_to_anchor=(0, -0.18), frameon=False)
    shares = [one.ng_share for one in over.counts]
    for middle, share in zip(middles, shares, strict=True):
        if share.of:
            above.plot([middle] * 2, [100 * share.lower, 100 * share.upper], color=_NG, linewidth=0.8, alpha=0.5)
            above.plot(middle, 100 * share.share, "o", color=_NG, markersize=3)
    above.set_ylabel("NG, %")
    above.set_ylim(bottom=0)
    _timed(below, over.edges)
    return _drawn(figure, above, below)


def causes(whys: Sequence[Why]) -> str:
    """Pareto: plates by cause, and what share of all mentions the most frequent make together."""
    figure = _figure(1.1 + 0.24 * len(whys))
    axes = figure.subplots()
    places = np.arange(len(whys))
    ng, unsure = (np.array([getattr(why, name) for why in whys]) for name in ("ng", "inconclusive"))
    axes.barh(places, ng, color=_NG, label="NG")
    axes.barh(places, unsure, left=ng, color=_UNSURE, label="INCONCLUSIVE")
    total = ng + unsure
    for place, count, together in zip(places, total, 100 * total.cumsum() / max(total.sum(), 1), strict=True):
        axes.text(int(count), int(place), f" {count:,}  ({together:.0f} % so far)", va="center", fontsize=7)
    axes.set_yticks(places, [why.cause.value for why in whys])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(total.max(), 1))
    axes.set_xlabel("sheets with this cause")
    figure.legend(fontsize=7, ncols=2, loc="outside upper right", frameon=False)
    return _drawn(figure, axes)


def sheet_map(one: OfProduct) -> str:
    """Defects on the sheet as its pictures show it, in mm where they are known; repeated places have their number."""
    across, along = one.pitch or (1.0, 1.0)
    width, height = one.columns * across, one.rows * along
    scale = min((_WIDE - 1.6) / width, _TALL / height)
    figure = _figure(height * scale + 0.9, min(_WIDE, width * scale + 1.6))
    axes = figure.subplots()
    x, y = one.x * across, one.y * along
    if len(x) <= _MOST_POINTS:
        for chosen, colour in ((one.vetoed, _VETOED), (~one.vetoed, _INK)):
            axes.plot(x[chosen], y[chosen], "o", color=colour, markersize=2.5, mew=0, rasterized=True)
    else:
        side = max(width, height) / _CELLS
        bins = [max(1, round(width / side)), max(1, round(height / side))]
        counted = np.histogram2d(x, y, bins, ((0, width), (0, height)))[0].T
        shown = axes.imshow(np.where(counted > 0, counted, np.nan), "Blues", extent=(0, width, height, 0), vmin=0)
        figure.colorbar(shown, ax=axes, shrink=0.6, label=f"defects in {width / bins[0]:.3g} x {height / bins[1]:.3g}")
    for number, repeated in enumerate(one.repeated, start=1):
        place = repeated.place
        axes.plot(place.x * across, place.y * along, "o", mfc="none", mec=_NG, markersize=14, mew=1.4)
        axes.annotate(
            str(number),
            (place.x * across, place.y * along),
            (8, 8),
            textcoords="offset points",
            color=_NG,
            fontsize=9,
            weight="bold",
        )
    unit = "mm" if one.pitch else "px"
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.set(xlabel=f"across, {unit}", ylabel=f"along the travel, {unit}")
    return _drawn(figure, axes)


def sizes(of: Sizes) -> str:
    """Lengths, widths and scores of defects."""
    figure = _figure(2.2)
    each = figure.subplots(1, 3)
    for axes, values, label in zip(
        each,
        (of.length, of.width, of.score),
        (f"length, {of.unit}", f"width, {of.unit}", "score of the detector"),
        strict=True,
    ):
        _histogram(axes, values, of, log=values is not of.score)
        axes.set_xlabel(label)
    each[0].set_ylabel("defects")
    each[0].legend(fontsize=7, frameon=False)
    return _drawn(figure, *each)


def drift(one: Drift) -> str:
    """Light and focus over time: medians, and what four of five plates lie within."""
    figure = _figure(0.5 + 0.85 * len(one.lines))
    each = np.atleast_1d(figure.subplots(len(one.lines), 1, sharex=True))
    for axes, line in zip(each, one.lines, strict=True):
        colour = _NG if line.moved else _INK
        axes.fill_between(line.at, line.low, line.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(line.at, line.middle, "-o", color=colour, markersize=2.5, linewidth=1)
        axes.set_ylabel(f"{line.name},\n{UNITS[line.name]}", fontsize=7)
        least, most = float(np.min(line.low)), float(np.max(line.high))
        # A thousandth of change is no mountain.
        room = max(most - least, 0.1 * abs(most), 0.01)
        axes.set_ylim((least + most - 1.2 * room) / 2, (least + most + 1.2 * room) / 2)
    _timed(each[-1], one.edges)
    return _drawn(figure, *each)


def _histogram(axes: Axes, values: Floats, of: Sizes, *, log: bool) -> None:
    known = np.isfinite(values) & ((values > 0) | (not log))
    if not known.any():
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", fontsize=7)
        return
    least, most = float(values[known].min()), float(values[known].max())
    if log:
        edges = np.geomspace(0.95 * least, 1.05 * most, 25)
        axes.set_xscale("log")
        ticks = _ticks(float(edges[0]), float(edges[-1]))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    else:
        edges = np.linspace(0, max(1.0, most), 26)
    counting, vetoed = values[known & ~of.vetoed], values[known & of.vetoed]
    axes.hist([counting, vetoed], edges.tolist(), stacked=True, color=[_INK, _VETOED], label=["that count", "vetoed"])


def _ticks(least: float, most: float) -> list[float]:
    """A few round numbers between the two."""
    decades = range(-3, 6)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps if least <= step * 10.0**decade <= most]
        if len(found) <= 6:
            return found or [round((least + most) / 2, 2)]
    return found[:: len(found) // 4]


def _timed(axes: Axes, edges: Floats) -> None:
    """Label the axis of time by the local clock, at seven edges at most."""
    first, last = float(edges[0]), float(edges[-1])
    form = "%Y-%m-%d" if last - first > 3 * 86_400 else "%H:%M\n%m-%d"
    places = edges[:: -(-len(edges) // 7)]
    axes.set_xticks(places, [local(float(place)).strftime(form) for place in places])
    axes.set_xlim(first - 0.02 * (last - first), last + 0.02 * (last - first))


def _figure(height: float, width: float = _WIDE) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load

    return Figure(figsize=(width, height), layout="constrained")


def _drawn(figure: Figure, *each: Axes) -> str:
    from matplotlib import rc_context  # noqa: PLC0415 - as above

    for axes in each:
        axes.tick_params(labelsize=7)
        axes.xaxis.label.set_fontsize(8)
        axes.yaxis.label.set_fontsize(8)
        axes.grid(alpha=0.2, linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    with rc_context({"svg.hashsalt": "report", "savefig.dpi": 200}):
        return svg(figure)
