"""Who may not read the service's directory: one line that says what to do, and a copy that root makes for a group."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.store.reading import read_results
from daemon.store.results import RunFacts, Store, store_path
from stages.plate import PlateResult, Verdict

RUN = "a" * 32
NOBODY = 65534


def commit(store: Store, *plates: int) -> None:
    for plate in plates:
        store.commit_verdict(
            PlateResult(RUN, plate, Verdict.OK, (), "", True, 9, 9, 1, 1, 1.0), decided_at=datetime.now(UTC)
        )


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Store]:
    """A service at work, in a directory that is its own."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)  # as /var/lib/private is
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, "P10B", simulated=True))
        commit(store, 1, 2)
        yield store


def backup(service: Store, *words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["backup", *map(str, words), "--state", str(service.path.parent)])
    return done.exit_code, done.output


Run = Callable[..., subprocess.CompletedProcess[str]]
DROP = f"""
import os, sys
from typer.testing import CliRunner
from daemon.cli.app import app, main
# Once as root: another user may not be able to read where the interpreter lies.
CliRunner().invoke(app, sys.argv[1:])
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
main()
"""


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Run]:
    """Runs a command as a user who may pass through the folders above, and read only what he may."""
    if os.geteuid() != 0:
        pytest.skip("changes users")
    above = [tmp_path, *tmp_path.parents]
    modes = {path: path.stat().st_mode for path in above}
    for path in above:
        path.chmod(path.stat().st_mode | 0o055)

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", DROP, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    yield run
    for path, mode in modes.items():
        path.chmod(mode)


def test_another_user_is_told_what_to_do_and_reads_the_copy_of_his_group(service: Store, as_nobody: Run) -> None:
    state = service.path.parent
    refused = as_nobody("results", "--state", state)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert "linesentry backup" in refused.stderr
    copy = state.with_name("copy")
    assert backup(service, copy, "--group", str(NOBODY))[0] == 0
    read = as_nobody("results", "--json", "--state", copy)
    assert ([json.loads(line)["plate"] for line in read.stdout.splitlines()], read.stderr) == ([2, 1], "")
    assert store_path(copy).stat().st_mode & 0o777 == 0o640
    store_path(copy).chmod(0o600)
    hidden = as_nobody("results", "--state", copy)
    assert (hidden.returncode, hidden.stderr.count("\n")) == (1, 1)
    assert f"user {NOBODY} may not read it" in hidden.stderr


def test_a_copy_has_all_that_was_committed_and_may_be_made_again(service: Store, tmp_path: Path) -> None:
    copy = tmp_path / "co\npy#?%41"
    code, said = backup(service, copy)
    assert (code, said.count("\n")) == (0, 1)
    commit(service, 3)
    assert [row.plate for row in read_results(copy).plates] == [2, 1]
    assert backup(service, copy)[0] == 0
    found = read_results(copy)
    assert ([row.plate for row in found.plates], found.notes) == ([3, 2, 1], [])
    assert [path.name for path in copy.iterdir()] == ["results.sqlite"]
    commit(service, 4)
    with closing(Store.open(store_path(copy), read_only=True)) as store:
        store.check()
        assert store.check_rows().changed == ()


def test_what_cannot_be_copied_is_said(service: Store, tmp_path: Path) -> None:
    code, said = backup(service, service.path.parent)
    assert code == 1
    assert "is where the store itself lies" in said
    code, said = backup(service, tmp_path / "copy", "--group", "no\x1bsuch")
    assert (code, said) == (2, "linesentry: there is no group 'no\\x1bsuch'\n")
    assert not store_path(tmp_path / "copy").exists()
    (tmp_path / "file").touch()
    code, said = backup(service, tmp_path / "file")
    assert code == 1
    assert "the copy cannot be written: File exists" in said
    service.path.rename(tmp_path / "away")
    assert "cannot be opened" in backup(service, tmp_path / "copy")[1]
    (tmp_path / "away").rename(service.path)
