"""Stores of every former version, as their own programs wrote them, are carried over whole, or left as they were."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from daemon.service.ledger import RunLedger
from daemon.store import carry_over
from daemon.store.opening import open_to_write
from daemon.store.reading import read_results
from daemon.store.results import RunFacts, Store, StoreError, store_path
from daemon.store.schema import READABLE, SCHEMA_VERSION
from daemon.store.seals import Rows
from daemon.store.shared import open_shared
from daemon.store.state import RunEnd
from daemon.telemetry.metrics import Metrics
from stages.plate import Cause, PlateResult, Verdict

FORMER = Path(__file__).parent / "former"
VERSIONS = sorted(int(path.stem.removeprefix("version-")) for path in FORMER.glob("version-*.sql"))
RUN = "b" * 32
FACTS = RunFacts(RUN, "P10B", simulated=False)


def former(state: Path, version: int) -> Path:
    """The store of a former version in that state directory: four plates, of which the last is open."""
    path = store_path(state)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FORMER / f"version-{version}.sql").read_text())
    return path


def dump(path: Path) -> list[str]:
    """All that stands in it, as SQL."""
    with closing(sqlite3.connect(path)) as connection:
        return [f"version {connection.execute('PRAGMA user_version').fetchone()[0]}", *connection.iterdump()]


def tables(path: Path) -> dict[str, Any]:
    """The tables with their columns, keys and indices, whatever order they were made in."""
    engine = sa.create_engine(f"sqlite:///{path}")
    looked = sa.inspect(engine)
    found = {}
    for name in looked.get_table_names():
        own = looked.get_pk_constraint(name)["constrained_columns"]
        columns = {
            one["name"]: (str(one["type"]), one["nullable"] and one["name"] not in own)
            for one in looked.get_columns(name)
        }
        keys = [str(own), str(looked.get_foreign_keys(name))]
        indices = sorted(str((one["name"], one["column_names"], one["unique"])) for one in looked.get_indexes(name))
        found[name] = (columns, keys, indices)
    engine.dispose()
    return found


def test_there_is_one_of_each_version() -> None:
    assert list(range(1, SCHEMA_VERSION)) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_it_becomes_what_a_new_store_is_and_keeps_all_that_it_has(tmp_path: Path, version: int) -> None:
    path = former(tmp_path, version)
    before = dump(path)
    rows = read_results(tmp_path).plates if version in READABLE else None
    with Store.open(path) as store:
        done = store.carried_over
        assert store.check_rows() == Rows(changed=(), without_checksum=3 if version < 4 else 0, gone=0)
        after = store.plates()
        assert [(row.plate, row.verdict) for row in after] == [
            (4, None),
            (3, Verdict.INCONCLUSIVE),
            (2, Verdict.NG),
            (1, Verdict.OK),
        ]
        assert rows is None or after == rows
        assert [defect.score for defect in after[2].defects] == [0.9375, 0.625]
        store.begin_run(FACTS)
        store.commit_verdict(
            PlateResult(RUN, 5, Verdict.OK, (), "", True, 9, 9, 1, 1, 1.0), decided_at=datetime.now(UTC)
        )
        assert [(row.plate, row.causes) for row in store.plates(2)] == [(5, ()), (4, (Cause.SERVICE_DIED,))]
    assert done is not None
    assert done.copy == tmp_path / f"results.version-{version}.sqlite"
    assert dump(done.copy) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["results.sqlite", done.copy.name]
    new = tmp_path / "new.sqlite"
    open_to_write(new).close()
    assert tables(path) == tables(new)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version not in READABLE])
def test_a_reader_says_how_one_that_it_cannot_read_becomes_readable(tmp_path: Path, version: int) -> None:
    former(tmp_path, version)
    with pytest.raises(StoreError, match=f"version {version}, this program knows {SCHEMA_VERSION}: start the service"):
        read_results(tmp_path)


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = former(tmp_path, 5)
    with closing(sqlite3.connect(path)) as connection:
        # Somebody's own, where the seventh version is to make one.
        connection.execute("CREATE TABLE golden_standards (x)")
    before = dump(path)
    with pytest.raises(StoreError, match="golden_standards already exists"):
        Store.open(path)
    assert dump(path) == before
    assert dump(tmp_path / "results.version-5.sqlite") == before


def test_a_command_beside_the_service_carries_nothing_over(tmp_path: Path) -> None:
    path = former(tmp_path, 7)
    before = dump(path)
    with pytest.raises(StoreError, match="start the service once"):
        open_shared(tmp_path)
    assert dump(path) == before


def test_the_former_store_is_copied_with_its_write_ahead_log(tmp_path: Path) -> None:
    path = former(tmp_path, 6)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("INSERT INTO outputs VALUES ('late', 9)")
        assert path.with_name("results.sqlite-wal").stat().st_size > 0
        Store.open(path).close()
    with closing(sqlite3.connect(tmp_path / "results.version-6.sqlite")) as copy:
        assert copy.execute("SELECT name FROM outputs").fetchall() == [("gate",), ("late",)]


def begin(state: Path) -> None:
    ledger = RunLedger(Metrics("1", "small"), lambda _: None, structlog.get_logger())
    ledger.begin_in_store(state, replace(FACTS, run="c" * 32), RunEnd.UNKNOWN)


def test_the_service_says_where_the_copy_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    former(tmp_path, 8 if SCHEMA_VERSION > 8 else 7)
    begin(tmp_path)
    assert "a copy kept" in (said := capsys.readouterr().out)
    assert "results.version-" in said
    begin(tmp_path)
    assert "former" not in capsys.readouterr().out


def test_without_room_for_a_copy_the_line_starts_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    former(tmp_path, 4)
    monkeypatch.setattr(carry_over, "_LEFT_FREE", 1 << 62)
    begin(tmp_path)
    assert "no copy could be kept" in (said := capsys.readouterr().out)
    assert "too little room" in said
    assert not list(tmp_path.glob("results.version-*"))
    assert len(read_results(tmp_path).plates) == 4


def test_a_copy_that_cannot_be_written_keeps_no_line_from_starting(tmp_path: Path) -> None:
    path = former(tmp_path, 4)
    (tmp_path / "results.version-4.sqlite").mkdir()
    with Store.open(path) as store:
        assert store.carried_over is not None
        assert "IsADirectoryError" in store.carried_over.why_no_copy
