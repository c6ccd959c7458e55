"""Look-alikes lie on any picture, however dark."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.lookalikes import cover


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
