"""What follows from marks: a false alarm counts where the line called it a defect, a miss where it did not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from daemon.offline.report.marked import marked
from stages.mark import Mark, MarkKind, Place, Shape
from tests.daemon.offline.report.periods import found, period, plates

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DEFECTS = [(0, 1, 1), (0, 2, 2), (1, 3, 3), (2, 4, 4), (3, 5, 5)]


def said(plate: int, kind: MarkKind, defect: int | None = 1, why: str | None = None) -> Mark:
    place = Place(Shape.BOX, 1, 1, 5, 5) if kind is MarkKind.MISSED else None
    return Mark(plate, kind, "ann", NOW, None if place else defect, place, why)


def test_rates_are_a_plate_that_was_marked_and_at_least_so_many_a_plate_of_all() -> None:
    marks = [
        said(1, MarkKind.CONFIRMED),
        said(1, MarkKind.FALSE_ALARM, 2, "dust"),
        said(2, MarkKind.FALSE_ALARM, 1, "dust"),
        said(5, MarkKind.MISSED),
    ]
    of = marked(period(plates(10), found(DEFECTS), marks=marks))
    assert (of.confirmed, of.false_alarms, of.missed) == (1, 2, 1)
    assert (of.plates.count, of.plates.of) == (3, 10)
    assert (of.defects.count, of.defects.of) == (3, 5)
    assert of.fpb.mean == pytest.approx(2 / 3)
    assert of.mdb.mean == pytest.approx(1 / 3)
    assert (of.fpb_of_all.mean, of.mdb_of_all.mean) == (0.2, 0.1)
    assert of.fpb.lower <= of.fpb.mean <= of.fpb.upper
    assert (of.right.count, of.right.of) == (1, 3)
    assert (of.found.count, of.found.of) == (1, 2)
    assert of.whys == ((MarkKind.FALSE_ALARM, "dust", 2),)


def test_a_crack_that_the_classifier_vetoed_was_missed_and_a_vetoed_false_alarm_is_none() -> None:
    marks = [said(1, MarkKind.CONFIRMED), said(2, MarkKind.FALSE_ALARM)]
    of = marked(period(plates(4), found(DEFECTS, vetoed=[0, 2]), marks=marks))
    assert (of.confirmed, of.false_alarms, of.missed) == (0, 0, 1)
    assert (of.vetoed_missed, of.vetoed_rightly) == (1, 1)
    assert (of.fpb.count, of.mdb.count) == (0, 1)
    assert (of.defects.count, of.defects.of) == (0, 3)


def test_marks_of_the_golden_sheet_and_of_plates_that_are_not_there_say_nothing() -> None:
    marks = [said(1, MarkKind.FALSE_ALARM), said(77, MarkKind.FALSE_ALARM)]
    of = marked(period(plates(4, golden=np.arange(4) == 0), found(DEFECTS), marks=marks))
    assert (of.plates.count, of.plates.of, of.false_alarms) == (0, 3, 0)


def test_nothing_marked_is_told_as_nothing() -> None:
    of = marked(period(plates(4), found(DEFECTS)))
    assert (of.plates.count, of.fpb.count, of.mdb.count) == (0, 0, 0)
