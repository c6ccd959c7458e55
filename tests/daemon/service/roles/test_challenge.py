"""The challenge process: a candidate's word on plates of the archive, while the line has none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from config.load import load_recipe, recipe_hash
from config.schema import Challenger, Config, Gates, Recipe
from daemon.service.roles.challenge import Bench, StoppedError
from daemon.store.archive import enter
from daemon.store.archive_file import write_plate
from daemon.store.archive_files import archive_path
from daemon.store.results import RunFacts, Store, store_path
from daemon.wire import messages as m
from daemon.wire.channel import Server
from daemon.wire.plate_memory import Hold, PlateMemory
from stages.challenge import Change, Kind
from stages.events import PlateChallenged
from stages.plate import Cause, Defect, PlateResult, Verdict
from tests.daemon.conftest import KEY, RUN, SHAPE, Parent

Start = Callable[..., Parent]
SIDE = 700
DEFECT = Defect(100, 200, 30, 40, 900, 0.75, 110, 210, edge=False)


def recipe_with_challenger(directory: Path) -> Recipe:
    """A recipe whose candidate judges any picture of any size."""
    path = directory / "next.yaml"
    path.write_text("name: next\ngates: {action: warn, integrity: warn}\n")
    warns = Gates(action="warn", integrity="warn")
    mine = load_recipe("P10B").model_copy(update={"columns": None, "length": None, "gates": warns})
    return mine.model_copy(update={"name": "mine", "challenger": Challenger(recipe=str(path))})


def archived(state: Path, recipe: Recipe, *plates: int) -> None:
    """Plates of one defect each, where their files show nothing but an even grey with noise."""
    pixels = np.random.default_rng(4).normal(128, 5, (SIDE, SIDE)).astype(np.uint8)
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, recipe.name, simulated=False, recipe_sha256=recipe_hash(recipe)))
        for plate in plates:
            found = PlateResult(
                RUN, plate, Verdict.NG, (Cause.DEFECT,), "1 defect", True, SIDE, SIDE, 4, 4, 1.0, defects=(DEFECT,)
            )
            store.commit_verdict(found, decided_at=datetime.now(UTC))
            path = archive_path(state / "archive", RUN, plate)
            path.parent.mkdir(parents=True, exist_ok=True)
            size, digest = write_plate(pixels.copy(), path, name=f"plate {plate}", about={})
            enter(store, plate, path, size, digest)


@pytest.mark.timeout(300)
def test_a_plate_is_judged_once_the_line_is_free_and_the_next_where_a_file_is_damaged(
    parent: Start, tmp_path: Path
) -> None:
    recipe = recipe_with_challenger(tmp_path)
    archived(tmp_path, recipe, 1, 2)
    archive_path(tmp_path / "archive", RUN, 2).write_bytes(b"damaged")
    held = parent("challenge", recipe=recipe, prepare=lambda memory: memory.open(memory.free_places()[0], 9))
    record = Server(held.context, m.Sender(RUN, "record", 0, 1), held.directory / "record", KEY)
    for hold in Hold:
        held.memory.release(0, hold)
    said: list[PlateChallenged] = []
    until = time.monotonic() + 240
    while not said and time.monotonic() < until:
        said += [body for _, body in record.receive(time.monotonic()) if isinstance(body, PlateChallenged)]
        record.tick(time.monotonic())
        held.link.receive(time.monotonic())
        time.sleep(0.01)
    record.close()
    (one,) = said
    assert (one.plate, one.challenge.recipe, one.challenge.kind) == (1, "next", Kind.VERDICT)
    assert [(defect.change, defect.number) for defect in one.challenge.defects] == [(Change.GONE, 1)]
    held.tell(m.Exit())
    assert held.child.wait(60) == 0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Config(), tmp_path, PlateMemory.create(SHAPE))


def test_it_goes_on_where_it_stopped_once_no_slot_is_held(bench: Bench) -> None:
    bench.memory.open(bench.memory.free_places()[0], 1)
    assert not bench.line_is_free()
    free: list[bool] = []

    def judge() -> None:
        bench.give_way(1, 12)
        free.append(bench.line_is_free())

    judging = threading.Thread(target=judge)
    judging.start()
    for hold in Hold:
        bench.memory.release(0, hold)
    judging.join(60)
    assert free == [True]


def test_at_a_stop_it_ends_whether_the_line_is_free_or_not(bench: Bench) -> None:
    bench.stopped.set()
    with pytest.raises(StoppedError):
        bench.give_way(1, 12)
    bench.memory.open(bench.memory.free_places()[0], 1)
    with pytest.raises(StoppedError):
        bench.give_way(1, 12)


def test_a_candidate_that_cannot_be_used_judges_nothing_and_ends_no_process(bench: Bench, tmp_path: Path) -> None:
    recipe = recipe_with_challenger(tmp_path)
    archived(tmp_path, recipe, 1)
    (tmp_path / "next.yaml").write_text("name: next\nweights: none.pt\n")
    bench.take_up(1, recipe, recipe_hash(recipe))
    assert bench.judge_next() is None


@pytest.mark.timeout(300)
def test_a_challenger_that_is_named_later_judges_plates_of_before_and_one_that_is_let_go_judges_no_more(
    bench: Bench, tmp_path: Path
) -> None:
    """The recipe's hash is the same with and without it."""
    recipe = recipe_with_challenger(tmp_path)
    archived(tmp_path, recipe, 1, 2)
    bench.take_up(1, recipe.model_copy(update={"challenger": None}), recipe_hash(recipe))
    assert bench.judge_next() is None
    bench.take_up(2, recipe, recipe_hash(recipe))
    bench.let_go(1)
    said = bench.judge_next()
    assert said is not None
    assert (said.plate, said.challenge.recipe) == (2, "next")
    (tmp_path / "other.yaml").write_text((tmp_path / "next.yaml").read_text().replace("next", "other"))
    other = recipe.model_copy(update={"challenger": Challenger(recipe=str(tmp_path / "other.yaml"))})
    bench.take_up(3, other, recipe_hash(recipe))
    said = bench.judge_next()
    assert said is not None
    assert (said.plate, said.challenge.recipe) == (2, "other")
    bench.let_go(2)
    bench.let_go(3)
    assert bench.judge_next() is None
