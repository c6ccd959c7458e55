"""The sections about defects: where they lie and what repeats, how large they are, and what people marked."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np

from config.errors import printable
from daemon.offline.report import drawing
from daemon.offline.report.form import (
    MOST_PICTURES,
    NOTHING,
    Picture,
    Section,
    Table,
    counted,
    name_of,
    shown_rate,
    shown_share,
)
from daemon.offline.report.marked import Marked
from daemon.store.period import Floats, local
from daemon.store.places import OfProduct, Repeated, Sizes
from models.measure.repeated import LEAST_RATIO, LEAST_SHEETS, LEVEL

_TEST = """\
The test: the sheet is scanned by squares. Of each, the number of sheets with a defect in it is held against its \
surroundings: the area around it, the band across the sheet and the band along it. All three must speak against chance \
(binomial tail), on {}."""
_FALSE = """\
Its false alarms: chance alone names a place in at most {:g} of 100 reports, for all squares of a report are allowed \
for (Bonferroni). "Chance of any" is corrected so."""
_SIZES = """\
Length: the diagonal of a defect's box. Width: its area by its length. Score: the detector's own, 0 to 1. The store \
keeps no contrast in grey levels."""


def places_section(places: Sequence[OfProduct]) -> Section | None:
    """Maps of the sheets, and the places that repeat; None without a defect."""
    some = [one for one in places if len(one.x)]
    if not some:
        return None
    rows = [_place_row(number, one, again) for one in some for number, again in enumerate(one.repeated, start=1)]
    pictures = [Picture(drawing.sheet_map(one), _map_words(one)) for one in some[:MOST_PICTURES]]
    if not rows:
        answer = "No place repeats more often than chance allows."
    else:
        repeat = "place repeats" if len(rows) == 1 else "places repeat"
        answer = f"{len(rows)} {repeat}: look at the die there. If good sheets look so there, mask or teach it."
    head = ("no.", "product", "across, along", "sheets", "by chance", "chance of any", "first, last", "vetoed")
    tables = [Table(head, rows, frozenset({1, 2, 6}))] if rows else []
    return Section("Where defects lie, and what repeats", answer, pictures, tables, _how_places(some))


def _how_places(places: Sequence[OfProduct]) -> list[str]:
    slacks = sorted({again.place.slack for one in places for again in one.repeated})
    within = f" Those of one place lie within {slacks[-1]} px of its middle." if slacks else ""
    least = f"{LEAST_SHEETS} sheets or more, and {LEAST_RATIO:g} times what they let expect"
    words = [
        f"A defect is where its worst pixel is, from the top left of the sheet as pictures show it.{within}",
        "Vetoed defects are pale on the map, and are tested too.",
        _TEST.format(least),
        _FALSE.format(100 * LEVEL),
        "A sheet that passed again, by part id or image file, counts once. The golden sheet does not count.",
    ]
    for one in places:
        if one.repeated:
            words.append(f"The sheets of the first place: {_command(one, one.repeated[0])}")
            break
    if (hidden := len(places) - MOST_PICTURES) > 0:
        words.append(f"{counted(hidden, 'more product')} with fewer sheets have no map here, and are tested too.")
    return words


def _place_row(number: int, one: OfProduct, again: Repeated) -> tuple[str, ...]:
    place = again.place
    first, last = local(again.first), local(again.last)
    chance = f"{place.chance:.1g}" if place.chance >= 1e-6 else "< 1e-6"
    since = f" ({again.since_first:,} passed since)" if again.since_first < place.of else ""
    return (
        str(number),
        name_of(one.product),
        where(one, again),
        f"{len(place.sheets):,} of {place.of:,}",
        f"{place.expected:.1f}",
        chance,
        f"{first:%m-%d %H:%M}, {last:%m-%d %H:%M}{since}",
        f"{again.vetoed} of {len(place.defects)}",
    )


def _command(one: OfProduct, again: Repeated) -> str:
    place = again.place
    filters = [] if one.product.name is None else ["--product", one.product.name]
    where = f"{place.x},{place.y},{place.slack}"
    return printable(shlex.join(["linesentry", "results", *filters, "--place", where]))


def where(one: OfProduct, again: Repeated) -> str:
    """Where a place is, in words."""
    px = f"{again.place.x:,}, {again.place.y:,} px"
    if one.pitch is None:
        return px
    return f"{again.place.x * one.pitch[0]:.1f}, {again.place.y * one.pitch[1]:.1f} mm ({px})"


def _map_words(one: OfProduct) -> str:
    many = f"{name_of(one.product)}: {counted(len(one.x), 'defect')} on {counted(one.sheets, 'sheet')}"
    return f"{many}. Circles: places that repeat." if one.repeated else f"{many}."


def sizes_section(of: Sizes) -> Section | None:
    """How large defects are; None without one."""
    if not len(of.score):
        return None
    counting = ~of.vetoed
    rows = [
        (f"length, {of.unit}", *_spread(of.length[counting], ".3g")),
        (f"width, {of.unit}", *_spread(of.width[counting], ".3g")),
        ("score", *_spread(of.score[counting], ".2f")),
    ]
    many = int(counting.sum())
    middle = f" Half of them are longer than {rows[0][2]} {of.unit}." if many else ""
    return Section(
        "How large defects are",
        f"{counted(many, 'defect')} that count; {int(of.vetoed.sum()):,} more were vetoed.{middle}",
        [Picture(drawing.sizes(of), "Length, width and score of defects.")],
        [Table(("of those that count", "10 % are below", "half", "90 %", "largest"), rows)],
        [_SIZES],
    )


def _spread(values: Floats, form: str) -> tuple[str, ...]:
    known = values[np.isfinite(values)]
    if not len(known):
        return (NOTHING,) * 4
    return tuple(f"{value:{form}}" for value in np.percentile(known, (10, 50, 90, 100)))


def marks_section(of: Marked) -> Section:
    """What people marked, and what follows from it."""
    title = "What people marked"
    if not of.plates.count:
        return Section(
            title,
            "Nobody marked anything, so nothing is known of false alarms and misses.",
            notes=["Look at some sheets, chosen by chance, and mark what you see: linesentry mark 41 2 --false-alarm."],
        )
    rates = [
        ("false alarms a sheet (FPB)", shown_rate(of.fpb), f"at least {of.fpb_of_all.mean:.3g}"),
        ("missed cracks a sheet (MDB)", shown_rate(of.mdb), f"at least {of.mdb_of_all.mean:.3g}"),
    ]
    counts = [
        ("confirmed", f"{of.confirmed:,}", f"{shown_share(of.right)} of marked defects are right (precision)"),
        ("false alarm", f"{of.false_alarms:,}", ""),
        ("missed", f"{of.missed:,}", f"{shown_share(of.found)} of known cracks were found (recall, at most)"),
    ]
    if of.vetoed_missed:
        counts.append(("of these, vetoed", f"{of.vetoed_missed:,}", "the classifier vetoed a crack"))
    if of.vetoed_rightly:
        counts.append(("vetoed rightly", f"{of.vetoed_rightly:,}", "the classifier vetoed a false alarm"))
    tables = [
        Table(("by marks", "on sheets with a mark", "on all sheets"), rates),
        Table(("mark", "number", ""), counts, frozenset({0, 2})),
    ]
    if of.whys:
        reasons = [(kind.value, why, f"{count:,}") for kind, why, count in of.whys]
        tables.append(Table(("mark", "reason", "number"), reasons, frozenset({0, 1})))
    looked = f"{of.plates.count:,} of {of.plates.of:,} sheets and {of.defects.count:,} of {of.defects.of:,} defects"
    return Section(
        title,
        f"{looked} have a mark. There are {shown_rate(of.fpb)} false alarms and {shown_rate(of.mdb)} missed cracks "
        "a sheet there.",
        tables=tables,
        notes=[
            "In brackets: the 95 % interval, by drawing sheets anew; where there is no case, the exact one.",
            (
                "Who looks only at suspicious sheets marks more faults than an average sheet has. For figures of all "
                "sheets, mark every defect of sheets that were chosen by chance, and every crack that was missed."
            ),
        ],
    )
