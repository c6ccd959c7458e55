"""What is done to the line: each strike is a function of the line, of chance and of the places that it concerns."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from daemon.lab.torture.line import HANG_S, START_AGAIN_S, LineError, TorturedLine
from daemon.lab.torture.place import Place
from daemon.lab.torture.strangers import talk
from daemon.store.results import PlateRow

PROCESSES = ("line-0", "acquire-0", "tile-0", "detect-0", "detect-1", "merge-0", "record-0")
SUSPENSION_S = 20.0
_TERMINATE = (signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT)
_STRAY = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
_QUARANTINE_S = 8.0


@dataclass(slots=True)
class Struck:
    """What strikes have to work with, and what they leave behind for the judgement."""

    line: TorturedLine
    place: Place
    chance: random.Random
    suspension_s: float = SUSPENSION_S
    broken: list[str] = field(default_factory=list)
    """Promises that were seen broken at the strike itself."""
    taken_away: dict[int, PlateRow] = field(default_factory=dict)
    """Plates as they were in stores that were deleted."""
    late_sheets: dict[int, int] = field(default_factory=dict)
    """Sheets that a line told of after its service was told to end, by the line's process."""

    def pid(self, name: str) -> int:
        """Of a process that is up; waits for it. Raises LineError."""
        return self.line.wait_for(lambda: self.line.children().get(name)) or 0

    def stopped_to_end(self, *numbers: signal.Signals, codes: tuple[int, ...], heard: bool) -> None:
        """Send the supervisor the signals and wait for its end."""
        passed = len(self.line.passed())
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                self.line.send(number)
            time.sleep(self.chance.random() if len(numbers) > 1 else 0)
        code = self.line.finish(heard=heard)
        if code not in codes:
            self.broken.append(f"{' and '.join(n.name for n in numbers)} ended the service with {code}")
        for pid, _ in self.line.passed()[passed:]:
            self.late_sheets[pid] = self.late_sheets.get(pid, 0) + 1


Strike = Callable[[Struck, tuple[str, ...]], None]


def kill(struck: Struck, names: tuple[str, ...]) -> None:
    """SIGKILL."""
    for pid in [struck.pid(name) for name in names]:
        _send(pid, signal.SIGKILL)


def terminate(struck: Struck, names: tuple[str, ...]) -> None:
    """SIGTERM, SIGSEGV or SIGABRT."""
    for name in names:
        _send(struck.pid(name), struck.chance.choice(_TERMINATE))


def kill_successor(struck: Struck, names: tuple[str, ...]) -> None:
    """SIGKILL, and once more of the process that takes its place, while it starts."""
    pid = struck.pid(names[0])
    _send(pid, signal.SIGKILL)
    struck.line.wait_for(lambda: struck.line.children().get(names[0], pid) != pid)
    time.sleep(struck.chance.random())
    _send(struck.pid(names[0]), signal.SIGKILL)


def stop(struck: Struck, names: tuple[str, ...]) -> None:
    """SIGSTOP for less than a hang."""
    pids = [struck.pid(name) for name in names]
    with _stopped(pids):
        time.sleep(struck.chance.uniform(0.1, HANG_S / 3))


def hang(struck: Struck, names: tuple[str, ...]) -> None:
    """SIGSTOP until the supervisor ends it."""
    pids = {name: struck.pid(name) for name in names}
    with _stopped(list(pids.values())):
        struck.line.wait_for(lambda: all(struck.line.children().get(name) != pid for name, pid in pids.items()))


def stop_supervisor(struck: Struck, _: tuple[str, ...]) -> None:
    """SIGSTOP of the supervisor alone: what it watches goes on."""
    with _stopped([struck.line.pid]):
        time.sleep(struck.chance.uniform(0.5, 10))


def suspend(struck: Struck, _: tuple[str, ...]) -> None:
    """All stand still together: nobody may be killed for it."""
    before = len(struck.line.ended)
    os.killpg(struck.line.pid, signal.SIGSTOP)
    try:
        time.sleep(struck.suspension_s)
    finally:
        os.killpg(struck.line.pid, signal.SIGCONT)
    finals = len(struck.line.finals)
    struck.line.wait_for(lambda: len(struck.line.finals) > finals)
    if killed := [one for one in struck.line.ended[before:] if one.reason in ("hang", "start")]:
        struck.broken.append(f"{', '.join(one.process for one in killed)} killed for a suspension of all")


def stray(struck: Struck, _: tuple[str, ...]) -> None:
    """A signal that nobody has a use for."""
    struck.line.send(struck.chance.choice(_STRAY))


def hangup(struck: Struck, _: tuple[str, ...]) -> None:
    """SIGHUP: the recipes are read again, of which nothing is new."""
    struck.line.send(signal.SIGHUP)


def restart(struck: Struck, _: tuple[str, ...]) -> None:
    """An orderly stop, and a start."""
    struck.stopped_to_end(struck.chance.choice((signal.SIGTERM, signal.SIGINT)), codes=(0,), heard=True)
    struck.line.start()


def hurried_restart(struck: Struck, _: tuple[str, ...]) -> None:
    """A second order to stop ends it at once."""
    struck.stopped_to_end(signal.SIGTERM, signal.SIGTERM, codes=(0, 1), heard=False)
    struck.line.start()


def kill_supervisor(struck: Struck, names: tuple[str, ...]) -> None:
    """SIGKILL of the supervisor, perhaps while a process stands still; started again as systemd does."""
    pids = [struck.pid(name) for name in names]
    for pid in pids:
        _send(pid, signal.SIGSTOP)
    struck.stopped_to_end(signal.SIGKILL, codes=(-signal.SIGKILL,), heard=False)
    time.sleep(START_AGAIN_S)
    if left := struck.line.left():
        struck.broken.append(f"processes {left} outlived their supervisor by {START_AGAIN_S:g} s")
    struck.line.start()


def lock_store(struck: Struck, _: tuple[str, ...]) -> None:
    """Another program holds the store."""
    with _locked(struck):
        time.sleep(struck.chance.uniform(0.1, 6))


def kill_supervisor_with_store_locked(struck: Struck, _: tuple[str, ...]) -> None:
    """Both at once."""
    with _locked(struck):
        time.sleep(struck.chance.uniform(0.5, 3))
        struck.stopped_to_end(signal.SIGKILL, codes=(-signal.SIGKILL,), heard=False)
    time.sleep(START_AGAIN_S)
    struck.line.start()


def stop_with_store_locked(struck: Struck, _: tuple[str, ...]) -> None:
    """An orderly stop begins while another program holds the store."""
    with _locked(struck):
        time.sleep(struck.chance.uniform(0.5, 3))
        passed = len(struck.line.passed())
        struck.line.send(signal.SIGTERM)
        time.sleep(struck.chance.uniform(0.5, 3))
    code = struck.line.finish()
    if code not in (0, 1):
        struck.broken.append(f"SIGTERM with the store locked ended the service with {code}")
    for pid, _kind in struck.line.passed()[passed:]:
        struck.late_sheets[pid] = struck.late_sheets.get(pid, 0) + 1
    struck.line.start()


def delete_store(struck: Struck, _: tuple[str, ...]) -> None:
    """The files of the store are deleted. Record stands still meanwhile, so that it is known what was in them."""
    with _stopped([struck.pid("record-0")]):
        struck.taken_away |= {p: row for p, row in struck.line.plates().items() if row.verdict is not None}
        for suffix in ("", "-wal", "-shm"):
            struck.line.store.with_name(struck.line.store.name + suffix).unlink(missing_ok=True)


def fill_disk(struck: Struck, _: tuple[str, ...]) -> None:
    """No byte is left where the store is."""
    with struck.place.full():
        time.sleep(struck.chance.uniform(0.5, 6))


def freeze_disk(struck: Struck, _: tuple[str, ...]) -> None:
    """The disk of the store answers nothing for a while."""
    with struck.place.frozen():
        time.sleep(struck.chance.uniform(0.2, 3))


def forbid_store(struck: Struck, _: tuple[str, ...]) -> None:
    """The store is read-only, and record starts anew on it."""
    with struck.place.read_only():
        _send(struck.pid("record-0"), signal.SIGKILL)
        time.sleep(struck.chance.uniform(1, 6))


def poison(struck: Struck, _: tuple[str, ...]) -> None:
    """A window kills each worker that takes it."""
    memory = struck.line.memory()
    if memory is None:
        raise LineError("the service has no plate memory")
    with contextlib.closing(memory):
        window: tuple[int, int] | None = None
        until = time.monotonic() + _QUARANTINE_S
        deaths = 0
        while deaths < 3 and time.monotonic() < until:
            for worker in (0, 1):
                board = memory.read_board(worker)
                if board and window is None:
                    window = struck.chance.choice(board)
                pid = struck.line.children().get(f"detect-{worker}") if window in board else None
                if pid is not None:
                    _send(pid, signal.SIGKILL)
                    deaths += 1
                    struck.line.wait_for(partial(_gone, struck.line, f"detect-{worker}", pid))
            time.sleep(0.001)


def foreign_messages(struck: Struck, _: tuple[str, ...]) -> None:
    """Strangers talk at every socket, and nobody may end of it."""
    for name in PROCESSES:
        # Whoever was killed before has been taken note of, once its successor is there.
        struck.pid(name)
    before = len(struck.line.ended)
    talk(_sockets(struck), struck.line.run, struck.chance, struck.chance.uniform(0.5, 3))
    if died := [one for one in struck.line.ended[before:] if one.reason == "died"]:
        struck.broken.append(f"{', '.join(one.process for one in died)} died while strangers talked at the sockets")


def delete_sockets(struck: Struck, _: tuple[str, ...]) -> None:
    """The directory of the sockets is deleted, as cleaners of temporary files do."""
    shutil.rmtree(_sockets(struck), ignore_errors=True)


def lose_strips(struck: Struck, _: tuple[str, ...]) -> None:
    """The camera loses every second of some strips."""
    struck.line.wish("lose strips", struck.chance.randint(1, 12))


def halve_strips(struck: Struck, _: tuple[str, ...]) -> None:
    """Strips have half their rows, and what is left comes in the next."""
    struck.line.wish("halve strips", struck.chance.randint(1, 12))


def repeat_strips(struck: Struck, _: tuple[str, ...]) -> None:
    """Strips are delivered twice."""
    struck.line.wish("repeat strips", struck.chance.randint(1, 12))


def hurry(struck: Struck, _: tuple[str, ...]) -> None:
    """The belt is ten times as fast for some sheets."""
    struck.line.wish("hurry", struck.chance.randint(10, 60))


def nothing(_struck: Struck, _: tuple[str, ...]) -> None:
    """The line is left alone."""


def _sockets(struck: Struck) -> Path:
    found = struck.line.wait_for(lambda: [one for one in struck.line.sockets() if struck.line.run[:8] in one.name])
    return found[0]


def _gone(line: TorturedLine, name: str, pid: int) -> bool:
    return line.children().get(name) != pid


def _send(pid: int, number: signal.Signals) -> None:
    # What was to be struck may have just ended.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextlib.contextmanager
def _stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        _send(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            _send(pid, signal.SIGCONT)


def _locked(struck: Struck) -> AbstractContextManager[object]:
    lock = sqlite3.connect(struck.line.store, timeout=30, isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
    except sqlite3.Error:
        # Just now there is none to lock.
        lock.close()
        return nullcontext()
    return contextlib.closing(lock)
