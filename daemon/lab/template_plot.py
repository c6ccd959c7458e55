"""The picture of a scale set: profiles in both hands, likeness to the lines between the scales, and who answers.

After the paper's Fig. 4 and 5 (M 70-79).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from config.schema import DEFAULT_TEMPLATES, Template
from daemon.lab.template_facts import TemplateFacts
from models.detector.scales import correlation, partition
from models.detector.templates import parabola

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg", ".pdf")
_COLOURS = ("#0b5fa5", "#d9730d", "#2a8c4a", "#7a3fa0", "#8a6d3b", "#4f5b66")
_CRITICAL = "#c0182b"
_DASHED = (0, (4, 3))
_POINTS = 41
"""Widths at which a curve of likeness is computed, between two templates."""


def plot_templates(templates: Sequence[Template], facts: Sequence[TemplateFacts], path: Path) -> None:
    """Draw the scale set into a file: PNG, SVG or PDF by its suffix.

    Args:
        templates: any order.
        facts: theirs, the widest first (daemon.lab.template_facts.template_facts).
        path: is overwritten.

    Raises:
        ValueError: another suffix.
        OSError: the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"a plot is {', '.join(SUFFIXES)} by its suffix; found {path.name!r}")
    # Not pyplot: no window, no global state.
    from matplotlib import rc_context  # noqa: PLC0415 - only who draws loads it
    from matplotlib.figure import Figure  # noqa: PLC0415

    ordered = sorted(templates, key=lambda template: -template.width)
    figure = Figure(figsize=(12, 6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 1.25), height_ratios=(1.6, 1))
    profiles = figure.add_subplot(grid[:, 0])
    _profiles(profiles, ordered)
    decay = figure.add_subplot(grid[0, 1])
    _decay(decay, ordered, facts)
    _coverage(figure.add_subplot(grid[1, 1], sharex=decay), ordered, facts)
    decay.tick_params(labelbottom=False)
    figure.legend(*profiles.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9, frameon=False)
    with rc_context({"svg.fonttype": "none"}):  # text stays text
        figure.savefig(path, dpi=150)


def _colour(place: int) -> str:
    return _COLOURS[place % len(_COLOURS)]


def _name(template: Template) -> str:
    return f"F({template.width:g}, {template.height:g}, {template.step:g})"


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)


def _profiles(axes: Axes, ordered: Sequence[Template]) -> None:
    for place, template in enumerate(ordered):
        line = parabola(template.width, template.height, template.step)
        x = np.linspace(0, template.width, 200)
        middle = template.width / 2
        axes.plot(x - middle, line(x), color=_colour(place), linewidth=2, label=_name(template))
        axes.plot(middle - x, line(x), color=_colour(place), linewidth=1.2, linestyle=_DASHED)
        samples = np.arange(int(template.width)) + 0.5 + (template.width - int(template.width)) / 2
        axes.plot(samples - middle, line(samples), "o", color=_colour(place), markersize=3)
    axes.axhline(0, color="0.4", linewidth=0.8)
    axes.plot([], [], color="0.4", linewidth=1.2, linestyle=_DASHED, label="the other hand")
    axes.plot([], [], "o", color="0.4", markersize=3, label="midpoints of pixels")
    axes.plot([], [], "o", color=_CRITICAL, markersize=6, label="k*: as like the wider as the narrower")
    axes.set_title("Profiles: zero mean, height H, ends dH apart", loc="left", fontsize=11)
    axes.set_xlabel("px from the middle of the line")
    axes.set_ylabel("grey levels")
    _quiet(axes)


def _decay(axes: Axes, ordered: Sequence[Template], facts: Sequence[TemplateFacts]) -> None:
    for place, (wide, narrow) in enumerate(pairwise(ordered)):
        widths = np.linspace(narrow.width, wide.width, _POINTS)
        for offset, reference in enumerate((wide, narrow)):
            likeness = [correlation(wide, float(width), reference, narrow) for width in widths]
            axes.plot(widths, likeness, color=_colour(place + offset), linewidth=2)
        ratio = facts[place].ratio
        assert ratio is not None
        critical = ratio * wide.width
        height = correlation(wide, critical, wide, narrow)
        axes.plot([critical], [height], "o", color=_CRITICAL, markersize=6, zorder=5)
        axes.axvline(critical, color=_CRITICAL, linewidth=1, linestyle=_DASHED, zorder=1)
        axes.annotate(
            f"k* {ratio:.4f}\n{critical:.2f} px",
            (critical, 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="center",
            color=_CRITICAL,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    axes.margins(y=0.08)
    if len(ordered) == 1:
        axes.text(0.5, 0.5, "one template: nothing to compare", transform=axes.transAxes, ha="center", color="0.4")
    axes.set_title("Likeness of a line kW wide to the templates above and below it", loc="left", fontsize=11, pad=16)
    axes.set_ylabel("correlation r")
    _quiet(axes)


def _coverage(axes: Axes, ordered: Sequence[Template], facts: Sequence[TemplateFacts]) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    rows = [("by k*", {one.width: (one.first, one.last) for one in facts})]
    if tuple(ordered) == DEFAULT_TEMPLATES:
        rows.append(("as printed", partition(ordered, least=7, most=24, rule="printed")))
    for row, (_, ranges) in enumerate(rows):
        for place, template in enumerate(ordered):
            first, last = ranges[template.width]
            if last < first:
                continue
            # A whole width w stands for lines from w - 0.5 to w + 0.5.
            axes.barh(row, last - first + 1, left=first - 0.5, height=0.62, color=_colour(place), alpha=0.85)
            text = f"{first}" + (f"-{last}" if last > first else "")
            axes.text((first + last) / 2, row, text, ha="center", va="center", color="white", fontsize=8)
    for template, one in zip(ordered, facts, strict=True):
        if one.ratio is not None:
            axes.axvline(one.ratio * template.width, color=_CRITICAL, linewidth=1, linestyle=_DASHED)
    ends = [end for _, ranges in rows for first, last in ranges.values() if first <= last for end in (first, last)]
    axes.set_xlim(min(ends) - 1, max(ends) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title("Which template answers for which whole width", loc="left", fontsize=11)
    axes.set_xlabel("width of the line, px")
    _quiet(axes)
    axes.grid(visible=False, axis="y")
