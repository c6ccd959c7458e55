"""What was promised, checked against what happened: switch edges and pixels in, verdicts out.

Written apart from the state machines and without a word of theirs but verdicts. What it knows of a plate it has from
the sheets, from the pixels that workers read, from the store and from what outputs were told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SheetTruth:
    """A sheet as it is."""

    name: str
    rows: int
    across: int
    """Windows side by side; likewise `down`."""
    down: int
    cracked: bool = False
    """It has a crack that the detector is sure of."""
    spotted: bool = False
    """It has a spot that the detector takes for a crack, and the classifier does not."""


@dataclass(slots=True)
class History:
    """All that an observer outside of the line would note down."""

    sheets: dict[str, SheetTruth] = field(default_factory=dict)
    must_be_seen: set[str] = field(default_factory=set)
    """Sheets whose leading edge was told to a line process that lived on."""
    harmed: set[str] = field(default_factory=set)
    """Sheets of which the camera lost rows."""
    lied: bool = False
    """Some worker or classifier gave false answers that look true: a good sheet may be NG."""
    seen: dict[int, str | None] = field(default_factory=dict)
    """Plates that the supervisor has counted, and the sheet where the camera knew it."""
    seen_again: list[int] = field(default_factory=list)
    scored: dict[int, dict[int, str]] = field(default_factory=dict)
    """Of each plate the windows that a worker has read, and the sheet whose pixels it found in the last one."""
    verdicts: list[tuple[int, str, int]] = field(default_factory=list)
    """Plate, verdict and rows, in the order of their commits."""
    stored: dict[int, str | None] = field(default_factory=dict)
    """What the store has at the end."""
    heard: list[tuple[int, str]] = field(default_factory=list)
    """Verdicts as the supervisor was told them."""
    untold: set[int] = field(default_factory=set)
    """Plates of which the store took nothing: told as INCONCLUSIVE, and closed so by the next start."""
    unheard: set[int] = field(default_factory=set)
    """Plates whose supervisor ended before it could be told."""
    told: list[tuple[int, str]] = field(default_factory=list)
    """Verdicts as the peer of an output read them."""
    released: list[int] = field(default_factory=list)
    """Plates for which the peer saw an OK."""
    slots_held: list[str] = field(default_factory=list)
    """At the end."""
    open_plates: list[int] = field(default_factory=list)
    """At the end, after the time in which all must be over."""
    outputs: bool = False
    waits: str = ""
    """What the open plates wait for, in words."""


def broken_promises(history: History) -> list[str]:
    """Each promise that was broken, in words; nothing where all were kept."""
    return [*_one_verdict_each(history), *_none_wrong(history), *_told_as_stored(history), *_all_over(history)]


def _one_verdict_each(history: History) -> Iterator[str]:
    committed: dict[int, str] = {}
    for plate, verdict, _ in history.verdicts:
        if plate in committed:
            yield f"plate {plate} was committed as {committed[plate]}, and again as {verdict}"
        committed.setdefault(plate, verdict)
    for plate in history.seen_again:
        yield f"plate number {plate} was given twice"
    for plate, verdict in committed.items():
        if history.stored.get(plate) != verdict:
            yield f"plate {plate}: {verdict} was committed first, and the store has {history.stored.get(plate)}"
        if plate not in history.seen:
            yield f"plate {plate} has a verdict, and nobody saw it"
    for plate in history.seen:
        if plate not in committed and plate not in history.untold and plate not in history.open_plates:
            yield f"plate {plate} was seen and has no verdict"
    seen = {sheet for sheet in history.seen.values() if sheet is not None}
    for name in sorted(history.must_be_seen - seen):
        yield f"{name} passed the switch, and no plate is of it"


def _none_wrong(history: History) -> Iterator[str]:
    for plate, verdict, rows in history.verdicts:
        name = history.seen.get(plate)
        sheet = None if name is None else history.sheets[name]
        if verdict == "OK":
            if sheet is None:
                yield f"plate {plate} is OK, and its leading edge was not heard"
                continue
            if sheet.cracked:
                yield f"plate {plate} is OK, and {sheet.name} has a crack"
            if rows != sheet.rows or sheet.name in history.harmed:
                yield f"plate {plate} is OK with {rows} rows, {sheet.name} has {sheet.rows}"
            read = history.scored.get(plate, {})
            missing = [w for w in range(sheet.across * sheet.down) if read.get(w) != sheet.name]
            if missing:
                yield f"plate {plate} is OK, and windows {missing} of {sheet.name} were not read"
        if verdict == "NG" and sheet is not None and not (sheet.cracked or sheet.spotted or history.lied):
            yield f"plate {plate} is NG, and {sheet.name} has nothing"


def _told_as_stored(history: History) -> Iterator[str]:
    heard: dict[int, str] = {}
    for plate, verdict in history.heard:
        want = "INCONCLUSIVE" if plate in history.untold else history.stored.get(plate)
        if verdict != want:
            yield f"plate {plate} is stored as {want}, and the supervisor was told {verdict}"
        heard[plate] = verdict
    for plate in history.seen.keys() - heard.keys() - history.unheard - set(history.open_plates):
        yield f"plate {plate}: the supervisor was never told its verdict"
    told: set[int] = set()
    for plate, verdict in history.told:
        told.add(plate)
        if verdict != history.stored.get(plate) and plate not in history.untold:
            yield f"plate {plate} is stored as {history.stored.get(plate)}, and the output said {verdict}"
    for plate in history.released:
        if history.stored.get(plate) != "OK":
            yield f"plate {plate} was released, and is stored as {history.stored.get(plate)}"


def _all_over(history: History) -> Iterator[str]:
    if history.open_plates:
        yield f"plates {history.open_plates} are open for ever: {history.waits}"
    for slot in history.slots_held:
        yield f"a slot is held for ever: {slot}"
