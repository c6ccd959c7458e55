"""The process that renders sheets into memory that it is given.

`python -m daemon.cameras.render_process DESCRIPTOR ORDER`, as daemon/cameras/rendering.py starts it.
"""

from __future__ import annotations

import math
import mmap
import sys
import time

import msgspec
import numpy as np

from daemon.cameras.rendering import Crack, Done, Order, Progress
from simulator.sheets.sheet import Sheet, render

_REPORT_S = 0.25


def main() -> None:
    """Render, with one JSON object a line on stdout; a reader that is gone ends it."""
    memory, order = int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Order)
    shape = (order.count, order.product.rows, order.product.columns)
    sheets = np.frombuffer(mmap.mmap(memory, math.prod(shape)), np.uint8).reshape(shape)
    truths = []
    for index in range(order.count):
        sheet = _rendered(order, index)
        sheets[index] = sheet.image
        truths.append([Crack(c.x, c.y, c.width, c.height, float(c.visible)) for c in sheet.truth.cracks])
    _say(Done(truths))


def _rendered(order: Order, index: int) -> Sheet:
    reported = time.monotonic()

    def report(rows: int, total: int) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported > _REPORT_S:
            reported = now
            _say(Progress((index + rows / total) / order.count))

    return render(
        order.product,
        order.seed + index,
        order.density,
        interference=order.interference,
        strength=order.strength,
        on_progress=report,
    )


def _say(what: Progress | Done) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
