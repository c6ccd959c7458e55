"""Sheets rendered by a process of its own: the same to the bit, told of while they are made, and no process left."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from daemon.cameras.rendering import Order, RenderError, rendered
from simulator.sheets.products import Product
from simulator.sheets.sheet import render

PRODUCT = Product("small", rows=1300, columns=900, first_column=40)
ORDER = Order(PRODUCT, count=2, seed=3, density=5, interference=("oil",), strength=0.5)


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split())


def test_they_are_those_that_this_process_would_render_with_their_cracks() -> None:
    shares = list[float]()
    sheets, truths = rendered(ORDER, shares.append)
    for index, (image, cracks) in enumerate(zip(sheets, truths, strict=True)):
        own = render(PRODUCT, 3 + index, 5, interference=("oil",), strength=0.5)
        assert np.array_equal(image, own.image)
        assert [(c.x, c.y, c.width, c.height, c.visible) for c in cracks] == [
            (c.x, c.y, c.width, c.height, c.visible) for c in own.truth.cracks
        ]
    assert shares == sorted(shares)
    assert all(0 < share <= 1 for share in shares)


def test_what_it_cannot_render_is_said_in_a_line() -> None:
    tiny = Product("tiny", rows=100, columns=100)
    with pytest.raises(RenderError, match="a sheet of 100 x 100 px is too small"):
        rendered(Order(tiny, count=1, seed=1, density=None, interference=(), strength=1.0), lambda _: None)


def test_sheets_beyond_all_memory_are_refused_before_they_are_begun() -> None:
    vast = Product("vast", rows=1 << 30, columns=1 << 30)
    with pytest.raises(RenderError, match=r"memory are needed \(3 rendered sheets .* lower simulator"):
        rendered(Order(vast, count=3, seed=1, density=None, interference=(), strength=1.0), lambda _: None)


def test_who_stops_while_they_are_made_leaves_no_process() -> None:
    before = children()

    def stop(_share: float) -> None:
        assert children() > before
        raise SystemExit(0)

    with pytest.raises(SystemExit):
        rendered(Order(PRODUCT, count=40, seed=1, density=None, interference=(), strength=1.0), stop)
    assert children() == before
