"""The watch over the optics in the record process: asked once a plate, kept in the store, told in its log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from structlog.testing import capture_logs

from config.schema import Config, OpticsLimits, Recipe
from daemon.service.optics_watch import OpticsKeeper, OpticsOfRecipes
from daemon.store.optics import forget_optics, keep_optics
from daemon.store.results import Store, store_path
from models.detector.findings import COLUMN_STEPS, Quality
from stages.events import PlateDecided
from stages.optics import OpticalFault
from stages.plate import PlateResult, Verdict

RUN = "a" * 32
CONFIG = Config(optics=OpticsLimits(plates=4))
RECIPE = Recipe(name="small")
RESULT = PlateResult(
    RUN,
    1,
    Verdict.OK,
    (),
    "",
    complete=True,
    rows=900,
    columns=900,
    windows=4,
    windows_scored=4,
    coverage=1.0,
    quality=Quality(unmasked=100, judged=100, total=10_000, lit=100, fine=3, coarse=10),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(store_path(tmp_path)) as opened:
        yield opened


def decided(plate: int, grey: float = 100.0) -> PlateDecided:
    """A plate of that grey level, even over its columns."""
    quality = replace(RESULT.quality, total=grey * RESULT.quality.lit)
    profile = np.full(900, COLUMN_STEPS * grey).astype("<u2").tobytes()
    return PlateDecided(replace(RESULT, plate=plate, quality=quality), profile=profile)


def test_an_alarm_is_told_once_with_its_plate_and_noted_in_the_store(store: Store, tmp_path: Path) -> None:
    keeper = OpticsKeeper(CONFIG, RECIPE, RUN)
    with capture_logs() as said:
        for plate in range(1, 20):
            state = keeper.take(store, decided(plate, 100.0 if plate <= 8 else 70.0))
            keeper.keep(store)
    assert state is not None
    assert state.faults == (OpticalFault.LIGHT,)
    (line,) = [one for one in said if one["event"] == "the optics have changed"]
    assert line["fault"] == "light"
    assert "darker than the reference" in line["found"]
    with closing(sqlite3.connect(store_path(tmp_path))) as other:
        assert other.execute("SELECT plate FROM events WHERE kind = 'optics'").fetchall() == [(line["plate"],)]


def test_an_alarm_does_not_keep_its_plate_from_its_verdict(store: Store) -> None:
    keeper = OpticsKeeper(CONFIG, RECIPE, RUN)
    with capture_logs() as said:
        for plate in range(1, 20):
            keeper.take(store, decided(plate, 100.0 if plate <= 8 else 70.0))
        assert not said
        keeper.keep(store)
        keeper.keep(store)
    assert [one["event"] for one in said] == ["the optics have changed"]


def test_a_verdict_that_is_written_twice_counts_once(store: Store) -> None:
    keeper = OpticsKeeper(CONFIG, RECIPE, RUN)
    first = keeper.take(store, decided(1))
    assert first is not None
    assert keeper.take(store, decided(1)) is first
    again = keeper.take(store, decided(2))
    assert again is not None
    assert again.learnt == 2


def test_a_new_process_goes_on_from_what_the_store_keeps(store: Store) -> None:
    keeper = OpticsKeeper(CONFIG, RECIPE, RUN)
    for plate in range(1, 4):
        keeper.take(store, decided(plate))
    keeper.keep(store)
    keeper.keep(store, now=True)
    state = OpticsKeeper(CONFIG, RECIPE, RUN).take(store, decided(4))
    assert state is not None
    assert state.learnt == 4


def test_what_cannot_be_read_is_learnt_anew(store: Store) -> None:
    keep_optics(store, "small", b"\xff nothing of ours")
    with capture_logs() as said:
        state = OpticsKeeper(CONFIG, RECIPE, RUN).take(store, decided(1))
    assert state is not None
    assert state.learnt == 1
    assert said[0]["log_level"] == "warning"


def test_a_reference_that_was_taken_back_is_learnt_anew_while_the_service_runs(store: Store, tmp_path: Path) -> None:
    keeper = OpticsKeeper(CONFIG, RECIPE, RUN)
    for plate in range(1, 6):
        keeper.take(store, decided(plate))
    keeper.keep(store, now=True)
    with Store.open(store_path(tmp_path)) as other:
        assert forget_optics(other, "small")
        assert not forget_optics(other, "small")
    state = keeper.take(store, decided(6, 130.0))
    assert state is not None
    assert state.learnt == 1
    for plate in range(7, 16):
        state = keeper.take(store, decided(plate, 130.0))
        keeper.keep(store, now=True)
    assert state is not None
    assert (state.learnt, state.faults) == (4, ())


def test_recipes_of_one_product_have_one_watch_and_a_plate_of_a_forgotten_recipe_is_passed_over(store: Store) -> None:
    watches = OpticsOfRecipes(CONFIG, RECIPE, RUN)
    watches.load(2, RECIPE.model_copy(update={"description": "other gates"}), store)
    watches.load(3, RECIPE.model_copy(update={"name": "other"}), store)
    states = [watches.take(store, structs.replace(decided(plate), recipe=1 + plate % 2)) for plate in range(1, 5)]
    assert [state.learnt for state in states if state is not None] == [1, 2, 3, 4]
    other = watches.take(store, structs.replace(decided(5), recipe=3))
    assert other is not None
    assert other.learnt == 1
    watches.forget(3, store)
    assert watches.take(store, structs.replace(decided(6), recipe=3)) is None
