"""Stored results as everybody reads them: the store, what only the journal knows yet, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from daemon.store import opening
from daemon.store.journal import NOTHING, JournalError, Kept, KeptPlate, journal_path, read_journal
from daemon.store.reconcile import Missing
from daemon.store.results import Store, StoreDamagedError, StoreError, store_path
from daemon.store.rows import Ledger, PlateRow
from stages.plate import Verdict

_MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Reading:
    """Plates, the count of all, and what a reader must be told."""

    plates: Sequence[PlateRow]
    """The latest first."""
    ledger: Ledger
    notes: Sequence[str]
    """What is missing or wrong, in words; nothing when all is well."""


def read_results(state: Path, limit: int | None = 20, *, verdict: Verdict | None = None) -> Reading:
    """The latest plates of a state directory. One that only the journal knows is open.

    Raises:
        StoreError: the store cannot be read.
    """
    notes: list[str] = []
    # Before the store: what was told by then is stored.
    kept = _journal(state, notes)
    with Store.open(store_path(state), read_only=True) as store:
        found = store.missing(kept)
        rows = _rows(store, limit, verdict, notes)
        ledger = store.ledger()
        notes += _notes(store, kept, found)
    unseen = [] if verdict is not None else [_row(one) for one in reversed(found.unseen)]
    rows = sorted([*unseen, *rows], key=lambda row: row.plate, reverse=True)[:limit]
    ahead = len(found.unseen)
    seen = Ledger(ledger.seen + ahead, ledger.ok, ledger.ng, ledger.inconclusive, ledger.open + ahead)
    return Reading(rows, seen, notes)


def faults(state: Path) -> list[str]:
    """What the store lacks of what the journal knows, or of what it held itself. Raises StoreError."""
    notes: list[str] = []
    kept = _journal(state, notes)
    with Store.open(store_path(state), read_only=True) as store:
        return notes + _notes(store, kept, store.missing(kept))


def is_alone(store: Path) -> bool:
    """Whether the store lies there without its write-ahead log and without a journal, as a copy of one file does."""
    return store.exists() and opening.lacks_log(store) and not journal_path(store.parent).exists()


def numbers(plates: Sequence[int]) -> str:
    """Plates in words: `plate 7`, `plates 3, 4, 9` or so many of them."""
    named = ", ".join(map(str, plates[:_MOST_NAMED]))
    more = f" and {len(plates) - _MOST_NAMED} more" if len(plates) > _MOST_NAMED else ""
    return f"{'plate' if len(plates) == 1 else 'plates'} {named}{more}"


def _rows(store: Store, limit: int | None, verdict: Verdict | None, notes: list[str]) -> list[PlateRow]:
    """The latest plates, but for those whose rows somebody made unreadable."""
    try:
        return store.plates(limit, verdict=verdict)
    except StoreDamagedError:
        raise
    except StoreError:
        found = {number: _row_of(store, number) for number in store.numbers(limit, verdict=verdict)}
    if unreadable := [number for number, row in found.items() if row is None]:
        notes.append(f"the store has rows that somebody changed and nobody can read: {numbers(unreadable)}")
    return [row for row in found.values() if row is not None]


def _row_of(store: Store, number: int) -> PlateRow | None:
    try:
        return store.plate(number)
    except StoreDamagedError:
        raise
    except StoreError:
        return None


def _journal(state: Path, notes: list[str]) -> Kept:
    try:
        kept = read_journal(journal_path(state))
    except JournalError as error:
        notes.append(str(error))
        return NOTHING
    if kept.damaged:
        notes.append(f"{kept.damaged} lines of the journal of plates cannot be read: {journal_path(state)}")
    return kept


def _notes(store: Store, kept: Kept, found: Missing) -> list[str]:
    notes: list[str] = []
    last = store.last_plate()
    if found.untold:
        lost = numbers([one.plate for one in found.untold])
        notes.append(
            f"the store has lost the verdicts of {lost}: the next start of the service stores them again from its "
            "journal, without their defects"
        )
    if found.changed:
        told = ", ".join(f"{one.plate} was told as {one.verdict}" for one in found.changed[:_MOST_NAMED])
        notes.append(f"the store has other verdicts than were told: {told}")
    if last < kept.before:
        notes.append(
            f"the store ends at plate {last}, but numbers up to {kept.before} were given: it is new, or an older copy"
        )
    if is_alone(store.path) and store.in_use():
        notes.append(
            f"{store.path} was in use when it was written, and its write-ahead log is not beside it: the latest plates "
            "may be missing. For a copy of all say: sqlite3 results.sqlite '.backup copy.sqlite'"
        )
    return notes


def _row(one: KeptPlate) -> PlateRow:
    nothing: dict[str, object] = {field.name: None for field in fields(PlateRow)}
    known = {"plate": one.plate, "seen_at": one.seen_at, "image": one.image, "camera": one.camera}
    known |= dict.fromkeys(("causes", "warnings", "optics", "defects", "told", "marks"), ())
    return PlateRow(**{**nothing, **asdict(one.facts), **known})
