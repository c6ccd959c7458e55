"""Binary scales: which template answers for which width of line (FACTS.md 2; M 72-87, Eq. 8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from config.schema import Template
from models.detector.templates import Parabola, parabola

Likeness = Literal["interpolated", "proportional", "zero_mean", "geometric"]
"""How two templates are compared with a line of a width between theirs (FACTS.md 2). The published ratios, 0.728 and
0.788, come out of none of them exactly; the first is the closest and the default.

interpolated: each profile less its start value on a zero background, centred, over exactly the wider one's width; the
    line's height and step lie linearly between those of the two templates: 0.7266 and 0.7898.
proportional: the same, but the line's height and step are the wider template's in proportion to the width: 0.7202 and
    0.7863.
zero_mean: like `interpolated`, but the profiles are the zero-mean templates themselves: 0.7219 and 0.7967.
geometric: no comparison, the geometric mean of the two widths: 0.7237 and 0.7977.
"""

LEAST_WIDTH = 2.0
"""px; a template must be wider (config.schema.Template)."""
MOST_WIDTH = 1000.0
"""px; beyond it a line is no line in a window."""

_HALVINGS = 40
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_PRINTED = {21: (18, 24), 11: (10, 17), 7: (7, 9)}  # M 116, which takes 24, a height, for a width


def line_between(wide: Template, width: float, narrow: Template, likeness: Likeness = "interpolated") -> Template:
    """The line of `width` px that `wide` and `narrow` are compared with; `width` may also lie outside the two."""
    if likeness == "proportional":
        share = width / wide.width
        return Template(width=width, height=wide.height * share, step=wide.step * share)
    share = (width - narrow.width) / (wide.width - narrow.width)
    return Template(
        width=width,
        height=narrow.height + share * (wide.height - narrow.height),
        step=narrow.step + share * (wide.step - narrow.step),
    )


def correlation(
    wide: Template, width: float, reference: Template, narrow: Template, likeness: Likeness = "interpolated"
) -> float:
    """Pearson correlation of `reference` (wide or narrow) with the line of `width` between the two.

    Args:
        wide: the wider template; the window is exactly as wide as it.
        width: of the line, px, from narrow.width to wide.width.
        reference: the one that the line is compared with.
        narrow: the narrower template.
        likeness: the rule; `geometric` compares nothing and takes the profiles of `interpolated`.
    """
    lines = (reference, line_between(wide, width, narrow, likeness))
    starts = [0.0 if likeness == "zero_mean" else _of(line).k3 for line in lines]
    means = [_integral(line, line.width, start) / wide.width for line, start in zip(lines, starts, strict=True)]

    def covariance(one: int, other: int) -> float:
        shared = min(lines[one].width, lines[other].width)
        product = _integral(lines[one], shared, starts[one], lines[other], starts[other]) / wide.width
        return product - means[one] * means[other]

    return covariance(0, 1) / math.sqrt(covariance(0, 0) * covariance(1, 1))


def _of(template: Template) -> Parabola:
    return parabola(template.width, template.height, template.step)


def _integral(
    template: Template, shared: float, start: float, other: Template | None = None, other_start: float = 0.0
) -> float:
    """Integral over the middle `shared` px of a line less `start`, or of its product with another centred likewise.

    Three nodes are exact up to the fifth degree; the product has the fourth.
    """
    x = _NODES * shared / 2
    values = _of(template)(x + template.width / 2) - start
    if other is not None:
        values = values * (_of(other)(x + other.width / 2) - other_start)
    return float(_WEIGHTS @ values) * shared / 2


def critical_ratio(wide: Template, narrow: Template, likeness: Likeness = "interpolated") -> float:
    """k*: the line of width k* W(wide) is as like the wide template as the narrow one (FACTS.md 2).

    Raises:
        ValueError: the first template is not the wider one.
    """
    if not narrow.width < wide.width:
        raise ValueError(f"the first template must be the wider; found widths {wide.width:g} and {narrow.width:g}")
    if likeness == "geometric":
        return math.sqrt(narrow.width / wide.width)
    low, high = narrow.width, wide.width
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        like_wide = correlation(wide, middle, wide, narrow, likeness)
        if like_wide < correlation(wide, middle, narrow, narrow, likeness):
            low = middle
        else:
            high = middle
    return (low + high) / 2 / wide.width


def partition(
    templates: Sequence[Template], *, least: int, most: int, rule: Literal["rule", "printed"] = "rule"
) -> dict[float, tuple[int, int]]:
    """The whole-pixel widths [first, last] for which each template answers, by the template's width, widest first.

    Every whole width from `least` to `most` belongs to exactly one template; one that answers for none has first >
    last. Under `rule` F(W) covers (k* W, W] (M 83), the widest also what is wider.

    Args:
        templates: any order, no two of one width.
        least: least width of a line, px.
        most: greatest width of a line, px.
        rule: `rule` splits at k* (M 83); `printed` gives M 116, for the published three templates only.

    Raises:
        ValueError: there is no template, two have one width, least is over most, or `printed` was asked for other
            widths than 21, 11 and 7.
    """
    ordered = sorted(templates, key=lambda template: -template.width)
    if not ordered or least > most:
        raise ValueError(f"widths need a template and least <= most; found {len(ordered)} templates, {least} to {most}")
    if rule == "printed":
        if [template.width for template in ordered] != [21, 11, 7]:
            found = ", ".join(f"{template.width:g}" for template in ordered)
            raise ValueError(f"the printed partition exists for widths 21, 11 and 7 only; found {found}")
        return {template.width: _PRINTED[int(template.width)] for template in ordered}
    ranges = {}
    last = most
    for wide, narrow in pairwise(ordered):
        # The first whole pixel above k* W, and none that is nobody's or another's.
        first = min(max(math.floor(critical_ratio(wide, narrow) * wide.width) + 1, least), last + 1)
        ranges[wide.width] = (first, last)
        last = first - 1
    ranges[ordered[-1].width] = (least, last)
    return ranges


def binary_scales(
    widest: Template, least: float, measured: Sequence[Template] = (), *, strict: bool = False
) -> tuple[Template, ...]:
    """Templates at W, W/2, W/4 ... for lines of at least `least` px, the widest first.

    Halving stops when the next width would be under `least` (M 83-84). By default half widths are rounded up to whole
    pixels, and a last template at `least` is added where the narrowest is wider, as the paper does (21, 11, 7; M 116).

    Args:
        widest: the template of the widest line.
        least: the narrowest line's width, px.
        measured: templates whose height and step are known; those of another width, and those that are missing, have
            the widest's in proportion to the width.
        strict: the stop rule to the letter: no rounding, no last template (21, 10.5).

    Raises:
        ValueError: `least` is no width of a line, or over the widest.
    """
    if not LEAST_WIDTH < least <= widest.width <= MOST_WIDTH:
        raise ValueError(
            f"a scale set needs {LEAST_WIDTH:g} < least <= widest <= {MOST_WIDTH:g} px; "
            f"found least {least:g}, widest {widest.width:g}"
        )
    widths = [float(widest.width)]
    while widths[-1] / 2 >= least:
        half = widths[-1] / 2
        widths.append(half if strict else float(math.ceil(half)))
    if widths[-1] > least and not strict:
        widths.append(float(least))
    known = {template.width: template for template in (*measured, widest)}
    return tuple(known.get(width) or _in_proportion(widest, width) for width in widths)


def _in_proportion(widest: Template, width: float) -> Template:
    share = width / widest.width
    return Template(width=width, height=widest.height * share, step=widest.step * share)
