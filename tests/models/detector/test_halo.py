from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.detector.halo import own_area


@given(st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([(650, 600), (64, 32), (100, 98)]))
def test_own_areas_are_a_partition_of_the_plate(rows: int, columns: int, cut: tuple[int, int]) -> None:
    size, stride = cut
    across, down = np.zeros(columns, int), np.zeros(rows, int)
    for x in range(0, columns, stride):
        x0, _, x1, _ = own_area(x, 0, min(size, columns - x), min(size, rows), columns, size, stride)
        across[x + x0 : x + x1] += 1
    for y in range(0, rows, stride):
        _, y0, _, y1 = own_area(0, y, min(size, columns), min(size, rows - y), columns, size, stride)
        down[y + y0 : y + y1] += 1
    assert (across == 1).all()
    assert (down == 1).all()
