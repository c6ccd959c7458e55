"""Stored results as everybody reads them: the store, what only the journal knows yet, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain, islice
from pathlib import Path

from daemon.store import opening
from daemon.store.history import EVERYTHING, Position, Selection, page, totals
from daemon.store.history import numbers as selected
from daemon.store.journal import NOTHING, JournalError, Kept, KeptPlate, journal_path, read_journal
from daemon.store.reconcile import Missing
from daemon.store.results import Store, StoreDamagedError, StoreError, store_path
from daemon.store.rows import Ledger, PlateRow
from daemon.store.seals import Rows

_MOST_NAMED = 12
_PAGE = 500
"""Plates that are read at once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Plates, the count of all, and what a reader must be told."""

    plates: Sequence[PlateRow]
    """The latest first."""
    ledger: Ledger
    notes: Sequence[str]
    """What is missing or wrong, in words; nothing when all is well."""


class Reader:
    """The results of a state directory, open to be read. A plate that only the journal knows is open."""

    def __init__(self, store: Store, kept: Kept, notes: list[str]) -> None:
        self.store = store
        """Without what only the journal knows."""
        self._kept = kept
        self._missing = store.missing(kept)
        self.notes = [*notes, *_notes(store, kept, self._missing)]
        """What is missing or wrong, in words."""

    def plates(
        self, selection: Selection = EVERYTHING, limit: int | None = None, before: Position | None = None
    ) -> Iterator[PlateRow]:
        """The selection's plates, the latest first, read as they are taken. Raises StoreError.

        `before`: those that follow that one; what only the journal knows stands before all.
        """
        unseen = self._unseen(selection) if before is None else ()
        rows = chain(unseen, self._stored(selection, limit, before))
        return islice(rows, limit)

    def totals(self, selection: Selection = EVERYTHING) -> Ledger:
        """The selection's plates, counted. Raises StoreError."""
        stored = self.store.ledger() if selection == EVERYTHING else totals(self.store, selection)
        ahead = len(self._unseen(selection))
        return replace(stored, seen=stored.seen + ahead, open=stored.open + ahead)

    def _unseen(self, selection: Selection) -> list[PlateRow]:
        rows = (_row(one) for one in reversed(self._missing.unseen))
        return [row for row in rows if _takes(selection, row)]

    def _stored(self, selection: Selection, limit: int | None, last: Position | None) -> Iterator[PlateRow]:
        begin, given = last, 0
        while limit is None or given < limit:
            most = _PAGE if limit is None else min(_PAGE, limit - given)
            try:
                rows = page(self.store, selection, most, last)
            except StoreDamagedError:
                raise
            except StoreError:
                yield from self._readable(selection, limit, begin, given)
                return
            yield from rows
            if len(rows) < most:
                return
            last, given = Position(rows[-1].seen_at, rows[-1].plate), given + len(rows)

    def _readable(
        self, selection: Selection, limit: int | None, before: Position | None, given: int
    ) -> Iterator[PlateRow]:
        """Those after the ones that were given, but for those whose rows somebody made unreadable."""
        unreadable = []
        for number in selected(self.store, selection, limit, before)[given:]:
            if (row := _row_of(self.store, number)) is None:
                unreadable.append(number)
            else:
                yield row
        if unreadable:
            self.notes.append(f"the store has rows that somebody changed and nobody can read: {numbers(unreadable)}")


@contextmanager
def reader(state: Path) -> Iterator[Reader]:
    """The results of a state directory.

    Raises:
        StoreError: the store cannot be read.
    """
    notes: list[str] = []
    # Before the store: what was told by then is stored.
    kept = _journal(state, notes)
    with Store.open(store_path(state), read_only=True) as store:
        yield Reader(store, kept, notes)


def read_results(state: Path, limit: int | None = 20, selection: Selection = EVERYTHING) -> Reading:
    """The latest plates of a state directory, and the count of all that are selected.

    Raises:
        StoreError: the store cannot be read.
    """
    with reader(state) as results:
        plates = list(results.plates(selection, limit))
        return Reading(plates, results.totals(selection), results.notes)


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


def words_of(rows: Rows) -> list[str]:
    """What is wrong with the stored rows, in words; nothing where all are as they were written."""
    found = []
    if rows.changed:
        found.append(f"changed since they were written: {numbers(rows.changed)}")
    if rows.changed_marks:
        found.append(f"marks changed since they were made: of {numbers(rows.changed_marks)}")
    if rows.gone:
        found.append(f"{rows.gone} plates were deleted by somebody else than linesentry")
    return found


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


def _takes(selection: Selection, row: PlateRow) -> bool:
    """Whether a plate without verdict and defects, as only the journal knows it, is meant."""
    if selection.verdict or selection.cause or selection.place or selection.marked:
        return False
    if (selection.since is not None and row.seen_at < selection.since) or (
        selection.until is not None and row.seen_at >= selection.until
    ):
        return False
    if selection.shift is not None and not selection.shift.holds(row.seen_at):
        return False
    asked = (
        (selection.plate, row.plate),
        (selection.recipe, row.recipe),
        (selection.product, row.product),
        (selection.batch, row.batch_id),
        (selection.part, row.part_id),
    )
    return all(wanted is None or wanted == found for wanted, found in asked)


def _row(one: KeptPlate) -> PlateRow:
    nothing: dict[str, object] = {field.name: None for field in fields(PlateRow)}
    known = {"plate": one.plate, "seen_at": one.seen_at, "image": one.image, "camera": one.camera}
    known |= dict.fromkeys(("causes", "warnings", "optics", "defects", "told", "marks"), ())
    return PlateRow(**{**nothing, **asdict(one.facts), **known})
