"""The state directory of a service, its lock, and the hashes that say what a result was made with."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.schema import Config, Recipe
from config.weights import classifier_path, weights_path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("config", "daemon", "models", "simulator", "stages")


class StateError(Exception):
    """The state directory cannot be used; the message says why and what to do."""


def state_path(config: Config) -> Path:
    """The configured directory; else systemd's $STATE_DIRECTORY; else the user's own. Raises StateError."""
    if config.state_directory is not None:
        return config.state_directory
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    base = os.environ.get("XDG_STATE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".local" / "state") / "linesentry"
    except RuntimeError as error:
        raise StateError(
            "this user has no home for a state directory: name one with state_directory or --state"
        ) from error


class StateDirectory:
    """Where a service keeps its results; one running instance each."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"cannot make the state directory {self.path}: {error.strerror}; "
                "choose another with state_directory or --state"
            ) from error

    @classmethod
    def of(cls, config: Config) -> StateDirectory:
        """The directory of that configuration, made where it is not there yet."""
        return cls(state_path(config))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process.

        Raises:
            StateError: when another instance holds it, or it cannot be written.
        """
        lock = -1
        try:
            try:
                lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
                self._take(lock)
            except OSError as error:
                raise StateError(
                    f"cannot write to the state directory {self.path}: {error.strerror}; check its owner, permissions "
                    "and the room on its disk, or choose another with state_directory or --state"
                ) from error
            yield
        finally:
            if lock >= 0:
                os.close(lock)

    def _take(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            raise StateError(
                f"another linesentry (process {holder or 'unknown'}) uses {self.path}: "
                "stop it, or give this one a state directory of its own (--state)"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)


def weights_sha256(recipe: Recipe) -> str | None:
    """SHA-256 of the weights file, hex; None when there is none."""
    return _sha256(weights_path(recipe))


def classifier_sha256(config: Config) -> str | None:
    """SHA-256 of the classifier's weights file, hex; None when there is none."""
    return _sha256(classifier_path(config))


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_sha256(root: Path = ROOT) -> str:
    """SHA-256 over the program's Python files below that folder, hex.

    Raises:
        StateError: a package has none there, so that the hash would not say with what code a result was made.
    """
    total = hashlib.sha256()
    for package in PACKAGES:
        paths = sorted((root / package).rglob("*.py"))
        if not paths:
            raise StateError(
                f"no Python files of {package} in {root / package}: what a result was made with could not be told; "
                "install linesentry whole"
            )
        for path in paths:
            total.update(path.relative_to(root).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()
