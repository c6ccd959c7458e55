"""What candidates say of plates is stored beside the verdicts, which it never touches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.store.archive import enter
from daemon.store.challenges import challenged, enter_challenge, unchallenged
from daemon.store.history import EVERYTHING, Selection
from daemon.store.results import Store, store_path
from daemon.store.rows import PlateRow
from daemon.store.view import results_json, words_of
from stages.challenge import Challenge, ChallengedDefect, Change, Kind
from stages.plate import Cause, Defect, PlateResult, Verdict
from tests.daemon.conftest import FACTS, RUN

NOW = datetime.now(UTC)
DEFECT = Defect(1, 2, 3, 4, 9, 0.75, 2, 3, edge=False)
GONE = ChallengedDefect(Change.GONE, 1, 2, 3, 4, 0.75, None, 1)
SAID = Challenge("c" * 64, "next", Kind.VERDICT, Verdict.OK, (), (GONE,))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as made:
        made.begin_run(replace(FACTS, recipe_sha256="r" * 64))
        for plate in range(1, 7):
            found = PlateResult(RUN, plate, Verdict.NG, (Cause.DEFECT,), "", True, 9, 9, 1, 1, 1.0, defects=(DEFECT,))
            made.commit_verdict(found, decided_at=NOW)
            enter(made, plate, tmp_path / "archive" / f"{plate}.ome.tif", 9, f"{plate}" * 64)
        yield made


def plate_of(store: Store, plate: int) -> PlateRow:
    row = store.plate(plate)
    assert row is not None
    return row


def test_the_latest_plate_that_a_candidate_has_not_judged_comes_first_each_once(store: Store) -> None:
    seen = []
    while (found := unchallenged(store, "r" * 64, SAID.candidate, 1.0)) is not None:
        seen.append(found.row.plate)
        assert (found.path, found.sha256) == (store.path.parent / f"archive/{seen[-1]}.ome.tif", f"{seen[-1]}" * 64)
        enter_challenge(store, found.row.plate, SAID)
    assert seen == [6, 5, 4, 3, 2, 1]
    # Another candidate has judged none of them, and of another recipe there are none.
    other = unchallenged(store, "r" * 64, "d" * 64, 1.0, without=(6, 5))
    assert other is not None
    assert other.row.plate == 4
    assert unchallenged(store, "x" * 64, "d" * 64, 1.0) is None


def test_a_share_is_told_by_the_numbers_of_plates_alone(store: Store) -> None:
    def taken(share: float) -> set[int]:
        seen = set[int]()
        while (found := unchallenged(store, "r" * 64, "e" * 64, share, without=seen)) is not None:
            seen.add(found.row.plate)
        return seen

    half = taken(0.5)
    assert half == taken(0.5)
    assert 0 < len(half) < 6
    assert taken(0.0001) < half


def test_what_a_candidate_says_is_told_with_the_plate_and_the_verdict_stays(store: Store) -> None:
    before = plate_of(store, 2)
    enter_challenge(store, 2, SAID)
    row = plate_of(store, 2)
    assert (row.challenge, replace(row, challenge=None)) == (SAID, before)
    assert store.check_rows().changed == ()
    told = json.loads(json.dumps(results_json(row)))
    assert told["verdict"] == "NG"
    assert (told["challenger"], told["challenger_verdict"], told["challenger_change"]) == ("next", "OK", "verdict")
    assert (told["challenger_new_count"], told["challenger_gone_count"]) == (0, 1)
    assert told["challenge"]["defects"][0]["change"] == "gone"
    assert words_of(row)[-2:] == [
        "challenger next: would be OK; defects: 1 gone",
        "challenger: defect 1 gone at x 1, y 2: 3 x 4 px, score 0.75",
    ]
    assert results_json(before)["challenger"] is None


def test_the_latest_word_of_a_candidate_holds_and_several_candidates_stand_side_by_side(store: Store) -> None:
    enter_challenge(store, 2, SAID)
    again = replace(SAID, kind=Kind.SAME, verdict=Verdict.NG, causes=(Cause.DEFECT,), defects=())
    enter_challenge(store, 2, again)
    enter_challenge(store, 3, SAID)
    enter_challenge(store, 3, replace(SAID, candidate="d" * 64))
    assert challenged(store, Selection(plate=2)) == [(2, Verdict.NG, again)]
    everything = challenged(store, EVERYTHING)
    assert [(plate, said.candidate[0]) for plate, _, said in everything] == [(3, "d"), (3, "c"), (2, "c")]
    assert challenged(store, Selection(verdict=Verdict.OK)) == []
