from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.detector.findings import Region, clearer
from models.detector.regions import MOST_REGIONS, Criteria, find_regions


def found(
    values: NDArray[np.float32],
    *,
    scale: int = 2,
    width: int | None = None,
    height: int | None = None,
    opening: bool = False,
    least_area: int = 4,
    line_like: bool = False,
    allow: float = 0.0,
) -> tuple[tuple[Region, ...], bool]:
    width = scale * values.shape[1] if width is None else width
    height = scale * values.shape[0] if height is None else height
    criteria = Criteria(
        scale=scale,
        seed=1.0,
        grow=0.0,
        floor=1.0,
        least_area=least_area,
        opening=opening,
        line_like=line_like,
        allow=allow,
    )
    return find_regions(values, width, height, criteria)


def background(rows: int = 40, columns: int = 50) -> NDArray[np.float32]:
    return np.full((rows, columns), -5, np.float32)


def picture(region: Region, rows: int, columns: int) -> NDArray[np.int_]:
    image = np.zeros((rows, columns), int)
    for y, first, last in np.frombuffer(region.runs, "<i4").reshape(-1, 3):
        image[y, first:last] += 1
    return image


def test_line_becomes_one_region_in_window_pixels() -> None:
    values = background()
    values[10:13, 5:30] = 3
    values[11, 20] = 6
    (region,), truncated = found(values)
    assert (region.x, region.y, region.width, region.height, region.area) == (10, 20, 50, 6, 300)
    assert (region.peak_x, region.peak_y) == (40, 22)
    assert region.score > 0.7
    assert not truncated


def test_weak_pixels_belong_to_a_region_only_beside_strong_ones() -> None:
    values = background()
    values[10, 5:15] = 0.5
    values[10, 15:18] = 2
    values[30, 5:15] = 0.5
    (region,), _ = found(values)
    assert (region.x, region.width) == (10, 26)


def test_diagonal_neighbours_are_connected() -> None:
    values = background()
    for step in range(10):
        values[5 + step, 5 + step] = 2
    regions, _ = found(values)
    assert len(regions) == 1


def test_small_components_are_dropped_at_full_resolution_size() -> None:
    values = background()
    values[3, 3] = 2
    assert len(found(values)[0]) == 1
    assert found(values, least_area=5)[0] == ()
    assert found(values, scale=1)[0] == ()


def test_opening_erases_thin_lines_and_keeps_thick_ones() -> None:
    values = background()
    values[5:7, 5:40] = 2
    values[20:25, 5:40] = 2
    (region,), _ = found(values, opening=True)
    assert region.y >= 40


def test_region_never_leaves_a_window_of_odd_size() -> None:
    values = background(5, 350)
    values[:, -6:] = 3
    (region,), _ = found(values, width=699, height=9)
    assert (region.x + region.width, region.y + region.height) == (699, 9)


def test_worst_regions_are_kept_when_there_are_too_many() -> None:
    values = np.full((80, 80), -5, np.float32)
    values[::4, ::4] = 2
    values[40, 40] = 9
    regions, truncated = found(values)
    assert truncated
    assert len(regions) == MOST_REGIONS
    assert max(region.score for region in regions) > 0.9
    assert [(region.y, region.x) for region in regions] == sorted((region.y, region.x) for region in regions)


def test_score_is_one_half_at_the_floor() -> None:
    values = background()
    values[10:12, 5:30] = 1.0
    assert found(values)[0][0].score == pytest.approx(0.5)


def test_blob_needs_higher_values_than_a_line() -> None:
    values = background()
    values[5:11, 5:11] = 1.3
    values[20:23, 5:40] = 1.3
    values[30:36, 5:11] = 2.0
    regions, _ = found(values, line_like=True)
    assert [region.y for region in regions] == [40, 60]
    assert regions[0].score > regions[1].score - 0.1


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.floats(-3, 3, width=32))
)
def test_regions_are_the_components_that_hold_a_strong_pixel(values: NDArray[np.float32]) -> None:
    regions, _ = found(values, least_area=1)
    expected = np.zeros(values.shape, int)
    count, labels = cv2.connectedComponents((values >= 0).astype(np.uint8), connectivity=8)
    for label in range(1, count):
        if values[labels == label].max() >= 1:
            expected[labels == label] = 1
    total = sum((picture(region, 2 * values.shape[0], 2 * values.shape[1]) for region in regions), np.zeros(1, int))
    assert np.array_equal(
        np.broadcast_to(total, np.kron(expected, np.ones((2, 2), int)).shape), np.kron(expected, np.ones((2, 2), int))
    )
    for region in regions:
        rows, columns = np.nonzero(picture(region, 2 * values.shape[0], 2 * values.shape[1]))
        box = np.array([region.x, region.y, region.width, region.height])
        assert (box == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]).all()
        assert region.area == rows.size


@settings(max_examples=80, deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(-3, 3, width=32)),
    st.booleans(),
)
def test_fainter_regions_come_beside_the_others_and_change_nothing_of_them(
    values: NDArray[np.float32], line_like: bool
) -> None:
    plain, truncated = found(values, least_area=1, line_like=line_like)
    more, also = found(values, least_area=1, line_like=line_like, allow=0.5)
    assert (tuple(region for region in more if not region.faint), also) == (plain, truncated)
    assert all(region.score < 0.5 < clearer(region.score) for region in more if region.faint)


def test_however_many_faint_regions_there_are_none_of_the_others_is_left_out_for_them() -> None:
    values = np.full((80, 80), -5, np.float32)
    values[::4, ::4] = 0.8
    values[40:60:4, ::4] = 2
    values[60:64, :41] = 2
    plain, _ = found(values)
    more, truncated = found(values, allow=1.0)
    assert not truncated
    assert tuple(region for region in more if not region.faint) == plain
    assert len(more) - len(plain) == MOST_REGIONS


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (325, 325)])
def test_nothing_found_in_background_or_masked_windows(shape: tuple[int, int]) -> None:
    assert found(np.full(shape, np.nan, np.float32)) == ((), False)
    assert found(np.full(shape, -5, np.float32)) == ((), False)


@pytest.mark.parametrize("line_like", [True, False])
@pytest.mark.parametrize("scattered", [((30, 30),), ((11, 20), (0, 0), (39, 49))])
def test_value_that_is_infinite_is_no_evidence_and_hides_none(
    line_like: bool, scattered: tuple[tuple[int, int], ...]
) -> None:
    values = background()
    values[10:13, 5:30] = 3
    for row, column in scattered:
        values[row, column] = np.inf
    values[20, 20] = -np.inf
    (region,), _ = found(values, line_like=line_like)
    assert (region.x, region.y, region.width, region.height) == (10, 20, 50, 6)
    assert region.score < 0.9
