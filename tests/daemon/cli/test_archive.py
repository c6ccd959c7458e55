"""`linesentry archive`: which plates have a file, and whether the files are as they were written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.store.archive import enter, leave_out
from daemon.store.archive_files import archive_path, sha256_of
from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, PlateResult, Verdict

RUN = "a" * 32


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        for plate in (1, 2, 3):
            found = PlateResult(RUN, plate, Verdict.NG, (Cause.DEFECT,), "", True, 900, 800, 1, 1, 1.0)
            store.commit_verdict(found, decided_at=datetime.now(UTC))
            path = archive_path(tmp_path / "archive", RUN, plate)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"pixels" * plate)
            enter(store, plate, path, 6 * plate, sha256_of(path))
        leave_out(store, 3, "the archive is behind")
    return tmp_path


def archive(state: Path, *words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["archive", *words, "--state", str(state)])
    return done.exit_code, done.stdout, done.stderr


def test_the_list_says_where_each_file_lies_and_results_say_it_too(state: Path) -> None:
    code, out, _ = archive(state, "list")
    assert code == 0
    assert f"{state}/archive/aaaaaaaa/000002.ome.tif" in out
    assert out.endswith("2 files, 18 bytes\n")
    done = CliRunner().invoke(app, ["results", "--json", "--state", str(state)])
    third, second, _ = map(json.loads, done.stdout.splitlines())
    assert (second["archive_path"], second["archive_bytes"]) == ("archive/aaaaaaaa/000002.ome.tif", 12)
    assert (third["archive_path"], third["archive_missing"]) == (None, "the archive is behind")


def test_files_that_are_changed_or_gone_are_named_and_the_code_is_1(state: Path) -> None:
    assert archive(state, "verify") == (0, "2 of 2 files are as they were written\n", "")
    folder = state / "archive" / "aaaaaaaa"
    (folder / "000001.ome.tif").write_bytes(b"other")
    (folder / "000002.ome.tif").unlink()
    code, out, err = archive(state, "verify")
    assert (code, out) == (1, "0 of 2 files are as they were written\n")
    assert "plate 1: " in err
    assert "checksum differs" in err
    assert "plate 2: " in err
    code, out, _ = archive(state, "verify", "1", "--json")
    assert (code, json.loads(out)["plate"]) == (1, 1)


def test_a_plate_without_a_file_and_a_directory_without_results_are_told(state: Path, tmp_path: Path) -> None:
    code, _, err = archive(state, "verify", "3")
    assert (code, "plate 3 has no file in the archive" in err) == (1, True)
    code, _, err = archive(tmp_path / "none", "list")
    assert (code, "there are no results" in err) == (1, True)
