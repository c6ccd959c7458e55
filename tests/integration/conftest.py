"""The whole service as a program of its own, with real processes and sockets, on a product that is quickly made."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.load import load_recipe
from config.schema import Recipe
from daemon.store.results import PlateRow, Store, store_path
from daemon.wire.plate_memory import PlateMemory, Shape
from stages.plate import Verdict

ROWS, COLUMNS, SHEETS = 1300, 1300, 3
SLOTS = 3
_VOLATILE = {"plate", "run", "seen_at", "decided_at", "latency_s", "pictures", "configuration_sha256", "code_sha256"}

RECIPE: dict[str, Any] = {
    "name": "small",
    "length": {"nominal_rows": ROWS},
    "columns": {"first": 300, "last": 300 + COLUMNS},
    "pitch": {"row_mm": 0.052, "column_mm": 0.0416},
}
CONFIG: dict[str, Any] = {
    "camera": {"width": 2048, "strip_rows": 128, "gap_rows": 200, "buffers": 4},
    "simulator": {"sheets": SHEETS, "density": 1, "seed": 3},
    "slots": SLOTS,
    "workers": {"count": 1, "device": "cpu"},
    "lease": {"least_s": 1.0},
    "restart": {"backoff_s": 0.05, "heartbeat_s": 0.3, "budget": 10},
    "results": {"pictures": False},
    "archive": {"verdicts": []},
    "web": {"enabled": False},
    "telemetry": {"port": 0},
}

_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal on stdin the session's own, as a shell does, so that ^C typed there is a signal to the group."""


class Service:
    """A service in a directory of its own; sections given replace single keys of those above."""

    def __init__(self, directory: Path, **sections: Any) -> None:
        self.directory = directory
        self.state = directory / "state"
        recipe = directory / "small.yaml"
        recipe.write_text(yaml.safe_dump({**RECIPE, **sections.pop("recipe", {})}), encoding="utf-8")
        config: dict[str, Any] = {"recipe": str(recipe), "state_directory": str(self.state)}
        for section, value in CONFIG.items():
            given = sections.pop(section, None)
            config[section] = {**value, **(given or {})} if isinstance(value, dict) else given or value
        self.config = directory / "config.yaml"
        self.config.write_text(yaml.safe_dump({**config, **sections}), encoding="utf-8")
        self.slots = int(config["slots"])
        self.recipe: Recipe = load_recipe(str(recipe))
        self._runs: list[subprocess.Popen[bytes]] = []

    # --- the program -----------------------------------------------------------------------------------------

    def start(
        self,
        plates: int | None = None,
        environment: Mapping[str, str] | None = None,
        terminal: int | None = None,
        directory: Path | None = None,
    ) -> None:
        """Start it, in a process group of its own, or on a terminal: the descriptor of one that nobody else uses.

        In another directory than this one it starts as the command that is installed: nothing there is imported.
        """
        command = [sys.executable, *(["-P"] if directory else []), "-m", "daemon", "run", "--config", str(self.config)]
        command += [] if plates is None else ["--plates", str(plates)]
        if terminal is not None:
            command = [sys.executable, "-c", _TAKE_TERMINAL, *command]
        number = len(self._runs)
        with self._file("out", number).open("wb") as out, self._file("err", number).open("wb") as err:
            process = subprocess.Popen(
                command,
                stdout=out if terminal is None else terminal,
                stderr=err,
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                process_group=0 if terminal is None else None,
                start_new_session=terminal is not None,
            )
        self._runs.append(process)

    @property
    def pid(self) -> int:
        return self._runs[-1].pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def finish(self, seconds: float = 60.0) -> int:
        """Wait for its end; its exit code."""
        try:
            return self._runs[-1].wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the service did not end in {seconds} s; it said:\n{self.stderr()[-6000:]}")

    def exit_code(self) -> int | None:
        """Of the last run; None while it goes on."""
        return self._runs[-1].poll()

    def end(self) -> None:
        for process in self._runs:
            if process.poll() is None:
                process.kill()
            process.wait()

    def wait_for(self, what: Callable[[], Any], seconds: float = 40.0) -> Any:
        """Wait until it is true; what it then was."""
        until = time.monotonic() + seconds
        while True:
            found = what()
            if found:
                return found
            if self._runs[-1].poll() is not None or time.monotonic() > until:
                pytest.fail(f"in vain; exit code {self._runs[-1].returncode}; it said:\n{self.stderr()[-6000:]}")
            time.sleep(0.005)

    # --- what it says ----------------------------------------------------------------------------------------

    def stdout(self) -> str:
        return self._file("out", len(self._runs) - 1).read_text(encoding="utf-8")

    def stderr(self) -> str:
        return self._file("err", len(self._runs) - 1).read_text(encoding="utf-8")

    def logs(self) -> list[dict[str, Any]]:
        """Its log, whole lines only; whatever is no JSON is an error."""
        return [json.loads(line) for line in self.stderr().splitlines(keepends=True) if line.endswith("\n")]

    def logged(self, event: str, **values: Any) -> list[dict[str, Any]]:
        return [line for line in self.logs() if line["event"] == event and values.items() <= line.items()]

    def every_logged(self, event: str) -> list[dict[str, Any]]:
        """The same over all its runs."""
        texts = [self._file("err", number).read_text(encoding="utf-8") for number in range(len(self._runs))]
        lines = [line for text in texts for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def _file(self, kind: str, number: int) -> Path:
        return self.directory / f"{kind}-{number}.log"

    def ask(self, path: str) -> str:
        """What it answers over HTTP."""
        starts = self.wait_for(lambda: self.logged("service starts"))
        address = starts[0]["metrics"].replace("/metrics", path)
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())
        return ""

    def finals(self) -> list[int]:
        return [line["plate"] for line in self.logged("plate final")]

    # --- its processes ---------------------------------------------------------------------------------------

    def children(self) -> dict[str, int]:
        """Process ids of the children that are up, by name."""
        found: dict[str, int] = {}
        for path in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.pid and b"daemon.service.child" in words:
                    found[words[words.index(b"daemon.service.child") + 1].decode()] = int(path.name)
        return found

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to that child; its process id."""
        pid = int(self.wait_for(lambda: self.children().get(name)))
        os.kill(pid, number)
        return pid

    def memory(self) -> PlateMemory:
        """Its plate memory, as the supervisor has it."""

        def find() -> int | None:
            with contextlib.suppress(OSError):
                for path in Path(f"/proc/{self.pid}/fd").iterdir():
                    if str(path.readlink()).startswith("/memfd:linesentry-plates"):
                        return os.open(path, os.O_RDWR)
            return None

        assert self.recipe.slot_rows is not None
        return PlateMemory(self.wait_for(find), Shape(self.slots, self.recipe.slot_rows, COLUMNS))

    # --- its results -----------------------------------------------------------------------------------------

    def plates(self) -> dict[int, PlateRow]:
        """Everything in its store, by plate."""
        with Store.open(store_path(self.state), read_only=True) as store:
            ledger = store.ledger()
            rows = {row.plate: row for row in reversed(store.plates(limit=None))}
        assert ledger.seen == ledger.ok + ledger.ng + ledger.inconclusive + ledger.open
        return rows

    def verdicts(self) -> dict[int, PlateRow]:
        """Everything in its store at the end: each plate has its verdict."""
        rows = self.plates()
        assert all(row.verdict is not None for row in rows.values())
        return rows


def substance(row: PlateRow) -> dict[str, Any]:
    """What must not depend on workers, faults and times, down to the last bit."""
    return {key: value for key, value in asdict(row).items() if key not in _VOLATILE}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Makes services, and ends what is left of them."""
    made: list[Service] = []

    def make(**sections: Any) -> Service:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(Service(directory, **sections))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that ran undisturbed: one worker, each sheet once, and its pictures."""
    one = Service(tmp_path_factory.mktemp("calm"), results={"pictures": True})
    one.start(SHEETS)
    try:
        assert one.finish() == 0, one.stderr()
        yield one
    finally:
        one.end()


@pytest.fixture(scope="session")
def undisturbed(calm: Service) -> Callable[[int], dict[str, Any]]:
    """What a plate's row must be, by its number on a line that began with plate 1."""
    rows = calm.verdicts()
    assert sorted(rows) == list(range(1, SHEETS + 1))
    assert {row.verdict for row in rows.values()} >= {Verdict.NG}
    return lambda plate: substance(rows[(plate - 1) % SHEETS + 1])
