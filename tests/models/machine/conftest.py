from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Groups = dict[str, dict[str, str]]
MakeProc = Callable[..., Path]


@pytest.fixture
def proc(tmp_path: Path) -> MakeProc:
    """Makes a /proc whose control groups lie below a mount point; each group is a path and its files."""

    def make(groups: Groups, *, own: str, version: int, controller: str, root: str = "/") -> Path:
        mount = tmp_path / "a mount"
        for path, files in groups.items():
            folder = mount / path.strip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(f"{text}\n", encoding="ascii")
        here = tmp_path / "proc" / "self"
        here.mkdir(parents=True)
        escaped = str(mount).replace(" ", r"\040")
        kind = f"cgroup cgroup rw,{controller}" if version == 1 else "cgroup2 cgroup2 rw,nsdelegate"
        mounts = f"31 23 0:28 / /sys rw - sysfs sysfs rw\n32 31 0:29 {root} {escaped} rw,relatime shared:9 - {kind}\n"
        (here / "mountinfo").write_text(mounts, encoding="ascii")
        names = f"4:{controller},other" if version == 1 else "0:"
        (here / "cgroup").write_text(f"9:name=systemd:/elsewhere\n{names}:{own}\n", encoding="ascii")
        (here.parent / "meminfo").write_text("MemTotal: 16000 kB\n\nMemAvailable: 8000 kB\n", encoding="ascii")
        return here.parent

    return make
