from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from config.schema import Rectangle, Zone
from models.detector.findings import Region
from models.detector.regions import Criteria, find_regions
from models.detector.zones import Weigher, Zones

corners = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=3, max_size=8, unique=True).filter(
    lambda points: len({x for x, _ in points}) > 1 and len({y for _, y in points}) > 1
)
ROWS, COLUMNS = (grid.ravel() for grid in np.indices((60, 60)))


def box(x: int, y: int, width: int, height: int, weight: float) -> Zone:
    return Zone(rectangle=Rectangle(x=x, y=y, width=width, height=height), weight=weight)


def weights(zones: Zones, scale: int = 1) -> NDArray[np.float64]:
    """The weight of each pixel of a window of 60 x 60 values at the plate's origin."""
    weigh = zones.at(0, 0, 60 * scale, 60 * scale, scale)
    if weigh is None:
        return np.zeros((60, 60))
    points = zip(ROWS, COLUMNS, strict=True)
    return np.array([weigh(np.array([y]), np.array([x])) for y, x in points]).reshape(60, 60)


def test_rectangle_is_half_open_in_plate_coordinates() -> None:
    weight = weights(Zones([box(10, 20, 5, 7, 0.5)]))
    expected = np.zeros((60, 60))
    expected[20:27, 10:15] = 0.5
    assert np.array_equal(weight, expected)


def test_half_resolution_asks_where_the_middle_of_its_pixels_lies() -> None:
    weight = weights(Zones([box(10, 20, 5, 7, 0.5)]), scale=2)
    expected = np.zeros((60, 60))
    expected[10:13, 5:7] = 0.5  # px 20-25 and 10-13; the pixels that the zone cuts in half lie outside
    assert np.array_equal(weight, expected)


def test_overlapping_zones_add_up() -> None:
    weigh = Zones([box(0, 0, 30, 30, 0.5), box(20, 20, 30, 30, -2)]).at(0, 0, 60, 60, 1)
    assert weigh is not None
    assert weigh.most == 0.5
    assert weigh(np.array([10, 25, 40]), np.array([10, 25, 40])) == pytest.approx((0.5 - 1.5 - 2) / 3)


def test_window_that_no_zone_touches_has_nothing_to_weigh() -> None:
    zones = Zones([box(1000, 2000, 100, 100, 1)])
    assert Zones([]).at(0, 0, 650, 650, 2) is None
    assert zones.at(350, 2000, 650, 650, 2) is None
    assert zones.at(1100, 2000, 650, 650, 2) is None
    assert zones.at(351, 1351, 650, 650, 2) is not None
    assert zones.at(1099, 2099, 1, 1, 2) is not None


@settings(max_examples=60, deadline=None)
@given(corners)
def test_polygon_covers_what_an_independent_even_odd_test_says(points: list[tuple[int, int]]) -> None:
    weigh = Zones([Zone(polygon=tuple(points), weight=1)]).at(0, 0, 60, 60, 1)
    assert weigh is not None
    crossings = np.zeros(ROWS.size, int)
    # A simple test of triangles: a polygon's even-odd inside is the parity of its fan's triangles.
    for (x1, y1), (x2, y2) in pairwise(points[1:]):
        x, y = COLUMNS + 0.5, ROWS + 0.5
        sides = [
            (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            for (ax, ay), (bx, by) in (
                (points[0], (x1, y1)),
                ((x1, y1), (x2, y2)),
                ((x2, y2), points[0]),
            )
        ]
        inside = np.all(np.stack(sides) > 0, axis=0) | np.all(np.stack(sides) < 0, axis=0)
        on_edge = np.any(np.stack(sides) == 0, axis=0)
        crossings += np.where(on_edge, 10_000, inside.astype(int))
    clear = crossings < 10_000
    if clear.any():
        share = weigh(ROWS[clear], COLUMNS[clear])
        assert share == pytest.approx(float((crossings[clear] % 2).mean()), abs=1e-12)


def test_convex_polygon_covers_what_matplotlib_says() -> None:
    points = ((3, 4), (50, 9), (56, 41), (22, 58))
    weigh = Zones([Zone(polygon=points, weight=1)]).at(0, 0, 60, 60, 1)
    assert weigh is not None
    expected = Outline(np.array(points)).contains_points(np.stack((COLUMNS + 0.5, ROWS + 0.5), axis=1)).mean()
    assert weigh(ROWS, COLUMNS) == pytest.approx(float(expected), abs=2 / 3600)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*(st.integers(1, 59),) * 4))
def test_polygons_that_share_an_edge_share_and_lose_no_pixel(bends: tuple[int, int, int, int]) -> None:
    one, two = bends[:2], bends[2:]
    upper = Zone(polygon=((0, 0), (60, 0), one, two), weight=1)
    lower = Zone(polygon=((60, 0), (60, 60), (0, 60), (0, 0), two, one), weight=1)
    parts = [Zones([zone]).at(0, 0, 60, 60, 1) for zone in (upper, lower)]
    assert all(part is not None for part in parts)
    for start in range(0, 3600, 31):
        pixel = ROWS[start : start + 1], COLUMNS[start : start + 1]
        assert sum(part(*pixel) for part in parts if part is not None) == 1


def test_far_away_corners_are_no_fault() -> None:
    zones = Zones([Zone(polygon=((0, 0), (10_000_000, 1), (3, 10_000_000)), weight=1), box(10**15, 10**18, 9, 9, 1)])
    weigh = zones.at(0, 0, 650, 650, 2)
    assert weigh is not None
    assert len(weigh.zones) == 1
    assert 0 < weigh(np.arange(300), np.arange(300)) <= 1


# --- what zones do to regions ---------------------------------------------------------------------------------


def found(values: NDArray[np.float32], weigh: Weigher | None, *, line_like: bool = True) -> tuple[Region, ...]:
    criteria = Criteria(scale=2, seed=2.0, grow=0.5, floor=2.0, least_area=4, opening=False, line_like=line_like)
    return find_regions(values, 120, 120, criteria, weigh)[0]


def two_lines(value: float) -> NDArray[np.float32]:
    values = np.full((60, 60), -5, np.float32)
    values[10:13, 5:55] = value
    values[40:43, 5:55] = value
    return values


def at(*zones: Zone) -> Weigher | None:
    return Zones(zones).at(0, 0, 120, 120, 2)


def test_faint_line_is_found_in_a_zone_that_expects_it_and_nowhere_else() -> None:
    values = two_lines(1.0)
    assert found(values, None) == ()
    (region,) = found(values, at(box(0, 0, 120, 60, 0.5)))
    assert region.y == 20
    assert region.score == pytest.approx(1 / (1 + math.exp(-0.5 * (1 + math.log(2) + 0.5 - 2))))


def test_line_is_dropped_in_a_zone_that_expects_none() -> None:
    (region,) = found(two_lines(3.0), at(box(0, 0, 120, 60, -3)))
    assert region.y == 80


def test_region_partly_in_a_zone_gains_its_share() -> None:
    whole, half = (found(two_lines(3.0), at(box(0, 0, width, 60, 1.0)))[0].score for width in (120, 60))
    none = found(two_lines(3.0), None)[0].score
    logit = [math.log(score / (1 - score)) for score in (none, half, whole)]
    assert np.diff(logit) == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("line_like", [True, False])
def test_zone_of_no_weight_or_elsewhere_changes_no_bit(line_like: bool) -> None:
    values = two_lines(3.0)
    expected = found(values, None, line_like=line_like)
    assert found(values, at(box(0, 0, 120, 120, 0.0)), line_like=line_like) == expected
    assert found(values, at(box(0, 30, 120, 40, 5.0)), line_like=line_like) == expected


def test_zone_brings_no_pixel_below_the_level_of_growth() -> None:
    assert found(two_lines(0.4), at(box(0, 0, 120, 120, 20))) == ()
