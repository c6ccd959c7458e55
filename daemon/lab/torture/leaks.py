"""What a line holds: descriptors, threads and memory of its processes, slots, sockets and files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.lab.torture.line import SLOTS, TorturedLine

_MORE_DESCRIPTORS, _MORE_THREADS, _MORE_BYTES = 8, 4, 100_000_000
"""What a process may hold more than at first: another one of its kind differs by so much."""
_STATE_FILES = re.compile(
    r"lock|plates\.journal.*|control|reload.*|results(\.damaged-\w+)?\.sqlite(-wal|-shm)?|pictures"
)


@dataclass(frozen=True, slots=True)
class Held:
    """By one process."""

    descriptors: int
    threads: int
    memory_bytes: int
    """Anonymous pages."""


def held_by(line: TorturedLine) -> dict[str, Held]:
    """What each process of a line holds, by its name."""
    return {name: _held(pid) for name, pid in {"supervisor": line.pid, **line.children()}.items()}


def _held(pid: int) -> Held:
    status = dict(re.findall(r"^(\w+):\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.MULTILINE))
    descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Held(descriptors, int(status.get("Threads", 0)), int(status.get("RssAnon", 0)) * 1024)


def leaked(before: Mapping[str, Held], after: Mapping[str, Held]) -> Iterator[str]:
    """What processes hold that they did not hold before, in words."""
    for name, now in after.items():
        then = before.get(name, now)
        if now.descriptors > then.descriptors + _MORE_DESCRIPTORS:
            yield f"{name} holds {now.descriptors} descriptors, {then.descriptors} at first"
        if now.threads > then.threads + _MORE_THREADS:
            yield f"{name} has {now.threads} threads, {then.threads} at first"
        if now.memory_bytes > then.memory_bytes + _MORE_BYTES:
            yield f"{name} holds {now.memory_bytes / 1e6:.0f} MB, {then.memory_bytes / 1e6:.0f} MB at first"


def free_slots(line: TorturedLine) -> bool:
    """Whether every slot of the plate memory is free."""
    return f'linesentry_slots{{state="free"}} {SLOTS:.1f}' in line.metrics()


def left_behind(line: TorturedLine) -> Iterator[str]:
    """What is left of a line that has ended in order, in words."""
    if pids := line.left():
        yield f"processes are left: {pids}"
    if sockets := [path.name for path in line.sockets()]:
        yield f"directories of sockets are left: {sockets}"
    with contextlib.suppress(OSError):
        if files := [path.name for path in line.temporary.iterdir() if not path.name.startswith("linesentry-")]:
            yield f"temporary files are left: {files}"
        if files := [path.name for path in line.state.iterdir() if not _STATE_FILES.fullmatch(path.name)]:
            yield f"files are left in the state directory: {files}"
