"""The command `linesentry torture`: from its options to the report."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.lab.progress import Teller
from daemon.lab.torture.judge import Facts, judged
from daemon.lab.torture.leaks import Held, free_slots, held_by, leaked, left_behind
from daemon.lab.torture.line import DENSITIES, LineError, TorturedLine, substance
from daemon.lab.torture.options import TortureOptions
from daemon.lab.torture.place import Place, made_place
from daemon.lab.torture.plan import chance_of, not_tried, planned
from daemon.lab.torture.report import Blow, Report, outcomes, recoveries
from daemon.lab.torture.strikes import Struck
from daemon.store.results import PlateRow, StoreError

_RECOVERS_S = 60.0
"""So long a strike is waited for; what takes longer is no promise broken, but the next one comes."""
_PAUSE_S = 0.3
"""Mean time from a recovery to the next strike."""
_FORGOTTEN = "told as"
"""How the reason of a plate begins whose record was lost with a store."""


@dataclass(slots=True)
class _Course:
    """How far a torture is."""

    struck: Struck
    report: Report
    blows: list[Blow] = field(default_factory=list)
    calm_plates: int = 0
    calm: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)


def torture(order: TortureOptions, teller: Teller) -> Report:
    """Torture a line, and judge what came of it; Ctrl-C ends it with what there is.

    Raises:
        LineError: the line does not even work when nothing is done to it.
        OSError: there is no place to work in.
    """
    seed = time.time_ns() % 1_000_000_000 if order.seed is None else order.seed
    with _directory(order.keep) as directory:
        place = made_place(directory)
        teller.part("sheets are made, and the line starts", 1)
        line = TorturedLine(directory, place, seed, order.rate)
        course = _Course(Struck(line, place, chance_of(seed)), Report(seed, rate=order.rate))
        course.report.not_tried = not_tried(place)
        try:
            _be_calm(course, teller)
            began = time.monotonic()
            try:
                _strike(course, place, order.minutes * 60, teller)
            except KeyboardInterrupt:
                course.report.interrupted = True
            except LineError as error:
                course.report.broken.append(f"after {_last(course.blows)}: {error}")
            course.report.seconds = time.monotonic() - began
            teller.part("what came of it", 1)
            _end(course)
            _judge(course)
        finally:
            line.end()
    return course.report


@contextlib.contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep.absolute()
        return
    # What is mounted in it is seen by this process alone, and goes with it.
    with tempfile.TemporaryDirectory(prefix="linesentry-torture-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _be_calm(course: _Course, teller: Teller) -> None:
    """Have each kind of sheet judged whole once, and see what the line holds then."""
    line = course.struck.line
    line.start()
    line.wish("calm")
    teller.part("each kind of sheet passes once undisturbed", 1)
    line.wait_for(lambda: len(_calm_rows(line)) == len(DENSITIES))
    _rest(line)
    rows, passed = line.plates(), line.passed()
    if len(rows) != len(passed):
        raise LineError(f"{len(passed)} sheets passed undisturbed, and there are {len(rows)} plates")
    course.calm_plates = len(rows)
    kinds = _calm_rows(line)
    course.calm = [kinds[kind] for kind in range(len(DENSITIES))]
    course.held = held_by(line)
    line.wish("go")


def _calm_rows(line: TorturedLine) -> dict[int, dict[str, Any]]:
    """What a plate of each kind is, as far as one was judged whole: plates and sheets have the same order."""
    with contextlib.suppress(StoreError):
        rows, passed = line.plates(), line.passed()
        return {passed[p - 1][1]: substance(row) for p, row in rows.items() if row.complete and p <= len(passed)}
    return {}


def _rest(line: TorturedLine) -> None:
    """Let no more sheets pass, and wait until all is over."""
    line.wish("rest")
    line.wait_for(lambda: line.passed() and free_slots(line) and not _open_plates(line))


def _ask(line: TorturedLine, question: str, *values: object) -> int | None:
    """A number of the store; None while it cannot be read."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{line.store}?mode=ro", uri=True, timeout=5)) as store,
    ):
        return int(store.execute(question, values).fetchone()[0])
    return None


def _open_plates(line: TorturedLine) -> bool:
    return _ask(line, "SELECT count(*) FROM plates WHERE verdict IS NULL") != 0


def _strike(course: _Course, place: Place, seconds: float, teller: Teller) -> None:
    struck, line, blows = course.struck, course.struck.line, course.blows
    began = time.monotonic()
    teller.part("the line is struck", seconds)
    at_once = False
    for one in planned(struck.chance, place):
        course.report.seconds = time.monotonic() - began
        if course.report.seconds >= seconds:
            return
        if not at_once:
            time.sleep(min(struck.chance.expovariate(1 / _PAUSE_S), 10 * _PAUSE_S))
        last = _ask(line, "SELECT max(plate) FROM plates") or 0
        teller.at(course.report.seconds, f"{len(blows)} strikes, {last} plates: {one.fault} {one.where}".rstrip())
        blows.append(Blow(one, datetime.now(UTC), alone=not (at_once or one.then_at_once)))
        one.strike(struck, one.names)
        at_once = one.then_at_once
        if not at_once:
            _recover(line, last)


def _recover(line: TorturedLine, last: int) -> None:
    """Wait until a plate that began after the strike is judged whole."""
    until = time.monotonic() + _RECOVERS_S
    line.wait_for(
        lambda: (
            _ask(line, "SELECT count(*) FROM plates WHERE complete AND plate > ?", last) or time.monotonic() > until
        ),
        2 * _RECOVERS_S,
    )


def _last(blows: Sequence[Blow]) -> str:
    return f"{blows[-1].planned.fault} {blows[-1].planned.where}".rstrip() if blows else "the start"


def _end(course: _Course) -> None:
    """Have all drain, look what is held, and stop it in order."""
    struck, line, broken = course.struck, course.struck.line, course.report.broken
    if line.exit_code is not None:
        broken.append(f"the service ended by itself with {line.exit_code}")
        return
    try:
        _rest(line)
        broken += leaked(course.held, held_by(line))
    except (LineError, OSError) as error:
        broken.append(f"after the last strike not all was over: {error}")
    try:
        struck.stopped_to_end(signal.SIGTERM, codes=(0,), heard=True)
    except LineError as error:
        broken.append(str(error))
        return
    broken += left_behind(line)


def _judge(course: _Course) -> None:
    struck, line, report = course.struck, course.struck.line, course.report
    report.broken += struck.broken
    try:
        stored = line.plates()
    except StoreError as error:
        report.broken.append(f"the store cannot be read in the end: {error}")
        return
    rows = stored | struck.taken_away
    changed = [p for p, row in struck.taken_away.items() if p in stored and stored[p].verdict is not row.verdict]
    report.broken += [
        f"plate {p} was {struck.taken_away[p].verdict} before the store was deleted, and is {stored[p].verdict}"
        for p in changed
    ]
    kinds = range(len(course.calm))
    matches = {p: _matches(row, course.calm, kinds) for p, row in rows.items()}
    judgement = judged(
        Facts(
            rows,
            course.calm,
            matches,
            line.passed(),
            line.finals,
            struck.late_sheets,
            frozenset(line.killed_runs),
            _forgotten(rows) if struck.taken_away else frozenset(),
            [p for p, row in struck.taken_away.items() if p in stored and stored[p].run != row.run],
        )
    )
    report.broken += judgement.broken
    report.plates, report.whole, report.untold = len(rows), judgement.whole, judgement.untold
    report.strikes = len(course.blows)
    report.verdicts = dict(Counter(row.verdict.value if row.verdict else "open" for row in rows.values()))
    report.faults = outcomes(course.blows, rows, course.calm_plates)
    report.recovery = recoveries(course.blows, rows)
    report.stories = {p: _story(course, rows, p) for p in _named(report.broken) if p in rows}


def _matches(row: PlateRow, calm: Sequence[dict[str, Any]], kinds: range) -> frozenset[int]:
    found = substance(row)
    return frozenset(kind for kind in kinds if found == calm[kind])


def _forgotten(rows: dict[int, PlateRow]) -> frozenset[int]:
    return frozenset(p for p, row in rows.items() if row.verdict and (row.reason or "").startswith(_FORGOTTEN))


def _named(broken: Sequence[str]) -> list[int]:
    """Plates that are named in what was broken; the first ones tell enough."""
    return sorted({int(number) for text in broken for number in re.findall(r"\bplate (\d+)", text)})[:5]


def _story(course: _Course, rows: dict[int, PlateRow], plate: int) -> list[str]:
    row = rows[plate]
    near = [blow for blow in course.blows if abs((blow.at - row.seen_at).total_seconds()) < 15]
    struck = [f"{blow.at:%H:%M:%S.%f} {blow.planned.fault} {blow.planned.where}".rstrip() for blow in near]
    return [f"seen {row.seen_at:%H:%M:%S.%f}, {row.verdict}: {row.reason}", *struck, *course.struck.line.told_of(plate)]
