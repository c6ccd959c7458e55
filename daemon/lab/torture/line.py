"""The line that is tortured: the real service as a program of its own, on small sheets that are quickly made."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import yaml

from config.load import load_recipe
from daemon.cameras.simulated import product_of
from daemon.lab.torture.camera import ORDER_VARIABLE, TortureOrder, Wanted, Wish
from daemon.lab.torture.place import Place
from daemon.store.results import PlateRow, Store, store_path
from daemon.wire.plate_memory import PlateMemory, Shape
from simulator.sheets.sheet import render

Found = TypeVar("Found")
DENSITIES = (0, 0, 1, 3, 6)
"""Cracks of each kind of sheet."""
ROWS, COLUMNS, SLOTS = 1300, 1300, 6
HANG_S = 15.0
"""A process silent for so long is killed, as by the configuration that ships."""
START_AGAIN_S = 2.0
"""After which systemd starts a service again that ended (config/systemd)."""
_WAIT_S = 300.0
_RECIPE: dict[str, Any] = {
    "name": "torture",
    "length": {"nominal_rows": ROWS},
    "columns": {"first": 300, "last": 300 + COLUMNS},
    "pitch": {"row_mm": 0.052, "column_mm": 0.0416},
}
_CONFIG: dict[str, Any] = {
    "camera": {
        "source": "daemon.lab.torture.camera:TortureCamera",
        "width": 2048,
        "strip_rows": 128,
        # More than the switch's offset and two strips: a sheet can be waited for.
        "gap_rows": 400,
        "buffers": 16,
    },
    "overload": "skip",
    "slots": SLOTS,
    "workers": {"count": 2, "device": "cpu"},
    "lease": {"least_s": 1.0},
    "restart": {"backoff_s": 0.05, "heartbeat_s": 0.3, "budget": 100_000, "hang_s": HANG_S, "start_s": _WAIT_S},
    "drain_s": 30.0,
    "results": {"pictures": False},
    "archive": {"verdicts": []},
    "web": {"enabled": False},
    "telemetry": {"port": 0},
}
_DIE_WITH_US = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""The kernel ends the service where the torture dies, and the service's processes with it."""
_VOLATILE = frozenset(
    {"plate", "run", "seen_at", "decided_at", "latency_s", "pictures", "told", "marks", "archive", "challenge"}
)


class LineError(RuntimeError):
    """The line did not do what is waited for; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process of the line that ended, as the service said."""

    run: str
    process: str
    reason: str


def substance(row: PlateRow) -> dict[str, Any]:
    """What must not depend on workers, faults and times, down to the last bit."""
    return {key: value for key, value in asdict(row).items() if key not in _VOLATILE}


class TorturedLine:
    """The service in a directory; `place` has its results.

    Args:
        directory: a new one.
        place: for the state directory.
        seed: of the sheets' order.
        rate: rows a second.
    """

    def __init__(self, directory: Path, place: Place, seed: int, rate: float) -> None:
        self.directory, self.state = directory, place.directory
        # Not in the directory, whose path may be longer than that of a socket can be.
        self.temporary = Path(tempfile.mkdtemp(prefix="linesentry-torture-"))
        self.killed_runs: set[str] = set()
        """Runs that ended before they could hear of all verdicts."""
        self.finals: list[tuple[int, str]] = []
        """Plate and verdict, as the service told them."""
        self.ended: list[Ended] = []
        self.groups: list[int] = []
        """Process groups of the services that were started."""
        self.run = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self._metrics = ""
        self._ready = False
        self._wishes = 0
        recipe = directory / "torture.yaml"
        recipe.write_text(yaml.safe_dump(_RECIPE), encoding="utf-8")
        camera = {**_CONFIG["camera"], "line_rate_hz": rate}
        told = {**_CONFIG, "camera": camera, "recipe": str(recipe), "state_directory": str(self.state)}
        self._config = directory / "config.yaml"
        self._config.write_text(yaml.safe_dump(told), encoding="utf-8")
        self.recipe = load_recipe(str(recipe))
        product = product_of(self.recipe)
        np.save(directory / "sheets.npy", np.stack([render(product, 40 + n, d).image for n, d in enumerate(DENSITIES)]))
        names = {"sheets": "sheets.npy", "witness": "witness", "wanted": "wanted.json"}
        order = TortureOrder(**{key: str(directory / name) for key, name in names.items()}, seed=seed)
        (directory / "order.json").write_bytes(msgspec.json.encode(order))
        self.wish("rest")

    # --- its life --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until all its processes are at work."""
        self._begin()
        self.wait_for(lambda: self._ready)

    def _begin(self) -> None:
        self._listen()
        self._read, self._ready = 0, False
        number = len(self.groups)
        environment = {
            **os.environ,
            ORDER_VARIABLE: str(self.directory / "order.json"),
            "TMPDIR": str(self.temporary),
        }
        with self._log(number).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-c", _DIE_WITH_US, "-m", "daemon", "run", "--config", str(self._config)],
                stdout=subprocess.DEVNULL,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                process_group=0,
            )
        self.groups.append(self._process.pid)

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Of the supervisor; None while it goes on."""
        return None if self._process is None else self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        os.kill(self.pid, number)

    def finish(self, *, heard: bool = True) -> int:
        """Wait for its end; its exit code. Unless all verdicts were `heard`, its run counts as killed."""
        assert self._process is not None
        try:
            code = self._process.wait(_WAIT_S)
        except subprocess.TimeoutExpired:
            raise LineError(f"the service did not end in {_WAIT_S:g} s; it said:\n{self.said()}") from None
        self._listen()
        if not heard:
            self.killed_runs.add(self.run)
        return code

    def end(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGCONT)
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.temporary, ignore_errors=True)

    def wait_for(self, what: Callable[[], Found], seconds: float = _WAIT_S) -> Found:
        """Wait until it is true; what it then was. Raises LineError."""
        until = time.monotonic() + seconds
        while not (found := self._heard(what)):
            if self.exit_code is not None:
                raise LineError(f"the service ended by itself with {self.exit_code}; it said:\n{self.said()}")
            if time.monotonic() > until:
                raise LineError(f"waited {seconds:g} s in vain; it said:\n{self.said()}")
            time.sleep(0.02)
        return found

    def wish(self, wish: Wish, strips: int = 0) -> None:
        """Have the camera do so."""
        self._wishes += 1
        new = self.directory / "wanted.new"
        new.write_bytes(msgspec.json.encode(Wanted(wish, self._wishes, strips)))
        new.replace(self.directory / "wanted.json")

    # --- what it says ----------------------------------------------------------------------------------------

    def said(self) -> str:
        """The end of its log."""
        return self._log(len(self.groups) - 1).read_text(encoding="utf-8", errors="replace")[-4000:]

    def told_of(self, plate: int) -> list[str]:
        """Lines of all its logs that name a plate."""
        found: list[str] = []
        for number in range(len(self.groups)):
            text = self._log(number).read_text(encoding="utf-8", errors="replace")
            found += [
                line for line in text.splitlines() if f'"plate": {plate},' in line or f'"plate": {plate}}}' in line
            ]
        return found

    def _log(self, number: int) -> Path:
        return self.directory / f"log-{number}.jsonl"

    def _heard(self, what: Callable[[], Found]) -> Found:
        self._listen()
        return what()

    def _listen(self) -> None:
        """Take in what the log has more."""
        if not self.groups:
            return
        with self._log(len(self.groups) - 1).open("rb") as log:
            log.seek(self._read)
            data = log.read()
        whole = data.rpartition(b"\n")[0]
        self._read += len(whole) + bool(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                self._take(json.loads(line))

    def _take(self, line: dict[str, Any]) -> None:
        match line.get("event"):
            case "service starts":
                self.run, self._metrics = line["run"], line["metrics"]
            case "service ready":
                self._ready = True
            case "plate final":
                self.finals.append((line["plate"], line["verdict"]))
            case "process ended":
                self.ended.append(Ended(self.run, line["process"], line["reason"]))

    def metrics(self) -> str:
        """What it exports; empty where it cannot be asked."""
        try:
            answer = urllib.request.urlopen(self._metrics, timeout=10)  # noqa: S310 - an address of our own
            with answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    # --- its processes, sockets and memory -------------------------------------------------------------------

    def children(self) -> dict[str, int]:
        """Process ids of the children that are up, by name."""
        return dict(_children(self.pid))

    def left(self) -> list[int]:
        """Processes of any service that was started and is not the present one."""
        groups = set(self.groups) - ({self.pid} if self.exit_code is None else set())
        return [pid for pid, group, state in _processes() if group in groups and state != "Z"]

    def sockets(self) -> list[Path]:
        """Directories of sockets that are there."""
        return list(self.temporary.glob("linesentry-*"))

    def memory(self) -> PlateMemory | None:
        """Its plate memory, as the supervisor has it; None while it has none."""
        assert self.recipe.slot_rows is not None
        with contextlib.suppress(OSError):
            for path in Path(f"/proc/{self.pid}/fd").iterdir():
                if str(path.readlink()).startswith("/memfd:linesentry-plates"):
                    return PlateMemory(os.open(path, os.O_RDWR), Shape(SLOTS, self.recipe.slot_rows, COLUMNS))
        return None

    # --- what passed, and its results ------------------------------------------------------------------------

    @property
    def store(self) -> Path:
        """The file of its results."""
        return store_path(self.state)

    def passed(self) -> list[tuple[int, int]]:
        """Process of the line, and kind, of each sheet that passed."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directory / "witness").read_text(encoding="ascii").splitlines()
            return [(int(pid), int(kind)) for pid, kind in map(str.split, lines)]
        return []

    def plates(self) -> dict[int, PlateRow]:
        """Everything in its store, by plate. Raises StoreError."""
        with Store.open(self.store, read_only=True) as store:
            return {row.plate: row for row in reversed(store.plates(limit=None))}


def _processes() -> Iterator[tuple[int, int, str]]:
    """Process, its group and state, of all on this machine."""
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            if path.name.isdigit():
                words = (path / "stat").read_text().rpartition(")")[2].split()
                yield int(path.name), int(words[2]), words[0]


def _children(parent: int) -> Iterator[tuple[str, int]]:
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"daemon.service.child" not in words:
                continue
            if int((path / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                yield words[words.index(b"daemon.service.child") + 1].decode(), int(path.name)
