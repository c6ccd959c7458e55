"""Sheets over time and by shift, and the causes by their frequency."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from daemon.offline.report.verdicts import Counts, Why, by_product, by_shift, over_time, pareto, stretches
from daemon.store.period import OPEN, local
from daemon.store.shifts import Shift
from stages.plate import Cause, Verdict
from tests.daemon.offline.report.periods import period, plates

YEAR = 365 * 86_400.0


@given(st.floats(0.5e9, 2e9), st.one_of(st.floats(0, 86_400), st.floats(0, 10 * YEAR)))
def test_stretches_of_time_are_few_hold_both_ends_and_follow_each_other(first: float, span: float) -> None:
    words, edges = stretches(first, first + span)
    assert words
    assert 2 <= len(edges) <= 62
    assert edges[0] <= first
    assert first + span < edges[-1]
    assert (np.diff(edges) > 0).all()


def test_long_stretches_begin_at_midnight_and_weeks_on_monday() -> None:
    begin = datetime(2026, 11, 4, 13, 0).astimezone().timestamp()
    words, edges = stretches(begin, begin + 40 * 86_400)
    assert words == "day"
    assert {local(float(edge)).time() for edge in edges} == {time()}
    words, edges = stretches(begin, begin + YEAR)
    assert words == "week"
    assert {local(float(edge)).weekday() for edge in edges} == {0}


def test_every_sheet_is_counted_once_over_time() -> None:
    codes = np.array([0, 1, 2, OPEN] * 50, np.int8)
    over = over_time(plates(200, verdict=codes))
    assert over is not None
    parts = [(one.ok, one.ng, one.inconclusive, one.open) for one in over.counts]
    assert np.sum(parts, axis=0).tolist() == [50, 50, 50, 50]
    assert over_time(plates(0)) is None


def test_a_sheet_belongs_to_the_shift_in_which_it_was_seen() -> None:
    midnight = datetime(2026, 11, 30).astimezone().timestamp()
    hours = np.array([5, 6, 13.99, 14, 23, 24, 29.99, 30.0])
    of = plates(8, at=midnight + 3600 * hours, verdict=np.array([0, 1, 0, 0, 1, 1, 0, OPEN], np.int8))
    shifts = {
        "early": Shift(time(6), time(14)),
        "late": Shift(time(14), time(22)),
        "night": Shift(time(22), time(6)),
        "never": Shift(time(15), time(16)),
    }
    found = by_shift(of, shifts)
    assert found == {"early": Counts(1, 1, 0, 1), "late": Counts(1, 0, 0, 0), "night": Counts(2, 2, 0, 0)}
    assert by_shift(plates(0), shifts) == {}


def test_products_are_counted_apart() -> None:
    of = plates(6, product=np.array([0, 0, 1, 1, 1, 1], np.int32), verdict=np.array([0, 1, 1, 1, 1, 2], np.int8))
    assert by_product(period(of, products=2)) == [Counts(1, 1, 0, 0), Counts(0, 3, 1, 0)]


def test_causes_come_by_their_frequency_over_both_verdicts() -> None:
    causes = Counter(
        {
            (Verdict.NG, Cause.DEFECT): 5,
            (Verdict.NG, Cause.FOCUS): 4,
            (Verdict.INCONCLUSIVE, Cause.FOCUS): 3,
            (Verdict.INCONCLUSIVE, Cause.OVERLOAD): 1,
        }
    )
    assert pareto(causes) == [Why(Cause.FOCUS, 4, 3), Why(Cause.DEFECT, 5, 0), Why(Cause.OVERLOAD, 0, 1)]
