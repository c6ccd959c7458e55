"""Sheets of the simulator as files, for `linesentry simulate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulator.sheets.order import MakeSheets

__all__ = ["MakeSheets", "make_sheets"]


def make_sheets(order: MakeSheets, told: Callable[[int, int], object]) -> list[Path]:
    """Make what is ordered; `told` gets how much is done and how much there is. Returns the pictures' paths.

    Raises:
        ValueError: what is ordered cannot be simulated.
        OSError: a file cannot be written.
    """
    if order.family is not None:
        from daemon.lab.data.strangers import write_strangers  # noqa: PLC0415 - numeric libraries: not for a help

        return write_strangers(order, told)
    from simulator.sheets.write import simulate  # noqa: PLC0415 - the same

    return simulate(order, on_progress=lambda sheet, done, rows: told(sheet * rows + done, order.plates * rows))
