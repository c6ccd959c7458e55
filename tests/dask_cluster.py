"""A real Dask scheduler and workers for tests: processes of their own, each in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class DaskCluster:
    """A scheduler on a free port of this machine, and its workers, which share nothing but its address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
        self._start("distributed.cli.dask_scheduler", *words, "--scheduler-file", str(self._file))
        until = time.monotonic() + 60
        while not (self._file.is_file() and self._file.stat().st_size):
            assert self._processes[0].poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.05)
        self.address = str(json.loads(self._file.read_text())["address"])

    def add_worker(self) -> subprocess.Popen[bytes]:
        """A worker with one thread, which nobody starts again."""
        words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", "."]
        return self._start("distributed.cli.dask_worker", self.address, *words)

    def kill_scheduler(self) -> None:
        """As a power cut of its machine."""
        self._processes[0].kill()
        self._processes[0].wait()

    def said(self) -> str:
        """What its processes wrote."""
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("*/log")))

    def close(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _start(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        folder = self._folder / str(len(self._processes))
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=folder,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self._processes.append(process)
        return process


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskCluster]:
    """The scheduler, without a worker yet."""
    pytest.importorskip("distributed")
    cluster = DaskCluster(folder)
    try:
        yield cluster
    finally:
        cluster.close()
