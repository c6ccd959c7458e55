"""Where the sockets of a run lie, and what becomes of them when somebody cleans there."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.sockets import SocketDirectory, SocketDirectoryError

RUN = "a" * 32


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a short path."""
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    made = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("depth", [1, 90])
def test_sockets_lie_in_the_runtime_directory_or_where_their_path_fits(
    depth: int, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = base / ("d" * depth)
    runtime.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    monkeypatch.setenv("TMPDIR", str(base / ("e" * 90)))
    with SocketDirectory(tmp_path, RUN) as made:
        assert made.path.parent == (runtime if depth == 1 else Path("/tmp"))
        assert made.path.stat().st_mode & 0o777 == 0o700
        assert len(f"{made.path}/supervisor") < 107
    assert not made.path.exists()


@pytest.mark.parametrize("found", ["nothing", "a file", "/proc/1"])
def test_a_runtime_directory_that_takes_no_sockets_is_passed_over_for_the_one_for_temporary_files(
    found: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    named = base / "named"
    if found == "a file":
        named.write_bytes(b"")
    monkeypatch.setenv("RUNTIME_DIRECTORY", found if found.startswith("/") else str(named))
    monkeypatch.setenv("TMPDIR", str(base))
    with SocketDirectory(tmp_path, RUN) as made:
        assert made.path.parent == base
    said = "".join(capfd.readouterr())
    assert os.environ["RUNTIME_DIRECTORY"] in said


def test_without_any_place_for_sockets_each_that_was_tried_is_named_with_the_reason(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.service.sockets._bases", lambda state: iter([base / "none", state]))
    with pytest.raises(SocketDirectoryError, match=r"none: No such file.*has 1\d\d bytes, and 107 are the most"):
        SocketDirectory(_deep(base), RUN)


def _deep(base: Path) -> Path:
    deep = base / ("d" * 70)
    deep.mkdir()
    return deep


def test_what_a_killed_run_left_is_removed_but_not_what_belongs_to_another_state_directory(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(base))
    with SocketDirectory(tmp_path / "other", RUN) as other:
        killed = SocketDirectory(tmp_path, "b" * 32)
        with SocketDirectory(tmp_path, RUN):
            assert not killed.path.exists()
            assert other.path.exists()
        killed.close()


@pytest.mark.parametrize("gone", ["itself", "its parent too"])
def test_a_directory_that_is_deleted_is_made_again(
    gone: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(base / "runtime"))
    (base / "runtime").mkdir()
    with SocketDirectory(tmp_path, RUN) as made:
        made.keep(100.0)
        shutil.rmtree(made.path if gone == "itself" else made.path.parent)
        made.keep(101.0)
        assert made.path.stat().st_mode & 0o777 == 0o700
        assert not _lockable(made.path)


def test_a_place_that_cannot_be_had_again_is_said_once_and_tried_again(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(base))
    with SocketDirectory(tmp_path, RUN) as made:
        made.path.rmdir()
        made.path.symlink_to(tmp_path)
        for now in (100.0, 101.0, 102.0):
            made.keep(now)
        assert "".join(capfd.readouterr()).count("cannot be made again") == 1
        made.path.unlink()
        made.keep(103.0)
        assert made.path.is_dir()


def test_who_deletes_old_temporary_files_finds_it_locked_and_not_old(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd-tmpfiles passes over a directory that somebody holds with flock."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(base))
    with SocketDirectory(tmp_path, RUN) as made:
        assert not _lockable(made.path)
        (made.path / "tile").touch()
        for path in (made.path / "tile", made.path):
            os.utime(path, (1.0, 1.0))
        made.keep(1000.0)
        assert made.path.stat().st_mtime > 1e9
        assert (made.path / "tile").stat().st_atime > 1e9


def _lockable(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
