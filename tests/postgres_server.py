"""A real server of PostgreSQL for tests: made, killed and started again, as an ordinary user and on no network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
USER = "sentry"
_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
BIN = _FOUND[-1].parent if _FOUND else None
needs_postgres = pytest.mark.skipif(BIN is None, reason="needs the Debian package postgresql")


class PostgresServer:
    """A server in a folder of its own that listens on a socket there."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder, self._durable = folder, durable
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        # It refuses to run as root.
        self._user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

    def url(self, database: str = "postgres") -> str:
        """As `store.url` takes it."""
        return f"postgresql://{USER}@/{database}?host={self._folder}"

    def make(self) -> None:
        """An empty cluster that trusts whoever reaches its socket."""
        assert BIN is not None
        words = ["-D", "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [str(BIN / "initdb"), *words], cwd=self._folder, check=True, stdout=subprocess.DEVNULL, **self._user
        )

    def start(self) -> None:
        """Come back once it takes connections; nothing where it runs."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()

    def _start(self) -> None:
        assert BIN is not None
        # What was committed outlives its processes in the kernel's memory; only a power cut needs the disk.
        words = ["-D", "data", "-k", str(self._folder), "-c", "listen_addresses="]
        words += [] if self._durable else ["-c", "fsync=off"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(BIN / "postgres"), *words], cwd=self._folder, stdout=log, stderr=log, **self._user
            )
        for _ in range(300):
            ready = subprocess.run([BIN / "pg_isready", "-q", "-h", self._folder, "-d", "postgres"], check=False)
            if ready.returncode == 0:
                return
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.1)
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        """As when its machine loses power: all of its processes at once."""
        if self._process is not None and self._process.poll() is None:
            listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
            children = list(map(int, listed.split()))
            for pid in (self._process.pid, *children):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(20)
            while any(_lives(pid) for pid in children):
                time.sleep(0.02)

    def run(self, statement: str, database: str = "postgres") -> str:
        """What the server answers to a statement."""
        assert BIN is not None
        words = ["-X", "-A", "-t", "-h", str(self._folder), "-U", USER, "-d", database, "-c", statement]
        said = subprocess.run([str(BIN / "psql"), *words], check=True, capture_output=True, text=True)
        return said.stdout.strip()


def _lives(pid: int) -> bool:
    """A process that has ended has no command line, until it is reaped."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server that is running; gone with all its files in the end. Durable: a commit waits for the disk."""
    folder = Path(tempfile.mkdtemp(prefix="linesentry-pg-"))
    server = PostgresServer(folder, durable=durable)
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        server.make()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
