"""The plates that got their verdict last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.store.recent import boxes, recent_plates
from daemon.store.results import Store, StoreError, store_path
from stages.plate import Cause, Verdict
from tests.daemon.web.judged import DEFECT, judge, result


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    vetoed = replace(DEFECT, vetoed=True, score=0.99)
    judge(
        tmp_path,
        result(1, Verdict.OK),
        replace(result(2, Verdict.NG, reason="1 defect"), defects=(vetoed, DEFECT, replace(DEFECT, x=1, score=0.6))),
        result(4, Verdict.INCONCLUSIVE, Cause.FOCUS, Cause.LATE),
        part="P7",
    )
    with Store.open(store_path(tmp_path), read_only=True) as opened:
        yield opened


def test_the_highest_numbers_come_first_with_what_a_screen_shows(store: Store) -> None:
    found = recent_plates(store, 20)
    assert [(one.plate, one.verdict, one.causes, one.defects) for one in found] == [
        (4, Verdict.INCONCLUSIVE, (Cause.FOCUS, Cause.LATE), 0),
        (2, Verdict.NG, (Cause.DEFECT,), 2),
        (1, Verdict.OK, (), 0),
    ]
    assert {(one.part_id, one.recipe, one.rows, one.columns) for one in found} == {("P7", "P10B", 1300, 650)}
    assert [one.plate for one in recent_plates(store, 2)] == [4, 2]


def test_the_boxes_are_those_of_the_worst_defects_that_count(store: Store) -> None:
    assert boxes(store, 2, 64) == [(400, 900, 60, 12), (1, 900, 60, 12)]
    assert boxes(store, 2, 1) == [(400, 900, 60, 12)]
    assert boxes(store, 1, 64) == []


def test_what_cannot_be_read_is_no_result(tmp_path: Path) -> None:
    judge(tmp_path, result(1, Verdict.OK))
    with Store.open(store_path(tmp_path)) as store:
        with store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            connection.exec_driver_sql("UPDATE plates SET causes = '[\"no such cause\"]'")
        with pytest.raises(StoreError):
            recent_plates(store, 20)
