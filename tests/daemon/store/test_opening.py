"""The store as a file: any path, any reader, and what becomes of one that somebody harmed."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from daemon.service import doctor
from daemon.service.ledger import RunLedger
from daemon.store.opening import set_aside_before
from daemon.store.reading import read_results
from daemon.store.results import RunFacts, Store, StoreError, store_path
from daemon.store.sound import open_sound
from daemon.store.state import RunEnd, StateDirectory, StateError
from daemon.telemetry.metrics import Metrics
from stages.events import VerdictCommitted
from stages.plate import Cause, Defect, PlateResult, Verdict

RUN = "a" * 32
FACTS = RunFacts(RUN, "P10B", simulated=True)
CRACK = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
NAMES = [
    "line#2",
    "line?2",
    "50%41",
    "two words; &c=d",
    'quote\'d "x"',
    "new\nline",
    "file:x?mode=memory",
    os.fsdecode(b"\xff\xfe"),
]


def result(plate: int, verdict: Verdict = Verdict.NG) -> PlateResult:
    causes = {Verdict.OK: (), Verdict.NG: (Cause.DEFECT,), Verdict.INCONCLUSIVE: (Cause.FOCUS,)}[verdict]
    defects = (CRACK,) if verdict is Verdict.NG else ()
    return PlateResult(RUN, plate, verdict, causes, "", True, 9, 9, 1, 1, 1.0, defects=defects)


def fill(store: Store, *numbers: int) -> None:
    for plate in numbers:
        store.commit_verdict(result(plate), decided_at=datetime.now(UTC))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory of a service that has ended in order, with plates 1 to 3."""
    directory = tmp_path / "state"
    directory.mkdir()
    with Store.open(store_path(directory)) as store:
        store.begin_run(FACTS)
        fill(store, 1, 2, 3)
        store.end_run()
    return directory


# --- paths ---


@pytest.mark.parametrize("name", NAMES)
def test_results_lie_in_their_directory_whatever_its_name(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    with Store.open(store_path(directory)) as store:
        store.begin_run(FACTS)
        fill(store, 1)
    assert store_path(directory).is_file()
    assert list(tmp_path.iterdir()) == [directory]
    assert [row.plate for row in read_results(directory).plates] == [1]


def test_a_service_says_at_once_that_the_name_of_its_directory_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is not UTF-8"):
        StateDirectory(tmp_path / os.fsdecode(b"\xff\xfe"))


def test_a_store_may_be_a_link_to_another_disk(state: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "plates.sqlite"
    elsewhere.parent.mkdir()
    store_path(state).rename(elsewhere)
    store_path(state).symlink_to(elsewhere)
    with Store.open(store_path(state)) as store:
        assert store.begin_run(FACTS).first_plate == 4
    elsewhere.write_bytes(b"\xa5" * 8192)
    store, aside = open_sound(store_path(state))
    store.close()
    assert aside is not None
    assert aside.path.parent == elsewhere.parent
    assert store_path(state).resolve() == elsewhere


# --- files that are none of ours ---


def _directory(path: Path) -> None:
    path.mkdir()


def _newer(path: Path) -> None:
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")


@pytest.mark.parametrize(
    ("make", "order"),
    [
        (_directory, "is a directory: move it away"),
        (_newer, "schema version 99, this program knows .*: update linesentry"),
        (_foreign, "not a result store of linesentry .*: move it away"),
    ],
)
def test_what_is_not_a_damaged_store_of_ours_is_left_alone_and_the_order_is_clear(
    tmp_path: Path, make: Callable[[Path], None], order: str
) -> None:
    path = store_path(tmp_path)
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(StoreError, match=order):
        open_sound(path)
    with pytest.raises(StoreError, match=order):
        read_results(tmp_path)
    assert doctor.database(tmp_path).ok is False
    assert before == (None if path.is_dir() else path.read_bytes())
    assert set_aside_before(path) == []


def _a_page(data: bytearray) -> None:
    data[8192:12288] = os.urandom(4096)


def _the_head(data: bytearray) -> None:
    data[:100] = b"\0" * 100


def _half_of_it(data: bytearray) -> None:
    del data[len(data) // 2 :]


def _all_of_it(data: bytearray) -> None:
    data[:] = b"some text\n" * 1000


@pytest.mark.parametrize("harm", [_a_page, _the_head, _half_of_it, _all_of_it])
def test_a_damaged_store_is_told_by_every_reader_and_set_aside_whole_at_a_start(
    state: Path, harm: Callable[[bytearray], None]
) -> None:
    path = store_path(state)
    data = bytearray(path.read_bytes())
    harm(data)
    path.write_bytes(data)
    check = doctor.database(state)
    assert check.ok is False
    assert "the next start of the service sets it aside" in check.advice
    store, aside = open_sound(path)
    with store:
        assert store.begin_run(FACTS).first_plate == 1
        fill(store, 1)
        store.end_run()
    assert aside is not None
    assert aside.path.read_bytes() == bytes(data)
    assert set_aside_before(path) == [aside.path]
    check = doctor.database(state)
    assert (check.ok, aside.path.name in check.found) == (None, True)


def test_an_empty_file_is_a_store_that_is_yet_to_be_filled(tmp_path: Path) -> None:
    store_path(tmp_path).touch()
    with pytest.raises(StoreError, match="is empty: the next start of the service fills it"):
        read_results(tmp_path)
    store, aside = open_sound(store_path(tmp_path))
    store.close()
    assert aside is None


# --- readers ---


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user who may write nowhere here."""
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def readable(state: Path) -> Iterator[Path]:
    """Readable by all, writable by root."""
    if os.geteuid() != 0:
        pytest.skip("changes users")
    open_to_all = [state, *state.parents]
    modes = {path: path.stat().st_mode for path in open_to_all}
    for path in open_to_all:
        path.chmod(path.stat().st_mode | 0o055)
    yield state
    for path, mode in modes.items():
        path.chmod(mode)


def test_who_may_not_write_reads_the_results_of_a_stopped_service(readable: Path) -> None:
    with as_nobody():
        assert [row.plate for row in read_results(readable).plates] == [3, 2, 1]
    assert [path.name for path in readable.iterdir()] == ["results.sqlite"]


@pytest.mark.parametrize("shm", ["kept", "gone", "rubbish"])
def test_who_may_not_write_reads_what_a_killed_service_has_left(readable: Path, shm: str) -> None:
    image = _killed(readable, lambda store: fill(store, 4, 5))
    beside = image / "results.sqlite-shm"
    if shm == "gone":
        beside.unlink()
    elif shm == "rubbish":
        beside.write_bytes(os.urandom(32768))
    for path in (image, *image.iterdir()):
        path.chmod(path.stat().st_mode | 0o055)
    with as_nobody():
        assert [row.plate for row in read_results(image).plates] == [5, 4, 3, 2, 1]


def test_another_program_may_have_changed_the_mode_of_the_journal(state: Path) -> None:
    with closing(sqlite3.connect(store_path(state))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    assert [row.plate for row in read_results(state).plates] == [3, 2, 1]
    with Store.open(store_path(state)) as store, closing(sqlite3.connect(store_path(state))) as other:
        store.begin_run(FACTS)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# --- copies, and a write-ahead log that somebody harmed ---


def _killed(state: Path, work: Callable[[Store], None]) -> Path:
    """What a service that was killed at work leaves: the files as they lie while it has them open."""
    image = state.with_name("killed")
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        work(store)
        shutil.copytree(state, image)
    return image


def test_a_plain_copy_has_what_was_taken_into_the_file_and_says_what_it_may_lack(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(store: Store) -> None:
        fill(store, 4)
        store.settle()
        fill(store, 5)

    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(store_path(_killed(state, work)), copy)
    found = read_results(copy)
    assert [row.plate for row in found.plates] == [4, 3, 2, 1]
    (note,) = found.notes
    assert "the latest plates may be missing" in note
    assert ".backup" in note
    RunLedger(Metrics("1", "small"), lambda _: None, structlog.get_logger()).begin_in_store(copy, FACTS, RunEnd.UNKNOWN)
    assert "its latest plates may be missing" in capsys.readouterr().out


def test_a_copy_of_a_store_that_was_closed_in_order_has_nothing_to_say(state: Path) -> None:
    assert read_results(state).notes == []


def _deleted(log: Path, _: bytes) -> None:
    log.unlink()


def _rubbish(log: Path, _: bytes) -> None:
    log.write_bytes(os.urandom(log.stat().st_size))


def _cut(log: Path, _: bytes) -> None:
    os.truncate(log, log.stat().st_size // 3)


def _older(log: Path, before: bytes) -> None:
    log.write_bytes(before)


@pytest.mark.parametrize("harm", [_deleted, _rubbish, _cut, _older])
def test_told_verdicts_outlive_the_log_that_had_them(
    tmp_path: Path, harm: Callable[[Path, bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    state, image = tmp_path / "state", tmp_path / "killed"
    state.mkdir()
    metrics = Metrics("1", "small")
    ledger = RunLedger(metrics, lambda _: None, structlog.get_logger())
    ledger.begin_in_store(state, FACTS, RunEnd.UNKNOWN)
    verdicts = dict(zip(range(1, 9), (Verdict.NG, Verdict.OK, Verdict.INCONCLUSIVE, Verdict.OK) * 2, strict=True))
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        before = b""
        for plate, verdict in verdicts.items():
            ledger.saw(plate)
            store.commit_verdict(result(plate, verdict), decided_at=datetime.now(UTC))
            ledger.committed(VerdictCommitted(result(plate, verdict), None))
            if plate == 4:
                before = (state / "results.sqlite-wal").read_bytes()
                store.settle()
        ledger.saw(9)
        shutil.copytree(state, image)
    harm(image / "results.sqlite-wal", before)

    check = doctor.database(image)
    assert check.ok is False, check.found
    following = RunLedger(metrics, lambda _: None, structlog.get_logger())
    assert following.begin_in_store(image, replace(FACTS, run="b" * 32), RunEnd.DIED) == 10
    told = capsys.readouterr().out
    assert "verdicts that were told are not in the result store" in told or "set aside" in told
    found = read_results(image, None)
    assert {row.plate: row.verdict for row in found.plates} == {**verdicts, 9: Verdict.INCONCLUSIVE}
    assert found.notes == []
    with Store.open(store_path(image), read_only=True) as store:
        store.check()
        assert store.check_rows().changed == ()


def test_the_log_of_a_store_at_work_may_be_deleted_and_nothing_is_lost(state: Path) -> None:
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        fill(store, 4)
        (state / "results.sqlite-wal").unlink()
        with pytest.raises(StoreError, match="write-ahead log"):
            fill(store, 5)
        fill(store, 5)
        image = state.with_name("killed")
        shutil.copytree(state, image)
    assert [row.plate for row in read_results(image).plates] == [5, 4, 3, 2, 1]
