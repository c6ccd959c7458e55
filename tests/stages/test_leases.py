"""How long a lease may take, by those that were finished last."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.leases import _percentile_99


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=200))
def test_the_usual_time_is_the_99th_percentile_as_numpy_has_it(durations: list[float]) -> None:
    assert _percentile_99(durations) == pytest.approx(float(np.quantile(np.array(durations), 0.99)), rel=1e-9)
