"""The record process: commits sightings and verdicts to the result store, then writes the pictures."""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import cv2
import msgspec

from config.schema import Recipe
from daemon.service.child import Child, Plan
from daemon.service.doubtful_store import doubtful_store
from daemon.service.evidence_desk import EvidenceDesk
from daemon.service.golden_watch import GoldenWatch
from daemon.service.optics_watch import OpticsOfRecipes
from daemon.service.outgoing import Outgoing
from daemon.store.events import note
from daemon.store.journal import NOTHING
from daemon.store.results import RunFacts, Store, StoreDamagedError, StoreError, StoreGoneError, store_path
from daemon.store.rows import result_of
from daemon.wire.channel import Event, Joined
from daemon.wire.plate_memory import Hold
from stages import record
from stages.events import (
    Abort,
    Aborted,
    ArchiverLost,
    DecidedUnseen,
    Noted,
    PlateArchived,
    PlateChallenged,
    PlateCopied,
    PlateDecided,
    PlateFinal,
    PlateNotArchived,
    PlateSeen,
    SayAgain,
    SeenCommitted,
    StoreFailing,
    StoreWorks,
    VerdictCommitted,
    VerdictTold,
)
from stages.optics import unevenness
from stages.plate import PlateResult
from stages.recipes import FIRST
from stages.record import Recorder
from stages.weaker_results import untold

_SETTLE_S, _SETTLE_BUSY_S = 0.1, 1.0
_RECENT = 64
"""Final plates of which a new tile or merge process is told."""


class RecordProcess(Child):
    """Runs the recorder's writes, one transaction each, and tells tile, merge and supervisor what is committed."""

    role = "record"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._recorder = Recorder()
        self._memory = self.plate_memory()
        self._facts = {FIRST: msgspec.convert(plan.facts, RunFacts)}
        """Of the plates of each recipe, by its number."""
        self._state = Path(plan.state)
        self._store: Store | None = None
        self._doubtful = False
        """The store was found damaged or gone: what lies there is looked at whole before it is used."""
        self._committed: dict[int, VerdictCommitted] = {}
        """Verdicts as this process committed them, until the supervisor is told."""
        self._final: deque[int] = deque(maxlen=_RECENT)
        self._evidence = EvidenceDesk(
            self.config, self._state, plan.run, self._memory, self._evidence_failed, self.tally
        )
        self._optics = OpticsOfRecipes(self.config, self.recipe, plan.run)
        self._golden = GoldenWatch(self.config.golden, plan.run, self.supervisor)
        self._aborted: Abort | None = None
        self._unsettled = False
        """Something is stored that may stand in the write-ahead log alone."""
        self._settled_at = 0.0
        self._untold: set[int] = set()
        """Plates whose committed verdict could not be read for the supervisor, which waits for it."""
        self._tell_untold_at = 0.0
        self._tell_seen_at = inf
        """When tile is to be told of the open plates: it is new, or the store failed as it was asked for them."""

    def load_recipe(self, number: int, recipe: Recipe) -> None:
        """Know what is stored with its plates; what is known of the optics goes on where the product is the same."""
        self._facts[number] = msgspec.convert(self.facts[number], RunFacts)
        self._optics.load(number, recipe, self._store)

    def forget_recipe(self, number: int) -> None:
        """All its plates are final."""
        if number != FIRST:
            self._facts.pop(number, None)
            self._optics.forget(number, self._store)

    def start(self) -> None:
        """Open the store; one that fails now is tried again with the first write."""
        cv2.setNumThreads(1)
        self._links = self.bind("record", self._on_link)
        self._evidence.begin(self._links)
        simulated = self._facts[FIRST].simulated
        self._outgoing = Outgoing(self.config.outputs.all, self._links, self.tally, simulated=simulated)
        try:
            self._open_store()
        except StoreError as error:
            self.tally.add("store_failures_total", 1, error.kind)
            self._do(record.StoreNotOpened(error.kind, str(error)), time.monotonic())
            self._see_to(error, time.monotonic())

    def wait_s(self) -> float:
        """Look often at evidence in work, whose slots others wait for."""
        return 0.02 if self._evidence.busy else super().wait_s()

    def tick(self, now: float) -> None:
        """Retry what waits, finish pictures, delete old ones."""
        self._do(record.Tick(), now)
        self._optics.keep(self._store)
        if self._aborted is not None:
            self._close_open(self._aborted, now)
        # At once when nothing waits to be written; and where something always does, now and then.
        if self._unsettled and now - self._settled_at > (_SETTLE_BUSY_S if self._recorder.waiting else _SETTLE_S):
            self._settle(now)
        for news in self._evidence.tick(self._store, now):
            self.supervisor.send(news, now)
        if (damage := self._evidence.damage()) is not None:
            self.tally.add("store_failures_total", 1, "broken")
            self._store_failed(damage, now)
        try:
            if self._store is not None and now >= self._tell_seen_at:
                self._tell_seen(self._store, now)
            if self._untold and now >= self._tell_untold_at:
                self._tell_verdict(self._untold.pop(), now)
            self._outgoing.tick(self._store, now)
            self._golden.tick(self._store, self.recipes.values(), now)
        except StoreError as error:
            self._store_failed(error, now)
        self.note = f"{self._recorder.waiting} writes wait" if self._recorder.waiting else "store is in step"

    def stop(self) -> None:
        """Finish the pictures in work."""
        self._evidence.stop(self._store, time.monotonic())
        self._optics.keep(self._store, now=True)
        if self._store is not None:
            self._store.close()

    # --- what others say -------------------------------------------------------------------------------------

    def on_supervisor(self, event: Event, now: float) -> None:
        """The switch saw a plate; or every open plate is to end."""
        super().on_supervisor(event, now)
        match event[1]:
            case PlateSeen() as seen:
                self._outgoing.heard(seen, self._facts.get(seen.recipe))
                self._golden.saw(seen)
                if seen.plate in self._final:
                    # The supervisor has missed the verdict: the record that committed it is no more.
                    self._tell_verdict(seen.plate, now)
                else:
                    self._do(seen, now)
            case Abort() as abort:
                self._aborted = abort
            case ArchiverLost() as lost:
                self._evidence.hear(lost, now)
            case Noted(kind, text):
                self._note(kind, text)

    def _on_link(self, event: Event, now: float) -> None:
        sender, body = event
        if isinstance(body, Joined):
            self._tell_newcomer(sender.name, now)
        elif isinstance(body, PlateDecided):
            self._do(body, now)
        elif isinstance(body, VerdictTold):
            self._outgoing.told(sender.name, body)
        elif isinstance(body, PlateCopied | PlateArchived | PlateNotArchived):
            self._evidence.hear(body, now)
        elif isinstance(body, PlateChallenged):
            self._evidence.challenged(body)

    def _tell_newcomer(self, name: str, now: float) -> None:
        if self._outgoing.knows(name):
            self._outgoing.joined(name, now)
            return
        self._evidence.joined(name, now)
        for plate in self._final:
            self._links.send(name, PlateFinal(plate), now)
        if name == "tile-0":
            self._tell_seen_at = now

    def _tell_seen(self, store: Store, now: float) -> None:
        """Tell a new tile process which plates are open; again until the store says it. Raises StoreError."""
        self._tell_seen_at = now + _SETTLE_BUSY_S
        for plate in store.open_plates(self.plan.run):
            self._links.send("tile-0", SeenCommitted(plate), now)
        self._tell_seen_at = inf

    def _note(self, kind: str, text: str) -> None:
        try:
            if self._store is not None:
                note(self._store, self.plan.run, kind, text)
        except StoreError as error:
            self._alarm(error.kind, str(error))

    # --- what the recorder says ------------------------------------------------------------------------------

    def _do(self, event: record.Event, now: float) -> None:
        todo = self._recorder.handle(event, now)
        while todo:
            order = todo.pop(0)
            match order:
                case record.CommitSeen() | record.CommitVerdict():
                    outcome = self._write(order)
                    todo = todo + self._recorder.handle(outcome, time.monotonic())
                case SeenCommitted():
                    self._links.send("tile-0", order, now)
                    self._outgoing.saw(order.plate, now)
                case PlateFinal():
                    self._confirm_final(order, now)
                case DecidedUnseen(plate):
                    if self._has(plate):
                        todo = todo + self._recorder.handle(record.SeenStored(plate), time.monotonic())
                    else:
                        self.supervisor.send(order, now)
                case record.Refuse():
                    self.tally.add("messages_refused_total", 1, "store behind")
                case SayAgain():
                    self._links.send("merge-0", order, now)
                    self.supervisor.send(order, now)
                case record.RecordRefused():
                    self.log.error("result store failed", kind="refused", plate=order.plate, error=order.text)
                case record.RecordLost():
                    self._give_up(order, now)
                case StoreFailing():
                    self._alarm(order.kind, order.text)
                    self.supervisor.send(order, now)
                case StoreWorks():
                    self.log.warning(order.text)
                    self.supervisor.send(order, now)

    def _has(self, plate: int) -> bool:
        try:
            return self._store is not None and self._store.has(self.plan.run, plate)
        except StoreError as error:
            self._store_failed(error, time.monotonic())
            return False

    def _write(self, write: record.CommitSeen | record.CommitVerdict) -> record.StoreSucceeded | record.StoreFailed:
        at = datetime.now(UTC)
        try:
            store = self._store or self._open_late(time.monotonic())
            if isinstance(write, record.CommitSeen):
                own = self._facts.get(write.recipe)
                store.seen(self.plan.run, write.plate, at, write.image, own, write.part, write.camera)
            else:
                self._commit(store, write, at)
        except StoreError as error:
            self.tally.add("store_failures_total", 1, error.kind)
            self._see_to(error, time.monotonic())
            return record.StoreFailed(write.write, error.kind, str(error))
        self._unsettled = True
        return record.StoreSucceeded(write.write)

    def _commit(self, store: Store, write: record.CommitVerdict, at: datetime) -> None:
        result, last_row_at = write.decided.result, write.decided.last_row_at
        latency = None if last_row_at is None else time.monotonic() - last_row_at
        number, optics = write.decided.recipe or 0, self._optics.take(store, write.decided)
        result = self._golden.judged(store, result, self.recipes.get(number, self.recipe).name, at)
        if store.commit_verdict(
            result,
            decided_at=at,
            latency_s=latency,
            event=write.event,
            unevenness=unevenness(write.decided.profile),
            optics=optics.faults if optics else None,
            facts=self._facts.get(number),
            named=self.config.outputs.asking is not None,
        ):
            # The verdict as committed, which the store's failure may have changed.
            self._committed[result.plate] = VerdictCommitted(result, latency, write.decided.inspection_s, optics)
            if latency is not None:
                self.tally.observe("plate_latency_seconds", latency)
        else:
            # The first verdict stays, and is the one to tell, for its sender may not have been heard.
            self._committed.pop(result.plate, None)

    def _confirm_final(self, final: PlateFinal, now: float) -> None:
        self._final.append(final.plate)
        for name in ("tile-0", "merge-0"):
            self._links.send(name, final, now)
        self._outgoing.committed(self._committed.get(final.plate))
        result = self._tell_verdict(final.plate, now)
        for facts in self._memory.all_facts():
            if facts.plate == final.plate and Hold.RECORD in facts.holds:
                own = self.recipes.get(facts.place.recipe, self.recipe)
                self._evidence.keep(facts, result, own, self._store, now)

    def _give_up(self, lost: record.RecordLost, now: float) -> None:
        """Nobody waits for a plate that cannot be stored; the ledger closes it as INCONCLUSIVE, as is said here."""
        self.log.critical("plate cannot be stored: it is INCONCLUSIVE", plate=lost.plate, reached=lost.reached)
        self._committed[lost.plate] = VerdictCommitted(untold(self.plan.run, lost.plate, lost.reached))
        self._confirm_final(PlateFinal(lost.plate), now)

    def _tell_verdict(self, plate: int, now: float) -> PlateResult | None:
        """Tell the supervisor the verdict that is committed; None when the store fails just now."""
        committed = self._committed.pop(plate, None)
        if committed is None and self._store is not None:
            try:
                row = self._store.plate(plate)
            except StoreError as error:
                self._alarm(error.kind, str(error))
                self._untold.add(plate)
                self._tell_untold_at = now + _SETTLE_BUSY_S
                return None
            if row is not None and row.verdict is not None:
                committed = VerdictCommitted(result_of(row), row.latency_s)
        if committed is None:
            return None
        self.supervisor.send(committed, now)
        return committed.result

    # --- the store -------------------------------------------------------------------------------------------

    def _open_store(self) -> Store:
        """Open the store and take up what a predecessor has committed there; one that is damaged is set aside."""
        store, kept = doubtful_store(self._state) if self._doubtful else (Store.open(store_path(self._state)), NOTHING)
        try:
            store.begin_run(self._facts[FIRST], kept)
            self._outgoing.begin(store)
            known = [row.plate for row in store.plates(limit=_RECENT, run=self.plan.run) if row.verdict is not None]
        except StoreError:
            store.close()
            raise
        self._store, self._doubtful = store, False
        self._final.extend(sorted(known))
        for facts in self._memory.all_facts():
            if Hold.RECORD in facts.holds and facts.plate in self._final:
                self._evidence.lost(facts)
        return store

    def _open_late(self, now: float) -> Store:
        """Open the store that failed at the start, and tell what is committed there to those who joined by then."""
        store = self._open_store()
        for plate in self._final:
            for name in ("tile-0", "merge-0"):
                self._links.send(name, PlateFinal(plate), now)
            self._tell_verdict(plate, now)
        self._tell_seen_at = now
        return store

    def _settle(self, now: float) -> None:
        """Leave nothing in the write-ahead log alone: whoever copies or loses one file then loses no plate."""
        self._unsettled, self._settled_at = False, now
        try:
            if self._store is not None:
                self._store.settle()
        except StoreError as error:
            self._store_failed(error, now)

    def _close_open(self, abort: Abort, now: float) -> None:
        if self._recorder.waiting:
            return
        try:
            closed = (self._store or self._open_late(now)).close_open(self.plan.run, abort.cause)
        except StoreError as error:
            self._store_failed(error, now)
            return
        self._aborted = None
        for plate in closed:
            self.log.error("plate ended without its windows", plate=plate, cause=abort.cause)
            self._confirm_final(PlateFinal(plate), now)
        self.supervisor.send(Aborted(), now)

    def _store_failed(self, error: StoreError, now: float) -> None:
        """Say that the store failed, and see to it."""
        self._alarm(error.kind, str(error))
        self._see_to(error, now)

    def _evidence_failed(self, error: StoreError) -> None:
        self._store_failed(error, time.monotonic())

    def _see_to(self, error: StoreError, now: float) -> None:
        """Where the store lacks room, old pictures make some; what is no store any more is opened anew, or begun."""
        if error.kind == "full":
            self._evidence.make_room(now)
        elif isinstance(error, StoreDamagedError | StoreGoneError):
            if self._store is not None:
                self._store.close()
            self._store, self._doubtful = None, True

    def _alarm(self, kind: str, text: str) -> None:
        self.log.error("result store failed", kind=kind, error=text)


ROLE = RecordProcess
