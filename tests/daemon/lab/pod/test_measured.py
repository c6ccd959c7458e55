"""The yardstick for painted and real cracks: what it measures on a ground that rises and falls."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.lab.pod.measured import measured


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_a_line_is_measured_alike_on_flat_ground_and_on_a_flank(sign: int, slope: float) -> None:
    image = 120 + slope * (np.arange(200)[None, :] - 100.0) + np.zeros((200, 1))
    pixels = np.ones((80, 8), np.bool_)
    image[60:140, 96:104] += sign * 12
    found = measured(np.clip(np.rint(image), 0, 255).astype(np.uint8), (96, 60, 8, 80), pixels, sign)
    assert found.contrast == pytest.approx(12, abs=1.5)
    assert found.width == pytest.approx(8, rel=0.05)
    assert found.length == pytest.approx(80, rel=0.05)


def test_of_a_crack_of_unknown_sign_the_clearer_one_is_taken() -> None:
    image = np.full((100, 100), 120, np.uint8)
    image[40:60, 48:52] = 90
    assert measured(image, (48, 40, 4, 20), np.ones((20, 4), np.bool_), 0).contrast == pytest.approx(30, abs=1)


def test_where_nothing_stands_out_or_nothing_lies_beside_there_is_still_a_size() -> None:
    flat = np.full((40, 40), 120, np.uint8)
    for box in ((10, 10, 5, 20), (0, 0, 40, 40)):
        found = measured(flat, box, np.ones((box[3], box[2]), np.bool_), 1)
        assert found.contrast == 0.5
        assert found.width > 0
