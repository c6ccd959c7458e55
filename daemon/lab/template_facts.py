"""The facts of a scale set: the closed form of each template, the widths it answers for, and k*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, sqrt
from typing import Literal

from config.schema import Template
from models.detector.scales import critical_ratio, partition
from models.detector.templates import parabola


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """One template: f(x) = k1 x^2 + k2 x + k3 on [0, W], highest at Xb; widths in px, values in grey levels."""

    width: float
    height: float
    step: float
    s: float
    """sqrt(1 - dH / H): 1 is a line with equal ends, near 0 one that is all step."""
    k1: float
    k2: float
    k3: float
    peak: float
    """Xb, px from the lower end."""
    first: int
    """The least whole width, px, that it answers for."""
    last: int
    """The greatest one; less than `first` where none is left for it."""
    ratio: float | None
    """k* to the next narrower template; None for the narrowest."""


def template_facts(
    templates: Sequence[Template],
    *,
    least: float | None = None,
    most: float | None = None,
    rule: Literal["rule", "printed"] = "rule",
) -> tuple[TemplateFacts, ...]:
    """The facts of each template, the widest first.

    Args:
        templates: any order, no two of one width.
        least: the narrowest line's width, px; None: the narrowest template's.
        most: the widest line's width, px; None: the widest template's.
        rule: how the widths are shared out, see models.detector.scales.partition.

    Raises:
        ValueError: as partition does.
    """
    ordered = sorted(templates, key=lambda template: -template.width)
    least = ordered[-1].width if least is None else least
    most = ordered[0].width if most is None else most
    ranges = partition(ordered, least=ceil(least), most=max(floor(most), ceil(least)), rule=rule)
    ratios = [critical_ratio(wide, narrow) for wide, narrow in pairwise(ordered)]
    return tuple(
        _facts(template, ranges[template.width], ratio)
        for template, ratio in zip(ordered, [*ratios, None], strict=True)
    )


def _facts(template: Template, widths: tuple[int, int], ratio: float | None) -> TemplateFacts:
    line = parabola(template.width, template.height, template.step)
    return TemplateFacts(
        width=template.width,
        height=template.height,
        step=template.step,
        s=sqrt(1 - template.step / template.height),
        k1=line.k1,
        k2=line.k2,
        k3=line.k3,
        peak=line.peak,
        first=widths[0],
        last=widths[1],
        ratio=ratio,
    )
