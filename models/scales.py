"""Binary scales: which template answers for which width of line (FACTS.md 2; M 72-87, Eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from config.schema import Template
from models.templates import parabola

_SAMPLES = 20_000
_PRINTED = {21: (18, 24), 11: (10, 17), 7: (7, 9)}  # M 116, which takes 24, a height, for a width


def correlation(wide: Template, width: float, reference: Template, narrow: Template) -> float:
    """Pearson correlation of `reference` (wide or narrow) with the line of `width` between the two.

    Each profile less its start value stands centred on a zero background; the window is exactly the wider of the two
    lines; height and step of the line between follow linearly from its width (FACTS.md 2, the first rule).
    """
    share = (width - narrow.width) / (wide.width - narrow.width)
    between = Template(
        width=width,
        height=narrow.height + share * (wide.height - narrow.height),
        step=narrow.step + share * (wide.step - narrow.step),
    )
    window = wide.width
    x = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * window - window / 2
    values = []
    for template in (reference, between):
        line = parabola(template.width, template.height, template.step)
        inside = np.abs(x) <= template.width / 2
        values.append(np.where(inside, line(x + template.width / 2) - line.k3, 0.0))
    return float(np.corrcoef(values[0], values[1])[0, 1])


def critical_ratio(wide: Template, narrow: Template) -> float:
    """k*: the line of width k* W(wide) is as like the wide template as the narrow one (FACTS.md 2).

    Raises:
        ValueError: the first template is not the wider one.
    """
    if not narrow.width < wide.width:
        raise ValueError(f"the first template must be the wider; found widths {wide.width} and {narrow.width}")
    low, high = narrow.width, wide.width
    for _ in range(40):
        middle = (low + high) / 2
        if correlation(wide, middle, wide, narrow) < correlation(wide, middle, narrow, narrow):
            low = middle
        else:
            high = middle
    return (low + high) / 2 / wide.width


def partition(
    templates: Sequence[Template], *, least: int, most: int, rule: Literal["rule", "printed"] = "rule"
) -> dict[float, tuple[int, int]]:
    """The whole-pixel widths [first, last] for which each template answers, by the template's width.

    Args:
        templates: any order.
        least: least width of a line, px.
        most: greatest width of a line, px.
        rule: `rule` splits at k* (M 83); `printed` gives M 116, for the published three templates only.

    Raises:
        ValueError: `printed` was asked for other widths than 21, 11 and 7.
    """
    ordered = sorted(templates, key=lambda template: -template.width)
    if rule == "printed":
        if [template.width for template in ordered] != [21, 11, 7]:
            found = [template.width for template in ordered]
            raise ValueError(f"the printed partition exists for widths 21, 11 and 7 only; found {found}")
        return {template.width: _PRINTED[int(template.width)] for template in ordered}
    ranges = {}
    last = most
    for wide, narrow in pairwise(ordered):
        # F(W) covers (k* W, W]: the first whole pixel above k* W.
        first = int(np.floor(critical_ratio(wide, narrow) * wide.width)) + 1
        ranges[wide.width] = (first, last)
        last = first - 1
    ranges[ordered[-1].width] = (least, last)
    return ranges


def binary_scales(widest: Template, least: float, measured: Sequence[Template] = ()) -> tuple[Template, ...]:
    """Templates at W, W/2, W/4 ... for lines of at least `least` px, the widest first.

    Halving stops when the next width would be under `least`; the half widths are rounded up to whole pixels, and a
    last template at `least` is added where the narrowest is wider, as the paper does (21, 11, 7; M 116). Height and
    step are those of `measured` of the same width, else in proportion to the width.
    """
    widths = [widest.width]
    while widths[-1] / 2 >= least:
        widths.append(float(np.ceil(widths[-1] / 2)))
    if widths[-1] > least:
        widths.append(float(least))
    known = {template.width: template for template in (*measured, widest)}
    return tuple(
        known.get(width)
        or Template(width=width, height=widest.height * width / widest.width, step=widest.step * width / widest.width)
        for width in widths
    )
