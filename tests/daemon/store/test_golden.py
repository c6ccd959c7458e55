"""The check standard in the result store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemon.store.golden import add_check, checks_of, set_standard, standard_of, why_overdue
from daemon.store.results import Store, store_path
from stages.golden import Check, Limit, Mark, Standard

STANDARD = Standard((Mark(1, 2),), {"brightness": Limit(90, 110)})
GOOD, BAD = Check({"brightness": 100.0}, ()), Check({"brightness": 80.0}, ("brightness 80, allowed 90 to 110",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as opened:
        yield opened


def test_a_standard_is_read_as_it_was_set_and_takes_the_place_of_the_one_before(store: Store) -> None:
    assert standard_of(store, "P10B") is None
    set_standard(store, "P10B", [7], Standard((), {}))
    set_standard(store, "P10B", [8], STANDARD)
    found = standard_of(store, "P10B")
    assert found is not None
    assert found[1] == STANDARD


def test_checks_are_kept_in_the_order_of_their_passes(store: Store) -> None:
    now = datetime.now(UTC)
    add_check(store, "P10B", 9, now, BAD)
    add_check(store, "P10B", 8, now - timedelta(hours=1), GOOD)
    add_check(store, "02CG", 7, now, GOOD)
    assert [(one.plate, one.check) for one in checks_of(store, "P10B")] == [(8, GOOD), (9, BAD)]
    assert [one.plate for one in checks_of(store, "P10B", now)] == [9]


def test_the_latest_check_since_the_standard_was_set_says_whether_plates_may_be_ok(store: Store) -> None:
    now = datetime.now(UTC)
    assert "no check standard is set" in why_overdue(store, "P10B", 8, now)
    add_check(store, "P10B", 1, now - timedelta(hours=1), GOOD)
    set_standard(store, "P10B", [1], STANDARD)
    now = datetime.now(UTC)
    assert "was not checked since" in why_overdue(store, "P10B", 8, now)
    add_check(store, "P10B", 2, now, GOOD)
    assert why_overdue(store, "P10B", 8, now) == ""
    assert "due every 8 h" in why_overdue(store, "P10B", 8, now + timedelta(hours=9))
    add_check(store, "P10B", 3, now + timedelta(seconds=1), BAD)
    assert "failed" in why_overdue(store, "P10B", 8, now + timedelta(seconds=2))
    assert "no check standard is set" in why_overdue(store, "02CG", 8, now)
