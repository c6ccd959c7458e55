"""Sheets from a process of its own, which ends when they are made: the line holds them, and nothing that draws."""

from __future__ import annotations

import math
import mmap
import os
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import IO, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.machine.memory import Need, shortage
from simulator.sheets.products import Product


class Crack(msgspec.Struct, frozen=True):
    """A true crack's box, px of the sheet, and how much of it can be seen, 0 to 1."""

    x: int
    y: int
    width: int
    height: int
    visible: float


class Order(msgspec.Struct, frozen=True):
    """What the other process is to render: sheets with the seeds `seed`, `seed` + 1 and so on."""

    product: Product
    count: int
    seed: int
    density: int | None
    interference: tuple[Literal["oil", "noise", "light"], ...]
    strength: float


class Progress(msgspec.Struct, frozen=True, tag=True):
    """So large a share of all sheets is rendered, 0 to 1."""

    share: float


class Done(msgspec.Struct, frozen=True, tag=True):
    """All sheets stand in the memory; these are their cracks."""

    truths: list[list[Crack]]


class RenderError(Exception):
    """The sheets could not be rendered; the message says why."""


def rendered(order: Order, progress: Callable[[float], None]) -> tuple[list[NDArray[np.uint8]], list[list[Crack]]]:
    """The sheets, uint8 (rows, columns) and read-only, and the cracks of each.

    `progress` is called with the share that is done, 0 to 1, a few times a second.

    Raises:
        RenderError: there is no memory for them, or the process failed.
    """
    shape = (order.count, order.product.rows, order.product.columns)
    size = math.prod(shape)
    if why := shortage([Need(f"{order.count} rendered sheets", size, ("simulator.sheets",))]):
        raise RenderError(why)
    memory = os.memfd_create("linesentry-sheets")
    try:
        os.ftruncate(memory, size)
        truths = _ordered(order, memory, progress)
        sheets = np.frombuffer(mmap.mmap(memory, size, prot=mmap.PROT_READ), np.uint8)
    finally:
        os.close(memory)
    return list(sheets.reshape(shape)), truths


def _ordered(order: Order, memory: int, progress: Callable[[float], None]) -> list[list[Crack]]:
    """Have the other process do it."""
    module = "daemon.cameras.render_process"
    command = [sys.executable, "-P", "-m", module, str(memory), msgspec.json.encode(order).decode()]
    with TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, pass_fds=(memory,), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        try:
            truths = _heard(process.stdout, progress)
            if process.wait() == 0 and truths is not None:
                return truths
        finally:
            # Whoever stops the line while it waits stops this too.
            process.kill()
            process.wait()
            process.stdout.close()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
    raise RenderError(f"the sheets were not rendered: {said[-1]}")


def _heard(lines: IO[bytes], progress: Callable[[float], None]) -> list[list[Crack]] | None:
    truths: list[list[Crack]] | None = None
    for line in lines:
        match msgspec.json.decode(line, type=Progress | Done):
            case Progress(share):
                progress(share)
            case Done(found):
                truths = found
    return truths
