"""What every camera must do: a test of a camera calls `conforms`, and fails with the rule that is broken."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stages.camera import CameraStatus, LineCamera, Loss, NoStrip, Strip

Delivered = tuple[Strip, NDArray[np.uint8]]
_UNTOUCHED = 201
_MOST_WAITS = 600


def conforms(
    camera: LineCamera, strip_rows: int, width: int, *, strips: int = 20, timeout_s: float = 0.05
) -> list[Delivered]:
    """Drive a camera that is not open yet through all its verbs; the strips it gave, with their valid pixels.

    Takes up to `strips` strips, fewer from a line that ends. A camera that stays away for ever is found by the
    time-out of the test.
    """
    said: list[str] = []
    camera.open(said.append)
    try:
        _check_status(camera)
        camera.start()
        delivered = list(_take(camera, np.empty((strip_rows, width), np.uint8), strips, timeout_s))
        _check_status(camera)
        camera.stop()
        camera.stop()
    finally:
        camera.close()
        camera.close()
    assert all(isinstance(note, str) for note in said), "progress is told texts"
    _check_order([strip for strip, _ in delivered], strip_rows)
    _check_switch([strip for strip, _ in delivered], wired=camera.has_switch)
    return delivered


def _take(camera: LineCamera, buffer: NDArray[np.uint8], strips: int, timeout_s: float) -> Iterable[Delivered]:
    waits = taken = 0
    while taken < strips and waits < _MOST_WAITS:
        buffer[:] = _UNTOUCHED
        # A time-out of 0 asks whether there is a strip now.
        strip = camera.next_strip(buffer, timeout_s if waits % 2 else 0.0)
        if isinstance(strip, Strip):
            assert 1 <= strip.rows <= len(buffer), f"a strip has 1 to {len(buffer)} valid rows: {strip}"
            assert (buffer[strip.rows :] == _UNTOUCHED).all(), f"rows beyond the valid ones were written: {strip}"
            taken += 1
            yield strip, buffer[: strip.rows].copy()
            continue
        assert isinstance(strip, NoStrip), f"next_strip gives a Strip or a NoStrip, not {strip!r}"
        assert (buffer == _UNTOUCHED).all(), f"{strip}, but pixels were written"
        if strip is NoStrip.ENDED:
            assert camera.next_strip(buffer, timeout_s) is NoStrip.ENDED, "the end is said again when asked again"
            return
        waits += 1
    assert taken == strips, f"{taken} strips came in {waits} waits of {timeout_s} s"


def _check_status(camera: LineCamera) -> None:
    status = camera.status()
    assert isinstance(status, CameraStatus), f"status gives a CameraStatus, not {status!r}"
    assert 0 <= status.buffers_free <= status.buffers, f"more buffers are free than there are: {status}"
    for cause, count in status.losses.items():
        assert isinstance(cause, Loss), f"{cause!r} is no cause of stages.camera.Loss"
        assert count >= 0, f"losses are counted from 0: {status}"


def _check_order(strips: list[Strip], whole: int) -> None:
    for before, strip in itertools.pairwise(strips):
        if strip.block == before.block:
            assert strip == before, f"a stale strip repeats everything: {before}, then {strip}"
            continue
        end = before.first_row + before.rows
        assert strip.block > before.block, f"block ids grow: {before}, then {strip}"
        assert strip.first_row >= end, f"rows come once, and in their order: {before}, then {strip}"
        if before.rows == whole:
            assert (strip.first_row == end) == (strip.block == before.block + 1), (
                f"rows are missing where, and only where, a block is: {before}, then {strip}"
            )


def _check_switch(strips: list[Strip], *, wired: bool) -> None:
    level, count, heard = None, None, -1
    for strip in strips:
        if strip.block == heard:
            continue
        heard = strip.block
        assert wired or (not strip.edges and not strip.level), f"there is no switch, but it was heard: {strip}"
        assert level is None or strip.level == level, f"the level before the edges is that after the last one: {strip}"
        level = strip.level
        for edge in strip.edges:
            assert count is None or edge.count == count + 1, f"edges are counted one by one: {strip}"
            assert edge.rising != level, f"edges rise and fall in turn: {strip}"
            assert edge.row < strip.first_row + strip.rows, f"an edge lies before the end of its strip: {strip}"
            level, count = edge.rising, edge.count
