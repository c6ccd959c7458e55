"""The slow faults of a line's optics: what light, lens and dust make of the sheets that pass."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.detector.quality import measure
from simulator.line.optics import AgeingOptics
from simulator.line.replay import LineSettings, SheetLine

WIDTH, COLUMN = 400, 50
RNG = np.random.default_rng(3)
TEXTURE = cv2.GaussianBlur(RNG.normal(0, 60, (700, 300)).astype(np.float32), (0, 0), 1.0)
SHEET = np.clip(120 + TEXTURE + RNG.normal(0, 1, TEXTURE.shape), 1, 254).astype(np.uint8)


def passed(sheets: int, strip_rows: int = 64, **faults: Any) -> list[NDArray[np.uint8]]:
    """What the camera sees of the same sheet, that many times."""
    optics = AgeingOptics(WIDTH, **faults)
    line = SheetLine([SHEET], COLUMN, plates=sheets, settings=LineSettings(WIDTH, strip_rows, 64, 0, optics=optics))
    buffer = np.zeros((strip_rows, WIDTH), np.uint8)
    rows, edges = [], []
    while (strip := line.next_strip(buffer)) is not None:
        rows.append(buffer[: strip.rows].copy())
        edges += [edge.row for edge in strip.edges]
    camera = np.concatenate(rows)
    return [camera[first:last, COLUMN : COLUMN + 300] for first, last in zip(edges[::2], edges[1::2], strict=True)]


def test_without_a_fault_and_before_one_begins_sheets_are_as_they_are() -> None:
    assert all(np.array_equal(seen, SHEET) for seen in passed(2))
    first, second = passed(2, after=1, light_a_sheet=0.1)
    assert np.array_equal(first, SHEET)
    assert second.mean() < 0.95 * SHEET.mean()


def test_light_is_lost_sheet_by_sheet() -> None:
    means = [float(seen.mean()) for seen in passed(3, light_a_sheet=0.05)]
    assert np.allclose(means, SHEET.mean() * np.array([0.95, 0.90, 0.85]), atol=0.5)


def test_uneven_light_falls_by_the_columns_of_the_camera() -> None:
    share = passed(1, uneven=0.4)[0].mean(axis=0) / SHEET.mean(axis=0)
    across = np.arange(COLUMN, COLUMN + 300)
    assert np.allclose(share, 1 - 0.4 * across / (WIDTH - 1), atol=0.01)


def test_dust_shades_the_same_columns_of_every_sheet() -> None:
    for seen in passed(2, dust_column=COLUMN + 100, dust_share=0.2):
        share = seen.mean(axis=0) / SHEET.mean(axis=0)
        assert np.flatnonzero(share < 0.9).tolist() == list(range(100, 106))


def test_the_blur_of_a_lens_grows_and_leaves_the_sensors_noise() -> None:
    seen = passed(3, defocus_a_sheet=1.0)
    focus = [measure(sheet, None).focus for sheet in seen]
    assert focus[0] > focus[1] > focus[2]
    # White noise over 1 px comes from the sensor, and no lens takes it away.
    assert float(np.diff(seen[2].astype(np.float32), axis=1).std()) > 1.5


def test_a_blurred_sheet_has_no_seams_between_strips() -> None:
    whole, cut = passed(1, 1024, defocus_a_sheet=2.0)[0], passed(1, 32, defocus_a_sheet=2.0)[0]
    assert abs(float(whole.astype(np.float32).mean() - cut.mean())) < 0.1
    between = cut[31::32][:20].astype(np.float32) - cut[32::32][:20]
    within = cut[15::32][:20].astype(np.float32) - cut[16::32][:20]
    assert float(between.std()) < 1.2 * float(within.std())
