"""How much memory there is to be had, by the machine and by its control groups, and what is said where it is short."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.machine.memory import Need, Room, available_bytes, room, shortage
from tests.models.machine.conftest import MakeProc

MACHINE = Room(8_192_000, 16_384_000)


@pytest.mark.parametrize(
    ("most", "found"),
    [
        ("max", MACHINE),
        ("5000000", Room(3_100_000, 5_000_000)),
        ("99000000", MACHINE),
        ("500000", Room(0, 500_000)),
    ],
)
def test_the_least_of_the_machine_and_each_group_around_counts(most: str, found: Room, proc: MakeProc) -> None:
    """Pages of files are given back: all of those that are idle, and half of those in use."""
    stat = "anon 5\ninactive_file 500000\nactive_file 200000"
    inner = {"memory.max": "max", "memory.high": "max", "memory.current": "100", "memory.stat": "anon 100"}
    outer = {"memory.max": most, "memory.high": "max", "memory.current": "2500000", "memory.stat": stat}
    groups = {"/": {"memory.stat": stat}, "/outer": outer, "/outer/inner": inner}
    assert room(proc(groups, own="/outer/inner", version=2, controller="memory")) == found


def test_a_group_that_is_slowed_down_from_some_size_on_is_limited_there(proc: MakeProc) -> None:
    group = {"memory.max": "5000000", "memory.high": "3000000", "memory.current": "1000000"}
    assert room(proc({"/g": group}, own="/g", version=2, controller="memory")) == Room(2_000_000, 3_000_000)


def test_groups_of_version_1_count_too(proc: MakeProc) -> None:
    inner = {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "7"}
    outer = {
        "memory.limit_in_bytes": "4000000",
        "memory.usage_in_bytes": "3000000",
        "memory.stat": "inactive_file 1\ntotal_inactive_file 600000\ntotal_active_file 0",
    }
    folder = proc({"/outer": outer, "/outer/inner": inner}, own="/outer/inner", version=1, controller="memory")
    assert room(folder) == Room(1_600_000, 4_000_000)


@pytest.mark.parametrize("own", ["/docker/abc", "/../elsewhere", "/gone"])
def test_in_a_container_the_topmost_group_that_is_seen_is_its_own(own: str, proc: MakeProc) -> None:
    group = {"memory.max": "4000000", "memory.current": "1000000"}
    folder = proc({"/": group}, own=own, version=2, controller="memory", root="/docker/abc")
    assert room(folder) == Room(3_000_000, 4_000_000)


def test_without_control_groups_the_machine_counts(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 16000 kB\nMemAvailable: 8000 kB\n", encoding="ascii")
    assert room(tmp_path) == MACHINE


def test_this_machine_has_some() -> None:
    assert 1_000_000 < available_bytes() <= room().total


def test_what_fits_is_no_shortage() -> None:
    assert shortage([Need("a", 60), Need("b", 40)], 100) is None
    assert shortage([]) is None


def test_a_shortage_says_what_is_needed_what_is_there_and_what_to_lower() -> None:
    needs = [Need("small", 10, ("small",)), Need("big", 6_000, ("low", "big")), Need("huge", 90_000, ("huge", "low"))]
    assert shortage(needs, 50_000) == (
        "96.0 kB of memory are needed (huge 90.0 kB, big 6.0 kB), 50.0 kB are available: "
        "lower huge, low, big, or take a machine with more memory"
    )
