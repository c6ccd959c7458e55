"""What a section of a report is made of, and how its figures are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.errors import printable
from daemon.offline.report.drift import Line
from daemon.store.period import Product
from models.measure.assessment import Share
from models.measure.rates import Rate

MOST_PICTURES = 6
"""Products that have a picture of their own."""
MOST_EVENTS = 12
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are plain text; in the first column and those of `left` they stand at the left."""

    head: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    left: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot, as a data URL, with what it shows in words."""

    image: str
    words: str


@dataclass(frozen=True, slots=True)
class Section:
    """One question, and its answer first."""

    title: str
    answer: str
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    """How it was found, and what to do."""


def name_of(product: Product) -> str:
    """Of a product, with its recipe where that is called otherwise."""
    if product.name is None or product.name == product.recipe:
        return printable(product.recipe)
    return printable(f"{product.name} ({product.recipe})")


def change_of(line: Line) -> str:
    """How much a quantity changed."""
    assert line.change is not None
    return f"{line.change:+.3f}" if line.name == "unevenness" else f"{line.change:+.1%}"


def shown_share(share: Share) -> str:
    """A share in percent, with its interval."""
    if not share.of:
        return NOTHING
    return f"{100 * share.share:.3g} % ({100 * share.lower:.3g} to {100 * share.upper:.3g})"


def shown_rate(rate: Rate) -> str:
    """A mean a plate, with its interval."""
    return f"{rate.mean:.3g} ({rate.lower:.3g} to {rate.upper:.3g})"


def counted(count: int, thing: str) -> str:
    """So many of a thing."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
