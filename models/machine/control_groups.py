"""The control groups that this process is in, of both versions: what each of them allows holds for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

PROC = Path("/proc")


class ControlGroup(NamedTuple):
    """A group's folder, and which version's files lie there."""

    folder: Path
    version: Literal[1, 2]

    def value(self, file: str) -> str | None:
        """What the file says; None where there is no such file, or it cannot be read."""
        try:
            return (self.folder / file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None

    def number(self, file: str, name: str | None = None) -> int | None:
        """The number that the file holds, or that stands there beside a name; None where there is none."""
        text = self.value(file) or ""
        if name is not None:
            found = re.search(rf"^{re.escape(name)} (\d+)$", text, re.MULTILINE)
            return int(found[1]) if found else None
        return int(text) if re.fullmatch(r"\d+", text) else None


def control_groups(controller: str, proc: Path = PROC) -> tuple[ControlGroup, ...]:
    """The groups of that controller (`cpu`, `memory`), from the process's own to the topmost that can be seen.

    Of both hierarchies where a machine has both. Nothing where it has none, or where /proc does not tell.
    """
    try:
        own = (proc / "self" / "cgroup").read_text(encoding="utf-8", errors="surrogateescape")
        mounts = (proc / "self" / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ()
    found: list[ControlGroup] = []
    for line in own.splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        version: Literal[1, 2] = 1 if names else 2
        if names and controller not in names.split(","):
            continue
        for root, point in _mounted(mounts, version, controller):
            found += (ControlGroup(folder, version) for folder in _upwards(path, root, point))
            break
    return tuple(found)


def _mounted(mounts: str, version: Literal[1, 2], controller: str) -> Iterator[tuple[str, Path]]:
    """Which group stands at the top of a hierarchy, and where that lies."""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        if kind[0] == ("cgroup" if version == 1 else "cgroup2") and (version == 2 or controller in kind[2].split(",")):
            yield _plain(fields[3]), Path(_plain(fields[4]))


def _upwards(path: str, root: str, point: Path) -> Iterator[Path]:
    """The folders of a group and of those around it, as far up as is mounted."""
    below = path.removeprefix(root) if root != "/" and f"{path}/".startswith(f"{root}/") else path
    folder = point / below.strip("/")
    if ".." in folder.parts or not folder.is_dir():
        # In a container the path may be told as others see it; what is mounted at the top is its own group.
        folder = point
    yield folder
    while folder != point:
        folder = folder.parent
        yield folder


def _plain(text: str) -> str:
    """A path as it is: the kernel writes blanks and the like as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
