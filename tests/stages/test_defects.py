"""Regions of all windows become defects: joined where they are one line, apart where they are not."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from config.schema import Pitch, PostProcessing, Recipe, Windows
from models.detector.findings import Quality, Region
from stages import defects as defects_module
from stages.defects import defects_of
from stages.plate import Defect, WindowResult, windows_of

RECIPE = Recipe(name="test")
SMALL = Recipe(name="small", windows=Windows(size=20, stride=14), post=PostProcessing(join_gap=4))
Mask = NDArray[np.bool_]


def regions_of(mask: Mask, score: float = 0.7) -> tuple[Region, ...]:
    """The 8-connected regions of a window's mask."""
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    regions = []
    for index in range(1, count + 1):
        runs = []
        for y in np.flatnonzero((labels == index).any(axis=1)).tolist():
            row = np.diff((labels[y] == index).astype(np.int8), prepend=0, append=0)
            runs += [(y, a, b) for a, b in zip(np.flatnonzero(row == 1), np.flatnonzero(row == -1), strict=True)]
        array = np.array(runs, "<i4")
        x, top = int(array[:, 1].min()), int(array[:, 0].min())
        width, height = int(array[:, 2].max()) - x, int(array[:, 0].max()) + 1 - top
        area = int((array[:, 2] - array[:, 1]).sum())
        regions.append(Region(x, top, width, height, area, score, int(array[0, 1]), int(array[0, 0]), array.tobytes()))
    return tuple(regions)


def results_of(plate: Mask, recipe: Recipe) -> list[WindowResult]:
    """What a worker that flags exactly this mask would report for each window."""
    rows, columns = plate.shape
    return [
        WindowResult(
            "run", 1, w.index, regions_of(plate[w.y : w.y + w.height, w.x : w.x + w.width]), False, Quality(), 0.0, 0.0
        )
        for w in windows_of(rows, columns, recipe.windows)
    ]


def found(plate: Mask, recipe: Recipe = RECIPE) -> tuple[Defect, ...]:
    return defects_of(results_of(plate, recipe), plate.shape[0], plate.shape[1], recipe)


def line(plate: Mask, *ends: float, width: float = 7) -> Mask:
    """Draw a straight line from x0, y0 to x1, y1 of that width."""
    x0, y0, x1, y1 = ends
    ys, xs = np.mgrid[: plate.shape[0], : plate.shape[1]]
    length = math.hypot(x1 - x0, y1 - y0)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    along = (xs - x0) * ux + (ys - y0) * uy
    across = np.abs((ys - y0) * ux - (xs - x0) * uy)
    plate |= (along >= 0) & (along <= length) & (across <= width / 2)
    return plate


def blank(rows: int = 1250, columns: int = 1250) -> Mask:
    return np.zeros((rows, columns), bool)


@pytest.mark.parametrize(
    ("ends", "windows"),
    [
        ((560, 100, 700, 100), 2),
        ((100, 590, 100, 660), 2),
        ((590, 580, 660, 660), 4),
        ((300, 300, 900, 900), 4),
    ],
)
def test_a_line_across_several_windows_is_one_defect(ends: tuple[int, int, int, int], windows: int) -> None:
    plate = line(blank(), *ends)
    assert sum(bool(r.regions) for r in results_of(plate, RECIPE)) >= windows
    (defect,) = found(plate)
    ys, xs = np.nonzero(plate)
    assert (defect.x, defect.y) == (xs.min(), ys.min())
    assert (defect.x + defect.width, defect.y + defect.height) == (xs.max() + 1, ys.max() + 1)
    assert defect.area == plate.sum()


def test_a_line_across_three_windows_in_a_row_is_one_defect() -> None:
    plate = line(blank(200, 1900), 400, 100, 1500, 104)
    assert sum(bool(r.regions) for r in results_of(plate, RECIPE)) == 3
    (defect,) = found(plate)
    assert defect.area == plate.sum()


def test_pieces_whose_boxes_hardly_overlap_at_a_seam_are_one_line() -> None:
    """Left piece 0..650, right piece 600..1050 of a line from 600-50*8 on: the IoU of the boxes is near 0.125."""
    plate = line(blank(200, 1250), 400, 100, 799, 100)
    left, right = (r.regions[0] for r in results_of(plate, RECIPE) if r.regions)
    shared = left.x + left.width - 600
    iou = shared / (left.width + right.width - shared)
    assert iou == pytest.approx(0.125)
    assert len(found(plate)) == 1


def test_a_line_that_one_window_saw_only_beyond_the_seam_is_joined() -> None:
    """The windows' thresholds differ: each flagged only its own part, and the two parts touch."""
    recipe = RECIPE
    left = line(blank(100, 650), 500, 50, 620, 50)
    right = line(blank(100, 650), 21, 50, 200, 50)
    results = [
        WindowResult("run", 1, i, regions_of(m), False, Quality(), 0.0, 0.0) for i, m in enumerate((left, right))
    ]
    (defect,) = defects_of(results, 100, 1250, recipe)
    assert (defect.x, defect.width) == (500, 301)


@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("down", [0, 1])
def test_pixels_of_two_windows_that_touch_at_a_side_or_a_corner_are_one_defect(step: int, down: int) -> None:
    apart = 2 if (step, down) == (0, 0) else 0
    recipe = SMALL.model_copy(update={"post": PostProcessing(join_gap=0)})
    first, second = blank(20, 20), blank(20, 20)
    first[8, 16] = True
    second[8 + down, 16 - 14 + step + apart] = True
    results = [
        WindowResult("run", 1, i, regions_of(m), False, Quality(), 0.0, 0.0) for i, m in enumerate((first, second))
    ]
    assert len(defects_of(results, 20, 34, recipe)) == (2 if apart else 1)


points = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=25)


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
@given(points)
def test_near_points_are_found_each_pair_once(at_once: int, where: list[tuple[int, int]]) -> None:
    x, y = (np.array([p[i] for p in where], float) for i in (0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(defects_module, "_PAIRS_AT_ONCE", at_once)
        pairs = [
            tuple(sorted(pair))
            for a, b in (defects_module._near(x, y, 5.0) if where else [])
            for pair in zip(a.tolist(), b.tolist(), strict=True)
        ]
    assert len(pairs) == len(set(pairs))
    near = {(i, j) for j in range(len(where)) for i in range(j) if math.dist(where[i], where[j]) < 5.0}
    assert near <= set(pairs)


def test_parallel_lines_12_px_apart_remain_two() -> None:
    plate = line(line(blank(), 500, 100, 800, 100, width=5), 500, 112, 800, 112, width=5)
    assert len(found(plate)) == 2


def test_parallel_lines_one_behind_the_other_but_offset_remain_two() -> None:
    plate = line(line(blank(), 100, 100, 200, 100, width=3), 203, 112, 300, 112, width=3)
    assert len(found(plate)) == 2


@pytest.mark.parametrize(("gap", "defects"), [(5, 1), (14, 1), (20, 2), (60, 2)])
@pytest.mark.parametrize("angle", [0, 30, 90, 137])
def test_collinear_lines_are_joined_only_when_their_ends_are_near(gap: int, defects: int, angle: int) -> None:
    ux, uy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    plate = blank(650, 650)
    cx, cy = 300, 300
    line(plate, cx - ux * 100, cy - uy * 100, cx, cy, width=3)
    line(plate, cx + ux * gap, cy + uy * gap, cx + ux * (gap + 80), cy + uy * (gap + 80), width=3)
    assert len(found(plate)) == defects


def test_a_gap_that_lies_on_a_seam_is_joined() -> None:
    plate = line(line(blank(200, 1250), 400, 100, 643, 100), 655, 101, 900, 101)
    assert len(found(plate)) == 1


def test_lines_that_meet_at_a_right_angle_without_touching_remain_two() -> None:
    plate = line(line(blank(), 100, 100, 200, 100, width=3), 210, 100, 210, 200, width=3)
    assert len(found(plate)) == 2


def test_a_dot_between_two_pieces_of_a_line_belongs_to_it_but_two_dots_do_not_join() -> None:
    plate = line(line(blank(), 100, 100, 150, 100, width=3), 175, 100, 230, 100, width=3)
    plate[99:102, 161:164] = True
    assert len(found(plate)) == 1
    dots = blank()
    dots[10:13, 10:13] = dots[10:13, 20:23] = True
    assert len(found(dots)) == 2


def test_the_score_and_the_peak_are_those_of_the_best_region() -> None:
    left = Region(640, 10, 10, 1, 10, 0.4, 645, 10, np.array([[10, 640, 650]], "<i4").tobytes())
    right = Region(40, 10, 30, 1, 30, 0.9, 60, 10, np.array([[10, 40, 70]], "<i4").tobytes())
    results = [WindowResult("run", 1, i, (r,), False, Quality(), 0.0, 0.0) for i, r in enumerate((left, right))]
    (defect,) = defects_of(results, 100, 1250, RECIPE)
    assert (defect.score, defect.peak_x, defect.peak_y, defect.area) == (0.9, 660, 10, 30)


def test_a_score_that_is_no_number_is_not_hidden_by_a_lower_one() -> None:
    runs = [np.array([[y, 10, 20]], "<i4").tobytes() for y in (10, 11)]
    regions = tuple(
        Region(10, y, 10, 1, 10, score, 12, y, r)
        for y, score, r in zip((10, 11), (0.2, float("nan")), runs, strict=True)
    )
    (defect,) = defects_of([WindowResult("run", 1, 0, regions, False, Quality(), 0.0, 0.0)], 50, 50, RECIPE)
    assert math.isnan(defect.score)


def test_a_region_without_runs_counts_with_its_box() -> None:
    result = WindowResult("run", 1, 0, (Region(5, 6, 7, 8, 3, 0.5, 6, 7, b""),), False, Quality(), 0.0, 0.0)
    (defect,) = defects_of([result], 100, 100, RECIPE)
    assert (defect.x, defect.y, defect.width, defect.height) == (5, 6, 7, 8)


def test_a_run_across_the_plates_border_is_cut_there() -> None:
    across = Region(90, 5, 20, 1, 20, 0.5, 95, 5, np.array([[5, 90, 110]], "<i4").tobytes())
    result = WindowResult("run", 1, 0, (across,), False, Quality(), 0.0, 0.0)
    (defect,) = defects_of([result], 50, 100, RECIPE)
    assert (defect.x, defect.width, defect.area) == (90, 10, 10)


def test_runs_outside_the_plate_are_ignored() -> None:
    outside = Region(5, 60, 7, 1, 7, 0.5, 6, 60, np.array([[60, 5, 12]], "<i4").tobytes())
    result = WindowResult("run", 1, 0, (outside,), False, Quality(), 0.0, 0.0)
    assert defects_of([result], 50, 100, RECIPE) == ()


@pytest.mark.parametrize(
    ("x", "y", "edge"), [(300, 300, False), (9, 300, True), (10, 300, False), (300, 9, True), (585, 300, True)]
)
def test_a_defect_in_the_band_of_half_a_template_is_marked_edge(x: int, y: int, edge: bool) -> None:
    plate = blank(600, 600)
    plate[y : y + 6, x : x + 6] = True
    (defect,) = found(plate)
    assert defect.edge is edge


def test_sizes_in_mm_use_the_pitch_of_each_axis() -> None:
    recipe = RECIPE.model_copy(update={"pitch": Pitch(row_mm=0.05, column_mm=0.04)})
    plate = blank(600, 600)
    plate[200:240, 100:110] = True
    (defect,) = found(plate, recipe)
    mm = (defect.x_mm, defect.y_mm, defect.width_mm, defect.height_mm)
    assert mm == pytest.approx((4.0, 10.0, 0.4, 2.0))
    (bare,) = found(plate)
    assert (bare.x_mm, bare.height_mm) == (None, None)


strokes = st.lists(
    st.tuples(st.integers(0, 69), st.integers(0, 69), st.integers(0, 69), st.integers(0, 69)), max_size=6
)


def drawn(lines: Sequence[tuple[int, int, int, int]]) -> Mask:
    plate = blank(70, 70)
    for x0, y0, x1, y1 in lines:
        if (x0, y0) != (x1, y1):
            line(plate, x0, y0, x1, y1, width=2)
    return plate


@settings(max_examples=60, deadline=None)
@given(strokes, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_windows_change_nothing(
    lines: list[tuple[int, int, int, int]], rng: random.Random
) -> None:
    plate = drawn(lines)
    results = results_of(plate, SMALL)
    expected = defects_of(results, 70, 70, SMALL)
    shuffled = [*results, *rng.sample(results, 3)]
    rng.shuffle(shuffled)
    assert defects_of(shuffled, 70, 70, SMALL) == expected


@settings(max_examples=60, deadline=None)
@given(strokes)
def test_without_a_gap_defects_are_the_connected_parts_of_the_whole_plate(
    lines: list[tuple[int, int, int, int]],
) -> None:
    """Cutting into windows and merging again is as if the plate had been seen at once."""
    plate = drawn(lines)
    recipe = SMALL.model_copy(update={"post": PostProcessing(join_gap=0)})
    whole = [(r.y, r.x, r.width, r.height, r.area) for r in regions_of(plate)]
    assert [(d.y, d.x, d.width, d.height, d.area) for d in found(plate, recipe)] == sorted(
        whole, key=lambda d: (d[0], d[1], d[3], d[2])
    )
