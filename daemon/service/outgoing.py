"""Record's side of the outputs: hands them the verdicts that are committed, and stores what they said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import structs

from config.schema import Output
from daemon.store.results import RunFacts, Store
from daemon.store.rows import Telling, part_values
from daemon.store.tellings import Tellings
from daemon.telemetry.counters import Tally
from daemon.wire.channel import Server
from stages.events import PlateSeen, SeenCommitted, VerdictCommitted, VerdictDue, VerdictTold
from stages.outbox import Outbox
from stages.plate import found_and_vetoed

_RECENT = 256
"""Plates of which this process knows when it committed them."""

_RETRY_S = 1.0


class Outgoing:
    """All outputs of one run; does nothing at all where there is none."""

    def __init__(self, outputs: Sequence[Output], links: Server, tally: Tally, *, simulated: bool) -> None:
        self._names = {f"output-{index}": output.name for index, output in enumerate(outputs)}
        self._outboxes = {process: Outbox() for process in self._names}
        self._links = links
        self._tally = tally
        self._simulated = simulated
        self._ids: dict[int, tuple[str | None, str | None, str]] = {}
        """Part id, batch id and recipe of the latest plates."""
        self._committed_at: dict[int, float] = {}
        self._said: list[tuple[str, VerdictTold]] = []
        """What is to be stored, and who said it."""
        self._seen = 0
        self._try_at = 0.0
        """Before this the store is not asked again."""

    def begin(self, store: Store) -> None:
        """The store is open, perhaps another one than before. Raises StoreError."""
        if self._outboxes:
            Tellings(store).begin(list(self._names.values()))
            self._seen = max(self._seen, store.last_plate())
            for outbox in self._outboxes.values():
                outbox.missed()

    def knows(self, process: str) -> bool:
        """Whether an output has that name as a process."""
        return process in self._names

    def joined(self, process: str, now: float) -> None:
        """A new process of the output is there, and knows nothing."""
        self._links.forget_kept(process)
        self._outboxes[process].joined()
        if self._seen:
            self._links.send(process, SeenCommitted(self._seen), now)

    def saw(self, plate: int, now: float) -> None:
        """That the plate was seen is committed."""
        self._seen = max(self._seen, plate)
        for process in self._outboxes:
            self._links.send(process, SeenCommitted(plate), now, keep=False)

    def heard(self, seen: PlateSeen, facts: RunFacts | None) -> None:
        """What is said of a plate that the switch saw, and what is stored of it by its recipe."""
        if self._outboxes and facts is not None:
            ids = {"part_id": None, "batch_id": facts.batch_id} | part_values(seen.part)
            self._ids[seen.plate] = ids["part_id"], ids["batch_id"], facts.recipe
            if len(self._ids) > _RECENT:
                del self._ids[next(iter(self._ids))]

    def committed(self, committed: VerdictCommitted | None) -> None:
        """A verdict is committed; None: one was before, and nobody knows whether the outputs had it."""
        if not self._outboxes:
            return
        now = time.monotonic()
        ids: tuple[str | None, str | None, str] | None = None
        if committed is not None:
            plate = committed.result.plate
            self._committed_at[plate] = now
            if len(self._committed_at) > _RECENT:
                del self._committed_at[next(iter(self._committed_at))]
            ids = self._ids.get(plate)
        if committed is None or ids is None:
            # Then the store knows.
            for outbox in self._outboxes.values():
                outbox.missed()
            return
        due = self._due(committed, ids, now)
        for process, outbox in self._outboxes.items():
            if outbox.committed(due.plate):
                self._links.send(process, due, now)

    def told(self, process: str, said: VerdictTold) -> None:
        """An output is done with a plate; stored by the next `tick`."""
        if process in self._names:
            self._said.append((process, said))

    def tick(self, store: Store | None, now: float) -> None:
        """Store what was said, and hand over what the store has for those that are behind. Raises StoreError."""
        if store is None or now < self._try_at:
            return
        # Where this fails, the next try is a while later: what others write goes first.
        self._try_at = now + _RETRY_S
        if self._said:
            self._store_said(store)
        self._hand_over(store, now)
        self._try_at = now

    def _hand_over(self, store: Store, now: float) -> None:
        for process, outbox in self._outboxes.items():
            room = outbox.room
            if room:
                found = Tellings(store).owed(self._names[process], room, outbox.handed)
                outbox.read([due.plate for due in found], room)
                for due in found:
                    known = structs.replace(due, committed_at=self._committed_at.get(due.plate))
                    self._links.send(process, known, now)

    def _store_said(self, store: Store) -> None:
        monotonic, clock = time.monotonic(), datetime.now(UTC)

        def utc(at: float | None) -> datetime | None:
            return None if at is None else clock - timedelta(seconds=monotonic - at)

        rows = [
            (
                said.plate,
                Telling(
                    output=self._names[process],
                    outcome=said.outcome,
                    divert=said.divert,
                    times=said.times,
                    said_at=utc(said.said_at),
                    answered_at=utc(said.answered_at),
                    answer=said.answer[:200],
                ),
            )
            for process, said in self._said
        ]
        new = {(plate, telling.output) for plate, telling in Tellings(store).store(rows)}
        for process, said in self._said:
            self._outboxes[process].told(said.plate)
            if (said.plate, self._names[process]) in new:
                self._tally.add("verdicts_told_total", 1, said.outcome)
                committed_at = self._committed_at.get(said.plate)
                if said.answered_at is not None and committed_at is not None:
                    self._tally.observe("acknowledge_seconds", said.answered_at - committed_at)
        self._said.clear()

    def _due(self, committed: VerdictCommitted, ids: tuple[str | None, str | None, str], now: float) -> VerdictDue:
        result = committed.result
        return VerdictDue(
            plate=result.plate,
            verdict=result.verdict,
            causes=result.causes,
            reason=result.reason,
            defects=found_and_vetoed(result.defects)[0],
            part_id=ids[0],
            batch_id=ids[1],
            latency_s=committed.latency_s,
            committed_at=now,
            simulated=self._simulated,
            recipe=ids[2],
        )
