"""The journal of plates: what was seen outlives the process that saw it; a file that was harmed gives what it can."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon.store import journal as journals
from daemon.store.journal import NOTHING, Journal, JournalError, Kept, journal_path, read_journal
from daemon.store.results import Store
from daemon.store.rows import RunFacts
from stages.plate import Verdict
from stages.plc import Part

FACTS = RunFacts("a" * 32, "P10B", simulated=True, batch_id="7")
NOW = datetime(2026, 5, 4, 3, 2, 1, 654321, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def journal(path: Path, clock: Clock) -> Iterator[Journal]:
    with closing(Journal(path, FACTS, 3, clock)) as made:
        yield made


def plates(kept: Kept) -> dict[int, Verdict | None]:
    return {one.plate: one.verdict for one in kept.plates}


def tick_later(journal: Journal, clock: Clock) -> None:
    clock.now += 1.1
    journal.tick()


def test_what_is_told_to_it_is_in_the_file_at_once(journal: Journal, path: Path) -> None:
    journal.seen(4, NOW)
    journal.seen(5, NOW + timedelta(seconds=1), "5.png", part=Part("A5"), camera="24812")
    journal.final(4, Verdict.NG)
    kept = read_journal(path)
    assert kept == journal.kept
    assert plates(kept) == {4: Verdict.NG, 5: None}
    assert (kept.plates[0].facts, kept.plates[0].seen_at, kept.plates[0].part) == (FACTS, NOW, None)
    assert (kept.plates[1].image, kept.plates[1].part, kept.plates[1].camera) == ("5.png", Part("A5"), "24812")
    with Store.open(path.with_name("lost.sqlite")) as store:
        store.begin_run(FACTS, kept)
        assert [(row.part_id, row.batch_id) for row in store.plates()] == [("A5", "7"), (None, "7")]
    assert (kept.before, kept.last, kept.damaged, kept.torn) == (3, 5, 0, False)


def test_a_process_that_is_killed_has_told_it_all(path: Path) -> None:
    code = f"""
import os, signal, time
from datetime import UTC, datetime
from pathlib import Path
from daemon.store.journal import Journal
from daemon.store.rows import RunFacts
journal = Journal(Path({str(path)!r}), RunFacts("a" * 32, "P10B", simulated=True), 0, time.monotonic)
for plate in range(1, 100):
    journal.seen(plate, datetime.now(UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert list(plates(read_journal(path))) == list(range(1, 100))


def test_none_yet_knows_nothing_and_one_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    assert read_journal(journal_path(tmp_path)) == NOTHING
    journal_path(tmp_path).mkdir()
    with pytest.raises(JournalError, match="check its owner and permissions"):
        read_journal(journal_path(tmp_path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 1200))
def test_of_a_file_that_was_cut_off_every_whole_line_is_read(path: Path, clock: Clock, cut: int) -> None:
    with closing(Journal(path, FACTS, 3, clock)) as journal:
        for plate in range(4, 12):
            journal.seen(plate, NOW)
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    kept = read_journal(path)
    lines = data.count(b"\n")
    assert kept.damaged == 0
    assert kept.torn is (data != b"" and not data.endswith(b"\n"))
    assert list(plates(kept)) == list(range(4, 4 + max(0, lines - 1)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_byte_that_was_changed_costs_the_lines_that_it_is_part_of_and_invents_nothing(
    path: Path, clock: Clock, at: int, value: int
) -> None:
    with closing(Journal(path, FACTS, 3, clock)) as journal:
        for plate in range(4, 12):
            journal.seen(plate, NOW)
            journal.final(plate, Verdict.OK)
    data = bytearray(path.read_bytes())
    changed = data[at % len(data)] != value
    data[at % len(data)] = value
    path.write_bytes(data)
    found = plates(read_journal(path))
    assert set(found) <= set(range(4, 12))
    assert len(found) >= 7
    assert set(found.values()) <= {Verdict.OK, None}
    assert changed or found == dict.fromkeys(range(4, 12), Verdict.OK)


def test_a_damaged_first_line_keeps_the_plates_and_their_numbers(journal: Journal, path: Path) -> None:
    journal.seen(4, NOW)
    path.write_bytes(b"#" + path.read_bytes())
    kept = read_journal(path)
    assert (plates(kept), kept.last, kept.damaged) == ({4: None}, 4, 1)
    assert kept.plates[0].facts.recipe == "unknown"


@pytest.mark.parametrize("rubbish", [b"\0" * 5000, b"\xff\xfe\n" * 50, b"12345678 2 {}\n", b'"a" 1 \n' * 3])
def test_rubbish_is_counted_and_nothing_of_it_is_believed(path: Path, rubbish: bytes) -> None:
    path.write_bytes(rubbish)
    kept = read_journal(path)
    assert (kept.plates, kept.last) == ((), 0)
    assert kept.damaged or kept.torn


def test_a_file_that_is_taken_away_is_written_anew(journal: Journal, path: Path, clock: Clock) -> None:
    journal.seen(4, NOW)
    path.unlink()
    tick_later(journal, clock)
    assert plates(read_journal(path)) == {4: None}
    path.write_bytes(b"another file")
    path.rename(path.with_name("elsewhere"))
    path.write_bytes(b"another file")
    tick_later(journal, clock)
    assert plates(read_journal(path)) == {4: None}


def test_what_cannot_be_written_is_told_kept_and_written_once_there_is_room(
    journal: Journal, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        journal.seen(4, NOW)
        assert journal.failure == f"{path}: No space left on device"
        journal.seen(5, NOW)
        tick_later(journal, clock)
        assert journal.failure is not None
    assert list(path.parent.iterdir()) == [path], "what could not be written whole is not left there"
    tick_later(journal, clock)
    assert journal.failure is None
    assert plates(read_journal(path)) == {4: None, 5: None}


def test_a_disk_that_does_not_keep_what_it_took_is_told(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    journal.seen(4, NOW)
    for _ in range(200):
        if journal.failure is not None:
            break
        journal.tick()
        time.sleep(0.005)
    assert journal.failure is not None
    assert "Input/output error" in journal.failure


def test_it_does_not_grow_without_end_and_never_forgets_an_open_plate_or_a_number(
    journal: Journal, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "_MOST_ENTRIES", 50)
    monkeypatch.setattr(journals, "_FINAL_KEPT", 10)
    for plate in range(4, 100):
        journal.seen(plate, NOW)
        if plate != 7:
            journal.final(plate, Verdict.OK)
        tick_later(journal, clock)
    kept = read_journal(path)
    assert path.read_bytes().count(b"\n") < 60
    assert plates(kept)[7] is None
    assert kept.last == 99
    assert kept.before == max(set(range(4, 100)) - set(plates(kept)))
