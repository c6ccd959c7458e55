"""Where a service keeps its results, and who may use it."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from config.load import load_recipe
from config.schema import Config
from config.weights import SHIPPED
from daemon.store.state import (
    PACKAGES,
    ROOT,
    RunEnd,
    StateDirectory,
    StateError,
    classifier_sha256,
    code_sha256,
    weights_sha256,
)


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
        assert (tmp_path / "lock").read_text(encoding="ascii").split() == [str(os.getpid()), "unknown"]


def test_the_hash_of_the_code_reads_every_package_of_the_program_and_refuses_one_without_files(tmp_path: Path) -> None:
    hashes = set[str]()
    for package in PACKAGES:
        with pytest.raises(StateError, match=f"no Python files of {package} "):
            code_sha256(tmp_path)
        (tmp_path / package / "room").mkdir(parents=True)
        (tmp_path / package / "room" / "__init__.py").write_text("", encoding="utf-8")
    hashes.add(code_sha256(tmp_path))
    for package in PACKAGES:
        (tmp_path / package / "room" / "__init__.py").write_text("changed = 1\n", encoding="utf-8")
        hashes.add(code_sha256(tmp_path))
    assert len(hashes) == 1 + len(PACKAGES), "a change in any of them is another code"


def test_the_packages_of_the_hash_are_those_that_the_program_is_made_of() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert sorted(f"{package}*" for package in PACKAGES) == sorted(declared["find"]["include"])
    files = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("*/**/__init__.py")} & set(PACKAGES)
    assert files == set(PACKAGES)
    assert len(code_sha256()) == 64


def test_the_weights_of_a_recipe_and_of_the_classifier_are_found_and_hashed_as_their_cards_say() -> None:
    for found, card in (
        (weights_sha256(load_recipe("P10B")), "detector-half.json"),
        (classifier_sha256(Config()), "classifier.json"),
    ):
        said = json.loads((SHIPPED / card).read_text(encoding="utf-8"))["sha256"]
        assert found in (said.values() if isinstance(said, dict) else [said])
    assert weights_sha256(load_recipe("P10B").model_copy(update={"weights": "/none.pt"})) is None


def test_a_run_learns_how_the_one_before_it_ended(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    for end in (RunEnd.STOPPED, RunEnd.FAILED):
        with state.lock() as lock:
            lock.begun()
            lock.ended(end)
        with state.lock() as lock:
            assert lock.previous is end
    with state.lock() as lock:
        lock.begun()
    # A start that comes to nothing does not hide that the run before it died.
    for _ in range(2):
        with state.lock() as lock:
            assert lock.previous is RunEnd.DIED


@pytest.mark.parametrize("left", ["", "1234", "1234 gone", "\xff\xfe 12"])
def test_nothing_is_known_of_a_run_before_where_the_lock_does_not_say_it(left: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(left, encoding="latin-1")
    with StateDirectory(tmp_path).lock() as lock:
        assert lock.previous is RunEnd.UNKNOWN
