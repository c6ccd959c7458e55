"""The figures as tables for a terminal, and as one HTML page with curves and pictures that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from daemon.lab.evaluate.report import shown
from daemon.lab.pod.analysis import FACTORS, SHARES, Figures, predicted
from daemon.lab.pod.experiment import Outcome, Painted
from daemon.offline import pages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EACH = 6
"""Pictures at each POD."""
_COLOURS = {True: (64, 200, 64), False: (48, 48, 255)}
"""Blue, green, red of the frame of a hit, of a miss."""
_VALUES = {"a50": "a50", "a90": "a90", "a90_95": "a90/95"}
_LINES = ("#0b5fa5", "#d9730d")
_REAL = "#7a3fa0"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One painted crack."""

    hit: bool
    facts: tuple[tuple[str, str], ...]
    image: str
    """PNG as a data URL."""


def tables(result: Figures) -> list[Table]:
    """For a terminal."""
    made = []
    for name, form in result["forms"].items():
        table = Table(
            title=f"{name} cracks: {form['hit']} of {form['painted']} hit",
            title_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 0, 0, 1),
        )
        for words in ("", *_VALUES.values(), ""):
            table.add_column(words, justify="right" if words else "left", overflow="fold")
        for title, curves in (("", "curves"), (" at fixed others", "at_fixed_others")):
            for factor in FACTORS:
                curve, unit = form[curves][factor], result["ranges"][factor]["unit"]
                values = [shown(curve[value], ".3g") for value in _VALUES]
                table.add_row(f"{factor}{title}, {unit}", *values, _remark(curve))
        made.append(table)
    calls = result["false_calls"]
    table = Table(title="sheets as they are", title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for words in ("", "found", "95 % interval"):
        table.add_column(words, justify="right" if words else "left", overflow="fold")
    table.add_row("false calls a sheet", f"{calls['a_sheet']:.2f}", f"{calls['lower']:.2f} - {calls['upper']:.2f}")
    share = f"{calls['called_ng_lower']:.3f} - {calls['called_ng_upper']:.3f}"
    table.add_row("sheets called NG", f"{calls['called_ng']} of {calls['sheets']}", share)
    if result["real"] is not None:
        real = result["real"]
        share = f"{real['lower']:.3f} - {real['upper']:.3f}"
        table.add_row("real cracks hit", f"{real['hit']} of {real['cracks']}", share)
        for form, one in real["promised"].items():
            span = "" if one["hits"] is None else f"{one['lower']:.0f} - {one['upper']:.0f}"
            table.add_row(f"  {form} paint promises", shown(one["hits"], ".1f"), span)
    return [*made, table]


def _remark(curve: Figures) -> str:
    parts = [curve["words"]]
    for side in ("below", "above"):
        names = [words for name, words in _VALUES.items() if curve["beyond"].get(name) == side]
        parts += [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {side} what was painted"] if names else []
    return "; ".join(part for part in parts if part)


def page(result: Figures, outcome: Outcome) -> str:
    """The HTML page."""
    headline = result["headline"]
    seen = [one for one in outcome.painted if one.form == headline]
    return pages.page(
        "pod.html.j2",
        "daemon.lab.pod",
        "daemon.lab.evaluate",
        result=result,
        form=result["forms"][headline],
        factors=FACTORS,
        shown=shown,
        remark=_remark,
        curves=pages.svg(_curves(result, "curves")),
        fixed=pages.svg(_curves(result, "at_fixed_others")),
        real=None if result["real"] is None else pages.svg(_compared(result)),
        gallery={share: exhibits(seen, share, result["ranges"]) for share in SHARES},
        colours={name: f"rgb({red},{green},{blue})" for name, (blue, green, red) in _COLOURS.items()},
    )


# --- plots -------------------------------------------------------------------------------------------------------


def _curves(result: Figures, which: str) -> Figure:
    """One plot a factor; the headline's form with its band, groups of hits and rug, the others as lines."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for those who want a page

    figure = Figure(figsize=(12.5, 3.9), layout="constrained")
    for axes, factor in zip(figure.subplots(1, 3), FACTORS, strict=True):
        for place, (form, known) in enumerate(result["forms"].items()):
            colour = _LINES[place % len(_LINES)]
            curve = known[which][factor]
            _line(axes, curve, colour, form, band=place == 0)
            if place == 0:
                _marks(axes, curve)
                _points(axes, curve, colour)
                if which == "curves":
                    _rug(axes, result, form, factor)
        span = result["ranges"][factor]
        title: str = factor
        if which != "curves":
            others = result["forms"][result["headline"]][which][factor]["others"]
            title += " where " + ", ".join(
                f"{other} is {value:.3g} {result['ranges'][other]['unit']}" for other, value in others.items()
            )
        _framed(axes, (span["low"], span["high"]), f"{factor}, {span['unit']}", title)
    return figure


def _compared(result: Figures) -> Figure:
    """Real cracks beside painted ones, both measured from their pixels."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for those who want a page

    real = result["real"]
    units = {"contrast": "grey levels", "width": "px", "length": "px"}
    figure = Figure(figsize=(12.5, 3.9), layout="constrained")
    for axes, factor in zip(figure.subplots(1, 3), FACTORS, strict=True):
        painted, own = real["painted_curves"][factor], real["curves"][factor]
        _line(axes, painted, _LINES[0], "painted", band=True)
        _points(axes, painted, _LINES[0])
        _line(axes, own, _REAL, "real", band=False)
        _points(axes, own, _REAL)
        sizes = [one[factor] for one in real["each"]]
        hits = [one["hit"] for one in real["each"]]
        _ticks(axes, sizes, hits, _REAL)
        ends = [size for curve in (painted, own) for one in curve["bins"] for size in (one["low"], one["high"])]
        _framed(axes, (min(ends), max(ends)), f"{factor} as measured, {units[factor]}", factor)
    return figure


def _line(axes: Axes, curve: Figures, colour: str, name: str, *, band: bool) -> None:
    if curve["why"] is not None:
        axes.plot([], [], color=colour, label=f"{name}: no curve ({curve['why']})")
        return
    points = curve["points"]
    axes.plot(points["size"], points["pod"], color=colour, label=name, linestyle="-" if band else "--")
    if band:
        axes.fill_between(points["size"], points["lower"], points["upper"], color=colour, alpha=0.15, linewidth=0)


def _points(axes: Axes, curve: Figures, colour: str) -> None:
    for one in curve["bins"]:
        share = one["hit"] / one["of"]
        axes.plot([one["size"]] * 2, [one["lower"], one["upper"]], color=colour, linewidth=0.8, alpha=0.6)
        axes.plot(one["size"], share, "o", color=colour, markersize=3.5)


def _rug(axes: Axes, result: Figures, form: str, factor: str) -> None:
    least = result["ranges"]["usual_width"]["low"] if factor != "width" else 0
    seen = [one for one in result["cracks"] if one["form"] == form and one["width"] >= least]
    _ticks(axes, [one[factor] for one in seen], [one["hit"] for one in seen], "0.35")


def _ticks(axes: Axes, sizes: Sequence[float], hits: Sequence[bool], colour: str) -> None:
    axes.plot(sizes, [1.04 if hit else -0.04 for hit in hits], "|", color=colour, markersize=6, alpha=0.5)


def _marks(axes: Axes, curve: Figures) -> None:
    for (name, words), style in zip(_VALUES.items(), (":", "--", "-"), strict=True):
        if curve[name] is not None:
            axes.axvline(curve[name], color="0.45", linewidth=0.8, linestyle=style, label=f"{words} {curve[name]:.3g}")


def _framed(axes: Axes, span: tuple[float, float], label: str, title: str) -> None:
    axes.set_xscale("log")
    axes.set_xlim(span[0] / 1.03, span[1] * 1.03)
    axes.set_ylim(-0.09, 1.09)
    axes.axhline(0.9, color="0.8", linewidth=0.8)
    ticks = [
        value for value in (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500) if _in(value, span)
    ]
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.set_xticks([], minor=True)
    axes.set(xlabel=label, ylabel="POD")
    axes.set_title(title, fontsize=8)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=7, loc="center right")


def _in(value: float, span: tuple[float, float]) -> bool:
    return span[0] / 1.03 <= value <= span[1] * 1.03


# --- pictures ------------------------------------------------------------------------------------------------------


def exhibits(seen: Sequence[Painted], share: float, ranges: dict[str, Any]) -> list[Exhibit]:
    """The cracks whose POD by the model of all factors is nearest to a share; none where there is no model."""
    chances = predicted(seen)
    if chances is None:
        return []
    nearest = np.argsort(np.abs(np.log(chances / (1 - chances)) - np.log(share / (1 - share))), kind="stable")[:_EACH]
    return [_exhibit(seen[place], float(chances[place]), ranges) for place in nearest.tolist()]


def _exhibit(one: Painted, chance: float, ranges: dict[str, Any]) -> Exhibit:
    picture = np.asarray(cv2.cvtColor(one.picture, cv2.COLOR_GRAY2BGR), np.uint8)
    x, y = one.corner
    # Outside the crack, so that the frame hides nothing.
    cv2.rectangle(picture, (x - 7, y - 7), (x + one.box[2] + 6, y + one.box[3] + 6), _COLOURS[one.hit], 1)
    facts = (
        ("contrast", f"{one.sizes.contrast:.1f} grey levels, step {one.sizes.step:.1f}"),
        ("width", f"{one.sizes.width:.1f} px"),
        ("length", f"{one.sizes.length:.2f} {ranges['length']['unit']}"),
        ("POD", f"{chance:.2f}"),
        ("score", f"{one.score:.2f}" if one.hit else "-"),
        ("on", one.sheet),
    )
    return Exhibit(one.hit, facts, pages.png(picture))
