"""How much memory there is to be had."""

from __future__ import annotations

from pathlib import Path

_MACHINE = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def available_bytes(machine: Path = _MACHINE, group: Path = _GROUP) -> int:
    """Memory that can be had without swapping, bytes: the machine's, or the control group's where that is less."""
    available = 1024 * _value(machine, "MemAvailable:")
    try:
        most = (group / "memory.max").read_text(encoding="ascii").strip()
        if most != "max":
            used = int((group / "memory.current").read_text(encoding="ascii"))
            # Pages of files count as used in a control group, but are given back when memory is short.
            cached = _value(group / "memory.stat", "inactive_file")
            available = min(available, int(most) - used + cached)
    except (OSError, ValueError):
        pass  # no control group of version 2: the machine's memory is the limit
    return max(0, available)


def _value(file: Path, name: str) -> int:
    """The number beside the name; raises ValueError for a name that is not there."""
    for line in file.read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[0] == name:
            return int(words[1])
    raise ValueError(f"{file} has no {name}")
