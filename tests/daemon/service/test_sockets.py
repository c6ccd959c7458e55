"""Where the sockets of a run lie."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.sockets import socket_directory

RUN = "a" * 32


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory with a short path."""
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
    with socket_directory(tmp_path, RUN) as made:
        assert Path(made).parent == (runtime if depth == 1 else Path("/tmp"))
        assert Path(made).stat().st_mode & 0o777 == 0o700
        assert len(f"{made}/supervisor") < 107
    assert not Path(made).exists()


def test_what_a_killed_run_left_is_removed_but_not_what_belongs_to_another_state_directory(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(base))
    other = socket_directory(tmp_path / "other", RUN)
    killed = socket_directory(tmp_path, "b" * 32)
    with socket_directory(tmp_path, RUN):
        assert not Path(killed.name).exists()
        assert Path(other.name).exists()
    other.cleanup()
    killed.cleanup()
