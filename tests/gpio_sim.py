"""A chip of the kernel's GPIO simulator (gpio-sim), of which a test sets and reads the lines. It needs root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_CONFIG = Path("/sys/kernel/config/gpio-sim")
needs_gpio_sim = pytest.mark.skipif(
    not os.access(_CONFIG, os.W_OK), reason="this kernel has no gpio-sim: `modprobe gpio-sim`, and run as root"
)


class SimulatedChip:
    """It is there from its construction to `remove`."""

    def __init__(self, name: str = "linesentry-test", lines: int = 4) -> None:
        self._made = _CONFIG / name
        bank = self._made / "bank"
        bank.mkdir(parents=True)
        (bank / "num_lines").write_text(str(lines), encoding="ascii")
        self._set_live(True)
        chip = (bank / "chip_name").read_text(encoding="ascii").strip()
        self.device = f"/dev/{chip}"
        self._lines = Path("/sys/devices/platform") / (self._made / "dev_name").read_text("ascii").strip() / chip

    def set(self, line: int, level: bool) -> None:
        """Pull an input."""
        (self._lines / f"sim_gpio{line}" / "pull").write_text("pull-up" if level else "pull-down", encoding="ascii")

    def level(self, line: int) -> bool:
        """How a line stands."""
        return (self._lines / f"sim_gpio{line}" / "value").read_text("ascii").strip() == "1"

    def remove(self) -> None:
        """Pull the chip out."""
        if self._made.exists():
            self._set_live(False)
            (self._made / "bank").rmdir()
            self._made.rmdir()

    def _set_live(self, live: bool) -> None:
        (self._made / "live").write_text(str(int(live)), encoding="ascii")
