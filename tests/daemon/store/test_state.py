"""Where a service keeps its results, and who may use it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.schema import Config
from daemon.store.state import StateDirectory, StateError


def test_the_configured_directory_goes_before_that_of_systemd_and_that_before_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert StateDirectory.of(Config()).path == tmp_path / "home" / ".local" / "state" / "linesentry"
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "systemd"))
    assert StateDirectory.of(Config()).path == tmp_path / "systemd"
    assert StateDirectory.of(Config(state_directory=tmp_path / "own")).path == tmp_path / "own"


def test_a_user_without_a_home_is_told_to_name_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(StateError, match="no home"):
        StateDirectory.of(Config())


@pytest.mark.parametrize("call", ["open", "pwrite"])
def test_a_lock_that_cannot_be_written_is_refused_and_taken_once_there_is_room(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDirectory(tmp_path)

    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(StateError, match="No space left on device"), state.lock():
            pass
    with state.lock():
        assert (tmp_path / "lock").read_text(encoding="ascii") == str(os.getpid())
