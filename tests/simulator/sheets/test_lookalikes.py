"""Look-alikes lie on any picture, however dark."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from simulator.sheets.lookalikes import cover, marks


@pytest.mark.parametrize("grey", [-20.0, 0.0, 3.0, 120.0, 400.0])
def test_oil_is_dark_and_lightens_nothing(grey: float) -> None:
    hidden = 0
    for seed in range(60):
        picture = np.full((64, 64), grey, np.float32)
        shape = cover(np.random.default_rng(seed), picture)
        assert np.isfinite(picture).all()
        assert picture.max() <= grey
        hidden += shape is not None
    assert hidden > 0


def test_no_hair_scratch_is_drawn_where_scratches_count_as_cracks() -> None:
    def lines(*, other_lines: bool) -> int:
        found = 0
        for seed in range(80):
            picture = np.full((200, 200), 100, np.float32)
            marks(np.random.default_rng(seed), picture, other_lines=other_lines)
            outlines, _ = cv2.findContours((picture > 106).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            sides = [sorted(cv2.minAreaRect(outline)[1]) for outline in outlines]
            found += sum(across < 6 and along > 40 for across, along in sides)
        return found

    assert lines(other_lines=True) > 3
    assert lines(other_lines=False) == 0
