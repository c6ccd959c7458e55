"""What a flat field costs where rows are copied into the plate memory: before and after, in one run.

The table of docs/decisions/0048-flat-field.md is the output of `python -m tests.flat_field_cost`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from models.optics.flat_field import FORMAT, Correction, FlatField
from simulator.sheets.products import CAMERA_WIDTH, PRODUCTS

STRIP, ROUNDS = 512, 3


def seconds(work: Callable[[], None]) -> float:
    """The least of some rounds."""
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took)


def main() -> None:
    """Copy a plate of P10B, strip by strip, as acquisition does."""
    product = PRODUCTS["P10B"]
    rng = np.random.default_rng(1)
    flat = FlatField(
        FORMAT, "", CAMERA_WIDTH, 0, CAMERA_WIDTH, [4] * CAMERA_WIDTH, rng.integers(0, 200, CAMERA_WIDTH).tolist()
    )
    kept = (product.first_column, product.first_column + product.columns)
    strips = rng.integers(0, 256, (8, STRIP, CAMERA_WIDTH), dtype=np.uint8)[:, :, kept[0] : kept[1]]
    slot = np.zeros((product.rows, product.columns), np.uint8)
    correction = Correction(flat, kept)

    def copied(copy: Callable[[np.ndarray, np.ndarray], None]) -> Callable[[], None]:
        def work() -> None:
            for number, first in enumerate(range(0, product.rows, STRIP)):
                into = slot[first : first + STRIP]
                copy(strips[number % 8][: len(into)], into)

        return work

    pixels = slot.size
    for name, copy in (("copied", lambda source, into: np.copyto(into, source)), ("evened out", correction.copy)):
        took = seconds(copied(copy))
        print(f"| {name} | {1000 * took:.0f} ms | {1e9 * took / pixels:.2f} ns | {pixels / took / 1e9:.1f} Gpx/s |")  # noqa: T201 - a table


if __name__ == "__main__":
    main()
