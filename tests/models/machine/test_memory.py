"""How much memory there is to be had, by the machine and by a control group."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.machine.memory import available_bytes


@pytest.mark.parametrize(
    ("most", "available"),
    [("max", 8_192_000), ("5000000", 3_000_000), ("99000000", 8_192_000), ("500000", 0), (None, 8_192_000)],
)
def test_the_lesser_of_the_machine_and_the_control_group_counts(
    most: str | None, available: int, tmp_path: Path
) -> None:
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 16000 kB\nMemAvailable: 8000 kB\n", encoding="ascii")
    if most is not None:
        (tmp_path / "memory.max").write_text(f"{most}\n", encoding="ascii")
        (tmp_path / "memory.current").write_text("2500000\n", encoding="ascii")
        (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 500000\n", encoding="ascii")
    assert available_bytes(machine, tmp_path) == available


def test_this_machine_has_some() -> None:
    assert available_bytes() > 1_000_000
