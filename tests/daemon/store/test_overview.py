"""The overview picture, and where the plate lies on it."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.store.overview import draw_overview, plate_place
from stages.plate import PlateResult, Verdict


@pytest.mark.parametrize(("rows", "columns"), [(2000, 1500), (4000, 900), (300, 200), (50, 40), (1999, 2001)])
def test_a_place_of_the_plate_is_found_on_the_picture(rows: int, columns: int) -> None:
    longest = 400
    image = np.full((rows, columns), 40, np.uint8)
    top, left, side = rows // 2, columns // 4, max(8, rows // 10)
    image[top : top + side, left : left + side] = 250
    result = PlateResult("a" * 32, 1, Verdict.OK, (), "", True, rows, columns, 1, 1, 1.0)
    picture = draw_overview(image, result, overview_px=longest, title="Plate 1")
    place = plate_place(rows, columns, longest, picture.size)
    assert place is not None
    scale, beside = place
    grey = np.asarray(picture.convert("L"))
    x, y = (left + side / 2) * scale + beside, (top + side / 2) * scale
    assert grey[int(y), int(x)] > 240
    assert grey[int(top * scale) - 2, int(x)] < 60
    assert grey[int(y), int(left * scale + beside) - 2] < 60


def test_a_picture_of_another_size_says_nothing_of_places() -> None:
    assert plate_place(2000, 1500, 400, (719, 900)) is None
    assert plate_place(2000, 1500, 400, (720, 400)) is None
