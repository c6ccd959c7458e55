"""How much memory there is to be had, and whether what is wanted fits: asked before a byte of it is taken.

The kernel does not refuse shared memory that it does not have: it ends programs, those of others too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from config.errors import shown_bytes
from models.machine.control_groups import PROC, ControlGroup, control_groups

_TOLD_SHARE = 0.05
"""Parts of what is needed that are less are not named where it does not fit."""


class Need(NamedTuple):
    """One thing that takes memory."""

    what: str
    size: int
    """Bytes."""
    keys: tuple[str, ...] = ()
    """What to lower, so that it takes less: keys of the configuration and the recipe."""


class Room(NamedTuple):
    """Memory of this machine, or of a control group that this process is in, bytes: whichever is less."""

    available: int
    """To be had now, without swapping."""
    total: int
    """To be had if nobody else took any."""


def room(proc: Path = PROC) -> Room:
    """The memory that this process and its children may have together."""
    machine = proc / "meminfo"
    rooms = [Room(1024 * _value(machine, "MemAvailable:"), 1024 * _value(machine, "MemTotal:"))]
    rooms += (left for group in control_groups("memory", proc) if (left := _left(group)) is not None)
    available, total = (min(values) for values in zip(*rooms, strict=True))
    return Room(max(0, available), total)


def available_bytes(proc: Path = PROC) -> int:
    """Memory that can be had without swapping, bytes: the machine's, or a control group's where that is less."""
    return room(proc).available


def shortage(needs: Sequence[Need], there: int | None = None) -> str | None:
    """Why all that does not fit together: what is needed, what is there and what to lower. None where it fits.

    `there` is what it must fit into, bytes; None: what is available now.
    """
    needed = sum(need.size for need in needs)
    there = available_bytes() if there is None else there
    if needed <= there:
        return None
    largest = sorted((need for need in needs if need.size >= _TOLD_SHARE * needed), key=lambda need: -need.size)
    parts = ", ".join(f"{need.what} {shown_bytes(need.size)}" for need in largest)
    keys = dict.fromkeys(key for need in largest for key in need.keys)
    advice = f"lower {', '.join(keys)}, or " if keys else ""
    return (
        f"{shown_bytes(needed)} of memory are needed ({parts}), {shown_bytes(there)} are available: "
        f"{advice}take a machine with more memory"
    )


def _left(group: ControlGroup) -> Room | None:
    """What a control group leaves; None where it sets no limit."""
    if group.version == 2:
        limits = [limit for file in ("memory.max", "memory.high") if (limit := group.number(file)) is not None]
        used, prefix = group.number("memory.current"), ""
    else:
        limit = group.number("memory.limit_in_bytes")
        limits = [] if limit is None else [limit]
        used, prefix = group.number("memory.usage_in_bytes"), "total_"
    if not limits or used is None:
        return None
    # Pages of files count as used in a control group, but are given back when memory is short. As MemAvailable does,
    # half of those in use are counted.
    idle = group.number("memory.stat", f"{prefix}inactive_file") or 0
    in_use = group.number("memory.stat", f"{prefix}active_file") or 0
    return Room(min(limits) - used + idle + in_use // 2, min(limits))


def _value(file: Path, name: str) -> int:
    """The number beside the name; raises ValueError for a name that is not there."""
    for line in file.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words and words[0] == name:
            return int(words[1])
    raise ValueError(f"{file} has no {name}")
