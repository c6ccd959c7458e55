"""The history of a tortured line for the checker of daemon/lab/faults, from the witness, the log and the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from daemon.lab.faults.history import History, SheetTruth, broken_promises
from daemon.lab.torture.camera import MID_SHEET
from daemon.store.results import PlateRow
from stages.plate import Cause, Verdict

_MOST_UNTOLD = 3
"""Sheets that a line may have told of in the moment before it, or the supervisor, was killed."""
_MOST_ORDERS = 200
"""Orders of sheets and plates that are followed up at a time, the likeliest ones."""


@dataclass(slots=True)
class Facts:
    """What was seen of a tortured line from outside."""

    rows: Mapping[int, PlateRow]
    """The store in the end, and plates of stores that were deleted."""
    calm: Sequence[Mapping[str, Any]]
    """What a plate of each kind of sheet is when nothing happens."""
    matches: Mapping[int, frozenset[int]]
    """Kinds of sheet that a plate is equal to, to the bit."""
    passed: Sequence[tuple[int, int]]
    """Process of the line, and kind, of each sheet that passed."""
    heard: Sequence[tuple[int, str]]
    """Plate and verdict, as the service told them."""
    late_sheets: Mapping[int, int] = field(default_factory=dict)
    """Sheets told after the order to end, by the line's process: they are no plates."""
    killed_runs: frozenset[str] = frozenset()
    """Runs that ended before they could hear of all verdicts."""
    forgotten: frozenset[int] = frozenset()
    """Plates of whose record a deleted store took all but the verdict, which is believed."""
    reused: Sequence[int] = ()
    """Numbers that were given to two plates."""


@dataclass(slots=True)
class Judgement:
    """What came of it."""

    broken: list[str]
    plates: dict[int, int | None]
    """The sheet of each plate, as its place in `passed`; None where none is known."""
    untold: int
    """Sheets of which a line told just before it was killed, and nobody heard it."""
    whole: int
    """Plates that are to the bit what the same sheet is on a calm line."""


def judged(facts: Facts) -> Judgement:
    """Check every promise."""
    plates, lacking = _aligned(facts)
    may_lack = _may_lack(facts)
    history = History()
    for one, (_, kind) in enumerate(facts.passed):
        history.sheets[_name(one)] = _truth(facts, one, kind)
        if one not in may_lack:
            history.must_be_seen.add(_name(one))
    whole = 0
    told = dict(reversed(facts.heard))
    for plate, row in sorted(facts.rows.items()):
        number = plates[plate]
        name = None if number is None else _name(number)
        equal = number is not None and facts.passed[number][1] in facts.matches[plate]
        whole += equal
        history.seen[plate] = name
        if row.verdict is None:
            history.open_plates.append(plate)
            continue
        history.stored[plate] = row.verdict.value
        rows = row.rows or 0
        if name is not None and (equal or plate in facts.forgotten):
            # Equal to the bit: so each window was read, and from its own sheet.
            history.scored[plate] = dict.fromkeys(range(history.sheets[name].across), name)
            rows = history.sheets[name].rows
        history.verdicts.append((plate, told.get(plate, row.verdict.value), rows))
        if row.run in facts.killed_runs or {Cause.SERVICE_DIED, Cause.SHUTDOWN} & set(row.causes):
            history.unheard.add(plate)
    history.heard = list(facts.heard)
    history.seen_again = list(facts.reused)
    broken = broken_promises(history) + _told_twice(facts) + _changed(facts, plates)
    return Judgement(broken, plates, lacking, whole)


def _truth(facts: Facts, number: int, kind: int) -> SheetTruth:
    if kind == MID_SHEET:
        # Nobody knows what it shows, but it was not seen whole.
        return SheetTruth(_name(number), 0, 1, 1, spotted=True)
    calm = facts.calm[kind]
    return SheetTruth(_name(number), calm["rows"], calm["windows"], 1, cracked=calm["verdict"] is Verdict.NG)


def _name(number: int) -> str:
    return f"sheet {number + 1}"


def _told_twice(facts: Facts) -> list[str]:
    told = Counter(plate for plate, _ in facts.heard)
    return [f"plate {plate} was told twice" for plate, times in sorted(told.items()) if times > 1]


def _changed(facts: Facts, plates: Mapping[int, int | None]) -> list[str]:
    """Plates that say that they are complete, and are not what their sheet is."""
    found = []
    for plate, row in facts.rows.items():
        number = plates.get(plate)
        if row.complete and (number is None or facts.passed[number][1] not in facts.matches[plate]):
            what = "no sheet" if number is None else f"{_name(number)} of kind {facts.passed[number][1]}"
            found.append(f"plate {plate} is complete ({row.verdict}), and not to the bit what {what} is on a calm line")
    return found


def _lines(facts: Facts) -> list[tuple[int, list[int]]]:
    """Process of each line, and where its sheets are in `passed`."""
    lines: list[tuple[int, list[int]]] = []
    for number, (pid, _) in enumerate(facts.passed):
        if not lines or lines[-1][0] != pid:
            lines.append((pid, []))
        lines[-1][1].append(number)
    return lines


def _may_lack(facts: Facts) -> set[int]:
    """Sheets that may have passed without a plate: told at the very end of a line."""
    found: set[int] = set()
    for pid, numbers in _lines(facts):
        found.update(numbers[-(_MOST_UNTOLD + facts.late_sheets.get(pid, 0)) :])
    return found


def _aligned(facts: Facts) -> tuple[dict[int, int | None], int]:
    """The sheet of each plate, in the likeliest order; and how many sheets have no plate.

    Plates are in the order of the sheets. Sheets can only lack at the ends of lines.
    """
    plates = sorted(facts.rows)
    # Plates that are taken: what does not fit so far, sheets without a plate, and how many of each line were taken.
    reached: dict[int, tuple[int, int, tuple[int, ...]]] = {0: (0, 0, ())}
    may_lack = _may_lack(facts)
    for _, numbers in _lines(facts):
        following: dict[int, tuple[int, int, tuple[int, ...]]] = {}
        # Of the sheets from each one on, how many must be plates.
        needed = [*accumulate((one not in may_lack for one in reversed(numbers)), initial=0)][::-1]
        for begin, (wrong, lacking, taken) in reached.items():
            misfits = wrong
            for length in range(len(numbers) + 1):
                if length and begin + length > len(plates):
                    break
                if length:
                    misfits += not _can_be(facts, plates[begin + length - 1], facts.passed[numbers[length - 1]][1])
                end = begin + length
                cost = (misfits + needed[length], lacking + len(numbers) - length, (*taken, length))
                if end not in following or cost[:2] < following[end][:2]:
                    following[end] = cost
        likeliest = sorted(following.items(), key=lambda one: one[1][:2])[:_MOST_ORDERS]
        reached = dict(likeliest)
    # Plates beyond the last sheet are of none.
    end, (_, lacking, taken) = min(reached.items(), key=lambda one: (len(plates) - one[0] + one[1][0], one[1][1]))
    found: dict[int, int | None] = dict.fromkeys(plates[end:])
    rest = iter(plates)
    for (_, numbers), length in zip(_lines(facts), taken, strict=True):
        found |= {next(rest): number for number in numbers[:length]}
    return found, lacking


def _can_be(facts: Facts, plate: int, kind: int) -> bool:
    row = facts.rows[plate]
    if plate in facts.forgotten:
        return kind != MID_SHEET and (row.verdict is not Verdict.OK or facts.calm[kind]["verdict"] is Verdict.OK)
    return kind in facts.matches[plate] if row.complete else row.verdict is not Verdict.OK
