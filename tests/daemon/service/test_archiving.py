"""Record's side of the archive: what became of plates is stored, whatever ails the store meanwhile, and said once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq
from structlog.testing import capture_logs

from config.load import load_recipe
from config.schema import Archive, Config
from daemon.service.archiving import ArchiveDesk
from daemon.store.archive_files import archive_path
from daemon.store.challenges import challenged
from daemon.store.history import EVERYTHING
from daemon.store.results import Store, store_path
from daemon.store.rows import PlateRow
from daemon.telemetry.counters import Tally
from daemon.wire import messages as m
from daemon.wire.channel import Server
from daemon.wire.plate_memory import PlateMemory
from stages.archive import ENOUGH_S
from stages.challenge import Challenge, Kind
from stages.events import (
    ArchiveInStep,
    ArchiveLacks,
    PlateArchived,
    PlateChallenged,
    PlateCopied,
    PlateNotArchived,
)
from stages.plate import Cause, PlateResult, Verdict
from tests.daemon.conftest import FACTS, KEY, RUN, SHAPE

RECIPE = load_recipe("P10B")
SAID = Challenge("c" * 64, "next", Kind.SAME, Verdict.NG, (Cause.DEFECT,), ())


@dataclass
class Kept:
    """A desk with its store; plates are final, and an archiver says what the test wants."""

    desk: ArchiveDesk
    store: Store
    memory: PlateMemory
    let_go: list[int]

    def final(self, plate: int, now: float) -> None:
        self.memory.open(self.memory.free_places()[0], plate)
        result = PlateResult(RUN, plate, Verdict.NG, (Cause.DEFECT,), "", True, 9, 9, 1, 1, 1.0)
        self.store.commit_verdict(result, decided_at=datetime.now(UTC))
        (facts,) = (one for one in self.memory.all_facts() if one.plate == plate)
        assert self.desk.take(facts, result, RECIPE, self.store, now)

    def row(self, plate: int) -> PlateRow:
        row = self.store.plate(plate)
        assert row is not None
        return row


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    links = Server(context, m.Sender(RUN, "record", 0, 1), tmp_path / "record", KEY)
    memory, let_go = PlateMemory.create(SHAPE), list[int]()
    config = Config(archive=Archive(least_free_gb=0))
    desk = ArchiveDesk(config, tmp_path, RUN, SHAPE.rows * SHAPE.columns, let_go.append, Tally())
    desk.begin(links)
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(FACTS)
        yield Kept(desk, store, memory, let_go)
        desk.stop(store)
    links.close()
    context.destroy(linger=0)
    memory.close()


def test_a_slot_is_free_once_its_plate_is_copied_and_the_file_stands_in_the_store(kept: Kept) -> None:
    kept.final(1, now=0)
    assert (kept.let_go, kept.desk.holds) == ([], True)
    kept.desk.hear(PlateCopied(1), 0)
    assert (kept.let_go, kept.desk.holds) == ([1], False)
    path = archive_path(kept.store.path.parent / "archive", RUN, 1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"pixels")
    kept.desk.hear(PlateArchived(1, 6, "d" * 64, 0.5), 0)
    kept.desk.tick(kept.store, 2, 1)
    found = kept.row(1).archive
    assert found is not None
    assert (found.path, found.bytes, found.sha256) == ("archive/aaaaaaaa/000001.ome.tif", 6, "d" * 64)


def test_however_many_plates_a_full_disk_costs_it_is_said_once_and_once_that_it_works_again(kept: Kept) -> None:
    news: list[object] = []
    with capture_logs() as logs:
        for plate in range(1, 5):
            kept.final(plate, now=plate)
            kept.desk.hear(PlateNotArchived(plate, "no room", "the disk is full"), plate)
            kept.memory = PlateMemory.create(SHAPE)
            news += kept.desk.tick(kept.store, 2, plate)
        kept.final(5, now=5)
        kept.desk.hear(PlateArchived(5, 6, "d" * 64, 0.5), 5)
        for now in (6, 5 + ENOUGH_S, 7 + ENOUGH_S):
            news += kept.desk.tick(kept.store, 2, now)
    assert news == [ArchiveLacks("the disk is full"), ArchiveInStep()]
    warnings = [(one["event"], one.get("missing")) for one in logs if one["log_level"] == "warning"]
    assert warnings == [("plates are missing in the archive", None), ("the archive works again", 4)]
    # Each plate says for itself why it has no file.
    for plate in range(1, 5):
        found = kept.row(plate).archive
        assert found is not None
        assert found.missing == "the disk is full"


def test_what_became_of_a_plate_is_stored_once_the_store_works_again(kept: Kept) -> None:
    kept.final(1, now=0)
    kept.desk.hear(PlateNotArchived(1, "no room", "the disk is full"), 0)
    kept.desk.challenged(PlateChallenged(1, SAID))
    other = sqlite3.connect(kept.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept.desk.tick(kept.store, 2, 1)
    assert kept.row(1).archive is None
    other.execute("COMMIT")
    other.close()
    kept.desk.tick(kept.store, 2, 10)
    row = kept.row(1)
    assert row.archive is not None
    assert (row.archive.missing, row.challenge, row.verdict) == ("the disk is full", SAID, Verdict.NG)
    assert challenged(kept.store, EVERYTHING) == [(1, Verdict.NG, SAID)]
