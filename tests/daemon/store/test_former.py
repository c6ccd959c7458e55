"""A result store that version 0.1.0 wrote (former/README.md): its plates are there, and numbers go on after them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.service.doctor import database
from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, Verdict

FORMER = Path(__file__).parent / "former" / "results.sqlite"
RUN = "a" * 32


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with that store."""
    shutil.copy(FORMER, tmp_path)
    return tmp_path


def test_it_is_read_whole_before_anything_is_changed_in_it(state: Path) -> None:
    with Store.open(store_path(state), read_only=True) as store:
        passed, flawed, left_open = reversed(store.plates())
        ledger = store.ledger()
    assert (ledger.seen, ledger.ok, ledger.ng, ledger.inconclusive, ledger.open) == (3, 1, 1, 0, 1)
    assert (passed.plate, passed.verdict, passed.causes, passed.defects) == (1, Verdict.OK, (), ())
    assert (passed.recipe, passed.rows, passed.columns, passed.windows_scored) == ("U20B", 3247, 14653, 150)
    assert (flawed.verdict, flawed.causes, flawed.batch_id) == (Verdict.NG, (Cause.DEFECT,), "B7")
    assert flawed.reason == "3 defects with a score of 0.50 or more, worst 0.99 at x 9580, y 2562"
    worst = flawed.defects[0]
    assert (worst.x, worst.y, worst.width, worst.height, worst.area) == (9542, 2524, 60, 106, 2060)
    assert (worst.score, worst.probability, worst.x_mm) == (0.9869488280389062, 0.9999999999997005, 397.23346)
    assert [defect.vetoed for defect in flawed.defects] == [False] * 3
    assert (left_open.plate, left_open.verdict, left_open.defects) == (3, None, ())


def test_it_is_sound_though_it_has_no_checksums(state: Path) -> None:
    check = database(state)
    assert check.ok, check.found
    assert "2 without a checksum (of an earlier version)" in check.found


def test_its_plates_are_listed_as_those_of_any_other(state: Path) -> None:
    command = [sys.executable, "-m", "daemon", "results", "--state", str(state), "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = {row["plate"]: row for row in map(json.loads, said.splitlines())}
    assert {plate: row["verdict"] for plate, row in rows.items()} == {1: "OK", 2: "NG", 3: None}
    assert len(rows[2]["defects"]) == 3


def test_the_next_run_closes_what_was_left_open_and_changes_nothing_else(state: Path) -> None:
    with Store.open(store_path(state)) as store:
        before = {row.plate: row for row in store.plates()}
        store.begin_run(RunFacts(run=RUN, recipe="P10B", simulated=True))
        after = {row.plate: row for row in store.plates()}
    assert (after[1], after[2]) == (before[1], before[2])
    assert (after[3].verdict, after[3].causes) == (Verdict.INCONCLUSIVE, (Cause.SERVICE_DIED,))
